//! The small module behind the gateway: resources written as every rest crate writes them.

use actix_web::{HttpRequest, get, post, web};
use bus::Context;
use edge::{IfMatch, Json, Listing, Paging, Path, Problem, RawBody, Reply, SignedIn, Staff};
use kernel::OrderId;
use serde::Deserialize;
use serde_json::json;
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use tokio::sync::Semaphore;

/// What the module behind the gateway saw, and what it waits for.
pub(crate) struct Things {
    pub(crate) asked: AtomicUsize,
    pub(crate) written: AtomicUsize,
    pub(crate) gate: Semaphore,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewThing {
    name: String,
    #[serde(default)]
    lines: Vec<Line>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    quantity: u32,
}

pub(crate) fn routes(app: &mut web::ServiceConfig, things: &Arc<Things>) {
    app.app_data(web::Data::from(Arc::clone(things)))
        .service(one)
        .service(list)
        .service(create)
        .service(changed)
        .service(held)
        .service(raw)
        .service(big)
        .service(seen)
        .service(for_staff)
        .service(panics)
        .service(never)
        .service(web::resource("/api/v1/undocumented").route(web::put().to(|| async { "put" })));
}

pub(crate) fn contract() -> utoipa::openapi::OpenApi {
    let paths = json!({
        "/api/v1/things": {"get": {"responses": {}}, "post": {"responses": {}}},
        "/api/v1/things/{id}": {"get": {"responses": {}}, "patch": {"responses": {}}},
        "/api/v1/never": {"get": {"responses": {}}},
        "/api/v1/panics": {"get": {"responses": {}}},
    });
    let document = json!({"openapi": "3.1.0", "info": {"title": "t", "version": "1"}, "paths": paths});
    serde_json::from_value(document).expect("a contract")
}

#[get("/api/v1/things/{id}")]
async fn one(Path(id): Path<OrderId>) -> Reply {
    Reply::ok(&json!({"id": id, "version": 7})).etag(7)
}

#[get("/api/v1/things")]
async fn list(Paging(page): Paging) -> Reply {
    Reply::ok(&Listing { data: vec![page.limit.rows()], next_cursor: None })
}

#[post("/api/v1/things")]
async fn create(
    request: HttpRequest,
    Json(new): Json<NewThing>,
    things: web::Data<Things>,
) -> Result<Reply, Problem> {
    things.asked.fetch_add(1, Ordering::SeqCst);
    edge::command(&request, async move {
        let context = Context::current();
        let quantity: u32 = new.lines.iter().map(|line| line.quantity).sum();
        let command = context.command.as_ref().map(|command| command.id.clone());
        let body = json!({"name": new.name, "quantity": quantity, "command": command});
        if new.name == "replayed" {
            context.mark_replayed();
        }
        Ok(Reply::created("/api/v1/things/1", &body).etag(1))
    })
    .await
}

#[actix_web::patch("/api/v1/things/{id}")]
async fn changed(Path(_id): Path<OrderId>, IfMatch(expected): IfMatch) -> Result<Reply, Problem> {
    match expected {
        None | Some(7) => Ok(Reply::ok(&json!({"version": 8})).etag(8)),
        Some(_) => Err(Problem::new(actix_web::http::StatusCode::PRECONDITION_FAILED, "version_mismatch")),
    }
}

/// A write that waits until the test opens the gate.
#[post("/api/v1/held")]
async fn held(request: HttpRequest, things: web::Data<Things>) -> Result<Reply, Problem> {
    edge::command(&request, async move {
        things.asked.fetch_add(1, Ordering::SeqCst);
        things.gate.acquire().await.expect("open").forget();
        things.written.fetch_add(1, Ordering::SeqCst);
        Ok(Reply::no_content())
    })
    .await
}

#[post("/api/v1/raw")]
async fn raw(RawBody(bytes): RawBody, things: web::Data<Things>) -> Reply {
    things.asked.fetch_add(1, Ordering::SeqCst);
    Reply::ok(&json!({"length": bytes.len()}))
}

#[get("/api/v1/big")]
async fn big() -> Reply {
    Reply::ok(&json!({"text": "compress me ".repeat(1000)})).etag(3)
}

#[get("/api/v1/context")]
async fn seen(caller: Option<SignedIn>, request: HttpRequest) -> Reply {
    let context = Context::current();
    Reply::ok(&json!({
        "request_id": context.request_id,
        "trace_id": context.trace.trace_id(),
        "caller": context.caller.map(|caller| caller.user),
        "signed_in": caller.map(|SignedIn(caller)| caller.user),
        "remaining_ms": context.remaining().map(|left| left.as_millis() as u64),
        "ip": edge::ClientIp::of(&request),
    }))
}

#[get("/api/v1/staff")]
async fn for_staff(Staff(caller): Staff) -> Reply {
    Reply::ok(&json!({"user": caller.user}))
}

#[get("/api/v1/panics")]
async fn panics() -> Reply {
    panic!("planted\r\nwith a secret")
}

#[get("/api/v1/never")]
async fn never() -> Reply {
    std::future::pending().await
}
