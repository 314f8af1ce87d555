//! The resource of products: read by everybody, changed by staff.

use crate::{
    Inventory,
    body::{NewProductBody, ProductBody, ProductChangeBody, ProductPage},
    problem::problem,
};
use actix_web::{HttpRequest, delete, get, patch, post, web};
use bus::Role;
use edge::{IfMatch, Json, List, Listing, Path, Problem, Reply, SignedIn, Staff};
use inventory_ports::{
    Actor, ArchiveProduct, CreateProduct, GetProduct, ListProducts, Product, ProductSort, ProductStatus,
    UpdateProduct,
};
use kernel::{ProductId, UserId};
use serde::Deserialize;
use utoipa::IntoParams;

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    /// Words; each has to begin a word of the title or of a SKU, whatever its case.
    q: Option<String>,
    /// `draft`, `active` or `archived`; others than active are for staff.
    #[param(value_type = Option<String>, example = "active")]
    status: Option<ProductStatus>,
    /// `created_at`, `-created_at`, `title` or `-title`; `created_at` unless told.
    #[param(value_type = Option<String>, example = "-created_at")]
    sort: Option<ProductSort>,
}

fn is_staff(caller: Option<&SignedIn>) -> bool {
    caller.is_some_and(|SignedIn(caller)| caller.role >= Role::Staff)
}

/// The public sees what is on sale; staff see everything, or what they ask for.
fn visible(
    asked: Option<ProductStatus>,
    caller: Option<&SignedIn>,
) -> Result<Option<ProductStatus>, Problem> {
    match (asked, caller) {
        (asked, caller) if is_staff(caller) => Ok(asked),
        (None | Some(ProductStatus::Active), _) => Ok(Some(ProductStatus::Active)),
        (Some(_), Some(_)) => Err(Problem::forbidden()),
        (Some(_), None) => Err(Problem::unauthenticated()),
    }
}

/// A page of products. The public sees those on sale.
#[utoipa::path(tag = "inventory",
    params(Filter,
        ("limit" = Option<u16>, Query, description = "1 to 100, 20 unless told"),
        ("cursor" = Option<String>, Query, description = "where the page before stopped")),
    responses(
        (status = 200, body = ProductPage),
        (status = 401, body = edge::schema::Problem, description = "unauthenticated"),
        (status = 403, body = edge::schema::Problem, description = "forbidden"),
        (status = 422, body = edge::schema::Problem, description = "invalid_cursor, invalid_value, unknown_field")))]
#[get("/api/v1/products")]
pub(crate) async fn list(
    caller: Option<SignedIn>,
    List { filter, page }: List<Filter>,
    inventory: web::Data<Inventory>,
) -> Result<Reply, Problem> {
    let status = visible(filter.status, caller.as_ref())?;
    let list = ListProducts { q: filter.q, status, sort: filter.sort.unwrap_or_default(), page };
    let found = inventory.port.products(list).await.map_err(problem)?;
    Ok(Reply::ok(&Listing::from(found.map(ProductBody::from))))
}

/// One product.
#[utoipa::path(tag = "inventory",
    params(("id" = uuid::Uuid, Path)),
    responses(
        (status = 200, body = ProductBody),
        (status = 404, body = edge::schema::Problem, description = "not_found, also for what is not on sale")))]
#[get("/api/v1/products/{id}")]
pub(crate) async fn get(
    caller: Option<SignedIn>,
    Path(product_id): Path<ProductId>,
    inventory: web::Data<Inventory>,
) -> Result<Reply, Problem> {
    let active_only = !is_staff(caller.as_ref());
    let product = inventory.port.product(GetProduct { product_id, active_only }).await.map_err(problem)?;
    Ok(reply(product))
}

fn reply(product: Product) -> Reply {
    let version = product.version;
    Reply::ok(&ProductBody::from(product)).etag(version)
}

/// Adds a product. Staff.
#[utoipa::path(tag = "inventory", request_body = NewProductBody,
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes the request safe to repeat")),
    responses(
        (status = 201, body = ProductBody),
        (status = 401, body = edge::schema::Problem, description = "unauthenticated"),
        (status = 403, body = edge::schema::Problem, description = "forbidden"),
        (status = 409, body = edge::schema::Problem, description = "sku_taken, with `skus`"),
        (status = 422, body = edge::schema::Problem, description = "invalid_value, missing_field, unknown_field")))]
#[post("/api/v1/products")]
pub(crate) async fn create(
    request: HttpRequest,
    Staff(caller): Staff,
    Json(new): Json<NewProductBody>,
    inventory: web::Data<Inventory>,
) -> Result<Reply, Problem> {
    edge::command(&request, async move {
        let create = CreateProduct {
            product_id: inventory.sources.id(),
            title: new.title,
            description: new.description,
            status: new.status.unwrap_or(ProductStatus::Active),
            variants: new.variants.into_iter().map(Into::into).collect(),
            actor: Actor::User(UserId(caller.user)),
        };
        let product = inventory.port.create_product(create).await.map_err(problem)?;
        let (location, version) = (format!("/api/v1/products/{}", product.id), product.version);
        Ok(Reply::created(location, &ProductBody::from(product)).etag(version))
    })
    .await
}

/// Changes a product, its variants' titles and prices, and adds variants. Staff.
#[utoipa::path(tag = "inventory", request_body = ProductChangeBody,
    params(("id" = uuid::Uuid, Path),
        ("If-Match" = Option<String>, Header, description = "the version that is to be changed"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes the request safe to repeat")),
    responses(
        (status = 200, body = ProductBody),
        (status = 401, body = edge::schema::Problem, description = "unauthenticated"),
        (status = 403, body = edge::schema::Problem, description = "forbidden"),
        (status = 404, body = edge::schema::Problem, description = "not_found"),
        (status = 409, body = edge::schema::Problem, description = "sku_taken, with `skus`"),
        (status = 412, body = edge::schema::Problem, description = "version_mismatch"),
        (status = 422, body = edge::schema::Problem, description = "invalid_value, missing_field, unknown_field")))]
#[patch("/api/v1/products/{id}")]
pub(crate) async fn update(
    request: HttpRequest,
    Staff(caller): Staff,
    Path(product_id): Path<ProductId>,
    IfMatch(expected_version): IfMatch,
    Json(change): Json<ProductChangeBody>,
    inventory: web::Data<Inventory>,
) -> Result<Reply, Problem> {
    edge::command(&request, async move {
        let update = UpdateProduct {
            product_id,
            expected_version,
            title: change.title,
            description: change.description,
            status: change.status,
            variants: change.variants.unwrap_or_default().into_iter().map(Into::into).collect(),
            actor: Actor::User(UserId(caller.user)),
        };
        inventory.port.update_product(update).await.map(reply).map_err(problem)
    })
    .await
}

/// Takes a product off sale for good. Staff.
#[utoipa::path(tag = "inventory",
    params(("id" = uuid::Uuid, Path),
        ("If-Match" = Option<String>, Header, description = "the version that is to be archived"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes the request safe to repeat")),
    responses(
        (status = 204, description = "archived"),
        (status = 401, body = edge::schema::Problem, description = "unauthenticated"),
        (status = 403, body = edge::schema::Problem, description = "forbidden"),
        (status = 404, body = edge::schema::Problem, description = "not_found"),
        (status = 412, body = edge::schema::Problem, description = "version_mismatch")))]
#[delete("/api/v1/products/{id}")]
pub(crate) async fn archive(
    request: HttpRequest,
    _staff: Staff,
    Path(product_id): Path<ProductId>,
    IfMatch(expected_version): IfMatch,
    inventory: web::Data<Inventory>,
) -> Result<Reply, Problem> {
    edge::command(&request, async move {
        let archive = ArchiveProduct { product_id, expected_version };
        let archived = inventory.port.archive_product(archive).await.map_err(problem)?;
        Ok(Reply::no_content().etag(archived.version))
    })
    .await
}
