//! The modules as a whole: started side by side, set to work, stopped in order.

use super::{COMPILED_IN, FirstAdmin, Stage, StartError, Started, check};
use crate::{
    gateway::{Health, ModuleState, Readiness, Routes},
    settings::Settings,
};
use actix_rt::Arbiter;
use bus::{Bus, Sources};
use bus_durable::{Database, Dispatch};
use futures::future::{BoxFuture, join_all, try_join_all};
use std::time::Duration;
use tokio::{sync::watch, task::JoinHandle, time::Instant};

/// Whether the modules work by themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Background {
    /// Messages move, sagas go on, what is due is done.
    Works,
    /// Nothing but calls: for commands that look, or do one thing.
    Rests,
}

/// The running modules.
pub(crate) struct Modules {
    pub(crate) bus: Bus,
    pub(crate) sources: Sources,
    pub(crate) first_admin: Option<FirstAdmin>,
    pub(crate) pages: Vec<(Routes, utoipa::openapi::OpenApi)>,
    resting: Vec<Started>,
    databases: Vec<Database>,
    dispatches: Vec<Dispatch>,
    tasks: Vec<JoinHandle<()>>,
    closing: Vec<BoxFuture<'static, ()>>,
    stop: watch::Sender<bool>,
    arbiters: Vec<Arbiter>,
}

impl Modules {
    /// Starts every module that is compiled in, migrating its database.
    ///
    /// # Errors
    /// [`StartError`] that names the module, the key or the missing port.
    pub(crate) async fn start(settings: &Settings, background: Background) -> Result<Self, StartError> {
        check(settings)?;
        let stage = match background {
            Background::Works => Stage::new(settings, settings.bus.executor)?,
            Background::Rests => Stage::resting(settings)?,
        };
        // Side by side: a start takes as long as the slowest database, not as all of them.
        let starts = COMPILED_IN.iter().map(|module| {
            let stage = &stage;
            async move {
                let database = stage.open(module.name).await?;
                (module.schema.migrate)(&database).await?;
                (module.start)(database, stage).await
            }
        });
        let started = try_join_all(starts).await;
        let Stage { bus, sources, threads, .. } = stage;
        let arbiters = threads.into_arbiters();
        let started = match started {
            Ok(started) => started,
            Err(error) => {
                for arbiter in arbiters {
                    arbiter.stop();
                }
                return Err(error);
            }
        };
        let mut modules = Self {
            bus,
            sources,
            first_admin: None,
            pages: Vec::new(),
            resting: Vec::new(),
            databases: started.iter().map(|module| module.database.clone()).collect(),
            dispatches: Vec::new(),
            tasks: Vec::new(),
            closing: Vec::new(),
            stop: watch::Sender::new(false),
            arbiters,
        };
        for mut module in started {
            modules.first_admin = modules.first_admin.or(module.first_admin.take());
            modules.pages.append(&mut module.pages);
            modules.closing.extend(module.close.take());
            modules.resting.push(module);
        }
        if background == Background::Works {
            modules.work(settings);
        }
        Ok(modules)
    }

    /// Lets messages move, sagas go on, and do what is due.
    pub(crate) fn work(&mut self, settings: &Settings) {
        let dispatch = settings.durable.dispatch();
        for module in self.resting.drain(..) {
            tracing::debug!(module = module.name, "works");
            self.dispatches.push(Dispatch::start(&module.database, &self.bus, module.subscribers, &dispatch));
            self.tasks.extend((module.workers)(self.stop.subscribe()));
        }
    }

    /// Finishes what runs, hands duties over, lets the writers drain and closes. What is not done by the deadline is
    /// left as it is: whatever starts next takes it up.
    pub(crate) async fn stop(self, deadline: Instant) {
        let Self { bus, databases, dispatches, tasks, closing, stop, arbiters, .. } = self;
        stop.send_replace(true);
        let last = deadline - deadline.saturating_duration_since(Instant::now()) / 4;
        let quiet = async {
            tokio::join!(idle(&bus), join_all(dispatches.into_iter().map(Dispatch::stop)), join_all(tasks));
        };
        if tokio::time::timeout_at(last, quiet).await.is_err() {
            tracing::warn!(
                "not everything was done by the deadline of the shutdown; it is taken up at the next start"
            );
        }
        let close = async {
            join_all(closing).await;
            join_all(databases.iter().map(Database::close)).await;
        };
        if tokio::time::timeout_at(deadline, close).await.is_err() {
            tracing::warn!("the databases were not closed by the deadline of the shutdown");
        }
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

/// Waits until no call runs.
async fn idle(bus: &Bus) {
    while bus.status().iter().any(|port| port.in_flight + port.waiting > 0) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The modules as `/readyz` shows them: they are ready before the server listens.
pub(crate) struct Placement(pub(crate) Bus);

impl Readiness for Placement {
    fn modules(&self) -> Vec<ModuleState> {
        let state = |port: bus::PortStatus| ModuleState {
            module: port.port,
            placement: port.placement,
            state: Health::Ready,
        };
        self.0.status().into_iter().map(state).collect()
    }
}
