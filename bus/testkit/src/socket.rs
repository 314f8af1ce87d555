//! A transport over TCP for tests: the smallest thing that is really remote.
//!
//! Frames are a length-prefixed JSON head and a body of bytes; calls share one connection and are told
//! apart by number. What waits for an answer owns its entry in the table of waiters, so that a caller who
//! leaves takes it along, and tells the server, which drops the call unless it has begun.

mod client;
mod frame;
mod server;

pub use client::SocketTransport;
pub use server::SocketServer;
