//! This process's own part when another one moves a module here or back.

use super::{
    port::{
        Accept, CallOff, Data, Describe, Description, GetPiece, GiveBack, Parcel, ProcessError, ProcessPort,
        PutPiece, Store, StoreKind, TakeUp,
    },
    stores,
};
use crate::modules::{COMPILED_IN, Module, Modules, Moved, compiled_in};
use async_trait::async_trait;
use bus::Context;
use std::{
    path::PathBuf,
    sync::{Arc, Weak},
};
use tokio::time::Instant;
use uuid::Uuid;

/// The port of this process.
pub(crate) struct Serving(Weak<Modules>);

impl Serving {
    pub(crate) fn of(modules: &Arc<Modules>) -> Arc<Self> {
        Arc::new(Self(Arc::downgrade(modules)))
    }

    fn modules(&self) -> Result<Arc<Modules>, ProcessError> {
        self.0.upgrade().ok_or_else(|| ProcessError::Refused("this process is about to end".into()))
    }
}

#[async_trait]
impl ProcessPort for Serving {
    async fn describe(&self, request: Describe) -> Result<Description, ProcessError> {
        let modules = self.modules()?;
        // An answer in the middle of a move would be wrong a moment later.
        let _still = modules.moving.try_lock().map_err(|_| busy())?;
        let is_able = COMPILED_IN.iter().find(|known| known.name == request.module);
        let own = stores::stores(&modules.stage.settings, &request.module)
            .map_err(|error| ProcessError::refused(&error))?;
        let mut data = Vec::new();
        for (theirs, own) in request.stores.iter().zip(&own) {
            let is_arriving =
                matches!(modules.record.of(&request.module), Some(Moved::Arriving | Moved::CalledOff { .. }));
            data.push(compare(&modules, theirs, own, request.mark, is_arriving).await);
        }
        let missing = is_able.map_or(&[][..], |module| module.calls);
        let missing = missing.iter().filter(|port| !modules.bus().has(port));
        Ok(Description {
            process: modules.wire.name().to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            is_able: is_able.is_some(),
            serves: modules.database(&request.module).is_some(),
            speaks: speaks(&modules, &request.module),
            missing: missing.map(|port| (*port).to_owned()).collect(),
            data,
        })
    }

    async fn take_up(&self, request: TakeUp) -> Result<(), ProcessError> {
        let modules = self.modules()?;
        let module = compiled_in(&request.module)?;
        let _one = modules.moving.lock().await;
        if modules.database(module.name).is_some() {
            return Ok(());
        }
        let is_called_off = matches!(
            modules.record.of(module.name),
            Some(Moved::CalledOff { until }) if request.until <= until
        );
        if is_called_off || modules.sources().now() > request.until {
            return Err(ProcessError::Refused("that was asked for too long ago".into()));
        }
        for (name, path) in files(&modules, module)? {
            // What was given back, and could not be fetched, goes on here.
            stores::back(&path)?;
            if !path.exists() {
                return Err(ProcessError::Refused(format!("there is no file {name} to work with")));
            }
        }
        let held: Vec<_> = module.ports().map(|port| modules.bus().hold_module(port)).collect();
        modules.begin(module, Some(Moved::Here)).await?;
        held.into_iter().for_each(|held| drop(held.settle()));
        tracing::info!(module = module.name, "taken up");
        Ok(())
    }

    async fn call_off(&self, request: CallOff) -> Result<bool, ProcessError> {
        let modules = self.modules()?;
        let module = compiled_in(&request.module)?;
        let _one = modules.moving.lock().await;
        if modules.database(module.name).is_some() {
            return Ok(true);
        }
        modules.note(module, Moved::CalledOff { until: request.until })?;
        Ok(false)
    }

    async fn give_back(&self, request: GiveBack) -> Result<Vec<Parcel>, ProcessError> {
        let modules = self.modules()?;
        let module = compiled_in(&request.module)?;
        let _one = modules.moving.lock().await;
        if modules.database(module.name).is_some() {
            modules.stop_serving(module, Moved::GivenBack).await?;
            tracing::info!(module = module.name, "given back");
        }
        let mut parcels = Vec::new();
        if request.files_are_fetched {
            let files = files(&modules, module)?;
            if files.iter().any(|(_, path)| stores::has_log(path)) {
                modules.close_well(module).await?;
            }
            for (name, path) in files {
                if path.exists() {
                    stores::aside(&path)?;
                }
                parcels.push(stores::parcel(&name, &stores::put_aside(&path))?);
            }
        }
        Ok(parcels)
    }

    async fn put_piece(&self, request: PutPiece) -> Result<(), ProcessError> {
        let modules = self.modules()?;
        let path = free_place(&modules, &request.module, &request.name)?;
        if request.offset == 0 {
            let noted = modules.record.note(&request.module, Some(Moved::Arriving));
            noted.map_err(|error| ProcessError::refused(&error))?;
        }
        blocking(move || stores::put(&path, request.offset, &request.piece)).await
    }

    async fn accept(&self, request: Accept) -> Result<(), ProcessError> {
        let modules = self.modules()?;
        let path = free_place(&modules, &request.module, &request.parcel.name)?;
        blocking(move || stores::accept(&path, &request.parcel)).await
    }

    async fn get_piece(&self, request: GetPiece) -> Result<String, ProcessError> {
        let modules = self.modules()?;
        let files = files(&modules, compiled_in(&request.module)?)?;
        let file = files.into_iter().find(|(name, _)| *name == request.name);
        let (_, path) =
            file.ok_or_else(|| ProcessError::Refused(format!("there is no file {}", request.name)))?;
        stores::piece(&stores::put_aside(&path), request.offset)
    }
}

impl Modules {
    /// Holds a module's calls back, lets what runs end, and lays it down. Where it does not end in time everything is as
    /// it was. Afterwards the module is nowhere on this bus.
    pub(super) async fn stop_serving(
        &self,
        module: &'static Module,
        moved: Moved,
    ) -> Result<(), ProcessError> {
        let deadline = Instant::now() + self.patience();
        let held: Vec<_> = module.ports().map(|port| self.bus().hold_module(port)).collect();
        for one in &held {
            if !one.drained(deadline).await {
                return Err(ProcessError::Refused(format!(
                    "calls of {} still ran after wire.move_timeout; nothing has changed",
                    module.name
                )));
            }
        }
        self.record.note(module.name, Some(moved)).map_err(|error| ProcessError::refused(&error))?;
        self.lay_down(module, Instant::now() + self.patience()).await;
        self.link(module.name).map_err(|error| ProcessError::refused(&error))?;
        held.into_iter().for_each(|held| drop(held.settle()));
        Ok(())
    }

    /// Serves a module from now on. The record says so before it works: what it writes from then on is here, whatever
    /// becomes of this process.
    pub(super) async fn begin(
        &self,
        module: &'static Module,
        moved: Option<Moved>,
    ) -> Result<(), ProcessError> {
        let note = |moved| self.record.note(module.name, moved);
        let before = self.record.of(module.name);
        note(moved).map_err(|error| ProcessError::refused(&error))?;
        if let Err(error) = self.take_up(module).await {
            note(before).map_err(|error| ProcessError::refused(&error))?;
            return Err(ProcessError::refused(&error));
        }
        Ok(())
    }

    /// Opens the databases of a module that is not served here and closes them, so that what a process that was killed
    /// has left in their logs is in their files.
    async fn close_well(&self, module: &'static Module) -> Result<(), ProcessError> {
        // For that long it is on the bus; afterwards it is where it was.
        let _held = self.hold(module);
        let opened = Context::default().scope(self.start_module(module)).await;
        let (working, _) = opened.map_err(|error| ProcessError::refused(&error))?;
        working.close(Instant::now() + self.patience()).await;
        Ok(())
    }

    /// How long what runs may take to end when a module moves.
    pub(super) fn patience(&self) -> std::time::Duration {
        self.stage.settings.wire.move_timeout.0
    }
}

/// The files of a module's databases, by their names.
pub(super) fn files(modules: &Modules, module: &Module) -> Result<Vec<(String, PathBuf)>, ProcessError> {
    let urls =
        stores::urls(&modules.stage.settings, module.name).map_err(|error| ProcessError::refused(&error))?;
    Ok(urls.into_iter().filter_map(|(name, url)| Some((name, stores::file(&url)?))).collect())
}

/// Where a file may be put that arrives: nothing that this process works with, and nothing that it has.
fn free_place(modules: &Modules, module: &str, name: &str) -> Result<PathBuf, ProcessError> {
    let module = compiled_in(module)?;
    let file = files(modules, module)?.into_iter().find(|(known, _)| known == name);
    let (_, path) = file.ok_or_else(|| ProcessError::Refused(format!("{name} is no file here")))?;
    let is_half = matches!(modules.record.of(module.name), Some(Moved::Arriving | Moved::CalledOff { .. }));
    let is_taken = path.exists() && !is_half;
    if is_taken || modules.database(module.name).is_some() {
        return Err(ProcessError::Refused(format!("there is a database {name} here already")));
    }
    Ok(path)
}

/// Names that a process must know to take another one's calls and events.
pub(super) fn speaks(modules: &Modules, module: &str) -> Vec<String> {
    let requests = crate::settings::requests(module).iter().map(|request| request.name.to_owned());
    let subscriptions = modules.stage.catalogue.of_module(module);
    requests.chain(subscriptions.map(|subscription| subscription.id.to_owned())).collect()
}

async fn compare(
    modules: &Modules,
    theirs: &Store,
    own: &Store,
    mark: Option<Uuid>,
    is_arriving: bool,
) -> Data {
    let other = |why: &str| Data::Other { why: format!("{}: {why}", own.name) };
    match (&theirs.kind, &own.kind) {
        (StoreKind::Sqlite { .. }, StoreKind::Sqlite { file: None }) => Data::Nothing,
        (StoreKind::Sqlite { file: Some(theirs) }, StoreKind::Sqlite { file: Some(own) })
            if theirs == own =>
        {
            Data::Same
        }
        // Half of a move that came to nothing: whatever lies there is not to be worked with.
        (StoreKind::Sqlite { .. }, StoreKind::Sqlite { .. }) if is_arriving => Data::Nothing,
        (StoreKind::Sqlite { .. }, StoreKind::Sqlite { .. }) => {
            other("there is another database file already")
        }
        (StoreKind::Postgres { place: theirs }, StoreKind::Postgres { place: own_place }) => match mark {
            // The module's own: proved. One that it keeps beside: as the settings say.
            Some(mark) if COMPILED_IN.iter().any(|known| known.name == own.name) => {
                if has_mark(modules, &own.name, mark).await {
                    Data::Same
                } else {
                    other("it is another database")
                }
            }
            _ if theirs == own_place => Data::Same,
            _ => other("it is another database"),
        },
        _ => other("one is SQLite and the other PostgreSQL"),
    }
}

async fn has_mark(modules: &Modules, module: &str, mark: Uuid) -> bool {
    if let Some(database) = modules.database(module) {
        return database.has_mark(mark).await;
    }
    let Some(known) = COMPILED_IN.iter().find(|known| known.name == module) else { return false };
    match modules.stage.open(known.name).await {
        Ok(database) => {
            let has_mark = database.has_mark(mark).await;
            database.close().await;
            has_mark
        }
        Err(error) => {
            tracing::warn!(module, %error, "the database cannot be looked into");
            false
        }
    }
}

/// Runs what reads and writes whole files off the threads that answer.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ProcessError> + Send + 'static,
) -> Result<T, ProcessError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(ProcessError::refused(&error)))
}

/// Why there is no answer while a module moves.
pub(super) fn busy() -> ProcessError {
    ProcessError::Refused("another module is being moved: one at a time".into())
}
