//! The modules of this process: started side by side, set to work, stopped in order, and one by one when they move.

use super::{
    COMPILED_IN, FirstAdmin, Module, Moved, ProcessPort, Serving, Stage, StartError, check,
    record::Record,
    wire::{Way, Wire},
    working::{Working, idle},
};
use crate::{
    gateway::{Health, ModuleState, Readiness},
    settings::{At, MODULES, Settings},
};
use bus::{Bus, Context, Direct, Served, Sources};
use futures::future::{join_all, try_join_all};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// Whether the modules work by themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Background {
    /// Messages move, sagas go on, what is due is done.
    Works,
    /// Nothing but calls: for commands that look, or do one thing.
    Rests,
}

/// The modules, those that are here and the ways to the others.
pub(crate) struct Modules {
    pub(crate) stage: Stage,
    pub(crate) wire: Arc<Wire>,
    pub(crate) record: Record,
    pub(crate) first_admin: Option<FirstAdmin>,
    working: Mutex<BTreeMap<&'static str, Working>>,
    /// One module moves at a time.
    pub(super) moving: tokio::sync::Mutex<()>,
}

impl Modules {
    /// Connects the modules that are elsewhere and starts those that are here, migrating their databases.
    ///
    /// # Errors
    /// [`StartError`] that names the module, the key or the missing port.
    pub(crate) async fn start(settings: &Settings, background: Background) -> Result<Self, StartError> {
        let record = Record::open(&settings.data_dir)?;
        let here = check(settings, &record)?;
        let stage = match background {
            Background::Works => Stage::new(settings, settings.bus.executor)?,
            Background::Rests => Stage::resting(settings)?,
        };
        let wire = Wire::connect(settings, &stage, background).await?;
        let modules = Self {
            stage,
            wire: Arc::new(wire),
            record,
            first_admin: None,
            working: Mutex::default(),
            moving: tokio::sync::Mutex::default(),
        };
        for module in MODULES {
            modules.link(module)?;
        }
        modules.start_all(here, background).await
    }

    async fn start_all(
        mut self,
        here: Vec<&'static Module>,
        background: Background,
    ) -> Result<Self, StartError> {
        // Side by side: a start takes as long as the slowest database, not as all of them.
        let starts = here.iter().map(|module| self.start_module(module));
        let started = match try_join_all(starts).await {
            Ok(started) => started,
            Err(error) => {
                self.stage.threads.stop().await;
                return Err(error);
            }
        };
        for (module, (working, first_admin)) in here.iter().zip(started) {
            self.first_admin = self.first_admin.or(first_admin);
            self.working().insert(module.name, working);
        }
        if background == Background::Works {
            self.work();
            for module in here {
                self.wire.open(module).await.map_err(|error| StartError::module(module.name, &error))?;
            }
        }
        Ok(self)
    }

    /// Starts one module; it does nothing yet by itself.
    pub(super) async fn start_module(
        &self,
        module: &Module,
    ) -> Result<(Working, Option<FirstAdmin>), StartError> {
        let database = self.stage.open(module.name).await?;
        (module.schema.migrate)(&database).await?;
        let mut started = (module.start)(database, &self.stage).await?;
        let first_admin = started.first_admin.take();
        Ok((Working::resting(started), first_admin))
    }

    /// Starts one module, lets it work, and takes other processes' calls for it. What works for the module from then on
    /// has none of the deadline of whoever asked for the move.
    pub(super) async fn take_up(&self, module: &'static Module) -> Result<(), StartError> {
        let taken = async {
            let (mut working, _) = self.start_module(module).await?;
            working.work(&self.stage);
            self.working().insert(module.name, working);
            self.wire.open(module).await.map_err(|error| StartError::module(module.name, &error))
        };
        let taken = Context::default().scope(taken).await;
        if taken.is_err() {
            self.lay_down(module, Instant::now()).await;
        }
        taken
    }

    /// Stops one module and closes its database; calls must be held back or go elsewhere by now.
    pub(super) async fn lay_down(&self, module: &'static Module, deadline: Instant) {
        let laid_down = async {
            for listened in module.ports() {
                self.wire.close(listened).await;
            }
            let working = self.working().remove(module.name);
            if let Some(mut working) = working {
                working.finish(deadline).await;
                working.close(deadline + Duration::from_secs(5)).await;
            }
        };
        Context::default().scope(laid_down).await;
    }

    /// Links a module that is elsewhere, as the settings and what has become of them since say.
    pub(super) fn link(&self, module: &str) -> Result<(), StartError> {
        let placement = self.stage.settings.placement(module);
        if let Some(way) = self.wire.placed(module, &placement, &self.record)? {
            self.connect(module, &way);
        }
        Ok(())
    }

    /// Sends a module's calls, events and operations by this way, and the calls of what goes with it.
    pub(super) fn connect(&self, module: &str, way: &Way) {
        self.bus().connect_module(module, &way(module));
        for beside in ports(module).filter(|port| *port != module) {
            self.bus().connect(beside, way(beside));
        }
    }

    /// Lets messages move, sagas go on, and do what is due.
    pub(crate) fn work(&self) {
        for working in self.working().values_mut() {
            working.work(&self.stage);
        }
    }

    /// Lets other processes ask this one to take part in moving a module, and finds out about moves that were
    /// interrupted.
    ///
    /// # Errors
    /// [`StartError`] where it cannot listen.
    pub(crate) async fn open_process(self: &Arc<Self>) -> Result<(), StartError> {
        let port = Serving::of(self) as Arc<dyn ProcessPort>;
        self.bus().serve(Served::new(port, Arc::new(Direct), self.bus().policies()));
        let opened = self.wire.open_process(self.bus()).await;
        opened.map_err(|error| StartError::Wire(format!("this process cannot be reached: {error}")))?;
        for module in COMPILED_IN {
            if let Some(Moved::There { .. } | Moved::Leaving { .. } | Moved::Returning { .. }) =
                self.record.of(module.name)
            {
                let passed = self.wire.pass_on(module).await;
                passed.map_err(|error| StartError::module(module.name, &error))?;
            }
        }
        self.carry_all_on();
        Ok(())
    }

    /// A working module's database.
    pub(super) fn database(&self, module: &str) -> Option<bus_durable::Database> {
        self.working().get(module).map(|working| working.database.clone())
    }

    pub(crate) fn bus(&self) -> &Bus {
        &self.stage.bus
    }

    pub(crate) fn sources(&self) -> &Sources {
        &self.stage.sources
    }

    fn working(&self) -> std::sync::MutexGuard<'_, BTreeMap<&'static str, Working>> {
        self.working.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes nothing more from other processes, finishes what runs, sends what is in the outboxes, hands duties over,
    /// lets the writers drain and closes. What is not done by the deadline is left as it is: whatever starts next takes
    /// it up.
    pub(crate) async fn stop(&self, deadline: Instant) {
        let last = deadline - deadline.saturating_duration_since(Instant::now()) / 4;
        let taken = async {
            self.wire.stop_listening().await;
            idle(&self.stage.bus).await;
        };
        if tokio::time::timeout_at(last, taken).await.is_err() {
            tracing::warn!("calls were still running at the deadline of the shutdown");
        }
        let mut working = std::mem::take(&mut *self.working());
        join_all(working.values_mut().map(|working| working.finish(last.max(Instant::now())))).await;
        join_all(working.into_values().map(|working| working.close(deadline))).await;
        self.stage.threads.stop().await;
    }
}

/// The ports that go with a module: its own, and the sandbox's pages with payments.
pub(super) fn ports(module: &str) -> impl Iterator<Item = &str> {
    let own = std::iter::once(module);
    own.chain((module == "payments").then_some("sandbox"))
}

/// The modules as `/readyz` shows them: those that are here are ready before the server listens.
pub(crate) struct Placement(pub(crate) Arc<Modules>);

impl Readiness for Placement {
    fn modules(&self) -> Vec<ModuleState> {
        let listening = self.0.wire.is_ready();
        let modules = self.0.stage.bus.status().into_iter().filter(|port| MODULES.contains(&&*port.port));
        let state = |port: bus::PortStatus| {
            // What cannot be called from elsewhere is not ready, and whoever balances should go elsewhere.
            let is_here = port.placement == "local";
            let state = if is_here && !listening { Health::Starting } else { Health::Ready };
            let at = self.0.wire.place(&port.port).filter(|_| !is_here);
            let instances = if is_here { Vec::new() } else { self.0.wire.instances(&port.port) };
            ModuleState { module: port.port, placement: port.placement, state, at, instances }
        };
        modules.map(state).collect()
    }
}

/// A module's setting where it is compiled in or not.
pub(super) fn at(settings: &Settings, module: &str) -> At {
    let is_here = COMPILED_IN.iter().any(|known| known.name == module);
    settings.placement(module).at.unwrap_or(if is_here { At::Local } else { At::Absent })
}
