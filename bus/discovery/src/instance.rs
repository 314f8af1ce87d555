//! The instances of a module, and how each of them stands.

use serde::{Deserialize, Serialize};

/// One process that serves a module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// What tells it from the others. In a registry a process takes a new one at each start, so that what a dead
    /// process has left behind is never taken for its successor.
    pub id: String,
    /// Where it is, as a base URL: `http://10.0.0.7:8081`.
    pub address: String,
    /// The name behind the address, where the address is a number: what its certificate should be for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// How much it takes, compared with the others.
    #[serde(default = "Instance::usual_weight")]
    pub weight: u32,
    /// The lowest that can be reached is used, the others stand by (RFC 2782).
    #[serde(default)]
    pub priority: u16,
    /// It has said that it is about to stop.
    #[serde(default)]
    pub leaving: bool,
}

impl Instance {
    /// An instance like any other.
    #[must_use]
    pub fn new(id: impl Into<String>, address: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            address: address.into(),
            host: None,
            weight: Self::usual_weight(),
            priority: 0,
            leaving: false,
        }
    }

    fn usual_weight() -> u32 {
        1
    }
}

/// How an instance stands. The dead are not listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Takes calls.
    Alive,
    /// Has said that it is about to stop: takes calls only where nobody else is left.
    Leaving,
    /// A beat of it was missed, or it could not be reached: takes calls where too few others are alive. What it is
    /// doing already is left alone.
    Suspect,
}

impl State {
    /// The state's name in metrics and in the admin API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Alive => "alive",
            Self::Leaving => "leaving",
            Self::Suspect => "suspect",
        }
    }
}

/// An instance and how it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The instance.
    pub instance: Instance,
    /// How it stands.
    pub state: State,
}

/// The instances of a target, in the order of their ids.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Members {
    /// Whether there has been an answer at all.
    pub known: bool,
    /// Those that are not dead.
    pub list: Vec<Member>,
}
