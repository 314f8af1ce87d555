//! The public resources: those of the modules compiled in, and with `gateway` of every module that is reached.

use crate::gateway::Routes;
use bus::{Bus, Sources};
use std::sync::Arc;

/// The routes of the modules that the bus reaches.
#[cfg_attr(
    not(any(feature = "users", feature = "inventory", feature = "orders", feature = "gateway")),
    expect(unused_variables, reason = "these modules make no ids")
)]
pub(crate) fn routes(bus: &Bus, sources: &Sources) -> Vec<Routes> {
    let mut routes: Vec<Routes> = Vec::new();
    #[cfg(any(feature = "users", feature = "gateway"))]
    if bus.has("users") {
        routes.push(Arc::new(users_rest::routes(bus, sources)));
    }
    #[cfg(any(feature = "inventory", feature = "gateway"))]
    if bus.has("inventory") {
        routes.push(Arc::new(inventory_rest::routes(bus, sources)));
    }
    #[cfg(any(feature = "orders", feature = "gateway"))]
    if bus.has("orders") {
        routes.push(Arc::new(orders_rest::routes(bus, sources)));
    }
    #[cfg(any(feature = "payments", feature = "gateway"))]
    if bus.has("payments") {
        routes.push(Arc::new(payments_rest::routes(bus)));
    }
    #[cfg(any(feature = "notifications", feature = "gateway"))]
    if bus.has("notifications") {
        routes.push(Arc::new(notifications_rest::routes(bus)));
    }
    routes
}

/// Their description.
pub(crate) fn openapi(bus: &Bus) -> utoipa::openapi::OpenApi {
    let mut document = crate::admin::openapi();
    #[cfg(any(feature = "users", feature = "gateway"))]
    if bus.has("users") {
        document.merge(users_rest::openapi());
    }
    #[cfg(any(feature = "inventory", feature = "gateway"))]
    if bus.has("inventory") {
        document.merge(inventory_rest::openapi());
    }
    #[cfg(any(feature = "orders", feature = "gateway"))]
    if bus.has("orders") {
        document.merge(orders_rest::openapi());
    }
    #[cfg(any(feature = "payments", feature = "gateway"))]
    if bus.has("payments") {
        document.merge(payments_rest::openapi());
    }
    #[cfg(any(feature = "notifications", feature = "gateway"))]
    if bus.has("notifications") {
        document.merge(notifications_rest::openapi());
    }
    document
}
