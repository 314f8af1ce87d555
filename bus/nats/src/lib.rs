//! NATS: calls by request and reply in queue groups, events through JetStream.
//!
//! The broker is a fast path and never the record. A call that it loses ends at its deadline or sooner; a batch of
//! events stays in its sender's outbox until the subscriber's inbox has said that it is stored, so a store that is
//! wiped loses nothing. Everything here is made to be repeated.
#![warn(missing_docs)]

mod calls;
mod connection;
mod events;
mod headers;
mod listener;
mod nats;
mod running;
mod settings;
mod streams;
mod subjects;
mod transport;
mod waiters;

pub use nats::Nats;
pub use settings::{ClientCertificate, InvalidNatsSettings, NatsSettings};
