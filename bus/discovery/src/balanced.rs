//! A transport over all instances of a module.
//!
//! One call is one instance: what could not be reached is reported as such, and the next call, which may be the bus's
//! retry, goes elsewhere. So there is one place that repeats, and it knows what is safe to repeat.

use crate::{Balance, Balancer, Instance, InstanceStatus, Watch};
use async_trait::async_trait;
use bus::{BusError, Headers, Transport};
use bytes::Bytes;
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// Sends each call to one of a target's instances.
///
/// The key that [`Strategy::ByKey`](crate::Strategy::ByKey) goes by is the header `key`, which the bus sets where a call is
/// made within [`bus::keyed`]; without one it is on whose behalf the call is made, so that one session's calls go to one
/// instance. Nothing in a message is looked at.
pub struct Balanced {
    balancer: Balancer<Arc<dyn Transport>>,
    kind: &'static str,
}

impl Balanced {
    /// Balances over the members that `watch` shows. `connect` makes a transport of this `kind` for each; it should
    /// not wait for a connection.
    #[must_use]
    pub fn new(
        target: &str,
        kind: &'static str,
        watch: Watch,
        balance: Balance,
        connect: impl Fn(&Instance) -> Arc<dyn Transport> + Send + Sync + 'static,
    ) -> Self {
        Self { balancer: Balancer::new(target, watch, balance, connect), kind }
    }

    /// How every instance stands.
    #[must_use]
    pub fn instances(&self) -> Vec<InstanceStatus> {
        self.balancer.instances()
    }

    async fn carry(&self, name: &str, headers: Headers, bytes: Bytes, call: Call) -> Result<Bytes, BusError> {
        let key = headers.get("key").or_else(|| headers.get("caller")).map(String::as_str);
        let Some(instance) = self.balancer.pick(key, deadline(&headers)) else {
            return Err(BusError::Unheard { port: port(name) });
        };
        let answer = match call {
            Call::Request => instance.request(name, headers, bytes).await,
            Call::Delivery => instance.deliver(name, headers, bytes).await,
        };
        match &answer {
            Err(BusError::Unavailable { .. } | BusError::Unheard { .. }) => instance.unreachable(),
            Err(BusError::DeadlineExceeded { .. }) => instance.silent(),
            _ => instance.answered(),
        }
        answer
    }
}

enum Call {
    Request,
    Delivery,
}

/// When the bus stops waiting. What crosses the wire is whole milliseconds, rounded down, and the bus began to count
/// a little earlier.
fn deadline(headers: &Headers) -> Option<Instant> {
    let left = headers.get("timeout-ms")?.parse().ok()?;
    Some(Instant::now() + Duration::from_millis(left).saturating_sub(Duration::from_millis(1)))
}

fn port(name: &str) -> String {
    name.split('.').next().unwrap_or(name).to_owned()
}

#[async_trait]
impl Transport for Balanced {
    async fn request(&self, name: &str, headers: Headers, bytes: Bytes) -> Result<Bytes, BusError> {
        self.carry(name, headers, bytes, Call::Request).await
    }

    async fn deliver(&self, name: &str, headers: Headers, bytes: Bytes) -> Result<Bytes, BusError> {
        self.carry(name, headers, bytes, Call::Delivery).await
    }

    fn kind(&self) -> &'static str {
        self.kind
    }
}
