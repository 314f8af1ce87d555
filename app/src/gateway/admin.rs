//! Where each module is and how busy, for whoever runs the shop.

use super::{Health, Shared};
use actix_web::{
    get,
    web::{Data, ServiceConfig},
};
use edge::{Admin, Listing, Reply};
use serde::Serialize;
use utoipa::ToSchema;

pub(crate) fn routes(app: &mut ServiceConfig) {
    app.service(modules);
}

/// A module as the bus sees it.
#[derive(Serialize, ToSchema)]
pub(crate) struct Module {
    module: String,
    /// `local` or `remote`.
    placement: &'static str,
    /// What carries its calls.
    transport: &'static str,
    /// `starting`, `ready` or `failed`; null where nobody watches it.
    #[schema(value_type = Option<String>)]
    state: Option<Health>,
    /// Calls that run now.
    in_flight: usize,
    /// Calls that wait now.
    waiting: usize,
    /// How many may run at once.
    concurrency: usize,
}

/// The modules: placement, transport, calls in flight.
#[utoipa::path(
    tag = "operations",
    security(("bearer" = [])),
    responses(
        (status = 200, body = Listing<Module>),
        (status = 401, body = edge::schema::Problem, content_type = "application/problem+json"),
        (status = 403, body = edge::schema::Problem, content_type = "application/problem+json"),
    )
)]
#[get("/api/v1/admin/modules")]
pub(crate) async fn modules(_admin: Admin, shared: Data<Shared>) -> Reply {
    let states = shared.readiness.modules();
    let data = shared.bus.status().into_iter().map(|port| Module {
        state: states.iter().find(|state| state.module == port.port).map(|state| state.state),
        module: port.port,
        placement: port.placement,
        transport: port.transport,
        in_flight: port.in_flight,
        waiting: port.waiting,
        concurrency: port.concurrency,
    });
    Reply::ok(&Listing { data: data.collect(), next_cursor: None })
}
