//! Moving a module while the shop is open.

use crate::modules::{Arrived, Destination, Modules, NoPlace, ProcessError};
use actix_web::{http::StatusCode, put, web};
use edge::{Admin, Json, Problem, Reply};
use serde::Deserialize;
use utoipa::ToSchema;

/// Where a module is to be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Wish {
    /// `local`, `http://host:port` (the other's wire.listen), `nats:name` or `amqp:name` (its wire.name).
    #[schema(example = "http://127.0.0.1:9080")]
    to: String,
    /// Only compare the answers of the other side with those from here; reads only. With `local`: no longer.
    #[serde(default)]
    shadow: bool,
}

/// Moves a module out of this process or back, or lets another process shadow it. Where this is refused, everything is
/// as it was unless the detail says otherwise.
#[utoipa::path(
    tag = "operations",
    security(("bearer" = [])),
    params(("module" = String, Path, description = "users, inventory, orders, payments or notifications")),
    request_body = Wish,
    responses(
        (status = 200, body = Arrived, description = "It is there"),
        (status = 204, description = "The shadow has begun, or ended"),
        (status = 401, body = edge::schema::Problem, content_type = "application/problem+json"),
        (status = 403, body = edge::schema::Problem, content_type = "application/problem+json"),
        (status = 404, body = edge::schema::Problem, content_type = "application/problem+json"),
        (status = 409, body = edge::schema::Problem, content_type = "application/problem+json"),
        (status = 422, body = edge::schema::Problem, content_type = "application/problem+json"),
        (status = 503, body = edge::schema::Problem, content_type = "application/problem+json"),
    )
)]
#[put("/api/v1/admin/modules/{module}/placement")]
pub(crate) async fn place(
    _admin: Admin,
    module: web::Path<String>,
    Json(wish): Json<Wish>,
    modules: web::Data<Modules>,
) -> Result<Reply, Problem> {
    if !crate::settings::MODULES.contains(&module.as_str()) {
        return Err(Problem::not_found());
    }
    let to = match wish.to.as_str() {
        "local" => Destination::Here,
        text => Destination::There(text.parse().map_err(no_place)?),
    };
    let modules = modules.into_inner();
    // Whether or not whoever asked goes on waiting, a move is not left half done.
    let moved = bus::spawn(async move {
        if wish.shadow {
            let at = match &to {
                Destination::Here => None,
                Destination::There(target) => Some(target),
            };
            return modules.shadow(&module, at).await.map(|()| None);
        }
        modules.place(&module, to).await.map(Some)
    });
    match moved.await.unwrap_or_else(|error| Err(bus::BusError::failed(&error).into())) {
        Ok(Some(arrived)) => Ok(Reply::ok(&arrived)),
        Ok(None) => Ok(Reply::no_content()),
        Err(error) => Err(problem(error)),
    }
}

fn no_place(error: NoPlace) -> Problem {
    Problem::invalid("/to", "invalid_place", error.to_string())
}

fn problem(error: ProcessError) -> Problem {
    match error {
        ProcessError::Refused(why) => Problem::new(StatusCode::CONFLICT, "placement_refused").detail(why),
        ProcessError::Unavailable(error) => {
            let why = format!("the other side does not answer: {error}");
            Problem::new(StatusCode::CONFLICT, "placement_refused").detail(why)
        }
    }
}
