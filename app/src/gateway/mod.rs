//! The HTTP edge of the program: one server for the REST resources of every module, wherever those are.
//!
//! From the outside in: `wire` (framing, slow heads), `pipeline` (one request: id, deadline,
//! limits, who is calling, the answer's headers), the routes of the `*-rest` crates, and the gateway's own
//! (`operations`, `docs`, `admin`); or `proxy`, for what other services are to answer.

mod admin;
mod admission;
mod answer;
mod arrival;
mod body;
mod compression;
mod cors;
mod docs;
mod headers;
mod observe;
mod operations;
mod pipeline;
pub mod proxy;
mod rate_limit;
mod serve;
mod settings;
mod table;
mod wire;

pub use serve::{BindError, serve, stop};
pub use settings::{GatewaySettings, InvalidSettings, RateLimit};

use actix_web::web::ServiceConfig;
use async_trait::async_trait;
use bus::{Bus, BusError, Caller};
use bus_discovery::InstanceStatus;
use edge::Writes;
use proxy::Proxy;
use serde::Serialize;
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// Adds a module's resources to the app; called once per worker. Every `*-rest` crate gives one.
pub type Routes = Arc<dyn Fn(&mut ServiceConfig) + Send + Sync>;

/// Renders the metrics in Prometheus' text format.
pub type RenderMetrics = Arc<dyn Fn() -> String + Send + Sync>;

/// Why a token does not say who is calling.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthFailure {
    /// The token is no good: 401.
    #[error("the token is not valid")]
    Invalid,
    /// It cannot be told now: 503.
    #[error(transparent)]
    Unavailable(#[from] BusError),
}

/// Tells who a bearer token belongs to.
#[async_trait]
pub trait Authenticator: Send + Sync + 'static {
    /// The caller.
    ///
    /// # Errors
    /// [`AuthFailure`] where that is nobody, or cannot be told.
    async fn authenticate(&self, bearer: &str) -> Result<Caller, AuthFailure>;
}

/// How a module does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// Not yet able to answer.
    Starting,
    /// Able to answer.
    Ready,
    /// Not able to answer.
    Failed,
}

/// A module as `/readyz` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ModuleState {
    /// The module's name.
    pub module: String,
    /// `local` or `remote`.
    pub placement: &'static str,
    /// How it does.
    pub state: Health,
    /// Where it is, where that is elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// The instances that calls are spread over, and how they stand.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub instances: Vec<InstanceStatus>,
}

/// Knows how the modules do. Asked at each `/readyz`, so it answers from memory.
pub trait Readiness: Send + Sync + 'static {
    /// Every module that this process serves or calls.
    fn modules(&self) -> Vec<ModuleState>;
}

/// Everything that the server is assembled from.
pub struct Gateway {
    /// Limits and times.
    pub settings: GatewaySettings,
    /// For `/api/v1/admin/modules`.
    pub bus: Bus,
    /// Where request ids come from.
    pub sources: bus::Sources,
    /// Who is calling.
    pub authenticator: Arc<dyn Authenticator>,
    /// How the modules do.
    pub readiness: Arc<dyn Readiness>,
    /// What `/metrics` shows.
    pub metrics: RenderMetrics,
    /// The contract: the rest crates' documents merged. The gateway's own routes are added to it.
    pub openapi: utoipa::openapi::OpenApi,
    /// The rest crates' resources.
    pub routes: Vec<Routes>,
    /// What is passed on to other services; keep a clone to reload it.
    pub proxy: Proxy,
    /// What a shutdown needs to know; keep a clone for [`stop`].
    pub lifecycle: Lifecycle,
}

/// Whether the server is on its way out, and which public writes still run.
#[derive(Debug, Clone)]
pub struct Lifecycle {
    draining: Arc<AtomicBool>,
    writes: Writes,
}

impl Lifecycle {
    /// Of a server whose public writes run on this runtime: the one that the modules are on, which ends last.
    #[must_use]
    pub fn on(runtime: tokio::runtime::Handle) -> Self {
        Self { draining: Arc::default(), writes: Writes::on(runtime) }
    }

    /// Whether `/readyz` says no because the server is about to stop.
    #[must_use]
    pub fn draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// From here `/readyz` says no; requests are still served.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// The public writes that run now.
    #[must_use]
    pub fn writes(&self) -> &Writes {
        &self.writes
    }
}

/// What every worker shares.
pub(crate) struct Shared {
    pub(crate) settings: GatewaySettings,
    pub(crate) bus: Bus,
    pub(crate) sources: bus::Sources,
    pub(crate) authenticator: Arc<dyn Authenticator>,
    pub(crate) readiness: Arc<dyn Readiness>,
    pub(crate) metrics: RenderMetrics,
    pub(crate) openapi: String,
    pub(crate) table: table::Table,
    pub(crate) proxy: Proxy,
    pub(crate) lifecycle: Lifecycle,
    pub(crate) admission: admission::Admission,
    pub(crate) limits: rate_limit::Limits,
}
