//! What can go wrong between a caller and the provider, as opposed to a refusal, which is an outcome.

use sea_orm::DbErr;
use std::sync::Arc;
use uuid::Uuid;

/// There is no outcome. Only the variants that say so mean that nothing was done.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SandboxError {
    /// The key was used before, for another request. Nothing was done.
    #[error("the idempotency key was used for another request")]
    KeyReused,
    /// No charge has this id. Nothing was done.
    #[error("there is no charge {0}")]
    UnknownCharge(Uuid),
    /// The request is malformed. Nothing was done.
    #[error("the request is not valid: {0}")]
    InvalidRequest(&'static str),
    /// The provider broke, as a token asked it to: an HTTP 500 of a real one.
    #[error("the provider failed")]
    Failed,
    /// The request with this key is still being carried out: ask again.
    #[error("the request is still being carried out")]
    InProgress,
    /// The provider was shut down. Whether the request was carried out is unknown.
    #[error("the sandbox is closed")]
    Closed,
    /// The provider's database did not answer as it should. Whether the request was carried out is unknown.
    #[error("the sandbox's database failed")]
    Database(#[source] Arc<DbErr>),
    /// The sandbox cannot start with these settings.
    #[error("the sandbox's settings are not valid: {0}")]
    InvalidSettings(String),
}

impl From<DbErr> for SandboxError {
    fn from(error: DbErr) -> Self {
        Self::Database(Arc::new(error))
    }
}
