//! Errors that mean the same on every transport.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::fmt;
use uuid::Uuid;

/// No answer came. It never says that the request was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum BusError {
    /// Nothing serves the port, or it cannot be reached.
    #[error("{port} cannot be reached")]
    Unavailable {
        /// The port that was asked.
        port: String,
    },
    /// Nobody has heard it, for certain: nothing was sent, or nobody listened. Between a transport and what waits for
    /// somebody to listen; whoever calls hears `Unavailable`.
    #[error("nobody listens for {port}")]
    Unheard {
        /// The port that was asked.
        port: String,
    },
    /// As many calls as may run and wait are running and waiting.
    #[error("{port} is overloaded")]
    Overloaded {
        /// The port that was asked.
        port: String,
        /// When asking again makes sense, in milliseconds.
        retry_after_ms: u64,
    },
    /// The call's deadline passed.
    #[error("the deadline passed before {name} answered")]
    DeadlineExceeded {
        /// The request that was waited for.
        name: String,
    },
    /// The handler panicked, or what ran it went away.
    #[error("{name} died before it answered ({incident})")]
    Died {
        /// The request whose handler died.
        name: String,
        /// Where to look in the log.
        incident: Incident,
    },
    /// Nobody knows this name.
    #[error("{name} is not known here")]
    UnknownName {
        /// The name that was asked for.
        name: String,
    },
    /// The bytes are not the message that the name promises.
    #[error("{name} could not be decoded")]
    Codec {
        /// The message's name.
        name: String,
    },
    /// Calls called calls too deeply, which is how a loop looks.
    #[error("{name} would be call number {depth} in one chain")]
    TooDeep {
        /// The request that was refused.
        name: String,
        /// How deep it would have been.
        depth: u8,
    },
    /// The serving side failed inside; the cause is in its log under this id.
    #[error("an internal failure ({incident})")]
    Failed {
        /// Where to look in the log.
        incident: Incident,
    },
    /// The serving side does not take this from whoever sent it: no proof of who it is, or not allowed. Why is in
    /// its log.
    #[error("{name} is not taken from this sender")]
    NotTrusted {
        /// What was sent.
        name: String,
    },
    /// The idempotency key was used before with another request.
    #[error("the idempotency key was used before with another request")]
    KeyReused,
    /// The first request under this idempotency key is still running.
    #[error("the first request under this idempotency key is still running")]
    KeyInUse,
}

/// Names one internal failure: the cause is logged where it happened, only this id crosses a wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Incident(Uuid);

impl Incident {
    /// Logs the cause under a new id.
    pub fn log(cause: &dyn fmt::Display) -> Self {
        let incident = Self(crate::clock::random_id());
        tracing::error!(%incident, error = %cause, "internal failure");
        incident
    }
}

impl fmt::Display for Incident {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl BusError {
    /// An internal failure: logs the cause and keeps only its id.
    pub fn failed(cause: &dyn fmt::Display) -> Self {
        Self::Failed { incident: Incident::log(cause) }
    }

    /// What whoever called is told: that nobody has heard it matters to nobody further up.
    pub(crate) fn told(self) -> Self {
        match self {
            Self::Unheard { port } => Self::Unavailable { port },
            error => error,
        }
    }

    /// What kind of error this is, for whoever turns it into a status.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Unavailable { .. } | Self::Unheard { .. } => ErrorKind::Unavailable,
            Self::Overloaded { .. } => ErrorKind::Overloaded,
            Self::DeadlineExceeded { .. } => ErrorKind::DeadlineExceeded,
            Self::KeyReused => ErrorKind::Invalid,
            Self::KeyInUse => ErrorKind::Conflict,
            Self::Died { .. }
            | Self::UnknownName { .. }
            | Self::Codec { .. }
            | Self::TooDeep { .. }
            | Self::NotTrusted { .. }
            | Self::Failed { .. } => ErrorKind::Internal,
        }
    }
}

/// What an error means to a caller, whatever port it comes from. One place in the edge maps it to a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// The request cannot be carried out as it stands (422).
    Invalid,
    /// Nobody is signed in, or not rightly (401).
    Unauthenticated,
    /// The caller may not (403).
    Forbidden,
    /// There is no such thing, or not for this caller (404).
    NotFound,
    /// The state of things does not allow it (409).
    Conflict,
    /// A version given is not the current one (412).
    Stale,
    /// The payment was declined (402).
    PaymentDeclined,
    /// Too many requests of this caller (429).
    RateLimited,
    /// Too much to do (503).
    Overloaded,
    /// A module cannot be reached (503).
    Unavailable,
    /// No answer in time (504).
    DeadlineExceeded,
    /// A failure inside (500).
    Internal,
}

/// What every port's error enum is: serialisable, with room for a [`BusError`].
pub trait PortError:
    std::error::Error + From<BusError> + Serialize + DeserializeOwned + Send + Sync + 'static
{
    /// What the error means to a caller.
    fn kind(&self) -> ErrorKind;

    /// The bus's own error inside, if that is what this is.
    fn bus(&self) -> Option<&BusError> {
        None
    }
}
