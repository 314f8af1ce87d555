//! Moving a module out of this process and back while it is called.
//!
//! Validate, hold new calls back, let old ones end, hand the data over, switch, flush; whatever fails before the other
//! side serves leaves everything as it was. On PostgreSQL both sides may serve at once, so nobody waits. A SQLite file
//! has one process: it is closed here before it is opened there, and calls wait for that long.

use super::{
    other::Other,
    port::{Accept, Data, GetPiece, GiveBack, PIECE, Parcel, ProcessError, ProcessPort, PutPiece, TakeUp},
    serving::{blocking, busy, files},
    stores,
};
use crate::modules::{Module, Modules, Moved, compiled_in, target::Target};
use bus::{BusError, Held, Timestamp};
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

    async fn send_away(
        self: &Arc<Self>,
        module: &'static Module,
        to: &Target,
    ) -> Result<Duration, ProcessError> {
        let there = self.other(module, to).await?;
        there.check(self, module)?;
        let way = self.wire.way(module.name, to).map_err(|error| ProcessError::refused(&error))?;
        let connect = || self.connect(module.name, &way);
        let note = |moved| self.note(module, moved);
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
                self.carry_on(module);
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
        if there.both_may_serve {
            if !there.is_same_data() {
                return Err(there.other_data());
            }
            let held = self.hold(module);
            self.resume(module, held).await?;
            // It has nothing more to do, whether it says so or not.
            let given = there
                .process
                .give_back(GiveBack { module: module.name.into(), files_are_fetched: false })
                .await;
            return given.map(|_| Duration::ZERO);
        }
        if let Some(Moved::Leaving { until, .. }) = self.record.of(module.name)
            && !self.has_arrived(module, &there, &from, until).await?
        {
            return Ok(Duration::ZERO);
        }
        match self.take_home(module, &there, &from).await {
            Ok(held) => Ok(held),
            Err(Handover::Failed(why)) => {
                self.note(module, Moved::There { to: from })?;
                Err(why)
            }
            Err(Handover::InDoubt(why)) => {
                self.carry_on(module);
                Err(ProcessError::Refused(format!(
                    "{from} does not say whether it has given {} back ({why}). As soon as it does, it goes on there or \
                     here.",
                    module.name
                )))
            }
        }
    }

    /// Takes a module back whose data has one process at a time: the other side closes it, then it is opened here.
    pub(super) async fn take_home(
        &self,
        module: &'static Module,
        there: &Other,
        from: &Target,
    ) -> Result<Duration, Handover> {
        let held = self.drained(module).await?;
        let began = Instant::now();
        // What was put aside here when it left is out of date from now on.
        self.note(module, Moved::Returning { from: from.clone() })?;
        let files_are_fetched = !there.is_same_data();
        let give_back = GiveBack { module: module.name.into(), files_are_fetched };
        let parcels = match there.process.give_back(give_back).await {
            Ok(parcels) => parcels,
            Err(why) => return Err(self.still_there(module, from, why).await),
        };
        if files_are_fetched && let Err(why) = self.fetch(module, there, parcels).await {
            drop(there.process.take_up(self.take_up_of(module)).await);
            return Err(self.still_there(module, from, why).await);
        }
        self.resume(module, held).await.map_err(Handover::InDoubt)?;
        Ok(began.elapsed())
    }

    /// Why a module was not taken home, and whether it is served there all the same.
    async fn still_there(&self, module: &'static Module, from: &Target, why: ProcessError) -> Handover {
        match self.other(module, from).await {
            Ok(there) if there.description.serves => Handover::Failed(why),
            _ => Handover::InDoubt(why),
        }
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
    pub(super) async fn resume(&self, module: &'static Module, held: Vec<Held>) -> Result<(), ProcessError> {
        self.begin(module, self.here(module)).await?;
        held.into_iter().for_each(|held| drop(held.settle()));
        Ok(())
    }

    fn take_up_of(&self, module: &'static Module) -> TakeUp {
        TakeUp { module: module.name.into(), until: self.sources().now().after(HANDING_OVER) }
    }

    /// What the record says of a module that is here: nothing where the settings say so.
    fn here(&self, module: &'static Module) -> Option<Moved> {
        let is_default =
            super::super::running::at(&self.stage.settings, module.name) == crate::settings::At::Local;
        (!is_default).then_some(Moved::Here)
    }

    pub(super) fn note(&self, module: &'static Module, moved: Moved) -> Result<(), ProcessError> {
        self.record.note(module.name, Some(moved)).map_err(|error| ProcessError::refused(&error))
    }

    pub(super) fn hold(&self, module: &'static Module) -> Vec<Held> {
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
}

/// Why a module was not handed over.
pub(super) enum Handover {
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

impl From<BusError> for Handover {
    fn from(error: BusError) -> Self {
        Self::Failed(error.into())
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
