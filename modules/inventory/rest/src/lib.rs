//! Products and stock over HTTP, written against inventory's port only.

mod body;
mod problem;
mod products;
mod stock;

use actix_web::web;
use bus::{Bus, Sources};
use inventory_ports::InventoryPort;
use std::sync::Arc;
use utoipa::OpenApi;

/// What the handlers need.
#[derive(Clone)]
struct Inventory {
    port: Arc<dyn InventoryPort>,
    /// New products and ledger lines are named here, so that a repeated command is recognised.
    sources: Sources,
}

/// The routes, answered by whatever serves the port on this bus.
pub fn routes(bus: &Bus, sources: &Sources) -> impl Fn(&mut web::ServiceConfig) + Clone + Send + 'static {
    let data = Inventory { port: Arc::new(bus.clone()), sources: sources.clone() };
    move |app| {
        app.app_data(web::Data::new(data.clone()))
            .service(products::list)
            .service(products::create)
            .service(products::get)
            .service(products::update)
            .service(products::archive)
            .service(stock::get)
            .service(stock::adjust)
            .service(stock::movements);
    }
}

/// The routes' description.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    #[derive(OpenApi)]
    #[openapi(paths(
        products::list,
        products::create,
        products::get,
        products::update,
        products::archive,
        stock::get,
        stock::adjust,
        stock::movements
    ))]
    struct Document;
    Document::openapi()
}

#[cfg(test)]
mod tests;
