//! Looking for drift, and putting it right.

use kernel::Sku;
use serde::{Deserialize, Serialize};

/// Asks whether every invariant holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CheckInventory {}

/// Puts right what can be derived from other rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RepairInventory {}

/// What a repair did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RepairedInventory {
    /// The stock rows that were put right.
    pub repaired: Vec<RepairedStock>,
    /// The SKUs whose ledger and reservations contradict each other: a person has to look.
    pub contradictory: Vec<Sku>,
}

/// One stock row, before and after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RepairedStock {
    /// The SKU.
    pub sku: Sku,
    /// The stock on hand that was found.
    pub on_hand_was: i64,
    /// The stock on hand by the ledger.
    pub on_hand: i64,
    /// The reserved stock that was found.
    pub reserved_was: i64,
    /// The reserved stock by the reservations.
    pub reserved: i64,
}
