//! What a module is started with, and what its start gives.

use super::catalogue;
use crate::{
    secrets::SecretError,
    settings::{ExecutorKind, Settings, SettingsError},
};
use actix_rt::{Arbiter, ArbiterHandle};
use bus::{Bus, Direct, Executor, Port, Served, Sources};
use bus_actor::Mailbox;
use bus_durable::{Catalogue, Database, DatabaseSettings, OpenError, Subscribers};
use futures::future::BoxFuture;
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{sync::watch, task::JoinHandle};
use users_ports::Secret;

/// Why the program does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A setting.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// A database.
    #[error("{}", crate::chain(.0))]
    Open(#[from] OpenError),
    /// A secret.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// Ports that a module calls and that nothing here serves.
    #[error("{module} calls ports that this process neither serves nor reaches: {}", ports.join(", "))]
    MissingPorts {
        /// Which module.
        module: &'static str,
        /// Which ports.
        ports: Vec<&'static str>,
    },
    /// A module's own reason.
    #[error("{module} does not start: {reason}")]
    Module {
        /// Which module.
        module: &'static str,
        /// Why.
        reason: String,
    },
    /// The HTTP server.
    #[error("{}", crate::chain(.0))]
    Bind(#[from] crate::gateway::BindError),
    /// The keys of access tokens.
    #[error("users.jwks: {}", crate::chain(.0))]
    Keys(#[from] crate::authentication::SourceError),
    /// The data directory.
    #[error("data_dir {path} cannot be made: {source}")]
    DataDir {
        /// Which.
        path: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// The ways to other processes.
    #[error("{0}")]
    Wire(String),
    /// The metrics.
    #[error("metrics cannot be kept: {0}")]
    Metrics(#[from] metrics_exporter_prometheus::BuildError),
}

impl StartError {
    pub(crate) fn module(module: &'static str, error: &dyn std::error::Error) -> Self {
        Self::Module { module, reason: crate::chain(error) }
    }
}

/// The admin that this start made. To be shown to a person once, and never logged.
#[derive(Debug, Clone)]
pub struct FirstAdmin {
    /// The address to sign in with.
    pub email: String,
    /// The password, where it was made up and so is known to nobody yet.
    pub password: Option<Secret>,
}

/// What every module is started with.
pub(crate) struct Stage {
    pub(crate) settings: Arc<Settings>,
    pub(crate) bus: Bus,
    pub(crate) sources: Sources,
    pub(crate) catalogue: Arc<Catalogue>,
    pub(crate) executors: ExecutorKind,
    pub(crate) threads: Threads,
}

pub(crate) type Workers = Box<dyn FnOnce(watch::Receiver<bool>) -> Vec<JoinHandle<()>> + Send>;

/// A module that can be called, and does nothing yet by itself.
pub(crate) struct Started {
    pub(crate) name: &'static str,
    pub(crate) database: Database,
    pub(crate) subscribers: Subscribers,
    pub(crate) workers: Workers,
    pub(crate) first_admin: Option<FirstAdmin>,
    /// What is to be closed with it.
    pub(crate) close: Option<BoxFuture<'static, ()>>,
}

impl Started {
    pub(crate) fn new(database: Database, subscribers: Subscribers, workers: Workers) -> Self {
        let (name, first_admin, close) = (database.module(), None, None);
        Self { name, database, subscribers, workers, first_admin, close }
    }
}

impl Stage {
    /// A stage with nobody on it.
    pub(crate) fn new(settings: &Settings, executors: ExecutorKind) -> Result<Self, StartError> {
        make_data_dir(settings)?;
        let policies = settings.bus.policies()?;
        Ok(Self {
            settings: Arc::new(settings.clone()),
            bus: if settings.bus.strict { Bus::strict(policies) } else { Bus::new(policies) },
            sources: Sources::system(),
            catalogue: catalogue::of_all_modules()?,
            executors,
            threads: if executors == ExecutorKind::Actor { Threads::start() } else { Threads::default() },
        })
    }

    /// One for commands that look, or do one thing: they need no threads of their own.
    pub(crate) fn resting(settings: &Settings) -> Result<Self, StartError> {
        Self::new(settings, ExecutorKind::Direct)
    }

    /// Opens a module's database; migrates nothing.
    pub(crate) async fn open(&self, module: &'static str) -> Result<Database, StartError> {
        let durable = &self.settings.durable;
        let settings = DatabaseSettings {
            readers: durable.readers,
            batch: durable.batch,
            ..DatabaseSettings::new(module, self.settings.database_url(module)?)
        };
        Ok(Database::open(settings, Arc::clone(&self.catalogue), self.sources.clone()).await?)
    }

    /// Serves a module's port on the bus, from now on.
    pub(crate) async fn serve<P: Port + ?Sized>(&self, database: &Database, port: Arc<P>) {
        let executor = self.executor(self.bus.policies().port(P::NAME).concurrency).await;
        self.bus.serve(Served::new(port, executor, self.bus.policies()));
        self.bus.serve_operations(P::NAME, Arc::new(database.clone()));
    }

    /// Serves a port that goes with a module and has no messages of its own.
    #[cfg(feature = "payments")]
    pub(crate) fn serve_beside<P: Port + ?Sized>(&self, port: Arc<P>) {
        self.bus.serve(Served::new(port, Arc::new(Direct), self.bus.policies()));
    }

    async fn executor(&self, depth: usize) -> Arc<dyn Executor> {
        match self.executors {
            ExecutorKind::Direct => Arc::new(Direct),
            ExecutorKind::Actor => match self.threads.next() {
                Some(thread) => Arc::new(Mailbox::start_on(&thread, depth).await),
                None => Arc::new(Direct),
            },
        }
    }
}

/// The threads that modules run on. A call between two modules on one thread costs no switch, so there are no more
/// than half as many as there are cores: the rest serves connections and databases.
#[derive(Default)]
pub(crate) struct Threads(Mutex<(Vec<Arbiter>, usize)>);

impl Threads {
    /// All of them now: a thread can be made only where the program starts, and a module may come later.
    fn start() -> Self {
        let count = std::thread::available_parallelism().map_or(1, usize::from).div_ceil(2);
        Self(Mutex::new(((0..count).map(|_| Arbiter::new()).collect(), 0)))
    }

    /// The next module's thread; none where they have ended.
    fn next(&self) -> Option<ArbiterHandle> {
        let mut threads = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (arbiters, modules) = &mut *threads;
        *modules += 1;
        let count = arbiters.len().max(1);
        arbiters.get(*modules % count).map(Arbiter::handle)
    }

    /// Ends them, and waits for their end a while.
    pub(crate) async fn stop(&self) {
        let arbiters = std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner).0);
        for arbiter in &arbiters {
            arbiter.stop();
        }
        let joined = tokio::task::spawn_blocking(move || {
            for arbiter in arbiters {
                drop(arbiter.join());
            }
        });
        drop(tokio::time::timeout(Duration::from_secs(2), joined).await);
    }
}

/// For its owner only: the keys that sign access tokens are in there.
fn make_data_dir(settings: &Settings) -> Result<(), StartError> {
    use std::os::unix::fs::DirBuilderExt as _;
    let path = &settings.data_dir;
    if path.is_dir() {
        return Ok(());
    }
    let failed = |source| StartError::DataDir { path: path.display().to_string(), source };
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed)
}
