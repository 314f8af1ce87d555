//! Who moved stock, as the ledger keeps it.

use kernel::UserId;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// A person, or the shop itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(with = "String", extend("examples" = ["system"])))]
#[serde(try_from = "String", into = "String")]
pub enum Actor {
    /// The shop itself: an order was placed, a reservation ended.
    System,
    /// Somebody who is signed in.
    User(UserId),
}

/// A text that names no actor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an actor is a user's id or `system`")]
pub struct InvalidActor;

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System => f.write_str("system"),
            Self::User(user) => user.fmt(f),
        }
    }
}

impl FromStr for Actor {
    type Err = InvalidActor;

    fn from_str(text: &str) -> Result<Self, InvalidActor> {
        match text {
            "system" => Ok(Self::System),
            user => user.parse().map(Self::User).map_err(|_| InvalidActor),
        }
    }
}

impl TryFrom<String> for Actor {
    type Error = InvalidActor;

    fn try_from(text: String) -> Result<Self, InvalidActor> {
        text.parse()
    }
}

impl From<Actor> for String {
    fn from(actor: Actor) -> Self {
        actor.to_string()
    }
}
