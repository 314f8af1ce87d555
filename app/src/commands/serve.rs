//! `serve`: the shop, until a signal ends it.

use super::{Failure, introduce, say};
use crate::{App, settings::Settings};
use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};

pub(super) async fn run(settings: Settings) -> Result<ExitCode, Failure> {
    // Before anything starts, so that no signal is missed.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let mut app = App::start(settings).await?;
    introduce(app.first_admin())?;
    say(format_args!("Cleave listens on http://{}", app.address()))?;
    let ended = loop {
        tokio::select! {
            _ = terminate.recv() => break None,
            _ = interrupt.recv() => break None,
            // It is in the log where that did not work.
            _ = hangup.recv() => drop(app.reload()),
            ended = app.failed() => break Some(ended),
        }
    };
    let Some(ended) = ended else {
        let drained = tokio::select! {
            () = app.stop() => true,
            // Whoever asks twice does not want to wait.
            _ = interrupt.recv() => false,
        };
        return Ok(if drained { ExitCode::SUCCESS } else { ExitCode::from(130) });
    };
    app.stop().await;
    ended?;
    Ok(ExitCode::FAILURE)
}
