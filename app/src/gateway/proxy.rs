//! The gateway before services that are not the shop's own: `[[gateway.routes]]` says which paths go where.
//!
//! From the outside in: `routes` finds the route (`path` and `pattern` say what a path is), `serve` checks caller and
//! limits, `forward` sends the request over a connection of `pool` to an instance of `upstream`, with `headers` of
//! its own; `upload` and `download` move the bodies, piece by piece; `answer` and `failure` are what the client gets.
//! `tunnel` is for connections whose protocol changes.

pub(crate) mod admin;
mod answer;
mod discovery;
mod download;
mod failure;
mod forward;
mod headers;
mod path;
mod pattern;
mod pool;
mod route;
mod routes;
mod section;
mod serve;
mod tunnel;
mod upload;
mod upstream;

pub use discovery::{Discovery, Names, NoDiscovery};
pub use section::{Auth, GatewaySection, RouteSection};

pub(crate) use download::Relayed;
pub(crate) use pool::Pool;
pub(crate) use routes::Destination;
pub(crate) use serve::serve;
pub(crate) use tunnel::serve as serve_upgrade;

use actix_web::http::Method;
use arc_swap::ArcSwap;
use routes::Routes;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// A route that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("gateway.routes[{index}].{key} {problem}")]
pub struct InvalidRoute {
    index: usize,
    key: String,
    problem: String,
}

impl InvalidRoute {
    fn new(index: usize, key: &str, problem: &dyn std::fmt::Display) -> Self {
        Self { index, key: key.to_owned(), problem: problem.to_string() }
    }
}

/// Why the routes are still the ones before.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the routes are as before: {0}")]
pub struct NotReloaded(String);

/// Reads the routes again from where they are written.
pub type ReadRoutes = Arc<dyn Fn() -> Result<Vec<RouteSection>, String> + Send + Sync>;

/// Whether these routes can be carried out, as far as can be told without knowing the shop's own paths.
///
/// # Errors
/// [`InvalidRoute`] naming the first key that is wrong.
pub fn check(routes: &[RouteSection]) -> Result<(), InvalidRoute> {
    Routes::build(routes, &[], None, &Routes::default()).map(drop)
}

/// The routes in force, and what is needed to change them. A clone is the same.
#[derive(Clone)]
pub struct Proxy(Arc<Inner>);

struct Inner {
    routes: ArcSwap<Routes>,
    /// The paths of the shop's own resources.
    ours: OnceLock<Vec<String>>,
    discovery: Arc<dyn Discovery>,
    read: ReadRoutes,
    /// Two changes at once would lose one.
    changing: Mutex<()>,
    /// How we call ourselves to other proxies.
    name: String,
}

impl Proxy {
    /// With the routes that `read` gives, the first time when the server starts. `id` tells this process from others:
    /// a request that comes back is known by it.
    #[must_use]
    pub fn new(read: ReadRoutes, discovery: Arc<dyn Discovery>, id: &str) -> Self {
        Self(Arc::new(Inner {
            routes: ArcSwap::default(),
            ours: OnceLock::new(),
            discovery,
            read,
            changing: Mutex::default(),
            name: format!("cleave-{id}"),
        }))
    }

    /// Without routes.
    #[must_use]
    pub fn none() -> Self {
        Self::new(Arc::new(|| Ok(Vec::new())), Arc::new(NoDiscovery), "0")
    }

    /// Reads the routes again and takes them all, or none: requests that run end as they began. How many there are.
    ///
    /// # Errors
    /// [`NotReloaded`] where they cannot be read or make no sense; then those before stay in force.
    pub fn reload(&self) -> Result<usize, NotReloaded> {
        let reloaded = (self.0.read)()
            .map_err(NotReloaded)
            .and_then(|sections| self.replace(&sections).map_err(|error| NotReloaded(error.to_string())));
        match &reloaded {
            Ok(routes) => tracing::info!(routes, "the gateway's routes were reloaded"),
            Err(error) => tracing::error!(%error, "the gateway's routes were not reloaded"),
        }
        reloaded
    }

    /// Takes the first routes, now that the shop's own paths are known.
    pub(crate) fn start(&self, ours: Vec<String>) -> Result<(), NotReloaded> {
        // Who is started twice has the same paths.
        drop(self.0.ours.set(ours));
        let sections = (self.0.read)().map_err(NotReloaded)?;
        self.replace(&sections).map(drop).map_err(|error| NotReloaded(error.to_string()))
    }

    fn replace(&self, sections: &[RouteSection]) -> Result<usize, InvalidRoute> {
        let _alone = self.0.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let ours = self.0.ours.get().map(Vec::as_slice).unwrap_or_default();
        let routes = Routes::build(sections, ours, Some(&*self.0.discovery), &self.0.routes.load())?;
        self.0.routes.store(Arc::new(routes));
        Ok(sections.len())
    }

    /// Where a request goes.
    pub(crate) fn find(&self, path: &str, method: &Method) -> Destination {
        self.0.routes.load().find(path, method)
    }

    pub(crate) fn name(&self) -> &str {
        &self.0.name
    }

    fn routes(&self) -> arc_swap::Guard<Arc<Routes>> {
        self.0.routes.load()
    }
}

impl std::fmt::Debug for Proxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Proxy").field("routes", &self.routes().all.len()).finish_non_exhaustive()
    }
}
