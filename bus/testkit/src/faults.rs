//! What networks do to requests and deliveries, on demand, with a proof that it was done.

use async_trait::async_trait;
use bus::{BusError, Delivery, Headers, Receipt, Receive, Transport};
use bytes::Bytes;
use futures::future::{join, pending};
use std::{
    future::Future,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

/// One thing that goes wrong with one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The request gets lost. Nobody says so: the caller waits until its deadline.
    DropRequest,
    /// The request is carried out and its answer gets lost, without a word.
    DropAnswer,
    /// The connection breaks before the request leaves: unavailable, at once.
    BreakBefore,
    /// The connection breaks after the request was carried out: unavailable, at once.
    BreakAfter,
    /// The request arrives later.
    Delay(Duration),
    /// The request arrives twice, at the same time.
    Duplicate,
}

/// The faults to come and those that have been. Shared by what injects them and what asserts them.
#[derive(Debug, Default)]
pub struct Faults(Mutex<Plan>);

#[derive(Debug, Default)]
struct Plan {
    coming: Vec<(String, Fault)>,
    fired: Vec<(String, Fault)>,
}

impl Faults {
    /// No faults yet.
    #[must_use]
    pub fn none() -> Arc<Self> {
        Arc::default()
    }

    /// The next `times` requests of this name, or of any where it is `*`, suffer this. In the order in
    /// which they are asked for, one fault a request.
    pub fn inject(&self, name: &str, fault: Fault, times: usize) {
        let coming = std::iter::repeat_n((name.to_owned(), fault), times);
        self.plan().coming.extend(coming);
    }

    /// How often this fault has struck.
    #[must_use]
    pub fn fired(&self, fault: Fault) -> usize {
        self.plan().fired.iter().filter(|(_, fired)| *fired == fault).count()
    }

    /// How often any fault has struck requests of this name.
    #[must_use]
    pub fn fired_on(&self, name: &str) -> usize {
        self.plan().fired.iter().filter(|(on, _)| on == name).count()
    }

    /// Every fault that was asked for has struck.
    ///
    /// # Panics
    /// Where one has not: the test has not tested what it says.
    pub fn assert_all_fired(&self) {
        let plan = self.plan();
        assert!(plan.coming.is_empty(), "these faults never fired: {:?}", plan.coming);
    }

    fn take(&self, name: &str) -> Option<Fault> {
        let mut plan = self.plan();
        let next = plan.coming.iter().position(|(on, _)| on == "*" || on == name)?;
        let (_, fault) = plan.coming.remove(next);
        plan.fired.push((name.to_owned(), fault));
        Some(fault)
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    async fn carry<T, F>(&self, name: &str, send: impl Fn() -> F) -> Result<T, BusError>
    where
        F: Future<Output = Result<T, BusError>>,
    {
        let broken = || BusError::Unavailable { port: name.split('.').next().unwrap_or(name).to_owned() };
        match self.take(name) {
            None => send().await,
            Some(Fault::DropRequest) => pending().await,
            Some(Fault::DropAnswer) => {
                drop(send().await);
                pending().await
            }
            Some(Fault::BreakBefore) => Err(broken()),
            Some(Fault::BreakAfter) => {
                drop(send().await);
                Err(broken())
            }
            Some(Fault::Delay(by)) => {
                tokio::time::sleep(by).await;
                send().await
            }
            Some(Fault::Duplicate) => join(send(), send()).await.0,
        }
    }
}

/// A transport on which faults strike.
pub struct Faulty {
    inner: Arc<dyn Transport>,
    faults: Arc<Faults>,
}

impl Faulty {
    /// Lets these faults strike requests on their way to `inner`.
    #[must_use]
    pub fn new(inner: Arc<dyn Transport>, faults: Arc<Faults>) -> Self {
        Self { inner, faults }
    }
}

#[async_trait]
impl Transport for Faulty {
    async fn request(&self, name: &str, headers: Headers, bytes: Bytes) -> Result<Bytes, BusError> {
        self.faults.carry(name, || self.inner.request(name, headers.clone(), bytes.clone())).await
    }

    fn kind(&self) -> &'static str {
        self.inner.kind()
    }
}

/// An inbox on whose deliveries faults strike, under the name `<module>.inbox`.
pub struct FaultyInbox {
    inner: Arc<dyn Receive>,
    name: String,
    faults: Arc<Faults>,
}

impl FaultyInbox {
    /// Lets these faults strike deliveries on their way to the module's inbox.
    #[must_use]
    pub fn new(module: &str, inner: Arc<dyn Receive>, faults: Arc<Faults>) -> Self {
        Self { inner, name: format!("{module}.inbox"), faults }
    }
}

#[async_trait]
impl Receive for FaultyInbox {
    async fn receive(&self, deliveries: Vec<Delivery>) -> Result<Vec<Receipt>, BusError> {
        self.faults.carry(&self.name, || self.inner.receive(deliveries.clone())).await
    }
}
