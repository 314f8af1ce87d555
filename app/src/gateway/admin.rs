//! Where each module is and how busy, for whoever runs the shop.

use super::{Health, Shared};
use actix_web::{
    get,
    web::{Data, ServiceConfig},
};
use bus::{BreakerStatus, Bus, Operation, Outcome, ShadowReport};
use bus_discovery::InstanceStatus;
use edge::{Admin, Listing, Reply};
use futures::future::join_all;
use serde::Serialize;
use std::{collections::BTreeMap, time::Duration};
use utoipa::ToSchema;

pub(crate) fn routes(app: &mut ServiceConfig) {
    app.service(modules);
}

/// A module as the bus sees it.
#[derive(Serialize, ToSchema)]
pub(crate) struct Module {
    module: String,
    /// `local`, `remote`, or `moving` between the two.
    placement: &'static str,
    /// Where it is, where that is elsewhere.
    at: Option<String>,
    /// What carries its calls.
    transport: &'static str,
    /// `starting`, `ready` or `failed`; null where nobody watches it.
    #[schema(value_type = Option<String>)]
    state: Option<Health>,
    /// The instances that calls are spread over, and how they stand.
    #[schema(value_type = Vec<Object>)]
    instances: Vec<InstanceStatus>,
    /// What another process that shadows it has answered; null where none does.
    #[schema(value_type = Option<Object>)]
    shadow: Option<ShadowReport>,
    /// How the breaker before it stands, where it is elsewhere.
    #[schema(value_type = Option<Object>)]
    breaker: Option<BreakerStatus>,
    /// How many of its calls could be tried again now, where it is elsewhere.
    retries_left: Option<u64>,
    /// Calls that run now.
    in_flight: usize,
    /// Calls that wait now.
    waiting: usize,
    /// How many may run at once.
    concurrency: usize,
    /// The age of its oldest event that somebody has not got yet, in milliseconds; null where the module did not say.
    outbox_lag_ms: Option<u64>,
    /// The age of its oldest event that it has got and not handled yet, in milliseconds.
    inbox_lag_ms: Option<u64>,
}

/// How far behind each module is, of those that say so.
async fn lags(bus: &Bus) -> BTreeMap<String, (Duration, Duration)> {
    let asked = bus.operated().into_iter().map(|module| async move {
        match bus.operate(&module, Operation::Lag).await {
            Ok(Outcome::Lag { outbox, inbox }) => Some((module, (outbox, inbox))),
            _ => None,
        }
    });
    join_all(asked).await.into_iter().flatten().collect()
}

fn millis(age: Duration) -> u64 {
    u64::try_from(age.as_micros().div_ceil(1000)).unwrap_or(u64::MAX)
}

/// The modules: placement, transport, calls in flight, how far behind.
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
    let lags = lags(&shared.bus).await;
    let state = |port: &str| states.iter().find(|state| state.module == port);
    let data = shared.bus.status().into_iter().filter(|port| state(&port.port).is_some());
    let data = data.map(|port| Module {
        state: state(&port.port).map(|state| state.state),
        at: state(&port.port).and_then(|state| state.at.clone()),
        instances: state(&port.port).map(|state| state.instances.clone()).unwrap_or_default(),
        shadow: port.shadow,
        breaker: port.breaker,
        retries_left: port.retries_left,
        outbox_lag_ms: lags.get(&*port.port).map(|lag| millis(lag.0)),
        inbox_lag_ms: lags.get(&*port.port).map(|lag| millis(lag.1)),
        module: port.port,
        placement: port.placement,
        transport: port.transport,
        in_flight: port.in_flight,
        waiting: port.waiting,
        concurrency: port.concurrency,
    });
    Reply::ok(&Listing { data: data.collect(), next_cursor: None })
}
