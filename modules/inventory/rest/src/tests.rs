//! The routes against a port that a test holds.

use super::*;
use actix_web::{
    App, HttpMessage as _,
    http::Method,
    test::{self, TestRequest},
};
use async_trait::async_trait;
use bus::{Caller, Direct, Policies, Role, Served, Timestamp};
use inventory_ports::*;
use kernel::{Currency, IntegrityCheck, Money, Page, ProductId, Sku};
use serde_json::{Value, json};
use std::sync::Mutex;
use uuid::Uuid;

/// Knows one product and the stock of one SKU; notes what it was asked.
#[derive(Default)]
struct One {
    created: Mutex<Option<CreateProduct>>,
    listed: Mutex<Option<ListProducts>>,
}

const ID: Uuid = Uuid::from_u128(1);
const AT: Timestamp = Timestamp::from_micros(1_767_225_600_000_000);

fn sku() -> Sku {
    "MUG".parse().expect("a SKU")
}

fn product() -> Product {
    let price = Money::new(1999, Currency::EUR);
    Product {
        id: ProductId(ID),
        title: "Mug".into(),
        description: String::new(),
        status: ProductStatus::Draft,
        variants: vec![Variant { sku: sku(), title: "Mug".into(), price, available: 4 }],
        created_at: AT,
        version: 3,
    }
}

fn stock() -> Stock {
    Stock { sku: sku(), on_hand: 5, reserved: 1, available: 4, version: 7 }
}

fn not_here<T>() -> Result<T, InventoryError> {
    Err(bus::BusError::UnknownName { name: "not asked by these routes".into() }.into())
}

#[async_trait]
impl InventoryPort for One {
    async fn create_product(&self, request: CreateProduct) -> Result<Product, InventoryError> {
        *self.created.lock().expect("no panic") = Some(request);
        Err(InventoryError::SkuTaken { skus: vec![sku()] })
    }
    async fn update_product(&self, request: UpdateProduct) -> Result<Product, InventoryError> {
        match request.expected_version {
            None | Some(3) if request.product_id.0 == ID => Ok(Product { version: 4, ..product() }),
            _ => Err(InventoryError::VersionMismatch { current: 3 }),
        }
    }
    async fn archive_product(&self, request: ArchiveProduct) -> Result<Product, InventoryError> {
        if request.product_id.0 == ID { Ok(product()) } else { Err(InventoryError::ProductNotFound) }
    }
    async fn product(&self, request: GetProduct) -> Result<Product, InventoryError> {
        if request.active_only { Err(InventoryError::ProductNotFound) } else { Ok(product()) }
    }
    async fn products(&self, request: ListProducts) -> Result<Page<Product>, InventoryError> {
        *self.listed.lock().expect("no panic") = Some(request);
        Ok(Page { data: vec![product()], next_cursor: None })
    }
    async fn stock(&self, _: GetStock) -> Result<Stock, InventoryError> {
        Ok(stock())
    }
    async fn adjust(&self, request: AdjustStock) -> Result<AdjustedStock, InventoryError> {
        if request.delta < 0 {
            let shortage = Shortage { sku: sku(), requested: -request.delta, available: 4 };
            return Err(InventoryError::InsufficientStock { shortages: vec![shortage] });
        }
        Ok(AdjustedStock { movement: movement(request), stock: stock() })
    }
    async fn movements(&self, _: ListMovements) -> Result<Page<Movement>, InventoryError> {
        Err(InventoryError::InvalidCursor)
    }
    async fn quote(&self, _: Quote) -> Result<Vec<QuotedItem>, InventoryError> {
        not_here()
    }
    async fn reserve(&self, _: ReserveStock) -> Result<Reservation, InventoryError> {
        not_here()
    }
    async fn release(&self, _: ReleaseStock) -> Result<ReleasedStock, InventoryError> {
        not_here()
    }
    async fn order_movements(&self, _: OrderMovements) -> Result<Vec<Movement>, InventoryError> {
        not_here()
    }
    async fn check(&self, _: CheckInventory) -> Result<Vec<IntegrityCheck>, InventoryError> {
        not_here()
    }
    async fn repair(&self, _: RepairInventory) -> Result<RepairedInventory, InventoryError> {
        not_here()
    }
}

fn movement(request: AdjustStock) -> Movement {
    let AdjustStock { movement_id: id, sku, delta, reason, actor, .. } = request;
    Movement { id, sku, kind: MovementKind::Adjustment, delta, reason, order_id: None, actor, at: AT }
}

/// A status, the body, and the `ETag`.
async fn ask(port: Arc<One>, role: Option<Role>, request: TestRequest) -> (u16, Value, Option<String>) {
    let bus = Bus::new(Policies::default());
    let port: Arc<dyn InventoryPort> = port;
    bus.serve(Served::new(port, Arc::new(Direct), &Policies::default()));
    let app = test::init_service(App::new().configure(routes(&bus, &Sources::system()))).await;
    let request = request.to_request();
    if let Some(role) = role {
        request.extensions_mut().insert(Caller { user: Uuid::from_u128(9), role, session: Uuid::nil() });
    }
    let response = test::call_service(&app, request).await;
    let tag = response.headers().get("etag").and_then(|tag| tag.to_str().ok()).map(str::to_owned);
    let status = response.status().as_u16();
    let body = test::read_body(response).await;
    (status, serde_json::from_slice(&body).unwrap_or(Value::Null), tag)
}

fn at(method: Method, path: &str) -> TestRequest {
    TestRequest::with_uri(path).method(method)
}

const STAFF: Option<Role> = Some(Role::Staff);
const CUSTOMER: Option<Role> = Some(Role::Customer);

/// Section 5.1, API5: what is staff's is nobody else's; what is not on sale is not there.
#[actix_web::test]
async fn what_is_staffs_is_nobody_elses() {
    let one = Arc::new(One::default());
    let of_product = format!("/api/v1/products/{ID}");
    for (method, path) in [
        (Method::POST, "/api/v1/products"),
        (Method::PATCH, of_product.as_str()),
        (Method::DELETE, of_product.as_str()),
        (Method::GET, "/api/v1/stock/MUG"),
        (Method::POST, "/api/v1/stock/MUG/adjustments"),
        (Method::GET, "/api/v1/stock/MUG/movements"),
        (Method::GET, "/api/v1/products?status=draft"),
    ] {
        for (role, status) in [(None, 401), (CUSTOMER, 403)] {
            let (found, _, _) = ask(Arc::clone(&one), role, at(method.clone(), path)).await;
            assert_eq!(found, status, "{method} {path} {role:?}");
        }
    }
    assert_eq!(ask(Arc::clone(&one), CUSTOMER, at(Method::GET, &of_product)).await.0, 404);
    let seen = |role: Option<Role>, path: &'static str| {
        let one = Arc::clone(&one);
        async move {
            let (status, ..) = ask(Arc::clone(&one), role, at(Method::GET, path)).await;
            let listed = one.listed.lock().expect("no panic").take().expect("asked");
            (status, listed.status, listed.sort, listed.q)
        }
    };
    let active = Some(ProductStatus::Active);
    assert_eq!(seen(None, "/api/v1/products").await, (200, active, ProductSort::Oldest, None));
    let newest = seen(CUSTOMER, "/api/v1/products?sort=-created_at&q=red+mug&status=active").await;
    assert_eq!(newest, (200, active, ProductSort::Newest, Some("red mug".into())));
    assert_eq!(seen(STAFF, "/api/v1/products?sort=title").await, (200, None, ProductSort::Title, None));
}

#[actix_web::test]
async fn a_product_has_the_contracts_fields() {
    let one = Arc::new(One::default());
    let (status, body, tag) =
        ask(Arc::clone(&one), STAFF, at(Method::GET, &format!("/api/v1/products/{ID}"))).await;
    let expected = json!({
        "id": ID, "title": "Mug", "description": "", "status": "draft",
        "variants": [{"sku": "MUG", "title": "Mug", "price": {"amount": 1999, "currency": "EUR"}, "available": 4}],
        "created_at": "2026-01-01T00:00:00Z", "version": 3,
    });
    assert_eq!((status, body, tag.as_deref()), (200, expected, Some("\"3\"")));

    let price = json!({"amount": 5, "currency": "EUR"});
    let new = json!({"title": "Mug", "variants": [{"sku": "MUG", "price": price}]});
    let (status, body, _) =
        ask(Arc::clone(&one), STAFF, at(Method::POST, "/api/v1/products").set_json(new)).await;
    assert_eq!((status, &body["code"], &body["skus"]), (409, &json!("sku_taken"), &json!(["MUG"])));
    let created = one.created.lock().expect("no panic").take().expect("asked");
    assert_eq!((created.status, created.variants[0].on_hand), (ProductStatus::Active, 0));
    assert_eq!(created.actor.to_string(), Uuid::from_u128(9).to_string());

    for (body, pointer, code) in [
        (
            json!({"title": "Mug", "variants": [{"sku": "no sku", "price": price}]}),
            "/variants/0/sku",
            "invalid_value",
        ),
        (json!({"title": "Mug", "variants": [{"sku": "MUG"}]}), "/variants/0/price", "missing_field"),
        (json!({"title": "Mug", "variants": [], "version": 1}), "/version", "unknown_field"),
    ] {
        let (status, body, _) =
            ask(Arc::clone(&one), STAFF, at(Method::POST, "/api/v1/products").set_json(body)).await;
        let error = &body["errors"][0];
        assert_eq!((status, &error["pointer"], &error["code"]), (422, &json!(pointer), &json!(code)));
    }
}

/// F22: a change of what has changed since is refused.
#[actix_web::test]
async fn changes_are_guarded_by_the_version() {
    let path = format!("/api/v1/products/{ID}");
    for (tag, status) in [("\"3\"", 200), ("*", 200), ("\"2\"", 412)] {
        let change =
            at(Method::PATCH, &path).insert_header(("if-match", tag)).set_json(json!({"title": "Cup"}));
        assert_eq!(ask(Arc::default(), STAFF, change).await.0, status, "{tag}");
    }
    let (status, body, _) = ask(Arc::default(), STAFF, at(Method::DELETE, &path)).await;
    assert_eq!((status, body), (204, Value::Null));
    let unknown = format!("/api/v1/products/{}", Uuid::from_u128(2));
    assert_eq!(ask(Arc::default(), STAFF, at(Method::DELETE, &unknown)).await.0, 404);
}

#[actix_web::test]
async fn stock_is_read_and_corrected() {
    let (status, body, tag) = ask(Arc::default(), STAFF, at(Method::GET, "/api/v1/stock/MUG")).await;
    let expected = json!({"sku": "MUG", "on_hand": 5, "reserved": 1, "available": 4, "version": 7});
    assert_eq!((status, body, tag.as_deref()), (200, expected, Some("\"7\"")));
    let adjust = |delta: i64| {
        let body = json!({"delta": delta, "reason": "counted"});
        ask(Arc::default(), STAFF, at(Method::POST, "/api/v1/stock/MUG/adjustments").set_json(body))
    };
    let (status, body, _) = adjust(2).await;
    assert_eq!(
        (status, &body["kind"], &body["delta"], &body["available"]),
        (201, &json!("adjustment"), &json!(2), &json!(4))
    );
    assert_eq!(body.get("order_id"), None);
    let (status, body, _) = adjust(-9).await;
    let shortages = json!([{"sku": "MUG", "requested": 9, "available": 4}]);
    assert_eq!((status, &body["code"], &body["shortages"]), (409, &json!("insufficient_stock"), &shortages));
    let (status, body, _) =
        ask(Arc::default(), STAFF, at(Method::GET, "/api/v1/stock/MUG/movements?cursor=x")).await;
    assert_eq!((status, &body["code"]), (422, &json!("invalid_cursor")));
    assert_eq!(ask(Arc::default(), STAFF, at(Method::GET, "/api/v1/stock/no%20sku")).await.0, 404);
}

#[actix_web::test]
async fn every_route_is_described() {
    let document = serde_json::to_value(openapi()).expect("serialises");
    let paths = document["paths"].as_object().expect("paths");
    let described: usize = paths.values().filter_map(Value::as_object).map(serde_json::Map::len).sum();
    assert_eq!((paths.len(), described), (5, 8), "{paths:?}");
}
