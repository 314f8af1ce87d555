//! `migrate`: the databases' schemas, without a question. Refuses where a newer program has been (F26).

use super::{Failure, say};
use crate::{
    StartError,
    modules::{self, Stage},
    settings::Settings,
};
use bus_durable::OpenError;
use std::process::ExitCode;

pub(super) async fn run(settings: &Settings, check: bool) -> Result<ExitCode, Failure> {
    let stage = Stage::resting(settings)?;
    let mut pending = 0;
    for module in modules::COMPILED_IN {
        let url = settings.database_url(module.name)?;
        if check && modules::file(&url).is_some_and(|file| !file.exists()) {
            // Looking must not make it.
            let all = (module.schema.migrations)();
            pending += all.len();
            say(format_args!("{}: {} pending, no database yet", module.name, all.len()))?;
            continue;
        }
        let database = stage.open(module.name).await?;
        let state = (module.schema.state)(&database).await.map_err(StartError::from)?;
        if !state.unknown.is_empty() {
            database.close().await;
            let newer = OpenError::NewerSchema { module: module.name, unknown: state.unknown };
            return Err(StartError::from(newer).into());
        }
        let names = state.pending.join(", ");
        if state.pending.is_empty() {
            say(format_args!("{}: up to date", module.name))?;
        } else if check {
            pending += state.pending.len();
            say(format_args!("{}: {} pending: {names}", module.name, state.pending.len()))?;
        } else {
            (module.schema.migrate)(&database).await.map_err(StartError::from)?;
            say(format_args!("{}: applied {names}", module.name))?;
        }
        database.close().await;
    }
    Ok(if pending == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
