//! The calling half: whatever goes out is signed, and what comes back is checked where that is wanted.

use crate::{
    Identity, Peers, answer,
    refusal::Reporter,
    seal::{Claims, HEADER, LONGEST_LIFE},
};
use async_trait::async_trait;
use bus::{BusError, Headers, Sources, Transport};
use bytes::Bytes;
use std::{sync::Arc, time::Duration};
use uuid::Uuid;

/// A transport whose requests and events are signed by this process for one module. Sent again, they are signed anew.
pub struct Sealed {
    inner: Arc<dyn Transport>,
    identity: Arc<Identity>,
    audience: String,
    sources: Sources,
    answers: Option<Peers>,
    reporter: Reporter,
}

impl Sealed {
    /// Signs what goes through `inner` to the module `audience`.
    #[must_use]
    pub fn new(inner: Arc<dyn Transport>, identity: Arc<Identity>, audience: &str, sources: Sources) -> Self {
        let audience = audience.to_owned();
        Self { inner, identity, audience, sources, answers: None, reporter: Reporter::default() }
    }

    /// Takes an answer only where it is signed by a peer that runs the module. The other side needs
    /// [`Guard::with_signed_answers`](crate::Guard::with_signed_answers).
    #[must_use]
    pub fn with_answers_from(mut self, peers: Peers) -> Self {
        self.answers = Some(peers);
        self
    }

    /// Adds the seal; gives back its id.
    fn seal(&self, name: &str, headers: &mut Headers, bytes: &[u8]) -> u128 {
        headers.remove(HEADER);
        let id = self.sources.id::<Uuid>().as_u128();
        let claims = Claims {
            sender: self.identity.name(),
            audience: &self.audience,
            issued: self.sources.now(),
            life: life(headers),
            id,
            answer_signed: self.answers.is_some(),
        };
        let seal = claims.seal(&self.identity, name, headers, bytes);
        headers.insert(HEADER.into(), seal);
        id
    }

    fn open(&self, id: u128, name: &str, answer: Bytes) -> Result<Bytes, BusError> {
        let Some(peers) = &self.answers else { return Ok(answer) };
        answer::open(&peers.known(), &self.audience, id, name, answer)
            .map_err(|refusal| self.reporter.refuse(name, None, refusal))
    }
}

/// A call that nobody waits for any more need not be good: it lives no longer than its caller's patience.
fn life(headers: &Headers) -> Duration {
    let patience = headers.get("timeout-ms").and_then(|ms| ms.parse().ok()).map(Duration::from_millis);
    patience.unwrap_or(LONGEST_LIFE).min(LONGEST_LIFE)
}

#[async_trait]
impl Transport for Sealed {
    async fn request(&self, name: &str, mut headers: Headers, bytes: Bytes) -> Result<Bytes, BusError> {
        let id = self.seal(name, &mut headers, &bytes);
        self.open(id, name, self.inner.request(name, headers, bytes).await?)
    }

    async fn deliver(&self, name: &str, mut headers: Headers, bytes: Bytes) -> Result<Bytes, BusError> {
        let id = self.seal(name, &mut headers, &bytes);
        self.open(id, name, self.inner.deliver(name, headers, bytes).await?)
    }

    fn kind(&self) -> &'static str {
        self.inner.kind()
    }
}
