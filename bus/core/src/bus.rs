//! The bus itself: what is linked to it, and how it stands.

use crate::{
    BreakerStatus, Forced, Operations, Policies, Receive, Served, Transport,
    shadow::{Shadow, ShadowReport},
    site::{Link, Reach, Route, Site, Sites},
};
use arc_swap::ArcSwap;
use serde::Serialize;
use std::{collections::BTreeMap, sync::Arc};

/// Calls ports and delivers events, wherever they are served. Cheap to clone; every clone is the same bus.
#[derive(Clone)]
pub struct Bus(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) sites: ArcSwap<Sites>,
    /// What is answered here beside the modules, by its full name.
    pub(crate) extras: ArcSwap<BTreeMap<String, Arc<dyn Transport>>>,
    pub(crate) policies: Policies,
    pub(crate) strict: bool,
}

/// How a port stands, for the admin API and the metrics.
#[derive(Debug, Clone, Serialize)]
pub struct PortStatus {
    /// The port's name.
    pub port: String,
    /// `local`, `remote`, or `moving` between the two.
    pub placement: &'static str,
    /// What carries the calls: `in_process`, or the transport's kind.
    pub transport: &'static str,
    /// Calls that run now.
    pub in_flight: usize,
    /// Calls that wait now.
    pub waiting: usize,
    /// How many may run at once.
    pub concurrency: usize,
    /// What a shadow has seen, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shadow: Option<ShadowReport>,
    /// How the breaker of a remote port stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub breaker: Option<BreakerStatus>,
    /// How many of a remote port's calls could be tried again now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retries_left: Option<u64>,
}

impl Bus {
    /// A bus without links.
    #[must_use]
    pub fn new(policies: Policies) -> Self {
        Self::build(policies, false)
    }

    /// A bus on which every call in this process goes through the codec, as it will after a split.
    #[must_use]
    pub fn strict(policies: Policies) -> Self {
        Self::build(policies, true)
    }

    fn build(policies: Policies, strict: bool) -> Self {
        let (sites, extras) = (ArcSwap::default(), ArcSwap::default());
        Self(Arc::new(Inner { sites, extras, policies, strict }))
    }

    /// The limits in force.
    #[must_use]
    pub fn policies(&self) -> &Policies {
        &self.0.policies
    }

    /// Serves a port in this process, from the next call on.
    pub fn serve(&self, served: Served) {
        let (port, served) = (served.port, Arc::new(served));
        self.change(port, |site| site.port = Some(Link::Local { served: Arc::clone(&served), shadow: None }));
    }

    /// Sends a port's calls to another process, from the next call on.
    pub fn connect(&self, port: &str, transport: Arc<dyn Transport>) {
        let route = Arc::new(Route::new(port, transport, &self.0.policies));
        self.change(port, |site| site.port = Some(Link::Remote(Arc::clone(&route))));
    }

    /// Asks another process too what this one answers, and compares; reads only. `None` ends it. `false` where the
    /// port is not served here.
    pub fn shadow(&self, port: &str, transport: Option<Arc<dyn Transport>>) -> bool {
        let shadow = transport.map(|transport| Arc::new(Shadow::new(transport)));
        let mut is_here = false;
        self.change(port, |site| {
            is_here = matches!(site.port, Some(Link::Local { .. }));
            if let Some(Link::Local { shadow: current, .. }) = &mut site.port {
                current.clone_from(&shadow);
            }
        });
        is_here
    }

    /// Receives a module's events in this process.
    pub fn serve_inbox(&self, module: &str, inbox: Arc<dyn Receive>) {
        self.change(module, |site| site.inbox = Some(Reach::Local(Arc::clone(&inbox))));
    }

    /// Sends a module's events to another process.
    pub fn connect_inbox(&self, module: &str, transport: Arc<dyn Transport>) {
        self.change(module, |site| site.inbox = Some(Reach::Remote(Arc::clone(&transport))));
    }

    /// Operates a module in this process.
    pub fn serve_operations(&self, module: &str, operations: Arc<dyn Operations>) {
        self.change(module, |site| site.operations = Some(Reach::Local(Arc::clone(&operations))));
    }

    /// Operates a module in another process.
    pub fn connect_operations(&self, module: &str, transport: Arc<dyn Transport>) {
        self.change(module, |site| site.operations = Some(Reach::Remote(Arc::clone(&transport))));
    }

    /// Answers this full name to other processes, beside what the modules answer.
    pub fn answer(&self, name: &str, by: &Arc<dyn Transport>) {
        self.0.extras.rcu(|extras| {
            let mut extras = BTreeMap::clone(extras);
            extras.insert(name.to_owned(), Arc::clone(by));
            extras
        });
    }

    /// Changes one module's site, once for good: `change` may be tried more than once.
    pub(crate) fn change(&self, module: &str, mut change: impl FnMut(&mut Site)) {
        self.0.sites.rcu(|sites| {
            let mut sites = Sites::clone(sites);
            change(sites.entry(module.to_owned()).or_default());
            sites
        });
    }

    /// The modules that can be operated from here.
    #[must_use]
    pub fn operated(&self) -> Vec<String> {
        let sites = self.0.sites.load();
        let operated = sites.iter().filter(|(_, site)| site.operations.is_some() || site.moving.is_some());
        operated.map(|(module, _)| module.clone()).collect()
    }

    /// Whether anything serves this port.
    #[must_use]
    pub fn has(&self, port: &str) -> bool {
        let sites = self.0.sites.load();
        sites.get(port).is_some_and(|site| site.port.is_some() || site.moving.is_some())
    }

    /// How every port stands.
    #[must_use]
    pub fn status(&self) -> Vec<PortStatus> {
        let sites = self.0.sites.load();
        sites.iter().filter_map(|(port, site)| status(port, site)).collect()
    }

    /// Changes how many of a port's calls run at once, also while calls run and wait; zero refuses every
    /// call. `false` where nothing serves the port.
    pub fn set_concurrency(&self, port: &str, concurrency: usize) -> bool {
        let sites = self.0.sites.load();
        let link = sites.get(port).and_then(|site| site.port.as_ref());
        if let Some(link) = link {
            link.bulkhead().resize(concurrency);
        }
        link.is_some()
    }

    /// Opens or closes the breaker of a remote port, whatever its calls come to, until it is told otherwise or the
    /// port is connected anew. `false` where the port is not remote.
    pub fn force_breaker(&self, port: &str, forced: Forced) -> bool {
        let sites = self.0.sites.load();
        let Some(Link::Remote(route)) = sites.get(port).and_then(|site| site.port.as_ref()) else {
            return false;
        };
        route.guard.force(forced);
        true
    }
}

fn status(port: &str, site: &Site) -> Option<PortStatus> {
    let (placement, transport, bulkhead, shadow) = match (&site.port, &site.moving) {
        (_, Some(moving)) => ("moving", "none", &moving.room, None),
        (Some(Link::Local { served, shadow }), None) => {
            ("local", "in_process", &served.runner.bulkhead, shadow.as_ref())
        }
        (Some(Link::Remote(route)), None) => ("remote", route.transport.kind(), &route.bulkhead, None),
        (None, None) => return None,
    };
    let is_moving = site.moving.is_some();
    let guard = match &site.port {
        Some(Link::Remote(route)) if !is_moving => Some(&route.guard),
        _ => None,
    };
    Some(PortStatus {
        port: port.to_owned(),
        placement,
        transport,
        in_flight: if is_moving { 0 } else { bulkhead.in_flight() },
        waiting: if is_moving { bulkhead.in_flight() } else { bulkhead.waiting() },
        concurrency: bulkhead.capacity(),
        shadow: shadow.map(|shadow| shadow.report()),
        breaker: guard.map(|guard| guard.breaker()),
        retries_left: guard.map(|guard| guard.retries_left()),
    })
}
