//! What a module says of one of its invariants.

use serde::{Deserialize, Serialize};

/// An invariant and how often it is violated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct IntegrityCheck {
    /// The invariant as a sentence: `reserved = live reservations`.
    pub invariant: String,
    /// How many rows violate it.
    pub violations: u64,
    /// Up to ten of them, as an operator would look them up.
    pub sample: Vec<String>,
}
