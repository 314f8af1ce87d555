//! What is said on the bus is as durable as the rows: unit of work, outbox, inbox, saga, idempotency.
//!
//! One [`Database`] per module. All writes go through its one writer, which commits in groups; an event is a
//! row of the transaction that caused it, a received message is a row before it is acknowledged, and its
//! handling is marked in the transaction of its effect.
#![warn(missing_docs)]

mod admin;
mod batch;
mod batched;
mod bell;
mod columns;
mod dispatch;
mod durability;
mod group;
mod idempotency;
mod inbox;
mod later;
mod lease;
mod mark;
mod open;
mod operations;
mod outbox;
#[cfg(test)]
mod plans;
mod postgres;
mod query;
mod relay;
mod retry;
pub mod saga;
mod session;
mod tx;
mod unit;
mod writer;

pub use batched::Batched;
pub use bus::{DeadLetter, DeadLetterId};
pub use dispatch::{Dispatch, DispatchSettings};
pub use idempotency::{Claim, is_kept, replay};
pub use inbox::{Prepared, Subscriber, Subscribers};
pub use later::{Counter, Update};
pub use lease::Lease;
pub use open::{Database, DatabaseSettings, OpenError, SchemaState};
pub use outbox::{Catalogue, CatalogueError, Published};
pub use query::{Reader, Row};
pub use retry::{Decision, RetryPolicy};
pub use tx::Tx;

/// Re-exports that implementations build their stores on.
pub use sea_orm;
