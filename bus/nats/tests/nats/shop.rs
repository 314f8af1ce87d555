//! What answers in these tests: sends calls back and keeps what is delivered, as told.

use async_trait::async_trait;
use bus::{BusError, Headers, Transport};
use bytes::Bytes;
use futures::future::pending;
use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
};
use tokio::sync::Semaphore;

/// What an inbox answers that has stored one event.
pub(crate) const STORED: Bytes = Bytes::from_static(b"[\"stored\"]");

/// `*.deaf` never answers, `*.gate` waits to be let through, `*.large` answers with more than a message holds; a
/// delivery waits for the gate where `holding`, and fails where there is an `error`.
#[derive(Default)]
pub(crate) struct Shop {
    pub(crate) asked: AtomicUsize,
    /// Calls that are inside.
    pub(crate) inside: Arc<AtomicUsize>,
    pub(crate) begun: AtomicUsize,
    pub(crate) holding: AtomicBool,
    pub(crate) error: Mutex<Option<BusError>>,
    gate: Gate,
    batches: Mutex<Vec<(String, Bytes)>>,
}

struct Gate(Semaphore);

impl Default for Gate {
    fn default() -> Self {
        Self(Semaphore::new(0))
    }
}

struct Inside(Arc<AtomicUsize>);

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

impl Shop {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    pub(crate) fn answers(self: &Arc<Self>) -> Arc<dyn Transport> {
        Arc::clone(self) as Arc<dyn Transport>
    }

    /// Lets so many through the gate.
    pub(crate) fn let_go(&self, count: usize) {
        self.gate.0.add_permits(count);
    }

    /// The batches that were delivered, in order.
    pub(crate) fn batches(&self) -> Vec<Bytes> {
        self.delivered().iter().map(|(_, bytes)| bytes.clone()).collect()
    }

    /// The names that they were delivered under.
    pub(crate) fn inboxes(&self) -> Vec<String> {
        self.delivered().iter().map(|(name, _)| name.clone()).collect()
    }

    fn delivered(&self) -> MutexGuard<'_, Vec<(String, Bytes)>> {
        self.batches.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn wait_at_the_gate(&self) {
        self.gate.0.acquire().await.expect("the gate is never closed").forget();
    }
}

#[async_trait]
impl Transport for Shop {
    async fn request(&self, name: &str, _: Headers, bytes: Bytes) -> Result<Bytes, BusError> {
        self.asked.fetch_add(1, SeqCst);
        self.inside.fetch_add(1, SeqCst);
        let _inside = Inside(Arc::clone(&self.inside));
        match name.rsplit('.').next() {
            Some("deaf") => pending().await,
            Some("gate") => self.wait_at_the_gate().await,
            Some("large") => return Ok(Bytes::from(vec![b'x'; 2 << 20])),
            _ => {}
        }
        Ok(bytes)
    }

    async fn deliver(&self, name: &str, _: Headers, bytes: Bytes) -> Result<Bytes, BusError> {
        self.begun.fetch_add(1, SeqCst);
        if self.holding.load(SeqCst) {
            self.wait_at_the_gate().await;
        }
        if let Some(error) = self.error.lock().unwrap_or_else(PoisonError::into_inner).clone() {
            return Err(error);
        }
        self.delivered().push((name.to_owned(), bytes));
        Ok(STORED)
    }

    fn kind(&self) -> &'static str {
        "shop"
    }
}
