//! The public resources: those of the modules compiled in, and with `gateway` of every module that is reached.

use super::running::at;
#[cfg(any(feature = "payments", feature = "gateway"))]
use super::sandbox_port;
use crate::{
    gateway::Routes,
    settings::{At, Settings},
};
use bus::{Bus, Sources};
use std::sync::Arc;

/// The routes of the modules that the bus reaches.
#[cfg_attr(
    not(any(feature = "users", feature = "inventory", feature = "orders", feature = "gateway")),
    expect(unused_variables, reason = "these modules make no ids")
)]
pub(crate) fn routes(settings: &Settings, bus: &Bus, sources: &Sources) -> Vec<Routes> {
    let mut routes: Vec<Routes> = Vec::new();
    #[cfg(any(feature = "users", feature = "gateway"))]
    if is_served(settings, bus, "users") {
        routes.push(Arc::new(users_rest::routes(bus, sources)));
    }
    #[cfg(any(feature = "inventory", feature = "gateway"))]
    if is_served(settings, bus, "inventory") {
        routes.push(Arc::new(inventory_rest::routes(bus, sources)));
    }
    #[cfg(any(feature = "orders", feature = "gateway"))]
    if is_served(settings, bus, "orders") {
        routes.push(Arc::new(orders_rest::routes(bus, sources)));
    }
    #[cfg(any(feature = "payments", feature = "gateway"))]
    if is_served(settings, bus, "payments") {
        routes.push(Arc::new(payments_rest::routes(bus)));
        if settings.has_sandbox() {
            routes.push(sandbox_port::routes(bus));
        }
    }
    #[cfg(any(feature = "notifications", feature = "gateway"))]
    if is_served(settings, bus, "notifications") {
        routes.push(Arc::new(notifications_rest::routes(bus)));
    }
    routes
}

/// Their description.
pub(crate) fn openapi(settings: &Settings, bus: &Bus) -> utoipa::openapi::OpenApi {
    let mut document = crate::admin::openapi();
    #[cfg(any(feature = "users", feature = "gateway"))]
    if is_served(settings, bus, "users") {
        document.merge(users_rest::openapi());
    }
    #[cfg(any(feature = "inventory", feature = "gateway"))]
    if is_served(settings, bus, "inventory") {
        document.merge(inventory_rest::openapi());
    }
    #[cfg(any(feature = "orders", feature = "gateway"))]
    if is_served(settings, bus, "orders") {
        document.merge(orders_rest::openapi());
    }
    #[cfg(any(feature = "payments", feature = "gateway"))]
    if is_served(settings, bus, "payments") {
        document.merge(payments_rest::openapi());
        if settings.has_sandbox() {
            document.merge(sandbox_port::openapi());
        }
    }
    #[cfg(any(feature = "notifications", feature = "gateway"))]
    if is_served(settings, bus, "notifications") {
        document.merge(notifications_rest::openapi());
    }
    document
}

/// Whether a module's resources are to be had here: it is called from here now, or may come here.
fn is_served(settings: &Settings, bus: &Bus, module: &str) -> bool {
    bus.has(module) || at(settings, module) != At::Absent
}
