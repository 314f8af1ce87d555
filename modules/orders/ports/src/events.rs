//! What orders tells.

use crate::OrderLine;
use bus::{Event, OnDeadLetter, Subscription, Timestamp};
use kernel::{Money, OrderId, UserId};
use serde::{Deserialize, Serialize};

/// The events that orders publishes.
pub const EVENTS: &[&str] = &[OrderPlaced::NAME, OrderCancelled::NAME, OrderExpired::NAME];

/// What orders subscribes to.
pub const SUBSCRIPTIONS: &[Subscription] = &[
    Subscription {
        id: "orders.payment_settled",
        module: "orders",
        event: "payments.payment_settled.v1",
        on_dead_letter: OnDeadLetter::Block,
    },
    Subscription {
        id: "orders.payment_refunded",
        module: "orders",
        event: "payments.payment_refunded.v1",
        on_dead_letter: OnDeadLetter::Block,
    },
    Subscription {
        id: "orders.reservation_expired",
        module: "orders",
        event: "inventory.reservation_expired.v1",
        on_dead_letter: OnDeadLetter::Skip,
    },
];

/// An order was placed: it is paid and numbered, and its stock may leave the shelf.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OrderPlaced {
    /// Which.
    pub order_id: OrderId,
    /// Its number.
    pub number: i64,
    /// Its buyer.
    pub user_id: UserId,
    /// What was bought.
    pub lines: Vec<OrderLine>,
    /// What it cost.
    pub total: Money,
    /// When.
    pub placed_at: Timestamp,
    /// The order's version.
    pub version: i64,
}

/// An order was cancelled: its stock and its money are back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OrderCancelled {
    /// Which.
    pub order_id: OrderId,
    /// Its number, if it had one.
    pub number: Option<i64>,
    /// Its buyer.
    pub user_id: UserId,
    /// What it cost.
    pub total: Money,
    /// Why.
    pub reason: String,
    /// The order's version.
    pub version: i64,
}

/// An order's buyer did not come back in time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OrderExpired {
    /// Which.
    pub order_id: OrderId,
    /// Its buyer.
    pub user_id: UserId,
    /// What it would have cost.
    pub total: Money,
    /// The order's version.
    pub version: i64,
}

macro_rules! events {
    ($($event:ty = $name:literal),+ $(,)?) => {$(
        impl Event for $event {
            const NAME: &'static str = $name;

            fn key(&self) -> String {
                self.order_id.to_string()
            }

            fn sequence(&self) -> i64 {
                self.version
            }
        }
    )+};
}

events! {
    OrderPlaced = "orders.order_placed.v1",
    OrderCancelled = "orders.order_cancelled.v1",
    OrderExpired = "orders.order_expired.v1",
}
