//! What machines ask of the process: is it alive, is it ready, how does it do, what is its contract.

use super::{Health, Lifecycle, ModuleState, Shared};
use actix_web::{
    HttpResponse, get,
    http::StatusCode,
    web::{Data, ServiceConfig},
};
use serde_json::json;
use utoipa::{
    Modify, OpenApi,
    openapi::{
        schema::ComponentsBuilder,
        security::{Http, HttpAuthScheme, SecurityScheme},
    },
};

pub(crate) fn routes(app: &mut ServiceConfig) {
    app.service(healthz).service(readyz).service(metrics).service(contract);
}

/// The gateway's own part of the contract, and what all of it shares.
#[derive(OpenApi)]
#[openapi(
    paths(
        healthz,
        readyz,
        metrics,
        contract,
        super::docs::index,
        super::admin::modules,
        super::proxy::admin::list,
        super::proxy::admin::reload
    ),
    components(schemas(edge::schema::Problem)),
    modifiers(&Bearer)
)]
pub(crate) struct Contract;

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let components = openapi.components.get_or_insert_with(|| ComponentsBuilder::new().build());
        let scheme = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        components.add_security_scheme("bearer", scheme);
    }
}

/// Alive.
#[utoipa::path(tag = "operations", responses((status = 200, description = "The process answers")))]
#[get("/healthz")]
async fn healthz() -> HttpResponse {
    HttpResponse::Ok().json(json!({"status": "alive"}))
}

/// Ready, with each module's placement and state.
#[utoipa::path(tag = "operations", responses(
    (status = 200, description = "Every module can answer"),
    (status = 503, description = "Starting, draining, or a module has failed"),
))]
#[get("/readyz")]
async fn readyz(shared: Data<Shared>) -> HttpResponse {
    let modules = shared.readiness.modules();
    let (status, state) = readiness(&modules, &shared.lifecycle);
    HttpResponse::build(status).json(json!({"status": state, "modules": modules}))
}

fn readiness(modules: &[ModuleState], lifecycle: &Lifecycle) -> (StatusCode, &'static str) {
    let any = |health| modules.iter().any(|module| module.state == health);
    let no = StatusCode::SERVICE_UNAVAILABLE;
    if lifecycle.draining() {
        (no, "draining")
    } else if any(Health::Failed) {
        (no, "failed")
    } else if any(Health::Starting) {
        (no, "starting")
    } else {
        (StatusCode::OK, "ready")
    }
}

/// Metrics in Prometheus' text format.
#[utoipa::path(tag = "operations", responses((status = 200, description = "Metrics", content_type = "text/plain")))]
#[get("/metrics")]
async fn metrics(shared: Data<Shared>) -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body((shared.metrics)())
}

/// This document.
#[utoipa::path(tag = "operations", responses((status = 200, description = "OpenAPI 3.1")))]
#[get("/openapi.json")]
async fn contract(shared: Data<Shared>) -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(shared.openapi.clone())
}
