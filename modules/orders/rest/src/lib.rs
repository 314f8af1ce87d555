//! Orders over HTTP, written against the ports only.

mod body;
mod problem;
mod resources;

use actix_web::web;
use bus::{Bus, Sources};
use orders_ports::OrdersPort;
use std::sync::Arc;
use users_ports::UsersPort;
use utoipa::OpenApi;

/// What the handlers need.
#[derive(Clone)]
struct Orders {
    port: Arc<dyn OrdersPort>,
    users: Arc<dyn UsersPort>,
    sources: Sources,
}

/// The routes, answered by whatever serves the ports on this bus.
pub fn routes(bus: &Bus, sources: &Sources) -> impl Fn(&mut web::ServiceConfig) + Clone + Send + 'static {
    let data = Orders { port: Arc::new(bus.clone()), users: Arc::new(bus.clone()), sources: sources.clone() };
    move |app| {
        app.app_data(web::Data::new(data.clone()))
            .service(resources::place)
            .service(resources::list)
            .service(resources::get)
            .service(resources::timeline)
            .service(resources::cancel)
            .service(resources::refund);
    }
}

/// The routes' description.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    #[derive(OpenApi)]
    #[openapi(paths(
        resources::place,
        resources::list,
        resources::get,
        resources::timeline,
        resources::cancel,
        resources::refund
    ))]
    struct Document;
    Document::openapi()
}
