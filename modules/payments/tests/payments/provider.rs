//! The sandbox behind a line that fails as told.

use async_trait::async_trait;
use kernel::Money;
use payments::{
    AuthorizeCharge, CaptureCharge, LedgerEntry, Provider, ProviderAnswer, ProviderError, RefundCharge,
    VoidCharge,
};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};
use tokio::sync::Notify;

/// What happens to one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A 5xx, and nothing was done.
    Before,
    /// A 5xx, and it was done.
    After,
    /// It was done, and no answer ever comes.
    Lost,
    /// Nothing is done, and no answer ever comes.
    Hang,
    /// It waits until it is released, on its way to the provider; its caller hears nothing.
    Late,
    /// It waits until it is released, and is answered then.
    Slow,
    /// The answer speaks of another amount.
    Amount(Money),
    /// The answer speaks of another order.
    Reference(String),
}

/// The sandbox, and the faults that lie in wait for the requests whose keys end in a word.
pub(crate) struct Faulty {
    inner: Arc<dyn Provider>,
    script: Mutex<Vec<(&'static str, VecDeque<Fault>)>>,
    asked: Mutex<Vec<String>>,
    fired: Mutex<Vec<Fault>>,
    released: Arc<Notify>,
}

impl Faulty {
    pub(crate) fn new(inner: Arc<dyn Provider>) -> Self {
        Self {
            inner,
            script: Mutex::default(),
            asked: Mutex::default(),
            fired: Mutex::default(),
            released: Arc::default(),
        }
    }

    /// The next requests whose key begins or ends with `word` meet these faults, one each.
    pub(crate) fn next(&self, word: &'static str, faults: impl IntoIterator<Item = Fault>) {
        self.script.lock().unwrap().push((word, faults.into_iter().collect()));
    }

    /// Faults that were met.
    pub(crate) fn fired(&self) -> Vec<Fault> {
        self.fired.lock().unwrap().clone()
    }

    /// How often a request or a question under a key with this word was sent.
    pub(crate) fn asked(&self, word: &str) -> usize {
        self.asked.lock().unwrap().iter().filter(|key| key.contains(word)).count()
    }

    /// Lets what is late or slow go on.
    pub(crate) fn release(&self) {
        self.released.notify_waiters();
    }

    fn fault(&self, key: &str) -> Option<Fault> {
        self.asked.lock().unwrap().push(key.to_owned());
        let mut script = self.script.lock().unwrap();
        let met = script
            .iter_mut()
            .find(|(word, faults)| !faults.is_empty() && (key.ends_with(word) || key.starts_with(word)));
        let fault = met.and_then(|(_, faults)| faults.pop_front());
        self.fired.lock().unwrap().extend(fault.clone());
        fault
    }

    async fn carry<F>(&self, key: &str, request: F) -> Result<ProviderAnswer, ProviderError>
    where
        F: Future<Output = Result<ProviderAnswer, ProviderError>> + Send + 'static,
    {
        let failed = || ProviderError::Unknown("500".into());
        match self.fault(key) {
            None => request.await,
            Some(Fault::Before) => Err(failed()),
            Some(Fault::After) => {
                request.await?;
                Err(failed())
            }
            Some(Fault::Lost) => {
                request.await?;
                std::future::pending().await
            }
            Some(Fault::Hang) => std::future::pending().await,
            Some(Fault::Late) => {
                let released = Arc::clone(&self.released).notified_owned();
                bus::spawn(async move {
                    released.await;
                    request.await
                });
                std::future::pending().await
            }
            Some(Fault::Slow) => {
                self.released.notified().await;
                request.await
            }
            Some(Fault::Amount(amount)) => Ok(ProviderAnswer { amount: Some(amount), ..request.await? }),
            Some(Fault::Reference(reference)) => {
                Ok(ProviderAnswer { reference: Some(reference), ..request.await? })
            }
        }
    }
}

#[async_trait]
impl Provider for Faulty {
    fn name(&self) -> &str {
        self.inner.name()
    }

    async fn authorize(&self, request: AuthorizeCharge) -> Result<ProviderAnswer, ProviderError> {
        let (inner, key) = (Arc::clone(&self.inner), request.idempotency_key.clone());
        self.carry(&key, async move { inner.authorize(request).await }).await
    }

    async fn capture(&self, request: CaptureCharge) -> Result<ProviderAnswer, ProviderError> {
        let (inner, key) = (Arc::clone(&self.inner), request.idempotency_key.clone());
        self.carry(&key, async move { inner.capture(request).await }).await
    }

    async fn void(&self, request: VoidCharge) -> Result<ProviderAnswer, ProviderError> {
        let (inner, key) = (Arc::clone(&self.inner), request.idempotency_key.clone());
        self.carry(&key, async move { inner.void(request).await }).await
    }

    async fn refund(&self, request: RefundCharge) -> Result<ProviderAnswer, ProviderError> {
        let (inner, key) = (Arc::clone(&self.inner), request.idempotency_key.clone());
        self.carry(&key, async move { inner.refund(request).await }).await
    }

    async fn lookup(&self, idempotency_key: &str) -> Result<Option<ProviderAnswer>, ProviderError> {
        let key = format!("lookup {idempotency_key} lookup");
        match self.fault(&key) {
            Some(Fault::Amount(amount)) => {
                let found = self.inner.lookup(idempotency_key).await?;
                Ok(found.map(|answer| ProviderAnswer { amount: Some(amount), ..answer }))
            }
            Some(_) => Err(ProviderError::Unreachable),
            None => self.inner.lookup(idempotency_key).await,
        }
    }

    async fn transactions(&self, reference: &str) -> Result<Vec<LedgerEntry>, ProviderError> {
        self.inner.transactions(reference).await
    }
}
