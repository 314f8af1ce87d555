//! The serving half.

use crate::{
    calls::Calls,
    delays::Delays,
    events::Events,
    link::Link,
    names::{Names, is_name},
    notices::Notices,
    replies::Replies,
    running::Running,
    settings::AmqpSettings,
    subscription::Subscription,
};
use async_trait::async_trait;
use bus::{BusError, Listener, Transport};
use futures::future::join_all;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{sync::Semaphore, time::timeout};

/// How long opening a module may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Serves modules over RabbitMQ: their calls and operations from one queue, which several processes may share, their
/// events from another. Dropped, it takes nothing more; what runs goes on.
pub struct AmqpListener {
    link: Link,
    settings: Arc<AmqpSettings>,
    answers: Arc<dyn Transport>,
    replies: Arc<Replies>,
    open: Mutex<HashMap<String, Served>>,
}

/// What serves one module.
struct Served {
    calls: Subscription,
    events: Subscription,
    notices: Subscription,
}

impl Served {
    fn all(&self) -> [&Subscription; 3] {
        [&self.calls, &self.events, &self.notices]
    }

    async fn close(self) {
        // Notices until the last call has ended.
        futures::future::join(self.calls.close(), self.events.close()).await;
        self.notices.close().await;
    }
}

impl AmqpListener {
    pub(crate) fn new(
        link: Link,
        strangers: Link,
        settings: Arc<AmqpSettings>,
        answers: Arc<dyn Transport>,
    ) -> Self {
        let replies = Arc::new(Replies::new(link.clone(), strangers, settings.max_body));
        Self { link, settings, answers, replies, open: Mutex::default() }
    }

    fn opened(&self) -> MutexGuard<'_, HashMap<String, Served>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, module: &str) -> Served {
        let names = Names(self.settings.namespace.clone());
        let running = Arc::<Running>::default();
        let notices =
            Notices { module: module.to_owned(), names: names.clone(), running: Arc::clone(&running) };
        let calls = Calls {
            module: module.to_owned(),
            names: names.clone(),
            prefetch: self.settings.prefetch,
            answers: Arc::clone(&self.answers),
            replies: Arc::clone(&self.replies),
            running,
            delays: Delays::new(),
            room: Arc::new(Semaphore::new(self.settings.concurrency as usize)),
            concurrency: self.settings.concurrency,
        };
        let events = Events {
            module: module.to_owned(),
            names,
            answers: Arc::clone(&self.answers),
            replies: Arc::clone(&self.replies),
        };
        Served {
            calls: Subscription::start(self.link.clone(), calls),
            events: Subscription::start(self.link.clone(), events),
            notices: Subscription::start(self.link.clone(), notices),
        }
    }
}

#[async_trait]
impl Listener for AmqpListener {
    async fn open(&self, module: &str) -> Result<(), BusError> {
        let unavailable = || BusError::Unavailable { port: module.to_owned() };
        if !is_name(module) {
            tracing::error!(module, "no queue can have this name");
            return Err(unavailable());
        }
        if self.opened().contains_key(module) {
            return Ok(());
        }
        let served = self.serve(module);
        let consuming = join_all(served.all().map(Subscription::until_consuming));
        if timeout(PATIENCE, consuming).await.is_err() {
            tracing::error!(module, "the module's queues cannot be consumed: is the broker there?");
            return Err(unavailable());
        }
        // Where somebody was faster, theirs stays, and ours hands back what it has.
        self.opened().entry(module.to_owned()).or_insert(served);
        Ok(())
    }

    async fn close(&self, module: &str) {
        let served = self.opened().remove(module);
        if let Some(served) = served {
            served.close().await;
        }
    }

    fn is_ready(&self) -> bool {
        let whole = |served: &Served| served.all().into_iter().all(Subscription::is_consuming);
        self.link.is_up() && self.opened().values().all(whole)
    }

    fn kind(&self) -> &'static str {
        "amqp"
    }
}
