//! The bus over HTTP/1.1: `POST /bus/inventory.reserve`, the bytes as the body, the bus's headers beside it.
//!
//! [`HttpTransport`] calls, over a bounded number of kept connections; [`HttpListener`] answers. A call is sent
//! once: what is repeated, and when, is the bus's business.
#![warn(missing_docs)]

mod answer;
mod call;
mod client;
mod connection;
mod connector;
mod doors;
mod headers;
mod listener;
mod pool;
mod settings;

pub use client::HttpTransport;
pub use connector::{InvalidTarget, tls_connector};
pub use listener::HttpListener;
pub use settings::{HttpSettings, ListenerSettings};
