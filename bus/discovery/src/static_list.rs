//! Instances that are written down: in settings, by whoever runs them.

use crate::{Discovery, DiscoveryError, Instance, Members, Watch, membership::Membership};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{sync::watch, time::Instant};

/// The instances of each target, as they are written down. A new list takes the place of the old at once: whoever
/// is crossed out is not suspect but gone.
#[derive(Debug, Default)]
pub struct StaticList {
    lists: Mutex<BTreeMap<String, watch::Sender<Arc<Members>>>>,
}

impl StaticList {
    /// No target has instances yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A target with these instances.
    #[must_use]
    pub fn with(self, target: &str, instances: Vec<Instance>) -> Self {
        self.set(target, instances);
        self
    }

    /// Gives a target these instances in place of those that it has.
    pub fn set(&self, target: &str, instances: Vec<Instance>) {
        let members = Membership::default().after(instances, Instant::now(), Duration::ZERO).members();
        self.list(target).send_replace(Arc::new(members));
    }

    fn list(&self, target: &str) -> watch::Sender<Arc<Members>> {
        let mut lists = self.lists.lock().unwrap_or_else(PoisonError::into_inner);
        let nobody = || watch::Sender::new(Arc::new(Members { known: true, list: Vec::new() }));
        lists.entry(target.to_owned()).or_insert_with(nobody).clone()
    }
}

impl Discovery for StaticList {
    fn watch(&self, target: &str) -> Result<Watch, DiscoveryError> {
        Ok(self.list(target).subscribe())
    }

    fn kind(&self) -> &'static str {
        "static"
    }
}
