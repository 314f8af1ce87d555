//! The stock of a SKU and its ledger.

use crate::Actor;
use bus::Timestamp;
use kernel::{MovementId, OrderId, PageRequest, Sku};
use serde::{Deserialize, Serialize};

/// The stock of one SKU.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Stock {
    /// The SKU.
    pub sku: Sku,
    /// How many are on the shelf.
    pub on_hand: i64,
    /// How many of them are held for orders.
    pub reserved: i64,
    /// How many can be had: the difference.
    pub available: i64,
    /// Changes with every change of the numbers above.
    pub version: i64,
}

/// Why the stock on hand changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum MovementKind {
    /// The first stock of a new variant.
    Initial,
    /// Corrected by hand.
    Adjustment,
    /// Left the shelf for an order.
    Sale,
    /// Came back from an order.
    Return,
}

impl MovementKind {
    /// As it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Initial => "initial",
            Self::Adjustment => "adjustment",
            Self::Sale => "sale",
            Self::Return => "return",
        }
    }
}

/// A line of the ledger: never changed, never removed. The stock on hand of a SKU is the sum of its lines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Movement {
    /// Its id.
    pub id: MovementId,
    /// The SKU.
    pub sku: Sku,
    /// Why.
    pub kind: MovementKind,
    /// By how much the stock on hand changed.
    pub delta: i64,
    /// Why, in words.
    pub reason: String,
    /// For which order.
    pub order_id: Option<OrderId>,
    /// By whom.
    pub actor: Actor,
    /// When.
    pub at: Timestamp,
}

/// Asks for the stock of a SKU.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct GetStock {
    /// Which.
    pub sku: Sku,
}

/// Corrects the stock on hand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AdjustStock {
    /// The ledger line's id, chosen by the caller: it makes the command safe to repeat.
    pub movement_id: MovementId,
    /// The SKU.
    pub sku: Sku,
    /// By how much.
    pub delta: i64,
    /// Why.
    pub reason: String,
    /// Refuse unless this is the stock's version.
    pub expected_version: Option<i64>,
    /// Who.
    pub actor: Actor,
}

/// A correction and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AdjustedStock {
    /// The ledger line.
    pub movement: Movement,
    /// The stock after it; on a repetition, the stock as it is now.
    pub stock: Stock,
}

/// Asks for a page of a SKU's ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ListMovements {
    /// Which.
    pub sku: Sku,
    /// Which page.
    pub page: PageRequest,
}
