//! Who a bearer token belongs to: its signature and claims are checked here, its session is asked for.
//!
//! A token alone is good until it expires. So its session is asked of the users module, the answer kept for at most
//! two seconds: whoever signs out is out within that time, and another role counts within it. While users cannot
//! be asked, signature and expiry are enough: orders go on, and an ended session's access token lives at most as
//! long as it says.

mod keys;
mod memory;
mod verifier;

pub use keys::{KeySource, SourceError};
pub use verifier::{Refusal, TokenVerifier, Verified};

use crate::gateway::{AuthFailure, Authenticator};
use async_trait::async_trait;
use bus::{BusError, Caller, Context, Sources};
use kernel::{SessionId, UserId};
use memory::Memory;
use std::{sync::Arc, time::Duration};
use tokio::{sync::Mutex, time::Instant};
use users_ports::{CheckSession, SessionState, UsersPort};

/// How old an answer about a session may be.
const SESSION_AGE: Duration = Duration::from_secs(2);
/// How long users may take to say what a session is worth. What takes longer counts as not to be asked.
const PATIENCE: Duration = Duration::from_secs(1);
/// How old the keys may be: a key that is no longer published is refused within this and the time of a fetch.
const KEYS_AGE: Duration = Duration::from_secs(30);
/// How often they are fetched at most: an unknown key's name costs whoever makes it up nothing.
const FETCH_PAUSE: Duration = Duration::from_secs(3);
/// How many sessions and tokens are remembered.
const REMEMBERED: usize = 50_000;

/// Tells who a bearer token belongs to.
pub struct TokenAuthenticator {
    verifier: TokenVerifier,
    source: KeySource,
    users: Arc<dyn UsersPort>,
    sources: Sources,
    fetched: Mutex<Fetched>,
    /// Tokens whose signature has been checked, by their digest: a check costs as much as a small request.
    verified: Memory<[u8; 32], Verified>,
    sessions: Memory<(SessionId, UserId), SessionState>,
}

#[derive(Default)]
struct Fetched {
    tried: Option<Instant>,
    worked: Option<Instant>,
}

impl TokenAuthenticator {
    /// Verifies tokens of this issuer for this audience, with the keys that the source gives.
    ///
    /// # Panics
    /// Where the crypto library does not work: that must be at the start, not at the first request.
    #[must_use]
    pub fn new(
        issuer: impl Into<String>,
        audience: impl Into<String>,
        source: KeySource,
        users: Arc<dyn UsersPort>,
        sources: Sources,
    ) -> Self {
        verifier::prove();
        Self {
            verifier: TokenVerifier::new(issuer, audience),
            source,
            users,
            sources,
            fetched: Mutex::default(),
            verified: Memory::new(REMEMBERED),
            sessions: Memory::new(REMEMBERED),
        }
    }

    async fn verify(&self, token: &str) -> Result<Verified, AuthFailure> {
        self.refresh_keys(false).await;
        let now = self.sources.now();
        let digest = verifier::digest(token);
        if let Some(known) = self.verified.get(&digest, KEYS_AGE) {
            return if known.is_current(now) { Ok(known) } else { Err(AuthFailure::Invalid) };
        }
        let answer = match self.verifier.verify(token, now) {
            Err(Refusal::UnknownKey) => {
                self.refresh_keys(true).await;
                self.verifier.verify(token, now)
            }
            answer => answer,
        };
        match answer {
            Ok(verified) => {
                self.verified.put(digest, verified);
                Ok(verified)
            }
            // Without any key nothing can be told of any token.
            Err(Refusal::UnknownKey) if !self.verifier.has_keys() => {
                Err(BusError::Unavailable { port: "users".into() }.into())
            }
            Err(_) => Err(AuthFailure::Invalid),
        }
    }

    /// Fetches the keys where they are old, or where one is `wanted` that is not known.
    async fn refresh_keys(&self, wanted: bool) {
        let mut fetched = if wanted || !self.verifier.has_keys() {
            self.fetched.lock().await
        } else {
            // Who does not need a new key does not wait for whoever fetches.
            let Ok(fetched) = self.fetched.try_lock() else { return };
            fetched
        };
        let younger = |at: Option<Instant>, age| at.is_some_and(|at| at.elapsed() < age);
        if younger(fetched.tried, FETCH_PAUSE) || (!wanted && younger(fetched.worked, KEYS_AGE)) {
            return;
        }
        fetched.tried = Some(Instant::now());
        // Whose request it is does not matter, nor how much time that has left.
        match Context::current().detached().scope(self.source.fetch(&*self.users)).await {
            Ok(keys) => {
                fetched.worked = Some(Instant::now());
                if self.verifier.set_keys(&keys) {
                    self.verified.clear();
                }
            }
            Err(error) => tracing::warn!(%error, "the keys of access tokens cannot be fetched"),
        }
    }

    async fn session(&self, token: &Verified) -> SessionState {
        let key = (token.session, token.user);
        if let Some(state) = self.sessions.get(&key, SESSION_AGE) {
            return state;
        }
        let check = CheckSession { session_id: token.session, user_id: token.user };
        match bus::within(PATIENCE, self.users.check_session(check)).await {
            Ok(state) => {
                self.sessions.put(key, state);
                state
            }
            Err(error) => {
                metrics::counter!("session_checks_failed_total").increment(1);
                tracing::debug!(%error, "users cannot be asked about a session");
                // What was ended stays ended.
                let last = self.sessions.get(&key, Duration::MAX);
                let state = last.unwrap_or(SessionState { active: true, role: token.role });
                // Not every request has to wait to learn that users cannot be asked.
                self.sessions.put(key, state);
                state
            }
        }
    }
}

#[async_trait]
impl Authenticator for TokenAuthenticator {
    async fn authenticate(&self, bearer: &str) -> Result<Caller, AuthFailure> {
        let token = self.verify(bearer).await?;
        let state = self.session(&token).await;
        if !state.active {
            return Err(AuthFailure::Invalid);
        }
        Ok(Caller { user: token.user.0, role: state.role, session: token.session.0 })
    }
}

impl std::fmt::Debug for TokenAuthenticator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenAuthenticator").field("source", &self.source).finish_non_exhaustive()
    }
}
