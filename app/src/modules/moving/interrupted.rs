//! Moves that were interrupted: what became of them is asked until somebody says so, then they go on or are taken back.

use super::{
    moves::Handover,
    other::Other,
    port::{CallOff, ProcessError, ProcessPort},
    serving::files,
    stores,
};
use crate::modules::{COMPILED_IN, Module, Modules, Moved, target::Target};
use bus::{Context, Timestamp};
use std::{sync::Arc, time::Duration};

/// How long to wait before asking again.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

impl Modules {
    /// Goes on with the moves that the end of this process interrupted.
    pub(crate) fn carry_all_on(self: &Arc<Self>) {
        COMPILED_IN.iter().for_each(|module| self.carry_on(module));
    }

    /// Goes on with a module's move, if it was interrupted, however long that takes.
    pub(super) fn carry_on(self: &Arc<Self>, module: &'static Module) {
        let modules = Arc::clone(self);
        // Whoever asked for the move has been answered, and its deadline is over.
        bus::spawn(Context::default().scope(async move {
            match modules.record.of(module.name) {
                Some(Moved::Leaving { to, until }) => modules.find_out(module, to, until).await,
                Some(Moved::Returning { .. }) => modules.come_back(module).await,
                _ => {}
            }
        }));
    }

    /// Asks whether a module has arrived that was sent away.
    async fn find_out(&self, module: &'static Module, to: Target, until: Timestamp) {
        loop {
            match self.found_out(module, &to, until).await {
                Ok(()) => return,
                Err(error) => {
                    tracing::warn!(module = module.name, %to, %error, "nobody says what came of an interrupted move");
                }
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    async fn found_out(
        &self,
        module: &'static Module,
        to: &Target,
        until: Timestamp,
    ) -> Result<(), ProcessError> {
        let there = self.other(module, to).await?;
        let _one = self.moving.lock().await;
        // Whoever moved it since has found out.
        let is_open = matches!(self.record.of(module.name), Some(Moved::Leaving { .. }));
        if is_open {
            self.has_arrived(module, &there, to, until).await?;
        }
        Ok(())
    }

    /// Whether a module has arrived that was sent away. Where it has not it never will, and goes on here.
    pub(super) async fn has_arrived(
        &self,
        module: &'static Module,
        there: &Other,
        to: &Target,
        until: Timestamp,
    ) -> Result<bool, ProcessError> {
        if there.process.call_off(CallOff { module: module.name.into(), until }).await? {
            self.note(module, Moved::There { to: to.clone() })?;
            tracing::info!(module = module.name, %to, "an interrupted move had been carried out");
            return Ok(true);
        }
        for (_, path) in files(self, module)? {
            stores::back(&path)?;
        }
        self.resume(module, self.hold(module)).await?;
        tracing::info!(module = module.name, %to, "an interrupted move was taken back");
        Ok(false)
    }

    /// Goes on with a module's way home.
    async fn come_back(&self, module: &'static Module) {
        loop {
            {
                let _one = self.moving.lock().await;
                let Some(Moved::Returning { from }) = self.record.of(module.name) else { return };
                match self.returned(module, &from).await {
                    Ok(()) => return,
                    Err(error) => {
                        tracing::warn!(module = module.name, %from, %error, "an interrupted return does not go on");
                    }
                }
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    async fn returned(&self, module: &'static Module, from: &Target) -> Result<(), ProcessError> {
        let there = self.other(module, from).await?;
        if there.description.serves {
            tracing::info!(module = module.name, %from, "it has never been given back");
            return self.note(module, Moved::There { to: from.clone() });
        }
        match self.take_home(module, &there, from).await {
            Ok(_) => {
                tracing::info!(module = module.name, %from, "an interrupted return was carried out");
                Ok(())
            }
            Err(Handover::Failed(why) | Handover::InDoubt(why)) => Err(why),
        }
    }
}
