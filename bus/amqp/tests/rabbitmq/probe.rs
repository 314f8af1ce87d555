//! What answers in these tests, and a look at what it was asked.

use async_trait::async_trait;
use bus::{BusError, Context, Headers, Transport};
use bytes::Bytes;
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};
use tokio::{sync::Semaphore, time::Instant};

/// Sends back its own name, where it has one, and the body; holds what it is asked while its gate is shut; fails with
/// what it was given.
#[derive(Default)]
pub(crate) struct Probe {
    name: &'static str,
    gate: Option<Semaphore>,
    pub(crate) error: Mutex<Option<BusError>>,
    /// The bodies, as they were asked for.
    pub(crate) heard: Mutex<Vec<Bytes>>,
    inside: Arc<AtomicUsize>,
    /// How many were inside at once.
    pub(crate) most: AtomicUsize,
}

impl Probe {
    pub(crate) fn open() -> Arc<Self> {
        Arc::default()
    }

    pub(crate) fn named(name: &'static str) -> Arc<Self> {
        Arc::new(Self { name, ..Self::default() })
    }

    /// Holds everything until it is let go.
    pub(crate) fn shut(name: &'static str) -> Arc<Self> {
        Arc::new(Self { name, gate: Some(Semaphore::new(0)), ..Self::default() })
    }

    pub(crate) fn let_go(&self, count: usize) {
        self.gate.as_ref().expect("it has a gate").add_permits(count);
    }

    /// How many are inside.
    pub(crate) fn inside(&self) -> usize {
        self.inside.load(SeqCst)
    }

    pub(crate) fn count(&self) -> usize {
        self.heard.lock().expect("not poisoned").len()
    }

    pub(crate) fn bodies(&self) -> Vec<Bytes> {
        self.heard.lock().expect("not poisoned").clone()
    }
}

struct Inside(Arc<AtomicUsize>);

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

#[async_trait]
impl Transport for Probe {
    async fn request(&self, _: &str, _: Headers, bytes: Bytes) -> Result<Bytes, BusError> {
        let inside = self.inside.fetch_add(1, SeqCst) + 1;
        self.most.fetch_max(inside, SeqCst);
        let _inside = Inside(Arc::clone(&self.inside));
        self.heard.lock().expect("not poisoned").push(bytes.clone());
        if let Some(gate) = &self.gate {
            gate.acquire().await.expect("never closed").forget();
        }
        let error = self.error.lock().expect("not poisoned").clone();
        error.map_or_else(|| Ok([self.name.as_bytes(), &bytes].concat().into()), Err)
    }

    fn kind(&self) -> &'static str {
        "probe"
    }
}

/// The headers of a call that may take this long.
pub(crate) fn within(patience: Duration) -> Headers {
    Context::default().with_deadline(Instant::now() + patience).to_headers()
}
