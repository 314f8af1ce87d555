//! What answers in the suite, and a look at what is inside of it.

use super::{Line, MODULE, SOON, Wire};
use crate::eventually;
use async_trait::async_trait;
use bus::{BusError, Context, Headers, Transport};
use bytes::Bytes;
use futures::future::pending;
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};
use tokio::{
    sync::Semaphore,
    task::JoinHandle,
    time::{Instant, timeout, timeout_at},
};

/// Sends the body back, unless it was told to fail. `wire.deaf` never answers, `wire.mad` panics, `wire.gate`
/// waits to be let through, `wire.headers` sends the headers back. As in [`bus::Endpoints`], a call ends at its
/// deadline at the latest.
pub(super) struct Echo {
    pub(super) error: Mutex<Option<BusError>>,
    pub(super) asked: AtomicUsize,
    pub(super) gate: Semaphore,
    /// Calls that are inside.
    pub(super) inside: Arc<AtomicUsize>,
}

struct Inside(Arc<AtomicUsize>);

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

impl Echo {
    async fn answer(&self, name: &str, headers: &Headers, bytes: Bytes) -> Result<Bytes, BusError> {
        match name.split_once('.').map_or("", |(_, request)| request) {
            "deaf" => pending().await,
            "mad" => panic!("as asked"),
            "headers" => return Ok(serde_json::to_vec(headers).expect("texts").into()),
            "gate" => self.gate.acquire().await.expect("the gate is never closed").forget(),
            _ => {}
        }
        self.error.lock().expect("not poisoned").clone().map_or(Ok(bytes), Err)
    }
}

#[async_trait]
impl Transport for Echo {
    async fn request(&self, name: &str, headers: Headers, bytes: Bytes) -> Result<Bytes, BusError> {
        self.asked.fetch_add(1, SeqCst);
        self.inside.fetch_add(1, SeqCst);
        let _inside = Inside(Arc::clone(&self.inside));
        let deadline = Context::from_headers(&headers).deadline().unwrap_or_else(|| Instant::now() + SOON);
        let answer = timeout_at(deadline, self.answer(name, &headers, bytes)).await;
        answer.unwrap_or_else(|_| Err(BusError::DeadlineExceeded { name: name.to_owned() }))
    }

    fn kind(&self) -> &'static str {
        "echo"
    }
}

/// A wire at whose end an [`Echo`] is.
pub(super) struct World {
    pub(super) echo: Arc<Echo>,
    pub(super) line: Box<dyn Line>,
    sees: bool,
}

impl World {
    pub(super) async fn new(wire: &dyn Wire) -> Self {
        let echo = Arc::new(Echo {
            error: Mutex::default(),
            asked: AtomicUsize::new(0),
            gate: Semaphore::new(0),
            inside: Arc::default(),
        });
        let line = wire.serve(Arc::clone(&echo) as Arc<dyn Transport>).await;
        Self { echo, line, sees: wire.sees_the_other_end() }
    }

    /// How long a call waits that has to fail: until it is told, where somebody tells it.
    pub(super) fn patience(&self) -> Duration {
        if self.sees { SOON } else { Duration::from_secs(5) }
    }

    /// Whether this is how a call to nobody ends.
    pub(super) fn is_lost(&self, answer: &Result<Bytes, BusError>) -> bool {
        match answer {
            Err(BusError::Unavailable { port } | BusError::Unheard { port }) => port == MODULE,
            Err(BusError::DeadlineExceeded { .. }) => !self.sees,
            _ => false,
        }
    }

    pub(super) async fn ask(&self, name: &str, body: impl Into<Bytes>) -> Result<Bytes, BusError> {
        ask(&*self.line.client(), name, body.into(), SOON).await
    }

    /// A call in a task of its own.
    pub(super) fn begin(
        &self,
        name: &'static str,
        patience: Duration,
    ) -> JoinHandle<Result<Bytes, BusError>> {
        let client = self.line.client();
        bus::spawn(async move { ask(&*client, name, Bytes::from("held"), patience).await })
    }

    pub(super) async fn until_asked(&self, times: usize) {
        eventually("the calls are heard", SOON, async || self.echo.asked.load(SeqCst) == times).await;
    }

    pub(super) async fn until_nobody_is_inside(&self) {
        let inside = &self.echo.inside;
        eventually("the serving side has let go", SOON, async || inside.load(SeqCst) == 0).await;
    }
}

/// Asks as the bus does: the deadline is in the headers, and is the end of the wait.
async fn ask(client: &dyn Transport, name: &str, body: Bytes, patience: Duration) -> Result<Bytes, BusError> {
    let headers = Context::default().with_deadline(Instant::now() + patience).to_headers();
    let answer = timeout(patience, client.request(name, headers, body)).await;
    answer.unwrap_or_else(|_| Err(BusError::DeadlineExceeded { name: name.to_owned() }))
}
