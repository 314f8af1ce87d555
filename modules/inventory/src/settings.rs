//! What can be set.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Inventory's settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// How long stock is held for an order that is not placed.
    #[serde(with = "kernel::duration")]
    pub reservation_ttl: Duration,
    /// How often reservations that are past their time are looked for.
    #[serde(with = "kernel::duration")]
    pub sweep_every: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { reservation_ttl: Duration::from_secs(15 * 60), sweep_every: Duration::from_secs(1) }
    }
}
