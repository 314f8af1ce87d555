//! The contract gate by hand: writes schemas, compares them, and exchanges messages with another version of itself.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "its findings are for whoever runs it")]

use contract_gate::{
    compatibility::compare,
    document::Document,
    exchange::{self, Entry, WrittenBy},
    history::{committed, root},
    modules::modules,
};
use std::{error::Error, fs, io, process::ExitCode};

const USAGE: &str = "contract-gate schema            are the schema files in step with the types?
contract-gate schema --write    bring them there
contract-gate compare REVISION  what has changed since, and what of it breaks
contract-gate write             a sample of every message, a line each
contract-gate read older|newer  reads such lines, written by an older or a newer version";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let went_well = match arguments[..] {
        ["schema"] => schemas(false)?,
        ["schema", "--write"] => schemas(true)?,
        ["compare", revision] => changes(revision)?,
        ["write"] => write().await?,
        ["read", "older"] => read(WrittenBy::Older).await?,
        ["read", "newer"] => read(WrittenBy::Newer).await?,
        _ => {
            eprintln!("{USAGE}");
            false
        }
    };
    Ok(if went_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn schemas(write: bool) -> Result<bool, Box<dyn Error>> {
    let mut in_step = true;
    for module in modules() {
        let (path, text) = (root().join(module.path), module.document().text());
        if fs::read_to_string(&path).is_ok_and(|committed| committed == text) {
            continue;
        }
        if write {
            fs::write(&path, text)?;
            println!("{} written", module.path);
        } else {
            in_step = false;
            println!("{} is not in step with the types", module.path);
        }
    }
    Ok(in_step)
}

fn changes(revision: &str) -> Result<bool, Box<dyn Error>> {
    let mut breaks = false;
    for module in modules() {
        match committed(revision, module.path)? {
            None => println!("{} is new since {revision}", module.path),
            Some(text) => {
                let found = compare(&Document::parse(&text)?, &module.document());
                print!("{found}");
                breaks |= !found.breaking.is_empty();
            }
        }
    }
    Ok(!breaks)
}

async fn write() -> Result<bool, Box<dyn Error>> {
    for entry in exchange::write().await? {
        println!("{}", serde_json::to_string(&entry)?);
    }
    Ok(true)
}

async fn read(written_by: WrittenBy) -> Result<bool, Box<dyn Error>> {
    let lines: Result<Vec<String>, _> = io::stdin().lines().collect();
    let entries: Result<Vec<Entry>, _> = lines?.iter().map(|line| serde_json::from_str(line)).collect();
    let report = exchange::read(&entries?, written_by).await?;
    println!("{report}");
    Ok(report.failed.is_empty() && report.understood > 0)
}
