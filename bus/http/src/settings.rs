//! The limits of both halves: nothing waits for ever, and nothing grows without a bound.

use std::{path::PathBuf, time::Duration};

/// A body larger than this is no message of ours.
const LARGEST: usize = 8 << 20;

/// The limits of an [`HttpTransport`](crate::HttpTransport).
#[derive(Debug, Clone)]
pub struct HttpSettings {
    /// How many connections there are at most to the target, each of which carries one call at a time; further
    /// calls wait for one until their deadline. As many as a port runs calls by default.
    pub connections: usize,
    /// How long a connection may take to come about.
    pub connect_timeout: Duration,
    /// A connection that was idle for longer is not used again. Where the target says when it will close it, half
    /// of that is taken if it is less: a request must not meet the farewell half-way.
    pub idle: Duration,
    /// The largest body that is sent or taken, in bytes.
    pub body: usize,
    /// The certificates that an `https` target is trusted by, as a PEM file, in place of the web's.
    pub ca: Option<PathBuf>,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            connections: 256,
            connect_timeout: Duration::from_secs(2),
            idle: Duration::from_secs(30),
            body: LARGEST,
            ca: None,
        }
    }
}

/// The limits of an [`HttpListener`](crate::HttpListener).
#[derive(Debug, Clone)]
pub struct ListenerSettings {
    /// How many connections are open at most; one more is closed at once.
    pub connections: usize,
    /// The largest head of a request, in bytes; at least 8192 are taken.
    pub head: usize,
    /// The largest body of a request, in bytes.
    pub body: usize,
    /// How long a body may take to arrive.
    pub body_timeout: Duration,
    /// How long a peer may take nothing of what is being written to it.
    pub write_timeout: Duration,
    /// How long the next request's head may take to arrive, counted from the last answer.
    pub idle: Duration,
}

impl Default for ListenerSettings {
    fn default() -> Self {
        Self {
            connections: 1024,
            head: 64 << 10,
            body: LARGEST,
            body_timeout: Duration::from_secs(10),
            write_timeout: Duration::from_secs(10),
            idle: Duration::from_secs(75),
        }
    }
}
