//! Events: what has happened, told to whoever subscribed, once per subscription.

use crate::{BusError, Timestamp};
use async_trait::async_trait;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use uuid::Uuid;

/// Something that has happened to an aggregate.
pub trait Event: Serialize + DeserializeOwned + Clone + Send + Sync + 'static {
    /// The stable name with its version, never a Rust path: `orders.order_placed.v1`.
    const NAME: &'static str;

    /// The aggregate's id. Events of one key reach a subscriber in the order in which they were written.
    fn key(&self) -> String;

    /// The aggregate's version after the event: ascending per key.
    fn sequence(&self) -> i64;
}

/// An event as it is stored and sent: its bytes, and what can be known without reading them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// The event's id; the same however often it is sent.
    pub id: Uuid,
    /// The event's stable name.
    pub name: String,
    /// The module that wrote it.
    pub source: String,
    /// The aggregate's id.
    pub key: String,
    /// The aggregate's version after the event.
    pub sequence: i64,
    /// When it was written.
    pub at: Timestamp,
    /// The W3C trace context in which it was written.
    pub trace: Option<String>,
    /// The event as JSON.
    pub data: String,
}

/// A message on its way to one subscription.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// The subscription's stable id.
    pub subscription: String,
    /// What is delivered.
    pub message: Message,
}

/// What the subscriber's inbox said of one delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Receipt {
    /// Committed in the inbox, now or earlier.
    Stored,
    /// The module has no such subscription: the sender parks the delivery and says so.
    UnknownSubscription,
}

/// What happens to later messages of a key when one of it is a dead letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnDeadLetter {
    /// They wait until it is replayed or discarded.
    Block,
    /// They go on.
    Skip,
}

/// A module's standing order for an event. Declared in the subscriber's ports crate, so that a producer
/// knows its deliveries although the subscriber is elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subscription {
    /// Stable id, kept through renames of code: `inventory.ship_stock`.
    pub id: &'static str,
    /// The module that subscribes.
    pub module: &'static str,
    /// The event's stable name.
    pub event: &'static str,
    /// What a dead letter does to its key.
    pub on_dead_letter: OnDeadLetter,
}

/// The receiving half of a module's inbox.
#[async_trait]
pub trait Receive: Send + Sync + 'static {
    /// Stores the deliveries durably and answers when they are committed, one receipt each, in order.
    ///
    /// # Errors
    /// [`BusError`] where nothing is known to be stored: send all of them again.
    async fn receive(&self, deliveries: Vec<Delivery>) -> Result<Vec<Receipt>, BusError>;
}
