//! Moving a module out of this process and back while it is called.
//!
//! Validate, hold new calls back, let old ones end, hand the data over, switch, flush; whatever fails before the other
//! side serves leaves everything as it was. On PostgreSQL both sides may serve at once, so nobody waits. A SQLite file
//! has one process: it is closed here before it is opened there, and calls wait for that long.

use super::{
    port::{
        Accept, Data, Describe, Description, GetPiece, GiveBack, PIECE, Parcel, ProcessError, ProcessPort,
        PutPiece, StoreKind, TakeUp,
    },
    serving::{blocking, busy, files, speaks},
    stores,
};
use crate::modules::{Module, Modules, Moved, compiled_in, target::Target};
use bus::{Bus, BusError, Held, Timestamp};
use serde::Serialize;
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;
use utoipa::ToSchema;

/// How long the other side is asked again whether it has taken a module up, when its answer was lost.
const DOUBT: Duration = Duration::from_secs(5);
/// How long handing the data over and taking them up may take.
const HANDING_OVER: Duration = Duration::from_secs(20);

/// Where a module is to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Destination {
    /// Into this process.
    Here,
    /// Into another one.
    There(Target),
}

/// What a move came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Arrived {
    pub(crate) module: String,
    /// `local`, or where the other process is.
    pub(crate) at: String,
    /// How many milliseconds new calls had to wait for the switch.
    pub(crate) held_ms: u64,
}

impl Modules {
    /// Moves a module.
    ///
    /// # Errors
    /// [`ProcessError::Refused`] with the reason, where everything is as it was unless it says otherwise.
    pub(crate) async fn place(
        self: &Arc<Self>,
        module: &str,
        to: Destination,
    ) -> Result<Arrived, ProcessError> {
        let module = compiled_in(module)?;
        let _one = self.moving.try_lock().map_err(|_| busy())?;
        let began = Instant::now();
        let is_here = self.database(module.name).is_some();
        let (at, held) = match (to, is_here) {
            (Destination::Here, true) => ("local".to_owned(), Duration::ZERO),
            (Destination::Here, false) => ("local".to_owned(), self.bring_back(module).await?),
            (Destination::There(to), true) => (to.to_string(), self.send_away(module, &to).await?),
            (Destination::There(to), false) if self.wire.place(module.name) == Some(to.to_string()) => {
                (to.to_string(), Duration::ZERO)
            }
            (Destination::There(_), false) => {
                return Err(ProcessError::Refused(format!(
                    "{} is at {} now: move it here first",
                    module.name,
                    self.wire.place(module.name).unwrap_or_else(|| "nobody's".into())
                )));
            }
        };
        tracing::info!(
            module = module.name,
            at,
            ms = millis(began.elapsed()),
            held_ms = millis(held),
            "moved"
        );
        Ok(Arrived { module: module.name.to_owned(), at, held_ms: millis(held) })
    }

    /// Lets another process answer a module's reads too, and compares.
    pub(crate) async fn shadow(&self, module: &str, at: Option<&Target>) -> Result<(), ProcessError> {
        let module = compiled_in(module)?;
        let Some(at) = at else {
            self.bus().shadow(module.name, None);
            return Ok(());
        };
        let there = self.other(module, at).await?;
        if !there.description.serves {
            return Err(ProcessError::Refused(format!(
                "{} does not serve {}",
                there.description.process, module.name
            )));
        }
        let way = self.wire.way(module.name, at).map_err(|error| ProcessError::refused(&error))?;
        if self.bus().shadow(module.name, Some(way(module.name))) {
            Ok(())
        } else {
            Err(ProcessError::Refused(format!("{} is not served here", module.name)))
        }
    }

    /// Asks where a module is whose move was interrupted, until somebody says so.
    pub(crate) async fn find_out(self: Arc<Self>, module: &'static Module, to: Target, until: Timestamp) {
        // From then on a request to take it up that is still on its way is refused there.
        let certain = until.after(self.stage.settings.wire.clock_tolerance.0);
        loop {
            match self.other(module, &to).await {
                Ok(there) if there.description.serves => {
                    let noted = self.record.note(module.name, Some(Moved::There { to: to.clone() }));
                    tracing::info!(module = module.name, %to, ?noted, "an interrupted move had been carried out");
                    return;
                }
                Ok(_) if self.sources().now() <= certain => {
                    tokio::time::sleep(Duration::from_millis(500)).await;
                }
                Ok(_) => {
                    let _one = self.moving.lock().await;
                    if !matches!(self.record.of(module.name), Some(Moved::Leaving { .. })) {
                        return;
                    }
                    let back = files(&self, module)
                        .and_then(|files| files.iter().try_for_each(|(_, path)| stores::back(path)));
                    let resumed = match back {
                        Ok(()) => self.resume(module, self.hold(module)).await,
                        Err(error) => Err(error),
                    };
                    tracing::info!(module = module.name, %to, ?resumed, "an interrupted move was taken back");
                    return;
                }
                Err(error) => {
                    tracing::warn!(module = module.name, %to, %error, "nobody says what came of an interrupted move");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        }
    }

    async fn send_away(
        self: &Arc<Self>,
        module: &'static Module,
        to: &Target,
    ) -> Result<Duration, ProcessError> {
        let there = self.other(module, to).await?;
        there.check(self, module)?;
        let way = self.wire.way(module.name, to).map_err(|error| ProcessError::refused(&error))?;
        let connect = || self.connect(module.name, &way);
        let note =
            |moved| self.record.note(module.name, Some(moved)).map_err(|error| ProcessError::refused(&error));
        if there.both_may_serve {
            if !there.description.serves {
                there.process.take_up(self.take_up_of(module)).await?;
            }
            note(Moved::There { to: to.clone() })?;
            for port in module.ports() {
                // On a broker both sides take what comes: what is sent from here on is not to come back.
                self.wire.close(port).await;
            }
            let held = self.hold(module);
            connect();
            for left in held.into_iter().map(Held::settle) {
                // Every call ends by its own deadline.
                left.drained(Instant::now() + self.bus().policies().port(module.name).deadline).await;
            }
            self.lay_down(module, Instant::now() + self.patience()).await;
            return Ok(Duration::ZERO);
        }
        let held = self.drained(module).await?;
        let began = Instant::now();
        // Enough for the data to be handed over, and noted before anything is out of this process's hands.
        let until = self.sources().now().after(self.patience() + HANDING_OVER);
        note(Moved::Leaving { to: to.clone(), until })?;
        self.lay_down(module, Instant::now() + self.patience()).await;
        match self.hand_over(module, &there, until).await {
            Ok(()) => {
                connect();
                held.into_iter().for_each(|held| drop(held.settle()));
                note(Moved::There { to: to.clone() })?;
                Ok(began.elapsed())
            }
            Err(Handover::Failed(why)) => {
                for (_, path) in files(self, module)? {
                    stores::back(&path)?;
                }
                self.resume(module, held).await?;
                Err(why)
            }
            Err(Handover::InDoubt(why)) => {
                // Two processes on two copies would be worse than none: whoever calls hears that it cannot be reached.
                connect();
                held.into_iter().for_each(|held| drop(held.settle()));
                let (modules, to) = (Arc::clone(self), to.clone());
                let asked = to.clone();
                bus::spawn(async move { modules.find_out(module, asked, until).await });
                Err(ProcessError::Refused(format!(
                    "{to} does not say whether it has taken {} up ({why}). It is not served here meanwhile; as soon as \
                     {to} answers it goes on there or here.",
                    module.name
                )))
            }
        }
    }

    /// Gives the data of a module that is closed here to the other side, and lets it serve.
    async fn hand_over(
        &self,
        module: &'static Module,
        there: &Other,
        until: Timestamp,
    ) -> Result<(), Handover> {
        for ((name, path), data) in files(self, module)?.into_iter().zip(&there.description.data) {
            if *data == Data::Nothing {
                let sent = {
                    let (name, path) = (name.clone(), path.clone());
                    blocking(move || stores::parcel(&name, &path)).await?
                };
                let mut offset = 0;
                while offset < sent.length {
                    let piece = stores::piece(&path, offset)?;
                    let put = PutPiece { module: module.name.into(), name: name.clone(), offset, piece };
                    there.process.put_piece(put).await?;
                    offset += PIECE as u64;
                }
                there.process.accept(Accept { module: module.name.into(), parcel: sent }).await?;
                stores::aside(&path)?;
            }
        }
        let deadline = Instant::now() + DOUBT;
        loop {
            let why = match there.process.take_up(TakeUp { module: module.name.into(), until }).await {
                Ok(()) => return Ok(()),
                Err(ProcessError::Refused(why)) => return Err(ProcessError::Refused(why).into()),
                Err(why) => why,
            };
            // The request or its answer was lost. Asked again it says what it came to.
            if Instant::now() >= deadline {
                return Err(Handover::InDoubt(why));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn bring_back(self: &Arc<Self>, module: &'static Module) -> Result<Duration, ProcessError> {
        let nowhere = || ProcessError::Refused(format!("{} is nowhere that it could come from", module.name));
        let from: Target =
            self.wire.place(module.name).and_then(|place| place.parse().ok()).ok_or_else(nowhere)?;
        let there = self.other(module, &from).await?;
        let files_are_fetched = !there.both_may_serve && !there.is_same_data();
        if there.both_may_serve {
            if !there.is_same_data() {
                return Err(there.other_data());
            }
            let held = self.hold(module);
            self.take_up(module).await.map_err(|error| ProcessError::refused(&error))?;
            held.into_iter().for_each(|held| drop(held.settle()));
            self.note_here(module)?;
            // It has nothing more to do, whether it says so or not.
            let given = there
                .process
                .give_back(GiveBack { module: module.name.into(), files_are_fetched: false })
                .await;
            return given.map(|_| Duration::ZERO);
        }
        let held = self.drained(module).await?;
        let began = Instant::now();
        if there.description.serves {
            let parcels =
                there.process.give_back(GiveBack { module: module.name.into(), files_are_fetched }).await?;
            let fetched = if files_are_fetched { self.fetch(module, &there, parcels).await } else { Ok(()) };
            if let Err(why) = fetched {
                there.process.take_up(self.take_up_of(module)).await?;
                return Err(why);
            }
        } else {
            // It never took it up: what was put aside for it is still the module's data.
            for (_, path) in files(self, module)? {
                stores::back(&path)?;
            }
        }
        self.resume(module, held).await?;
        Ok(began.elapsed())
    }

    /// Takes the files that the other side has put aside.
    async fn fetch(
        &self,
        module: &'static Module,
        there: &Other,
        parcels: Vec<Parcel>,
    ) -> Result<(), ProcessError> {
        let files = files(self, module)?;
        for parcel in parcels {
            let file = files.iter().find(|(name, _)| *name == parcel.name);
            let (_, path) =
                file.ok_or_else(|| ProcessError::Refused(format!("{} is no file here", parcel.name)))?;
            let mut offset = 0;
            while offset < parcel.length.max(1) {
                let wanted = GetPiece { module: module.name.into(), name: parcel.name.clone(), offset };
                stores::put(path, offset, &there.process.get_piece(wanted).await?)?;
                offset += PIECE as u64;
            }
            let path = path.clone();
            blocking(move || stores::accept(&path, &parcel)).await?;
        }
        Ok(())
    }

    /// Starts a module here, whose calls are held back, and lets them in.
    async fn resume(&self, module: &'static Module, held: Vec<Held>) -> Result<(), ProcessError> {
        self.take_up(module).await.map_err(|error| ProcessError::refused(&error))?;
        self.note_here(module)?;
        held.into_iter().for_each(|held| drop(held.settle()));
        Ok(())
    }

    fn take_up_of(&self, module: &'static Module) -> TakeUp {
        TakeUp { module: module.name.into(), until: self.sources().now().after(HANDING_OVER) }
    }

    fn note_here(&self, module: &'static Module) -> Result<(), ProcessError> {
        let is_default =
            super::super::running::at(&self.stage.settings, module.name) == crate::settings::At::Local;
        let moved = (!is_default).then_some(Moved::Here);
        self.record.note(module.name, moved).map_err(|error| ProcessError::refused(&error))
    }

    fn hold(&self, module: &'static Module) -> Vec<Held> {
        module.ports().map(|port| self.bus().hold_module(port)).collect()
    }

    /// Holds a module's calls back and waits for the end of those that run.
    async fn drained(&self, module: &'static Module) -> Result<Vec<Held>, ProcessError> {
        let held = self.hold(module);
        let deadline = Instant::now() + self.patience();
        for one in &held {
            if !one.drained(deadline).await {
                return Err(ProcessError::Refused(format!(
                    "calls of {} still ran after wire.move_timeout; nothing has changed",
                    module.name
                )));
            }
        }
        Ok(held)
    }

    /// The other process, and what it says of itself.
    async fn other(&self, module: &'static Module, at: &Target) -> Result<Other, ProcessError> {
        let refused = |error: &dyn std::fmt::Display| ProcessError::refused(error);
        let database = self.database(module.name);
        let stores = stores::stores(&self.stage.settings, module.name).map_err(|error| refused(&error))?;
        let both_may_serve = stores.iter().all(|store| matches!(store.kind, StoreKind::Postgres { .. }));
        let mark = match (&database, both_may_serve) {
            (Some(database), true) => Some(database.leave_mark().await?),
            (None, true) => {
                let database = self.stage.open(module.name).await.map_err(|error| refused(&error))?;
                let mark = database.leave_mark().await;
                database.close().await;
                Some(mark?)
            }
            (_, false) => None,
        };
        let process = self.wire.process(at, None).map_err(|error| refused(&error))?;
        let description = process.describe(Describe { module: module.name.into(), mark, stores }).await?;
        if description.process == self.wire.name() {
            return Err(ProcessError::Refused(format!(
                "{at} is this process, or one of the same wire.name: give each its own"
            )));
        }
        // From here on nobody else can be meant.
        let process = self.wire.process(at, Some(&description.process)).map_err(|error| refused(&error))?;
        Ok(Other { process, description, both_may_serve })
    }
}

/// Why the other side does not serve.
enum Handover {
    /// It does not, for certain.
    Failed(ProcessError),
    /// Nobody knows.
    InDoubt(ProcessError),
}

impl From<ProcessError> for Handover {
    fn from(error: ProcessError) -> Self {
        Self::Failed(error)
    }
}

struct Other {
    process: Bus,
    description: Description,
    both_may_serve: bool,
}

impl Other {
    fn is_same_data(&self) -> bool {
        self.description.data.iter().all(|data| *data == Data::Same)
    }

    fn other_data(&self) -> ProcessError {
        let why = self.description.data.iter().find_map(|data| match data {
            Data::Other { why } => Some(why.clone()),
            Data::Same | Data::Nothing => None,
        });
        let why = why.unwrap_or_else(|| "it reaches other data".into());
        ProcessError::Refused(format!("{} cannot take it over: {why}", self.description.process))
    }

    /// Whether it can take the module over.
    fn check(&self, modules: &Modules, module: &'static Module) -> Result<(), ProcessError> {
        let there = &self.description;
        let refused = |why: String| Err(ProcessError::Refused(format!("{} {why}", there.process)));
        if !there.is_able {
            return refused(format!("is built without {}", module.name));
        }
        if let Some(unknown) =
            speaks(modules, module.name).into_iter().find(|name| !there.speaks.contains(name))
        {
            return refused(format!("speaks another contract: it does not know {unknown}"));
        }
        if !there.missing.is_empty() {
            return refused(format!(
                "does not reach {}, which {} calls",
                there.missing.join(", "),
                module.name
            ));
        }
        let is_fit = if self.both_may_serve {
            self.is_same_data()
        } else {
            !there.data.iter().any(|data| matches!(data, Data::Other { .. }))
        };
        if !is_fit {
            return Err(self.other_data());
        }
        if there.serves && !self.both_may_serve {
            return refused(format!("serves {} already, on another database", module.name));
        }
        Ok(())
    }
}

impl From<BusError> for Handover {
    fn from(error: BusError) -> Self {
        Self::Failed(error.into())
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
