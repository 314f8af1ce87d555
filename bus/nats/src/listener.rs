//! The serving half: modules that come and go.

use crate::{calls::Calls, connection::Connection, events::Events, nats::Shared, subjects::is_token};
use async_trait::async_trait;
use bus::{BusError, Listener, Transport};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{sync::watch, task::JoinSet, time::timeout};
use tokio_util::sync::CancellationToken;

/// How long the broker has to take a module up.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long the broker has to hear the last answers.
const FAREWELL: Duration = Duration::from_secs(2);

/// How long to wait before something that failed is tried again.
pub(crate) const RETRY: Duration = Duration::from_millis(200);

pub(crate) struct NatsListener {
    shared: Arc<Shared>,
    answers: Arc<dyn Transport>,
    open: Mutex<BTreeMap<String, Open>>,
}

/// A module that is open; dropped, its tasks end where they are.
struct Open {
    closing: CancellationToken,
    live: watch::Receiver<Live>,
    tasks: JoinSet<()>,
}

/// What of a module is served at this moment.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Live {
    pub(crate) calls: bool,
    pub(crate) events: bool,
}

impl Live {
    fn is_whole(&self) -> bool {
        self.calls && self.events
    }
}

/// What serving a module needs.
#[derive(Clone)]
pub(crate) struct Module {
    pub(crate) name: Arc<str>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) answers: Arc<dyn Transport>,
    pub(crate) live: watch::Sender<Live>,
    pub(crate) closing: CancellationToken,
}

impl Module {
    /// The connection, as soon as there is one; `None` once the module is closed.
    pub(crate) async fn connection(&self) -> Option<Arc<Connection>> {
        self.shared.connection_unless(&self.closing).await
    }

    /// Waits, unless the module is closed.
    pub(crate) async fn pause(&self, pause: Duration) {
        let _ = timeout(pause, self.closing.cancelled()).await;
    }
}

impl NatsListener {
    pub(crate) fn new(shared: Arc<Shared>, answers: Arc<dyn Transport>) -> Self {
        Self { shared, answers, open: Mutex::default() }
    }

    fn begin(&self, name: &str) -> Open {
        let (live, seen) = watch::channel(Live::default());
        let closing = CancellationToken::new();
        let module = Module {
            name: name.into(),
            shared: Arc::clone(&self.shared),
            answers: Arc::clone(&self.answers),
            live,
            closing: closing.clone(),
        };
        let mut tasks = JoinSet::new();
        tasks.spawn(Calls(module.clone()).serve());
        tasks.spawn(Events(module).serve());
        Open { closing, live: seen, tasks }
    }

    fn modules(&self) -> MutexGuard<'_, BTreeMap<String, Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Listener for NatsListener {
    async fn open(&self, module: &str) -> Result<(), BusError> {
        let unavailable = || BusError::Unavailable { port: module.to_owned() };
        if !is_token(module) {
            tracing::error!(module, "no subject can have this name");
            return Err(unavailable());
        }
        let mut live = {
            let mut modules = self.modules();
            let open = modules.entry(module.to_owned()).or_insert_with(|| self.begin(module));
            open.live.clone()
        };
        let whole = matches!(timeout(PATIENCE, live.wait_for(Live::is_whole)).await, Ok(Ok(_)));
        if whole {
            return Ok(());
        }
        let missing = *live.borrow();
        tracing::error!(module, ?missing, "the broker does not serve the module");
        self.modules().remove(module);
        Err(unavailable())
    }

    async fn close(&self, module: &str) {
        let open = self.modules().remove(module);
        if let Some(mut open) = open {
            open.closing.cancel();
            while open.tasks.join_next().await.is_some() {}
            // Whoever closes may end the process next: what was answered last has to be on its way.
            if let Some(connection) = self.shared.connection() {
                let _ = timeout(FAREWELL, connection.settled()).await;
            }
        }
    }

    fn is_ready(&self) -> bool {
        self.shared.connection().is_some()
            && self.modules().values().all(|open| open.live.borrow().is_whole())
    }

    fn kind(&self) -> &'static str {
        "nats"
    }
}
