//! The port that the suite calls, and the service behind it, which can be held, made to fail and asked
//! what it saw.

use async_trait::async_trait;
use bus::{Bus, BusError, Caller, Command, Context, ErrorKind, PortError};
use serde::{Deserialize, Serialize};
use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicUsize, Ordering::SeqCst},
};
use tokio::sync::Semaphore;
use uuid::Uuid;

bus::port! {
    /// What the suite calls.
    "probe" pub(super) trait ProbePort {
        #[query]
        /// The text with an exclamation mark.
        async fn echo(&self, request: Echo) -> Result<Echoed, ProbeError>;
        #[command]
        /// Runs until the test lets go.
        async fn hold(&self, request: Hold) -> Result<u32, ProbeError>;
        #[command]
        /// Fails with the error given.
        async fn fail(&self, request: Fail) -> Result<(), ProbeError>;
        #[command]
        /// Panics.
        async fn crash(&self, request: Crash) -> Result<(), ProbeError>;
        #[query]
        /// What the handler can see of its context.
        async fn observe(&self, request: Observe) -> Result<Observed, ProbeError>;
        #[query]
        /// Calls itself, for ever.
        async fn descend(&self, request: Descend) -> Result<(), ProbeError>;
        #[command]
        /// Answers out of an idempotency store, or has a sub-call that does.
        async fn replay(&self, request: Replay) -> Result<(), ProbeError>;
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Echo {
    pub(super) text: String,
    /// A hole in the wall between caller and handler, which no codec lets through.
    #[serde(skip)]
    pub(super) shared: Arc<AtomicUsize>,
}

impl Echo {
    pub(super) fn new(text: impl ToString) -> Self {
        Self { text: text.to_string(), shared: Arc::default() }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Echoed {
    pub(super) text: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Hold {
    pub(super) id: u32,
    /// Whether to echo through the bus once let go.
    pub(super) then_echo: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Fail {
    pub(super) error: ProbeError,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Crash {
    pub(super) after_await: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Observe {
    pub(super) sub_call: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Observed {
    pub(super) trace_id: String,
    pub(super) request_id: Option<String>,
    pub(super) caller: Option<Caller>,
    pub(super) command: Option<Command>,
    pub(super) attempt: u32,
    pub(super) remaining_ms: u64,
    /// What a task spawned by the handler sees.
    pub(super) request_id_in_task: Option<String>,
    pub(super) sub_call: Option<Box<Observed>>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Descend {}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Replay {
    pub(super) in_sub_call: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub(super) enum ProbeError {
    #[error("unit")]
    Unit,
    #[error("newtype")]
    Newtype(String),
    #[error("tuple")]
    Tuple(Uuid, Option<i64>),
    #[error("struct")]
    Struct { sku: String, requested: u32, available: u32 },
    #[error("nested")]
    Nested { shortages: Vec<(String, u32)> },
    #[error(transparent)]
    Unavailable(#[from] BusError),
}

impl PortError for ProbeError {
    fn kind(&self) -> ErrorKind {
        self.bus().map_or(ErrorKind::Conflict, BusError::kind)
    }

    fn bus(&self) -> Option<&BusError> {
        match self {
            Self::Unavailable(error) => Some(error),
            _ => None,
        }
    }
}

/// The service, and what it remembers.
pub(super) struct Probe {
    /// The bus that sub-calls are made on.
    pub(super) bus: OnceLock<Bus>,
    gate: Semaphore,
    running: AtomicUsize,
    /// The most that ran at once.
    pub(super) peak: AtomicUsize,
    /// Held calls that have begun, and that have ended.
    pub(super) begun: AtomicUsize,
    pub(super) ended: AtomicUsize,
    pub(super) echoed: AtomicUsize,
    pub(super) descended: AtomicUsize,
    /// How the echo of a held call fared.
    pub(super) echo_after_hold: OnceLock<Result<Echoed, ProbeError>>,
}

impl Probe {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            bus: OnceLock::new(),
            gate: Semaphore::new(0),
            running: AtomicUsize::new(0),
            peak: AtomicUsize::new(0),
            begun: AtomicUsize::new(0),
            ended: AtomicUsize::new(0),
            echoed: AtomicUsize::new(0),
            descended: AtomicUsize::new(0),
            echo_after_hold: OnceLock::new(),
        })
    }

    /// Lets so many held calls go.
    pub(super) fn let_go(&self, calls: usize) {
        self.gate.add_permits(calls);
    }

    fn bus(&self) -> &Bus {
        self.bus.get().expect("the world sets it")
    }
}

#[async_trait]
impl ProbePort for Probe {
    async fn echo(&self, mut request: Echo) -> Result<Echoed, ProbeError> {
        self.echoed.fetch_add(1, SeqCst);
        request.shared.fetch_add(1, SeqCst);
        request.text.push('!');
        Ok(Echoed { text: request.text })
    }

    async fn hold(&self, request: Hold) -> Result<u32, ProbeError> {
        self.peak.fetch_max(self.running.fetch_add(1, SeqCst) + 1, SeqCst);
        self.begun.fetch_add(1, SeqCst);
        self.gate.acquire().await.expect("the gate is never closed").forget();
        if request.then_echo {
            let echoed = self.bus().echo(Echo::new("after hold")).await;
            self.echo_after_hold.set(echoed).expect("asked for once");
        }
        self.running.fetch_sub(1, SeqCst);
        self.ended.fetch_add(1, SeqCst);
        Ok(request.id)
    }

    async fn fail(&self, request: Fail) -> Result<(), ProbeError> {
        Err(request.error)
    }

    async fn crash(&self, request: Crash) -> Result<(), ProbeError> {
        if request.after_await {
            tokio::task::yield_now().await;
        }
        panic!("as asked");
    }

    async fn observe(&self, request: Observe) -> Result<Observed, ProbeError> {
        let context = Context::current();
        let in_task = bus::spawn(async { Context::current() }).await.expect("it does not panic");
        let text = |id: Option<Arc<str>>| id.map(|id| id.to_string());
        let remaining = context.remaining().expect("every call has a deadline");
        let sub_call = if request.sub_call {
            Some(Box::new(self.bus().observe(Observe { sub_call: false }).await?))
        } else {
            None
        };
        Ok(Observed {
            trace_id: context.trace.trace_id(),
            request_id: text(context.request_id),
            caller: context.caller,
            command: context.command.as_deref().cloned(),
            attempt: context.attempt,
            remaining_ms: u64::try_from(remaining.as_millis()).expect("deadlines are short"),
            request_id_in_task: text(in_task.request_id),
            sub_call,
        })
    }

    async fn descend(&self, request: Descend) -> Result<(), ProbeError> {
        self.descended.fetch_add(1, SeqCst);
        self.bus().descend(request).await
    }

    async fn replay(&self, request: Replay) -> Result<(), ProbeError> {
        if request.in_sub_call {
            return self.bus().replay(Replay { in_sub_call: false }).await;
        }
        Context::current().mark_replayed();
        Ok(())
    }
}
