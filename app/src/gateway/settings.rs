//! What an operator can set of the HTTP edge, with defaults that are safe.

use ipnet::IpNet;
use std::time::Duration;

/// The limits and times of the HTTP server.
#[derive(Debug, Clone, PartialEq)]
pub struct GatewaySettings {
    /// Bytes of a request's body.
    pub body_limit: usize,
    /// Bytes of a request's head.
    pub head_limit: usize,
    /// Bytes of a request's target.
    pub target_limit: usize,
    /// How long a request may take, all in all. A client may ask for less by `X-Request-Deadline` (ms).
    pub request_deadline: Duration,
    /// How long a head may take to arrive.
    pub head_timeout: Duration,
    /// How long a body may take to arrive. Less than the deadline, or that answers first.
    pub body_timeout: Duration,
    /// How long a client may leave its answer unread.
    pub write_timeout: Duration,
    /// How long an idle connection is kept.
    pub keep_alive: Duration,
    /// Origins that pages may call from, as a browser spells them; `*` for any. None by default.
    pub cors_origins: Vec<String>,
    /// Whose `X-Forwarded-For` is believed. Nobody's by default.
    pub trusted_proxies: Vec<IpNet>,
    /// Requests of one signed-in caller; off by default.
    pub rate_per_caller: Option<RateLimit>,
    /// Requests of one address; off by default.
    pub rate_per_ip: Option<RateLimit>,
    /// Requests served at once, past which the answer is 503 `overloaded`.
    pub max_in_flight: usize,
    /// Connections per worker.
    pub max_connections: usize,
    /// Threads that serve connections.
    pub workers: usize,
    /// How long `/readyz` says no before the listener closes, for load balancers to notice.
    pub drain_delay: Duration,
    /// How long running requests and writes have when the server stops.
    pub shutdown_timeout: Duration,
}

/// So many requests in so much time, of one caller or address in one process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// Requests; also the most that may come at once.
    pub requests: u32,
    /// The time in which they are given back.
    pub window: Duration,
}

impl Default for GatewaySettings {
    fn default() -> Self {
        Self {
            body_limit: 1 << 20,
            head_limit: 16 << 10,
            target_limit: 8 << 10,
            request_deadline: Duration::from_secs(10),
            head_timeout: Duration::from_secs(5),
            body_timeout: Duration::from_secs(8),
            write_timeout: Duration::from_secs(30),
            keep_alive: Duration::from_secs(75),
            cors_origins: Vec::new(),
            trusted_proxies: Vec::new(),
            rate_per_caller: None,
            rate_per_ip: None,
            max_in_flight: 4096,
            max_connections: 25_000,
            workers: std::thread::available_parallelism().map_or(2, usize::from),
            drain_delay: Duration::ZERO,
            shutdown_timeout: Duration::from_secs(30),
        }
    }
}

/// A setting with which the server would serve nobody.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("http.{setting} {problem}")]
pub struct InvalidSettings {
    /// The setting's name.
    pub setting: &'static str,
    /// What is wrong with it.
    pub problem: &'static str,
}

impl GatewaySettings {
    /// Whether the server can work with these.
    ///
    /// # Errors
    /// [`InvalidSettings`] naming the first that it cannot work with.
    pub fn check(&self) -> Result<(), InvalidSettings> {
        let positive = [
            ("request_deadline", !self.request_deadline.is_zero()),
            ("head_timeout", !self.head_timeout.is_zero()),
            ("body_timeout", !self.body_timeout.is_zero()),
            ("write_timeout", !self.write_timeout.is_zero()),
            ("keep_alive", !self.keep_alive.is_zero()),
            ("max_in_flight", self.max_in_flight > 0),
            ("max_connections", self.max_connections > 0),
            ("workers", self.workers > 0),
            ("body_limit", self.body_limit > 0),
            ("rate_per_caller", self.rate_per_caller.is_none_or(RateLimit::is_sound)),
            ("rate_per_ip", self.rate_per_ip.is_none_or(RateLimit::is_sound)),
        ];
        if let Some((setting, _)) = positive.into_iter().find(|(_, sound)| !sound) {
            return Err(InvalidSettings { setting, problem: "must be more than zero" });
        }
        if self.head_limit < 1024 || self.head_limit > 64 << 10 || self.target_limit > self.head_limit {
            // actix gives up on a head of 128 KiB without a word.
            let problem = "must be 1 KiB to 64 KiB, and the target's limit no more";
            return Err(InvalidSettings { setting: "head_limit", problem });
        }
        Ok(())
    }
}

impl RateLimit {
    pub(crate) fn is_sound(self) -> bool {
        self.requests > 0 && !self.window.is_zero()
    }
}
