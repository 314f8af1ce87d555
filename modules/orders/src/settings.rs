//! What can be set.

use serde::Deserialize;
use std::time::Duration;

/// Orders' settings.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// How long an order waits for its buyer or for the provider; never longer than its reservation.
    #[serde(with = "kernel::duration")]
    pub payment_window: Duration,
    /// The largest total, in minor units.
    pub max_total: i64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { payment_window: Duration::from_secs(15 * 60), max_total: 100_000_000 }
    }
}
