//! What an operator asks of a module, wherever it is: dead letters, sagas, how far behind it is.

use crate::{BusError, Timestamp};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use uuid::Uuid;

/// What can be asked of any module that keeps messages and sagas.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// The dead letters after a place, oldest first.
    DeadLetters {
        /// After this one.
        after: Option<DeadLetterId>,
        /// How many at most.
        limit: u64,
    },
    /// Put a dead letter back in its queue.
    ReplayDeadLetter(DeadLetterId),
    /// Give a dead letter up for good.
    DiscardDeadLetter(DeadLetterId),
    /// The sagas, newest first.
    Sagas {
        /// Only those in one of these phases, seen at one moment; empty for all.
        phases: Vec<Phase>,
        /// Before this one.
        before: Option<Uuid>,
        /// How many at most.
        limit: u64,
    },
    /// Let a saga that needs attention try again.
    RetrySaga(Uuid),
    /// How old the oldest undelivered and the oldest unhandled message are.
    Lag,
}

/// What a module answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Dead letters.
    DeadLetters(Vec<DeadLetter>),
    /// Sagas.
    Sagas(Vec<SagaView>),
    /// Whether there was something to do.
    Done(bool),
    /// How far behind it is.
    Lag {
        /// The oldest undelivered message.
        outbox: Duration,
        /// The oldest unhandled one.
        inbox: Duration,
    },
}

/// A module that can be operated.
#[async_trait]
pub trait Operations: Send + Sync + 'static {
    /// Does what is asked.
    ///
    /// # Errors
    /// [`BusError`] where no answer came.
    async fn operate(&self, operation: Operation) -> Result<Outcome, BusError>;
}

/// Names a dead letter: of the inbox, or parked in the outbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DeadLetterId {
    /// `inbox` or `outbox`.
    pub place: String,
    /// The row's position.
    pub position: i64,
    /// The subscription.
    pub subscription: String,
}

/// A message that is not handled any more. Listing never reads its bytes as an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DeadLetter {
    /// What it is called when it is replayed or discarded.
    pub id: DeadLetterId,
    /// The message's own id.
    pub message_id: Uuid,
    /// The event's name.
    pub event: String,
    /// The aggregate's id.
    pub key: String,
    /// The bytes as they came.
    pub data: String,
    /// What went wrong last.
    pub error: String,
    /// How often it was tried.
    pub attempts: i64,
    /// When it was written.
    pub at: Timestamp,
}

/// Where a saga stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Its steps act.
    Running,
    /// A step waits for something outside, until a stored time.
    Waiting,
    /// Its steps are undone, from the failed one backwards.
    Unwinding,
    /// It ended well.
    Completed,
    /// It was undone.
    Compensated,
    /// An undo keeps failing: somebody has to look.
    NeedsAttention,
}

impl Phase {
    const ALL: [Self; 6] = [
        Self::Running,
        Self::Waiting,
        Self::Unwinding,
        Self::Completed,
        Self::Compensated,
        Self::NeedsAttention,
    ];

    /// The phase's name in the database and in the admin API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Unwinding => "unwinding",
            Self::Completed => "completed",
            Self::Compensated => "compensated",
            Self::NeedsAttention => "needs_attention",
        }
    }

    /// The phase of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|phase| phase.name() == name)
    }

    /// Whether it has ended, well or not.
    #[must_use]
    pub fn is_end(self) -> bool {
        matches!(self, Self::Completed | Self::Compensated)
    }
}

/// A line of a saga's history, for the timeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SagaEntry {
    /// When.
    pub at: Timestamp,
    /// The step, or what happened to the whole.
    pub what: String,
    /// `done`, `refused`, `waiting`, `unknown`, `undone`, `undo_failed`, `unreachable`.
    pub outcome: String,
    /// Why, where there is a why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// A saga as an operator sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SagaView {
    /// Its id.
    pub id: Uuid,
    /// Its kind: `orders.placement`.
    pub kind: String,
    /// What it is about: the order's id.
    pub key: String,
    /// Where it stands.
    pub state: Phase,
    /// The number of the current step, from 0.
    pub step: i64,
    /// How often that has failed.
    pub attempts: i64,
    /// What went wrong last.
    pub error: Option<String>,
    /// What has happened.
    pub history: Vec<SagaEntry>,
    /// When it goes on by itself.
    pub due_at: Timestamp,
    /// When it began.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}
