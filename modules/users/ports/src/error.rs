//! Why users refuses.

use bus::{BusError, ErrorKind, PortError};
use serde::{Deserialize, Serialize};

/// Why users refuses. Says nothing that tells whether an address is known, registration aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "error", content = "detail", rename_all = "snake_case")]
pub enum UsersError {
    /// Fields that cannot be taken as they are.
    #[error("some fields cannot be taken as they are")]
    Invalid {
        /// Which, in the order of the request.
        fields: Vec<InvalidField>,
    },
    /// Somebody else has this address.
    #[error("the address is taken")]
    EmailTaken,
    /// Address, password or token do not prove anything.
    #[error("the credentials are not valid")]
    InvalidCredentials,
    /// The current password is missing or wrong.
    #[error("the current password is missing or wrong")]
    WrongPassword,
    /// Too many tries.
    #[error("too many tries")]
    RateLimited {
        /// When trying again makes sense, in seconds.
        retry_after: u64,
    },
    /// There is no such user.
    #[error("there is no such user")]
    NotFound,
    /// Somebody else was faster.
    #[error("the user has changed since")]
    VersionMismatch {
        /// The version that the user has now.
        current: i64,
    },
    /// The shop would be without an admin.
    #[error("this is the last admin")]
    LastAdmin,
    /// There is no answer.
    #[error(transparent)]
    Unavailable(#[from] BusError),
}

/// A field that cannot be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum InvalidField {
    /// The address is no e-mail address.
    Email,
    /// The name is empty or too long.
    Name,
    /// The password is too short or too long.
    PasswordLength,
    /// The password is one of those that are tried first.
    PasswordTooCommon,
    /// The cursor is of another list.
    Cursor,
}

impl PortError for UsersError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Invalid { .. } => ErrorKind::Invalid,
            Self::EmailTaken | Self::LastAdmin => ErrorKind::Conflict,
            Self::InvalidCredentials => ErrorKind::Unauthenticated,
            Self::WrongPassword => ErrorKind::Forbidden,
            Self::RateLimited { .. } => ErrorKind::RateLimited,
            Self::NotFound => ErrorKind::NotFound,
            Self::VersionMismatch { .. } => ErrorKind::Stale,
            Self::Unavailable(error) => error.kind(),
        }
    }

    fn bus(&self) -> Option<&BusError> {
        match self {
            Self::Unavailable(error) => Some(error),
            _ => None,
        }
    }
}
