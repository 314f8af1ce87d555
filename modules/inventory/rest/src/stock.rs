//! The resource of a SKU's stock, its adjustments and its ledger: for staff.

use crate::{
    Inventory,
    body::{AdjustmentBody, MovementBody, MovementPage, NewAdjustmentBody, StockBody},
    problem::problem,
};
use actix_web::{HttpRequest, get, post, web};
use edge::{IfMatch, Json, Listing, Paging, Path, Problem, Reply, Staff};
use inventory_ports::{Actor, AdjustStock, GetStock, ListMovements};
use kernel::{Sku, UserId};

/// The stock of a SKU. Staff.
#[utoipa::path(tag = "inventory",
    params(("sku" = String, Path)),
    responses(
        (status = 200, body = StockBody),
        (status = 401, body = edge::schema::Problem, description = "unauthenticated"),
        (status = 403, body = edge::schema::Problem, description = "forbidden"),
        (status = 404, body = edge::schema::Problem, description = "not_found")))]
#[get("/api/v1/stock/{sku}")]
pub(crate) async fn get(
    _staff: Staff,
    Path(sku): Path<Sku>,
    inventory: web::Data<Inventory>,
) -> Result<Reply, Problem> {
    let stock = inventory.port.stock(GetStock { sku }).await.map_err(problem)?;
    let version = stock.version;
    Ok(Reply::ok(&StockBody::from(stock)).etag(version))
}

/// Corrects the stock on hand, never to less than what is reserved. Staff.
#[utoipa::path(tag = "inventory", request_body = NewAdjustmentBody,
    params(("sku" = String, Path),
        ("If-Match" = Option<String>, Header, description = "the version of the stock that is to be corrected"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes the request safe to repeat")),
    responses(
        (status = 201, body = AdjustmentBody),
        (status = 401, body = edge::schema::Problem, description = "unauthenticated"),
        (status = 403, body = edge::schema::Problem, description = "forbidden"),
        (status = 404, body = edge::schema::Problem, description = "not_found"),
        (status = 409, body = edge::schema::Problem, description = "insufficient_stock, with `shortages`"),
        (status = 412, body = edge::schema::Problem, description = "version_mismatch"),
        (status = 422, body = edge::schema::Problem, description = "invalid_value, missing_field, unknown_field")))]
#[post("/api/v1/stock/{sku}/adjustments")]
pub(crate) async fn adjust(
    request: HttpRequest,
    Staff(caller): Staff,
    Path(sku): Path<Sku>,
    IfMatch(expected_version): IfMatch,
    Json(new): Json<NewAdjustmentBody>,
    inventory: web::Data<Inventory>,
) -> Result<Reply, Problem> {
    edge::command(&request, async move {
        let location = format!("/api/v1/stock/{sku}/movements");
        let adjust = AdjustStock {
            movement_id: inventory.sources.id(),
            sku,
            delta: new.delta,
            reason: new.reason,
            expected_version,
            actor: Actor::User(UserId(caller.user)),
        };
        let adjusted = inventory.port.adjust(adjust).await.map_err(problem)?;
        let version = adjusted.stock.version;
        Ok(Reply::created(location, &AdjustmentBody::from(adjusted)).etag(version))
    })
    .await
}

/// A page of a SKU's ledger, oldest first. Staff.
#[utoipa::path(tag = "inventory",
    params(("sku" = String, Path),
        ("limit" = Option<u16>, Query, description = "1 to 100, 20 unless told"),
        ("cursor" = Option<String>, Query, description = "where the page before stopped")),
    responses(
        (status = 200, body = MovementPage),
        (status = 401, body = edge::schema::Problem, description = "unauthenticated"),
        (status = 403, body = edge::schema::Problem, description = "forbidden"),
        (status = 404, body = edge::schema::Problem, description = "not_found"),
        (status = 422, body = edge::schema::Problem, description = "invalid_cursor, invalid_value, unknown_field")))]
#[get("/api/v1/stock/{sku}/movements")]
pub(crate) async fn movements(
    _staff: Staff,
    Path(sku): Path<Sku>,
    Paging(page): Paging,
    inventory: web::Data<Inventory>,
) -> Result<Reply, Problem> {
    let found = inventory.port.movements(ListMovements { sku, page }).await.map_err(problem)?;
    Ok(Reply::ok(&Listing::from(found.map(MovementBody::from))))
}
