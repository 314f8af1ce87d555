//! `doctor`: every invariant while the shop stands still, and with `--fix` what can be derived put right.
//!
//! Refuses where a server holds the databases: what it does meanwhile would look like damage.

use super::{Failure, say};
use crate::{
    admin::{
        Desk,
        integrity::{Check, Extent, report},
    },
    modules::{Background, Modules},
    settings::Settings,
};
use bus::{Operation, Outcome, Phase};
use inventory_ports::RepairInventory;
use std::{process::ExitCode, time::Duration};
use tokio::time::Instant;

/// What is overdue while nobody serves, and is attended to at the next start.
const WAITS_FOR_THE_SERVER: &[&str] = &[
    "no reservation is held past its time",
    "what is open is being looked after",
    "no notification waits longer than it may",
];
/// How long `--fix` lets work go on that was under way when the server ended.
const SETTLE: Duration = Duration::from_secs(15);

pub(super) async fn run(settings: &Settings, fix: bool) -> Result<ExitCode, Failure> {
    let modules = Modules::start(settings, Background::Rests).await?;
    let checked = examine(&modules, settings, fix).await;
    modules.stop(Instant::now() + Duration::from_secs(10)).await;
    Ok(if checked? == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// How much is off in the end.
async fn examine(modules: &Modules, settings: &Settings, fix: bool) -> Result<u64, Failure> {
    let desk = Desk {
        bus: modules.bus().clone(),
        sources: modules.sources().clone(),
        message_age: settings.durable.message_age.0,
    };
    let mut off = print(&report(&desk, Extent::Everything).await.checks)?;
    if fix {
        modules.work();
        settle(&desk).await;
        if desk.bus.has("inventory") {
            repair(&desk).await?;
        }
        say("After what was due has happened and what could be derived was put right:")?;
        off = print(&report(&desk, Extent::Everything).await.checks)?;
    }
    match off {
        0 => say("Everything adds up.")?,
        1 => say("1 violation.")?,
        off => say(format_args!("{off} violations."))?,
    }
    Ok(off)
}

fn print(checks: &[Check]) -> Result<u64, Failure> {
    let mut off = 0;
    for check in checks {
        let (invariant, sample) = (&check.invariant, check.sample.join("; "));
        match check.violations {
            Some(0) => say(format_args!("ok       {invariant}"))?,
            Some(n) if WAITS_FOR_THE_SERVER.contains(&invariant.as_str()) => {
                say(format_args!("waiting  {invariant}: {n} at the next start: {sample}"))?;
            }
            Some(n) => {
                off += n;
                say(format_args!("OFF      {invariant}: {n}: {sample}"))?;
            }
            None => match &check.unavailable {
                Some(module) => {
                    off += 1;
                    say(format_args!("UNKNOWN  {invariant}: {module} did not answer"))?;
                }
                None => say(format_args!(
                    "waiting  {invariant}: until messages have arrived, at the next start: {sample}"
                ))?,
            },
        }
    }
    Ok(off)
}

/// Waits until no message is on its way and no saga works, or for as long as that may take.
async fn settle(desk: &Desk) {
    let deadline = Instant::now() + SETTLE;
    while Instant::now() < deadline {
        let mut busy = false;
        for module in desk.bus.operated() {
            let lag = desk.bus.operate(&module, Operation::Lag).await;
            let quiet =
                matches!(lag, Ok(Outcome::Lag { outbox, inbox }) if outbox.is_zero() && inbox.is_zero());
            busy |= !quiet;
            let phases = vec![Phase::Running, Phase::Unwinding];
            let open = desk.bus.operate(&module, Operation::Sagas { phases, before: None, limit: 1 }).await;
            busy |= !matches!(open, Ok(Outcome::Sagas(open)) if open.is_empty());
        }
        if !busy {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn repair(desk: &Desk) -> Result<(), Failure> {
    let repaired = desk.bus.call(RepairInventory {}).await;
    let repaired =
        repaired.map_err(|error| Failure::Refused(format!("inventory: {}", crate::chain(&error))))?;
    for row in repaired.repaired {
        say(format_args!(
            "repaired {}: on hand {} → {}, reserved {} → {}",
            row.sku, row.on_hand_was, row.on_hand, row.reserved_was, row.reserved
        ))?;
    }
    for sku in repaired.contradictory {
        say(format_args!("left     {sku}: its ledger and its reservations contradict each other"))?;
    }
    Ok(())
}
