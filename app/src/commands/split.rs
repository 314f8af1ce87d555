//! `split`: what moving a module into a process of its own needs, checked as far as it can be seen from here.

mod tables;

use super::{Failure, say};
use crate::{
    modules::{self, Module},
    settings::{MODULES, Settings, requests},
};
use bus::{CallKind, Subscription};
use std::process::ExitCode;

pub(super) async fn run(settings: &Settings, name: &str) -> Result<ExitCode, Failure> {
    let module = modules::COMPILED_IN.iter().find(|module| module.name == name);
    let module =
        module.ok_or_else(|| Failure::Refused(format!("{name} is none of {}", MODULES.join(", "))))?;
    let mut off = Vec::new();

    heading("Its data")?;
    for (store, url) in modules::databases(settings, name)? {
        let is_file = modules::file(&url).is_some();
        match tables::of(&url).await {
            Ok(None) => say(format_args!("{store}: not made yet"))?,
            Ok(Some(tables)) => {
                let kind = if is_file { "SQLite" } else { "PostgreSQL" };
                say(format_args!("{store}: {kind}, {} tables, {}", tables.tables.len(), size(tables.bytes)))?;
                for table in &tables.tables {
                    say(format_args!("  {:<28} {:>10} rows", table.name, table.rows))?;
                }
                let out = tables.references_out();
                match out.is_empty() {
                    true => say("  no foreign key leads out of it")?,
                    false => off.push(format!("{store}: foreign keys lead out: {}", out.join(", "))),
                }
            }
            Err(why) => off.push(format!("{store} cannot be looked into: {why}")),
        }
    }
    if let Some((other, _)) = shared(settings, name)? {
        off.push(format!("{name} and {other} have the same database_url: give each its own first"));
    }

    heading("What it calls")?;
    list(module.calls.iter().map(|port| format!("{port}: it does no work without")))?;
    list(module.asks.iter().map(|port| format!("{port}: it goes on without, for a while")))?;
    if module.calls.is_empty() && module.asks.is_empty() {
        say("  nothing")?;
    }
    heading("What calls it")?;
    let callers =
        modules::COMPILED_IN.iter().filter(|other| other.calls.contains(&name) || other.asks.contains(&name));
    list(callers.map(|other| other.name.to_owned()))?;
    say("  the HTTP edge")?;
    let own = requests(name);
    let queries = own.iter().filter(|request| request.kind == CallKind::Query).count();
    say(format_args!("  by {} requests, {queries} of them reads", own.len()))?;

    let (told, heard) = events(module);
    heading("The events that it tells")?;
    list(told.iter().map(|subscription| format!("{} to {}", subscription.event, subscription.module)))?;
    heading("The events that it hears")?;
    list(heard.iter().map(|subscription| format!("{} by {}", subscription.event, subscription.id)))?;

    plan(settings, module)?;
    if off.is_empty() {
        say("\nNothing is in the way.")?;
        return Ok(ExitCode::SUCCESS);
    }
    heading("In the way")?;
    list(off.into_iter())?;
    Ok(ExitCode::FAILURE)
}

/// The settings of both sides, and the order of steps.
fn plan(settings: &Settings, module: &Module) -> Result<(), Failure> {
    let name = module.name;
    let listen = settings.wire.listen.as_deref().unwrap_or("127.0.0.1:9080");
    heading("Settings of this process (it has to listen for the other one)")?;
    say(format_args!("[wire]\nname = \"{}\"\nlisten = \"{listen}\"", settings.wire.name))?;
    heading(&format!("Settings of the other process, say {name}.toml"))?;
    say(format_args!("data_dir = \"{name}-data\"\n[http]\nlisten = \"127.0.0.1:8081\""))?;
    say(format_args!("[wire]\nname = \"{name}-1\"\nlisten = \"127.0.0.1:9081\""))?;
    for other in MODULES.into_iter().filter(|other| *other != name) {
        say(format_args!("[placement.{other}]\nat = \"http\"\naddresses = [\"http://{listen}\"]"))?;
    }
    say(format_args!("[placement.{name}]\nat = \"standby\""))?;
    let is_file = modules::file(&settings.database_url(name)?).is_some();
    if !is_file {
        for (store, _) in modules::databases(settings, name)? {
            say(format_args!("[{store}]\ndatabase_url = \"(the same as here)\""))?;
        }
    }
    heading("Steps")?;
    let there = "http://127.0.0.1:9081";
    let mut steps = vec![
        "start this process with the settings above (they change nothing by themselves)".to_owned(),
        format!(
            "cleave --config {name}.toml   (or a program built with --no-default-features --features {name})"
        ),
    ];
    if !is_file {
        // A file that is not there yet answers nothing.
        steps.push(format!("cleave place {name} {there} --shadow   and look at GET /api/v1/admin/modules"));
    }
    steps.push(format!("cleave place {name} {there}"));
    steps.push(format!("cleave place {name} local   brings it back"));
    for (number, step) in (1..).zip(steps) {
        say(format_args!("{number}. {step}"))?;
    }
    say(if is_file {
        "SQLite: calls wait while the file is closed here, handed over, checked and opened there."
    } else {
        "PostgreSQL: both sides serve until this one has finished what runs; nobody waits."
    })
}

/// Another module on the same database.
fn shared(settings: &Settings, name: &str) -> Result<Option<(&'static str, String)>, Failure> {
    let own = settings.database_url(name)?;
    for other in MODULES.into_iter().filter(|other| *other != name) {
        let url = settings.database_url(other)?;
        if url == own {
            return Ok(Some((other, url)));
        }
    }
    Ok(None)
}

/// What it tells others, and what it hears.
fn events(module: &Module) -> (Vec<Subscription>, Vec<Subscription>) {
    let all = modules::subscriptions();
    let is_own = |subscription: &&Subscription| subscription.event.split('.').next() == Some(module.name);
    let told = all.iter().filter(is_own).filter(|subscription| subscription.module != module.name).copied();
    let heard = all.iter().filter(|subscription| subscription.module == module.name).copied();
    (told.collect(), heard.collect())
}

fn heading(text: &str) -> Result<(), Failure> {
    say(format_args!("\n# {text}"))
}

fn list(lines: impl Iterator<Item = String>) -> Result<(), Failure> {
    lines.into_iter().try_for_each(|line| say(format_args!("  {line}")))
}

fn size(bytes: i64) -> String {
    match bytes {
        ..1_048_576 => format!("{} KiB", bytes / 1024),
        1_048_576..1_073_741_824 => format!("{} MiB", bytes / 1_048_576),
        _ => format!("{} GiB", bytes / 1_073_741_824),
    }
}
