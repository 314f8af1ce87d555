//! Opening and closing the breaker of a module that is elsewhere, by hand.

use super::Desk;
use actix_web::{put, web};
use bus::Forced;
use edge::{Admin, Json, Problem, Reply};
use serde::Deserialize;
use utoipa::ToSchema;

/// How the breaker is to stand.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Wish {
    state: Stance,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Stance {
    /// As its calls come to.
    Auto,
    /// Lets no call through.
    Open,
    /// Lets every call through.
    Closed,
    /// Lets every call through, and counts how often it would have opened.
    MetricsOnly,
}

/// Forces a breaker open or closed, until it is told otherwise or the module moves. How it stands is in
/// `GET /api/v1/admin/modules`.
#[utoipa::path(
    tag = "operations",
    security(("bearer" = [])),
    params(("module" = String, Path, description = "users, inventory, orders, payments or notifications")),
    request_body = Wish,
    responses(
        (status = 204, description = "It stands so"),
        (status = 401, body = edge::schema::Problem, content_type = "application/problem+json"),
        (status = 403, body = edge::schema::Problem, content_type = "application/problem+json"),
        (status = 404, body = edge::schema::Problem, content_type = "application/problem+json",
            description = "No such module, or it is not elsewhere"),
        (status = 422, body = edge::schema::Problem, content_type = "application/problem+json"),
    )
)]
#[put("/api/v1/admin/modules/{module}/breaker")]
pub(crate) async fn force(
    _admin: Admin,
    module: web::Path<String>,
    Json(wish): Json<Wish>,
    desk: web::Data<Desk>,
) -> Result<Reply, Problem> {
    let forced = match wish.state {
        Stance::Auto => Forced::Auto,
        Stance::Open => Forced::Open,
        Stance::Closed => Forced::Closed,
        Stance::MetricsOnly => Forced::MetricsOnly,
    };
    if desk.bus.force_breaker(&module, forced) {
        tracing::warn!(module = module.as_str(), state = ?wish.state, "the breaker was forced");
        return Ok(Reply::no_content());
    }
    Err(Problem::not_found())
}
