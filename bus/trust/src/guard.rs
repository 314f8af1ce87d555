//! The serving half: nothing gets to what answers unless a peer has sealed it that may do this.

use crate::{
    Identity, Peers, answer,
    events::sources,
    peers::Known,
    refusal::{Refusal, Reporter, module},
    replay::Replays,
    seal::{Claims, HEADER, Unverified},
};
use async_trait::async_trait;
use bus::{BusError, Headers, Sources, Transport};
use bytes::Bytes;
use std::{sync::Arc, time::Duration};

/// What is remembered at most: at 17 to 40 bytes an id some tens of megabytes.
const CAPACITY: usize = 1_000_000;

const TOLERANCE: Duration = Duration::from_secs(5);

/// A transport that refuses whatever no peer has sealed, and what the peer may not do, with [`BusError::NotTrusted`].
///
/// One for a process, given to all its listeners: a seal that was used at one of them is used at all.
pub struct Guard {
    inner: Arc<dyn Transport>,
    peers: Peers,
    sources: Sources,
    tolerance: Duration,
    replays: Replays,
    answers_as: Option<Arc<Identity>>,
    reporter: Reporter,
}

/// What is left of a seal when it was accepted.
struct Admitted {
    id: u128,
    answer_signed: bool,
}

impl Guard {
    /// Guards what `inner` answers.
    #[must_use]
    pub fn new(inner: Arc<dyn Transport>, peers: Peers, sources: Sources) -> Self {
        Self {
            inner,
            peers,
            sources,
            tolerance: TOLERANCE,
            replays: Replays::new(CAPACITY),
            answers_as: None,
            reporter: Reporter::default(),
        }
    }

    /// How far the peers' clocks may be from this one's.
    #[must_use]
    pub fn with_tolerance(mut self, tolerance: Duration) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// How many seals are remembered at most, until they expire. One more is [`BusError::Overloaded`]: only peers get
    /// this far, and none may push out what another has used.
    #[must_use]
    pub fn with_capacity(mut self, seals: usize) -> Self {
        self.replays = Replays::new(seals);
        self
    }

    /// Signs the answers as this service, for those who ask for it.
    #[must_use]
    pub fn with_signed_answers(mut self, identity: Arc<Identity>) -> Self {
        self.answers_as = Some(identity);
        self
    }

    /// Takes the seal off what is sealed as it must be.
    fn admit(&self, name: &str, headers: &mut Headers, bytes: &[u8]) -> Result<Admitted, BusError> {
        let Some(seal) = headers.remove(HEADER) else {
            return Err(self.reporter.refuse(name, None, Refusal::Missing));
        };
        let Some(unverified) = Unverified::parse(&seal) else {
            return Err(self.reporter.refuse(name, None, Refusal::Malformed));
        };
        let Claims { sender, id, answer_signed, .. } = unverified.claims;
        self.check(&unverified, name, headers, bytes)
            .map_err(|refusal| self.reporter.refuse(name, Some(sender), refusal))?;
        Ok(Admitted { id, answer_signed })
    }

    /// What is cheap comes first, and the bytes are read as events when their sender is certain.
    fn check(
        &self,
        seal: &Unverified<'_>,
        name: &str,
        headers: &Headers,
        bytes: &[u8],
    ) -> Result<(), Refusal> {
        let claims = &seal.claims;
        let known = self.peers.known();
        let peer = known.peer(claims.sender).ok_or(Refusal::Unknown)?;
        if claims.audience != module(name) {
            return Err(Refusal::Audience);
        }
        let now = self.sources.now();
        seal.check_time(now, self.tolerance)?;
        seal.verify(name, headers, bytes, |message, signature| peer.signed(message, signature))?;
        self.replays.take(claims.id, claims.expires(), now, self.tolerance)?;
        authorize(&known, claims.sender, name, bytes)
    }

    fn finish(&self, admitted: &Admitted, name: &str, answer: Bytes) -> Bytes {
        match &self.answers_as {
            Some(identity) if admitted.answer_signed => answer::sign(identity, admitted.id, name, answer),
            _ => answer,
        }
    }
}

/// Whether this sender may do this.
fn authorize(known: &Known, sender: &str, name: &str, bytes: &[u8]) -> Result<(), Refusal> {
    let module = module(name);
    match name.strip_prefix(module) {
        Some(".inbox") => {
            let peer = known.peer(sender).ok_or(Refusal::Unknown)?;
            let sources = sources(bytes).ok_or(Refusal::Unreadable)?;
            sources.iter().all(|source| peer.speaks_for(source)).then_some(()).ok_or(Refusal::Source)
        }
        Some(".control" | ".operations") => known.may_control(sender).then_some(()).ok_or(Refusal::NoControl),
        _ => known.may_call(sender, module).then_some(()).ok_or(Refusal::NotAllowed),
    }
}

#[async_trait]
impl Transport for Guard {
    async fn request(&self, name: &str, mut headers: Headers, bytes: Bytes) -> Result<Bytes, BusError> {
        let admitted = self.admit(name, &mut headers, &bytes)?;
        let answer = self.inner.request(name, headers, bytes).await?;
        Ok(self.finish(&admitted, name, answer))
    }

    async fn deliver(&self, name: &str, mut headers: Headers, bytes: Bytes) -> Result<Bytes, BusError> {
        let admitted = self.admit(name, &mut headers, &bytes)?;
        let answer = self.inner.deliver(name, headers, bytes).await?;
        Ok(self.finish(&admitted, name, answer))
    }

    fn kind(&self) -> &'static str {
        self.inner.kind()
    }
}
