//! How long a call may take, how many may run and wait, and what is done where one fails; per port and per request,
//! from settings.

mod explain;

pub use explain::{Explained, Scope};

use crate::{BreakerRule, CallKind, RetryRule};
use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

/// The limits of one port's calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// How long a call may take, all in all.
    pub deadline: Duration,
    /// How many calls run at once.
    pub concurrency: usize,
    /// How many more wait for their turn.
    pub queue: usize,
}

impl Default for Policy {
    fn default() -> Self {
        Self { deadline: Duration::from_secs(10), concurrency: 256, queue: 1024 }
    }
}

/// What is done where a call to another process fails.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Resilience {
    /// How long one attempt of a query may take; `None` for as long as the call. With one, a query that takes longer
    /// fails in another process and not in this one, so it is for whoever knows how long queries take.
    pub query_timeout: Option<Duration>,
    /// How long one attempt of a command may take; `None` for as long as the call. A command that is asked again while
    /// it runs is told no more than that.
    pub command_timeout: Option<Duration>,
    /// How it is tried again.
    pub retry: RetryRule,
    /// When it is not even tried.
    pub breaker: BreakerRule,
}

impl Resilience {
    pub(crate) fn attempt_timeout(&self, kind: CallKind) -> Option<Duration> {
        match kind {
            CallKind::Query => self.query_timeout,
            CallKind::Command => self.command_timeout,
        }
    }
}

/// A limit that would mean "never" or "for ever".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPolicy {
    /// Every call has a finite deadline.
    #[error("the deadline of {0} must be more than zero and at most an hour")]
    Deadline(String),
    /// A port that admits no call answers none.
    #[error("the concurrency of {0} must be at least 1")]
    Concurrency(String),
    /// Another value that makes no sense.
    #[error("{key} must be {wanted}")]
    Value {
        /// Which value: `inventory.retry.attempts`.
        key: String,
        /// What it must be.
        wanted: &'static str,
    },
}

/// The limits of every port, with defaults for those that are not named.
#[derive(Debug, Clone, Default)]
pub struct Policies {
    default: Policy,
    ports: HashMap<String, Policy>,
    deadlines: HashMap<String, Duration>,
    resilience: Resilience,
    port_resilience: HashMap<String, Resilience>,
    never_repeated: HashSet<String>,
}

impl Policies {
    /// The same limits for every port.
    ///
    /// # Errors
    /// [`InvalidPolicy`] where a deadline is zero or over an hour, or nothing would be admitted.
    pub fn new(default: Policy) -> Result<Self, InvalidPolicy> {
        check("bus", default)?;
        Ok(Self { default, ..Self::default() })
    }

    /// Other limits for one port.
    ///
    /// # Errors
    /// As [`Policies::new`].
    pub fn with_port(mut self, port: &str, policy: Policy) -> Result<Self, InvalidPolicy> {
        check(port, policy)?;
        self.ports.insert(port.to_owned(), policy);
        Ok(self)
    }

    /// Another deadline for one request, named as on the wire: `inventory.reserve`.
    ///
    /// # Errors
    /// As [`Policies::new`].
    pub fn with_deadline(mut self, request: &str, deadline: Duration) -> Result<Self, InvalidPolicy> {
        check(request, Policy { deadline, ..self.default })?;
        self.deadlines.insert(request.to_owned(), deadline);
        Ok(self)
    }

    /// What is done where a call fails, for every port that has nothing of its own.
    ///
    /// # Errors
    /// [`InvalidPolicy::Value`], which names the value.
    pub fn with_resilience(mut self, resilience: Resilience) -> Result<Self, InvalidPolicy> {
        explain::check("bus", &resilience)?;
        self.resilience = resilience;
        Ok(self)
    }

    /// What is done where a call of this port fails.
    ///
    /// # Errors
    /// [`InvalidPolicy::Value`], which names the value.
    pub fn with_port_resilience(mut self, port: &str, own: Resilience) -> Result<Self, InvalidPolicy> {
        explain::check(port, &own)?;
        self.port_resilience.insert(port.to_owned(), own);
        Ok(self)
    }

    /// Never tries this request again, whatever its port's rule says.
    #[must_use]
    pub fn without_retry(mut self, request: &str) -> Self {
        self.never_repeated.insert(request.to_owned());
        self
    }

    /// The limits of a port.
    #[must_use]
    pub fn port(&self, port: &str) -> Policy {
        self.ports.get(port).copied().unwrap_or(self.default)
    }

    /// How long a request may take: its own deadline, else its port's, else everybody's.
    #[must_use]
    pub fn deadline(&self, port: &str, request: &str) -> Duration {
        self.deadlines.get(request).copied().unwrap_or_else(|| self.port(port).deadline)
    }

    /// What is done where a call of a port fails.
    #[must_use]
    pub fn resilience(&self, port: &str) -> Resilience {
        self.port_resilience.get(port).copied().unwrap_or(self.resilience)
    }

    /// Whether a request may be tried again.
    #[must_use]
    pub fn repeats(&self, request: &str) -> bool {
        !self.never_repeated.contains(request)
    }
}

fn check(name: &str, policy: Policy) -> Result<(), InvalidPolicy> {
    if policy.deadline.is_zero() || policy.deadline > Duration::from_secs(3600) {
        return Err(InvalidPolicy::Deadline(name.to_owned()));
    }
    if policy.concurrency == 0 {
        return Err(InvalidPolicy::Concurrency(name.to_owned()));
    }
    Ok(())
}
