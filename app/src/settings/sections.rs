//! The sections that are the program's own.

use super::{
    MODULES, SettingsError,
    resilience::{BreakerSection, RetrySection, applied},
};
use crate::gateway::{GatewaySettings, RateLimit};
use bus::{Policies, Policy, Port, RequestInfo, Resilience};
use bus_durable::{DispatchSettings, RetryPolicy, saga::SagaSettings};
use ipnet::IpNet;
use serde::Deserialize;
use std::{collections::BTreeMap, time::Duration};
use users_ports::Secret;

/// A duration as people write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Span(#[serde(with = "kernel::duration")] pub(crate) Duration);

/// `[http]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "config/default.toml says what each is")]
pub struct HttpSection {
    pub listen: String,
    pub body_limit: usize,
    pub head_limit: usize,
    pub target_limit: usize,
    pub request_deadline: Span,
    pub head_timeout: Span,
    pub body_timeout: Span,
    pub write_timeout: Span,
    pub keep_alive: Span,
    pub cors_origins: Vec<String>,
    pub trusted_proxies: Vec<IpNet>,
    pub rate_per_caller: Option<RateSection>,
    pub rate_per_ip: Option<RateSection>,
    pub max_in_flight: usize,
    pub max_connections: usize,
    pub workers: usize,
    pub drain_delay: Option<Span>,
    pub shutdown_timeout: Span,
}

/// `[http.rate_per_caller]` and `[http.rate_per_ip]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "config/default.toml says what each is")]
pub struct RateSection {
    pub requests: u32,
    pub window: Span,
}

impl HttpSection {
    /// The same for the gateway.
    #[must_use]
    pub fn gateway(&self) -> GatewaySettings {
        let rate = |rate: RateSection| RateLimit { requests: rate.requests, window: rate.window.0 };
        let usual = GatewaySettings::default();
        GatewaySettings {
            body_limit: self.body_limit,
            head_limit: self.head_limit,
            target_limit: self.target_limit,
            request_deadline: self.request_deadline.0,
            head_timeout: self.head_timeout.0,
            body_timeout: self.body_timeout.0,
            write_timeout: self.write_timeout.0,
            keep_alive: self.keep_alive.0,
            cors_origins: self.cors_origins.clone(),
            trusted_proxies: self.trusted_proxies.clone(),
            rate_per_caller: self.rate_per_caller.map(rate),
            rate_per_ip: self.rate_per_ip.map(rate),
            max_in_flight: self.max_in_flight,
            max_connections: self.max_connections,
            workers: if self.workers == 0 { usual.workers } else { self.workers },
            drain_delay: self.drain_delay.map_or(Duration::ZERO, |span| span.0),
            shutdown_timeout: self.shutdown_timeout.0,
        }
    }
}

/// `[bus]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "config/default.toml says what each is")]
pub struct BusSection {
    pub deadline: Span,
    pub concurrency: usize,
    pub queue: usize,
    pub strict: bool,
    pub executor: ExecutorKind,
    pub query_timeout: Option<Span>,
    pub command_timeout: Option<Span>,
    pub retry: RetrySection,
    pub breaker: BreakerSection,
    #[serde(default)]
    pub ports: BTreeMap<String, PortSection>,
}

/// What runs a module's calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExecutorKind {
    /// An actor on a thread of its own.
    Actor,
    /// Tasks of the runtime.
    Direct,
}

/// `[bus.ports.inventory]`; what is missing is as everywhere.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "config/default.toml says what each is")]
pub struct PortSection {
    pub deadline: Option<Span>,
    pub concurrency: Option<usize>,
    pub queue: Option<usize>,
    pub deadlines: BTreeMap<String, Span>,
    pub query_timeout: Option<Span>,
    pub command_timeout: Option<Span>,
    pub retry: RetrySection,
    pub breaker: BreakerSection,
    pub never_retry: Vec<String>,
}

impl BusSection {
    /// The limits in force.
    ///
    /// # Errors
    /// [`SettingsError`] where a limit means "never", or names what is not there.
    pub fn policies(&self) -> Result<Policies, SettingsError> {
        let invalid = |error: bus::InvalidPolicy| SettingsError::Invalid(format!("bus: {error}"));
        let usual = Policy { deadline: self.deadline.0, concurrency: self.concurrency, queue: self.queue };
        let resilience = applied(
            Resilience::default(),
            self.query_timeout,
            self.command_timeout,
            &self.retry,
            &self.breaker,
        );
        let policies = Policies::new(usual).and_then(|policies| policies.with_resilience(resilience));
        let mut policies = policies.map_err(invalid)?;
        for (port, own) in &self.ports {
            let known = requests(port);
            if known.is_empty() {
                let ports = MODULES.join(", ");
                return Err(SettingsError::Invalid(format!("bus.ports.{port}: the ports are {ports}")));
            }
            let policy = Policy {
                deadline: own.deadline.map_or(usual.deadline, |span| span.0),
                concurrency: own.concurrency.unwrap_or(usual.concurrency),
                queue: own.queue.unwrap_or(usual.queue),
            };
            policies = policies.with_port(port, policy).map_err(invalid)?;
            let resilience =
                applied(resilience, own.query_timeout, own.command_timeout, &own.retry, &own.breaker);
            policies = policies.with_port_resilience(port, resilience).map_err(invalid)?;
            let named = |key: &str, method: &str| {
                let name = format!("{port}.{method}");
                let unknown = || {
                    SettingsError::Invalid(format!(
                        "bus.ports.{port}.{key}.{method}: there is no request {name}"
                    ))
                };
                known.iter().any(|request| request.name == name).then(|| name.clone()).ok_or_else(unknown)
            };
            for (method, deadline) in &own.deadlines {
                policies =
                    policies.with_deadline(&named("deadlines", method)?, deadline.0).map_err(invalid)?;
            }
            for method in &own.never_retry {
                policies = policies.without_retry(&named("never_retry", method)?);
            }
        }
        Ok(policies)
    }
}

/// The requests of a port; none where there is no such port.
pub(crate) fn requests(port: &str) -> &'static [RequestInfo] {
    match port {
        "users" => <dyn users_ports::UsersPort as Port>::REQUESTS,
        "inventory" => <dyn inventory_ports::InventoryPort as Port>::REQUESTS,
        "orders" => <dyn orders_ports::OrdersPort as Port>::REQUESTS,
        "payments" => <dyn payments_ports::PaymentsPort as Port>::REQUESTS,
        "notifications" => <dyn notifications_ports::NotificationsPort as Port>::REQUESTS,
        _ => &[],
    }
}

/// `[durable]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "config/default.toml says what each is")]
pub struct DurableSection {
    pub retry_attempts: u32,
    pub retry_base: Span,
    pub retry_cap: Span,
    pub lease: Span,
    pub poll: Span,
    pub concurrency: usize,
    pub patience: Span,
    pub retention: Span,
    pub message_age: Span,
    pub readers: u32,
    pub batch: usize,
    pub saga_lease: Span,
    pub saga_poll: Span,
    pub saga_step_timeout: Span,
}

impl DurableSection {
    /// How messages are moved.
    #[must_use]
    pub fn dispatch(&self) -> DispatchSettings {
        DispatchSettings {
            retry: RetryPolicy {
                max_attempts: self.retry_attempts,
                base: self.retry_base.0,
                cap: self.retry_cap.0,
            },
            lease: self.lease.0,
            poll: self.poll.0,
            concurrency: self.concurrency,
            patience: self.patience.0,
            retention: self.retention.0,
        }
    }

    /// How sagas are looked after.
    #[must_use]
    pub fn sagas(&self) -> SagaSettings {
        SagaSettings {
            lease: self.saga_lease.0,
            poll: self.saga_poll.0,
            step_timeout: self.saga_step_timeout.0,
        }
    }

    pub(crate) fn check(&self) -> Result<(), SettingsError> {
        let positive = [
            ("retry_attempts", self.retry_attempts > 0),
            ("concurrency", self.concurrency > 0),
            ("readers", self.readers > 0),
            ("batch", self.batch > 0),
        ];
        match positive.into_iter().find(|(_, sound)| !sound) {
            Some((key, _)) => Err(SettingsError::Invalid(format!("durable.{key} must be more than zero"))),
            None => Ok(()),
        }
    }
}

/// `[sandbox]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "config/default.toml says what each is")]
pub struct SandboxSection {
    pub database_url: String,
    pub webhook_copies: u32,
    pub webhook_shuffle: bool,
    pub public_url: Option<String>,
}

/// `[admin]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "config/default.toml says what each is")]
pub struct AdminSection {
    pub email: Option<String>,
    pub password: Option<Secret>,
}

/// `[log]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "config/default.toml says what each is")]
pub struct LogSection {
    pub format: LogFormat,
    pub level: String,
}

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// A JSON object a line.
    Json,
    /// For people.
    Text,
}
