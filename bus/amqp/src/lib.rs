//! RabbitMQ: calls by direct reply-to, events through quorum queues.
//!
//! One [`Amqp`] is one connection, kept for as long as anything of it is held. Its [`AmqpTransport`] sends, its
//! [`AmqpListener`] serves. In a namespace `shop` the broker holds
//!
//! | name | what | lives |
//! |---|---|---|
//! | `shop.call.<module>` | classic queue, calls | as long as somebody serves the module, and five seconds more |
//! | unnamed, bound to `amq.direct` | exclusive queues, calls that are called off | as long as their connection |
//! | `shop.events` | topic exchange, the module is the routing key | for good |
//! | `shop.events.<module>` | quorum queue, batches of events | for good |
//! | `shop.dead` | fan-out exchange and quorum queue, what no inbox has had | for good |
//!
//! and nothing of it is the record: a batch is done when the subscriber's inbox has answered, never because a broker
//! confirmed, and whatever is missing is declared again on the way. A user of the broker configures, writes and reads
//! `^(shop\..*|amq\.(gen|direct|default|rabbitmq\.reply-to).*)$`.
//!
//! lapin logs every message that comes back unroutable with its content, which can be a password: give a log filter
//! [`QUIET`] with the rest.
#![warn(missing_docs)]

mod amqp;
mod backoff;
mod calls;
mod confirms;
mod delays;
mod dial;
mod events;
mod intake;
mod link;
mod listener;
mod message;
mod names;
mod notices;
mod publisher;
mod replies;
mod running;
mod session;
mod settings;
mod subscription;
mod topology;
mod transport;
mod waiters;

pub use amqp::Amqp;
pub use listener::AmqpListener;
pub use settings::{AmqpSettings, InvalidSettings};
pub use transport::AmqpTransport;

/// A directive for `tracing_subscriber`'s `EnvFilter`: lapin 4 warns of each returned message with all of its content.
pub const QUIET: &str = "lapin::returned_messages=off";
