//! The other process of a move: what it says of itself, and whether it can take a module over.

use super::{
    port::{Data, Describe, Description, ProcessError, ProcessPort, StoreKind},
    serving::speaks,
    stores,
};
use crate::modules::{Module, Modules, target::Target};
use bus::Bus;

/// Another process, and what it has of a module.
pub(super) struct Other {
    pub(super) process: Bus,
    pub(super) description: Description,
    pub(super) both_may_serve: bool,
}

impl Other {
    pub(super) fn is_same_data(&self) -> bool {
        self.description.data.iter().all(|data| *data == Data::Same)
    }

    pub(super) fn other_data(&self) -> ProcessError {
        let why = self.description.data.iter().find_map(|data| match data {
            Data::Other { why } => Some(why.clone()),
            Data::Same | Data::Nothing => None,
        });
        let why = why.unwrap_or_else(|| "it reaches other data".into());
        ProcessError::Refused(format!("{} cannot take it over: {why}", self.description.process))
    }

    /// Whether it can take the module over.
    pub(super) fn check(&self, modules: &Modules, module: &'static Module) -> Result<(), ProcessError> {
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

impl Modules {
    /// The other process, and what it says of itself.
    pub(super) async fn other(&self, module: &'static Module, at: &Target) -> Result<Other, ProcessError> {
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
