//! The routes in force, for whoever runs the shop, and the order to read them again.

use super::{Auth, route::Route};
use crate::gateway::Shared;
use actix_web::{
    get,
    http::StatusCode,
    post,
    web::{Data, ServiceConfig},
};
use bus::Incident;
use edge::{Admin, Listing, Problem, Reply};
use serde::Serialize;
use std::time::Duration;
use utoipa::ToSchema;

pub(crate) fn resources(app: &mut ServiceConfig) {
    app.service(list).service(reload);
}

/// A route that is in force.
#[derive(Serialize, ToSchema)]
pub(crate) struct GatewayRoute {
    path: String,
    /// What the path becomes; null where it stays.
    rewrite: Option<String>,
    methods: Vec<String>,
    /// Who may call.
    auth: Auth,
    /// The name by which instances are found; null where they are written down.
    discover: Option<String>,
    instances: Vec<GatewayInstance>,
    timeout_ms: u64,
    idle_timeout_ms: u64,
    connect_timeout_ms: u64,
    /// How often another attempt is made.
    retry: u32,
    /// Bytes of a body.
    max_body: u64,
    /// Requests that run now.
    in_flight: usize,
    /// Protocols that connections may change to.
    upgrade: Vec<String>,
    /// Connections that have changed now.
    upgraded: usize,
}

/// A server behind a route.
#[derive(Serialize, ToSchema)]
pub(crate) struct GatewayInstance {
    address: String,
    /// Whether it has just been impossible to connect to it, so that it is asked last.
    suspect: bool,
}

impl GatewayRoute {
    fn of(route: &Route, body_limit: usize) -> Self {
        let instances = route.upstream.instances();
        let instance = |instance: &std::sync::Arc<super::upstream::Instance>| GatewayInstance {
            address: instance.url(),
            suspect: instance.is_suspect(),
        };
        Self {
            path: route.pattern.text().to_owned(),
            rewrite: route.section.rewrite.clone(),
            methods: route.methods.iter().map(ToString::to_string).collect(),
            auth: route.auth,
            discover: route.section.discover.clone(),
            instances: instances.iter().map(instance).collect(),
            timeout_ms: millis(route.timeout),
            idle_timeout_ms: millis(route.idle_timeout),
            connect_timeout_ms: millis(route.connect_timeout),
            retry: route.retries,
            max_body: route.max_body.unwrap_or(body_limit as u64),
            in_flight: route.most_in_flight - route.places.available_permits(),
            upgrade: route.upgrades.clone(),
            upgraded: route.most_upgrades - route.upgrade_places.available_permits(),
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn in_force(shared: &Shared) -> Reply {
    let routes = shared.proxy.routes();
    let data = routes.all.iter().map(|route| GatewayRoute::of(route, shared.settings.body_limit));
    Reply::ok(&Listing { data: data.collect(), next_cursor: None })
}

/// The routes to services that are not the shop's own, as they are in force.
#[utoipa::path(
    tag = "operations",
    security(("bearer" = [])),
    responses(
        (status = 200, body = Listing<GatewayRoute>),
        (status = 401, body = edge::schema::Problem, content_type = "application/problem+json"),
        (status = 403, body = edge::schema::Problem, content_type = "application/problem+json"),
    )
)]
#[get("/api/v1/admin/gateway/routes")]
pub(crate) async fn list(_admin: Admin, shared: Data<Shared>) -> Reply {
    in_force(&shared)
}

/// Reads the settings again and takes their routes, all or none. Other settings need a restart.
#[utoipa::path(
    tag = "operations",
    security(("bearer" = [])),
    responses(
        (status = 200, description = "The routes that are now in force", body = Listing<GatewayRoute>),
        (status = 401, body = edge::schema::Problem, content_type = "application/problem+json"),
        (status = 403, body = edge::schema::Problem, content_type = "application/problem+json"),
        (
            status = 422, description = "The settings are wrong: `invalid_settings`. The routes are as before.",
            body = edge::schema::Problem, content_type = "application/problem+json",
        ),
    )
)]
#[post("/api/v1/admin/gateway/reload")]
pub(crate) async fn reload(_admin: Admin, shared: Data<Shared>) -> Result<Reply, Problem> {
    let proxy = shared.proxy.clone();
    // It reads a file.
    let reloaded = tokio::task::spawn_blocking(move || proxy.reload()).await;
    match reloaded {
        Ok(Ok(_)) => Ok(in_force(&shared)),
        Ok(Err(error)) => {
            Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_settings").detail(error.to_string()))
        }
        Err(error) => Err(Problem::internal(Incident::log(&error))),
    }
}
