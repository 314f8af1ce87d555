//! What an order asks of inventory: a quote, a reservation, its release.

use bus::{Event, Timestamp};
use kernel::{Money, OrderId, Sku};
use serde::{Deserialize, Serialize};

/// Asks what SKUs are called and cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Quote {
    /// Which; a SKU named twice is answered once.
    pub skus: Vec<Sku>,
}

/// What a SKU is called and costs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct QuotedItem {
    /// The SKU.
    pub sku: Sku,
    /// What an order's line calls it: the product, and the variant where it has a title of its own.
    pub title: String,
    /// What one costs.
    pub price: Money,
    /// How many can be had now.
    pub available: i64,
}

/// So many of one SKU.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StockLine {
    /// The SKU.
    pub sku: Sku,
    /// How many.
    pub quantity: u32,
}

/// Holds stock for an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReserveStock {
    /// The order: one order has one reservation, however often it is asked for.
    pub order_id: OrderId,
    /// What to hold; lines of one SKU count together.
    pub lines: Vec<StockLine>,
}

/// Stock held for an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Reservation {
    /// The order.
    pub order_id: OrderId,
    /// What is held: one line for each SKU, sorted by it.
    pub lines: Vec<StockLine>,
    /// Until when, unless the order is placed before.
    pub expires_at: Timestamp,
}

/// Undoes whatever was done for an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReleaseStock {
    /// The order.
    pub order_id: OrderId,
    /// Why, for the ledger.
    pub reason: String,
}

/// Nothing is held for the order, nothing of it has left the shelf, and nothing will.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReleasedStock {
    /// The order.
    pub order_id: OrderId,
}

/// Asks for the ledger lines of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OrderMovements {
    /// The order.
    pub order_id: OrderId,
}

/// The time of a reservation passed before its order was placed: its stock is on sale again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReservationExpired {
    /// For which order it was.
    pub order_id: OrderId,
    /// When it ended.
    pub at: Timestamp,
}

impl Event for ReservationExpired {
    const NAME: &'static str = "inventory.reservation_expired.v1";

    fn key(&self) -> String {
        self.order_id.to_string()
    }

    /// A reservation ends once.
    fn sequence(&self) -> i64 {
        1
    }
}
