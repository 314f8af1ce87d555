//! How long a call may take, how many may run and wait; per port and per request, from settings.

use std::{collections::HashMap, time::Duration};

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

/// A limit that would mean "never" or "for ever".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPolicy {
    /// Every call has a finite deadline.
    #[error("the deadline of {0} must be more than zero and at most an hour")]
    Deadline(String),
    /// A port that admits no call answers none.
    #[error("the concurrency of {0} must be at least 1")]
    Concurrency(String),
}

/// The limits of every port, with defaults for those that are not named.
#[derive(Debug, Clone, Default)]
pub struct Policies {
    default: Policy,
    ports: HashMap<String, Policy>,
    deadlines: HashMap<String, Duration>,
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
