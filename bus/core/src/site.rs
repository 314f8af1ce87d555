//! Where each module is: looked up at every call, swapped while calls run.

use crate::{Bulkhead, Operations, Receive, Served, Transport, resilience::Guard, shadow::Shadow};
use std::{collections::BTreeMap, sync::Arc};
use tokio::sync::watch;

/// Every module's place, by its name.
pub(crate) type Sites = BTreeMap<String, Site>;

/// Where one module is: what answers its calls, takes its events and operates it.
#[derive(Clone, Default)]
pub(crate) struct Site {
    pub(crate) port: Option<Link>,
    pub(crate) inbox: Option<Reach<dyn Receive>>,
    pub(crate) operations: Option<Reach<dyn Operations>>,
    /// While the module moves: whoever comes waits for the end of it.
    pub(crate) moving: Option<Moving>,
}

#[derive(Clone)]
pub(crate) enum Link {
    Local { served: Arc<Served>, shadow: Option<Arc<Shadow>> },
    Remote(Arc<Route>),
}

/// The way to a port in another process.
pub(crate) struct Route {
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) bulkhead: Arc<Bulkhead>,
    pub(crate) guard: Guard,
}

/// Where one of a module's own endpoints is.
pub(crate) enum Reach<T: ?Sized> {
    Local(Arc<T>),
    Remote(Arc<dyn Transport>),
}

impl<T: ?Sized> Clone for Reach<T> {
    fn clone(&self) -> Self {
        match self {
            Self::Local(here) => Self::Local(Arc::clone(here)),
            Self::Remote(transport) => Self::Remote(Arc::clone(transport)),
        }
    }
}

/// The waiting room of a module that moves.
#[derive(Clone)]
pub(crate) struct Moving {
    /// Closed when it is over.
    pub(crate) over: watch::Receiver<()>,
    /// How many may wait.
    pub(crate) room: Arc<Bulkhead>,
}

impl Link {
    pub(crate) fn bulkhead(&self) -> &Arc<Bulkhead> {
        match self {
            Self::Local { served, .. } => &served.runner.bulkhead,
            Self::Remote(route) => &route.bulkhead,
        }
    }

    /// Whether nobody but its owner has it in hand, and no call runs or waits.
    pub(crate) fn is_idle(&self) -> bool {
        let holders = match self {
            Self::Local { served, .. } => Arc::strong_count(served),
            Self::Remote(route) => Arc::strong_count(route),
        };
        holders == 1 && self.bulkhead().in_flight() + self.bulkhead().waiting() == 0
    }
}

impl<T: ?Sized> Reach<T> {
    /// Whether nobody but its owner uses it.
    pub(crate) fn is_idle(&self) -> bool {
        match self {
            Self::Local(here) => Arc::strong_count(here) == 1,
            // Whoever waits for an answer from there gets it from there.
            Self::Remote(_) => true,
        }
    }
}

impl Site {
    pub(crate) fn is_idle(&self) -> bool {
        self.port.as_ref().is_none_or(Link::is_idle)
            && self.inbox.as_ref().is_none_or(Reach::is_idle)
            && self.operations.as_ref().is_none_or(Reach::is_idle)
    }
}
