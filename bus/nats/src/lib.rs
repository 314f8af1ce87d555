//! NATS: calls by request and reply in queue groups, events through JetStream.
//!
//! The broker is a fast path and never the record. A call that it loses ends at its deadline or sooner; a batch of
//! events stays in its sender's outbox until the subscriber's inbox has said that it is stored, so a store that is
//! wiped loses nothing. Everything here is made to be repeated.
//!
//! # Rights on the broker
//!
//! With `shop` for the namespace, a process needs to **subscribe** to `shop.reply.>` and, for each module that it serves,
//! to `shop.call.<module>.>` and `shop.control.<module>`. It needs to **publish** to `shop.reply.>`; to
//! `shop.call.<module>.>` and `shop.control.<module>` of the modules that it calls; to `shop.events.<module>` and
//! `$JS.API.STREAM.*.shop_events_<module>` of those that it tells of events; and for each that it serves to
//! `$JS.API.STREAM.*.shop_events_<module>`, `$JS.API.CONSUMER.*.shop_events_<module>.>`,
//! `$JS.API.CONSUMER.MSG.NEXT.shop_events_<module>.>` and `$JS.ACK.shop_events_<module>.>`. `STREAM.*` stands for `INFO`
//! and `CREATE`: name the two, for it holds `DELETE` as well.
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
