//! What users tells.

use bus::{Event, Subscription};
use kernel::UserId;
use serde::{Deserialize, Serialize};

/// Somebody has registered. Holds no address: who needs one asks for it, so that erasing it erases it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct UserRegistered {
    /// Who.
    pub user_id: UserId,
    /// The user's version.
    pub version: i64,
}

impl Event for UserRegistered {
    const NAME: &'static str = "users.user_registered.v1";

    fn key(&self) -> String {
        self.user_id.to_string()
    }

    fn sequence(&self) -> i64 {
        self.version
    }
}

/// The events that users publishes.
pub const EVENTS: &[&str] = &[UserRegistered::NAME];

/// What users subscribes to.
pub const SUBSCRIPTIONS: &[Subscription] = &[];
