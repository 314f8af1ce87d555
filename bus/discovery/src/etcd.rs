//! Instances by registration in etcd, by its v3 API in plain JSON over HTTP.
//!
//! etcd and not Consul: it is in Debian (and under every Kubernetes), free of business licences, and its JSON gateway
//! needs no protoc, no tonic and no agent beside each process. What Consul has beyond it (health checks by the
//! registry, its own DNS) is not asked for here: instances beat by themselves, and calls notice the rest.
//!
//! An instance is a key `<prefix>/<module>/<instance id>` under a lease that the instance keeps alive; a process that
//! dies takes its lease along, and the key goes with the lease. Watchers ask for the range once an interval. That is
//! one cheap read a second and module (which any member of the cluster answers, also one that has lost the others: old
//! news is better than none), where a watch over HTTP is a stream that can be half dead without anybody noticing, and
//! has to be resumed, compacted and started over. What is noticed a second later is noticed by calls before.

mod gateway;
mod registration;

pub use registration::{Registration, Standing};

use crate::{
    Discovery, DiscoveryError, Instance, Watch,
    polling::{self, Listing, Patience, Silence, Source},
};
use async_trait::async_trait;
use gateway::{Gateway, KeyValue};
use registration::Place;
use std::{sync::Arc, time::Duration};

const KIND: &str = "etcd";

/// Where etcd is, and how it is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EtcdSettings {
    /// Base URLs of its members: `http://127.0.0.1:2379`. Asked in turn until one answers.
    pub endpoints: Vec<String>,
    /// What all keys begin with.
    pub prefix: String,
    /// How long a lease lasts that is not kept alive: so long after its death an instance is still listed as alive.
    /// It is kept alive three times in that time. etcd has a shortest of its own, 2 s as it comes.
    pub lease: Duration,
    /// How often instances are asked for.
    pub interval: Duration,
    /// How long one question may take.
    pub timeout: Duration,
    /// How long an instance is missed before it is given up.
    pub dead_after: Duration,
}

impl Default for EtcdSettings {
    fn default() -> Self {
        Self {
            endpoints: vec!["http://127.0.0.1:2379".into()],
            prefix: "cleave".into(),
            lease: Duration::from_secs(10),
            interval: Duration::from_secs(1),
            timeout: Duration::from_secs(2),
            dead_after: Duration::from_secs(30),
        }
    }
}

/// A registry that instances write themselves into.
pub struct Etcd {
    gateway: Arc<Gateway>,
    settings: EtcdSettings,
}

impl Etcd {
    /// A registry that is asked by this client, which brings certificates where etcd wants them.
    #[must_use]
    pub fn new(settings: EtcdSettings, client: reqwest::Client) -> Self {
        let gateway = Arc::new(Gateway::new(&settings.endpoints, settings.timeout, client));
        Self { gateway, settings }
    }

    /// What the keys of a target begin with.
    fn range(&self, target: &str) -> Result<String, DiscoveryError> {
        if target.is_empty() || target.contains('/') {
            let why = "a module's name, without a slash";
            return Err(DiscoveryError::BadTarget { target: target.to_owned(), kind: KIND, why });
        }
        Ok(format!("{}/{target}/", self.settings.prefix))
    }
}

impl Discovery for Etcd {
    fn watch(&self, target: &str) -> Result<Watch, DiscoveryError> {
        let range = Range {
            gateway: Arc::clone(&self.gateway),
            prefix: self.range(target)?,
            interval: self.settings.interval,
        };
        let patience = Patience {
            // Each member of the cluster in turn.
            answer: self.settings.timeout * u32::try_from(self.settings.endpoints.len().max(1)).unwrap_or(1),
            retry: self.settings.interval,
            dead_after: self.settings.dead_after,
        };
        Ok(polling::watch(KIND, target, range, patience))
    }

    fn register(&self, target: &str, instance: Instance) -> Result<Registration, DiscoveryError> {
        let key = format!("{}{}", self.range(target)?, instance.id);
        let place = Place { gateway: Arc::clone(&self.gateway), key, lease: self.settings.lease };
        Ok(Registration::start(place, instance))
    }

    fn kind(&self) -> &'static str {
        KIND
    }
}

/// The keys of one target, as a source to ask.
struct Range {
    gateway: Arc<Gateway>,
    prefix: String,
    interval: Duration,
}

#[async_trait]
impl Source for Range {
    async fn list(&self) -> Result<Listing, Silence> {
        let entries = self.gateway.range(&self.prefix).await.map_err(|error| Silence(error.to_string()))?;
        let instances = entries.iter().filter_map(|entry| self.read(entry)).collect();
        Ok(Listing { instances, ask_again: self.interval })
    }
}

impl Range {
    /// One entry that nobody can read must not hide the others.
    fn read(&self, entry: &KeyValue) -> Option<Instance> {
        let (id, value) = (entry.key.strip_prefix(&self.prefix)?, &entry.value);
        match serde_json::from_str::<Instance>(value) {
            Ok(instance) => Some(Instance { id: id.to_owned(), ..instance }),
            Err(error) => {
                metrics::counter!("bus_discovery_unreadable_total").increment(1);
                tracing::debug!(key = entry.key, %error, "an entry of the registry cannot be read");
                None
            }
        }
    }
}
