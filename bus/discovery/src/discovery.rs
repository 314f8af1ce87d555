//! What every way of finding instances has in common.

use crate::{Instance, Members, Registration};
use std::sync::Arc;
use tokio::sync::watch;

/// The members of a target as they come and go. The looking ends when the last clone is dropped.
pub type Watch = watch::Receiver<Arc<Members>>;

/// Why a target cannot be watched or registered for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DiscoveryError {
    /// Nothing can be found under such a name.
    #[error("{target} is no target of {kind} discovery: {why}")]
    BadTarget {
        /// What was asked for.
        target: String,
        /// Which discovery was asked.
        kind: &'static str,
        /// What it wants.
        why: &'static str,
    },
    /// Nobody registers there: somebody else writes the list.
    #[error("{kind} discovery takes no registrations")]
    NotARegistry {
        /// Which discovery was asked.
        kind: &'static str,
    },
    /// What it needs of this machine is missing.
    #[error("{kind} discovery cannot be set up: {why}")]
    Setup {
        /// Which discovery.
        kind: &'static str,
        /// What is missing.
        why: String,
    },
}

/// Knows where the instances of a target are. Called inside a tokio runtime.
pub trait Discovery: Send + Sync + 'static {
    /// Watches a target. Its members are unknown until [`first_answer`].
    ///
    /// # Errors
    /// [`DiscoveryError::BadTarget`] for what can be no target here; one that has no instances is watched.
    fn watch(&self, target: &str) -> Result<Watch, DiscoveryError>;

    /// Lists an instance under a target until it takes leave or stops beating.
    ///
    /// # Errors
    /// [`DiscoveryError::NotARegistry`] where somebody else writes the list.
    fn register(&self, target: &str, instance: Instance) -> Result<Registration, DiscoveryError> {
        let _ = (target, instance);
        Err(DiscoveryError::NotARegistry { kind: self.kind() })
    }

    /// What kind of discovery this is, for people: `static`, `dns`, `etcd`.
    fn kind(&self) -> &'static str;
}

/// Waits until a target's members are known; for ever where its discovery never answers.
pub async fn first_answer(watch: &Watch) -> Arc<Members> {
    let mut watch = watch.clone();
    let known = watch.wait_for(|members| members.known).await.map(|members| Arc::clone(&members));
    // The looking has ended, which it does only with the runtime.
    known.unwrap_or_default()
}
