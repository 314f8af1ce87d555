//! The command line.

mod config;
mod doctor;
mod keygen;
mod migrate;
mod place;
mod seed;
mod serve;
mod shop;
mod split;

use crate::{
    StartError, block_on,
    settings::{Settings, SettingsError},
    telemetry,
};
use clap::{Parser, Subcommand};
use std::{
    fmt,
    io::{self, Write as _},
    path::PathBuf,
    process::ExitCode,
};

/// A commerce backend: users, inventory, orders, payments, notifications.
///
/// Without a command it serves. Settings come from the built-in defaults, a file (--config, else cleave.toml in the
/// working directory) and the environment (CLEAVE__HTTP__LISTEN=0.0.0.0:80), the later overriding the earlier.
#[derive(Debug, Parser)]
#[command(name = "cleave", version, max_term_width = 110)]
struct CommandLine {
    /// The file with the settings that differ from the defaults.
    #[arg(long, global = true, value_name = "PATH")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve until SIGTERM or SIGINT, then finish what runs (the default).
    Serve,
    /// Bring the databases' schemas up to date. `serve` does that by itself.
    Migrate {
        /// Change nothing; exit with 1 where something is to be done.
        #[arg(long)]
        check: bool,
    },
    /// Put something into the shop. Can be repeated: what is there stays.
    Seed {
        /// A small shop: products with stock, a member of staff, a customer.
        #[arg(long, required = true)]
        demo: bool,
    },
    /// Check every invariant while the server is stopped; exit with 1 where something is off.
    Doctor {
        /// Let what is due happen, and put right what can be derived from other rows.
        #[arg(long)]
        fix: bool,
    },
    /// Show and check what moving a module into a process of its own needs.
    Split {
        /// users, inventory, orders, payments or notifications.
        module: String,
    },
    /// Move a module of a running server into another process, or back.
    Place(place::Wish),
    /// Make this process's key for talking with the others, and print what they know it by.
    Keygen {
        /// A new file; it is never overwritten.
        path: PathBuf,
    },
    /// Print the settings in force and where each came from, secrets masked.
    Config {
        #[command(subcommand)]
        what: Option<Explain>,
    },
}

#[derive(Debug, Subcommand)]
enum Explain {
    /// Print how calls of one request are limited, repeated and broken off, and where each value came from.
    Explain {
        /// Port and method: inventory.reserve.
        request: String,
    },
}

/// Why a command did not do what it was told.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Start(#[from] StartError),
    #[error("{0}")]
    Refused(String),
    #[error("the output cannot be written: {0}")]
    Output(#[from] io::Error),
}

impl From<SettingsError> for Failure {
    fn from(error: SettingsError) -> Self {
        Self::Start(error.into())
    }
}

/// Runs the program as its command line says.
#[must_use]
pub fn main() -> ExitCode {
    let line = CommandLine::parse();
    match run(line) {
        Ok(code) => code,
        Err(failure) => {
            drop(writeln!(io::stderr(), "cleave: {failure}"));
            ExitCode::from(2)
        }
    }
}

fn run(line: CommandLine) -> Result<ExitCode, Failure> {
    let variables = std::env::vars_os().filter_map(|(name, value)| {
        let name = name.into_string().ok()?;
        (name.starts_with("CLEAVE") && name != place::TOKEN)
            .then(|| (name, value.to_string_lossy().into_owned()))
    });
    let settings = Settings::read(line.config.as_deref(), variables)?;
    match line.command.unwrap_or(Command::Serve) {
        Command::Config { what: None } => config::run(&settings),
        Command::Config { what: Some(Explain::Explain { request }) } => config::explain(&settings, &request),
        Command::Keygen { path } => keygen::run(&settings, &path),
        command => {
            telemetry::start_log(&settings.log)?;
            block_on(async move {
                match command {
                    Command::Split { module } => split::run(&settings, &module).await,
                    Command::Place(wish) => place::run(wish).await,
                    Command::Serve | Command::Config { .. } | Command::Keygen { .. } => {
                        serve::run(settings).await
                    }
                    Command::Migrate { check } => migrate::run(&settings, check).await,
                    Command::Seed { demo: _ } => seed::run(&settings).await,
                    Command::Doctor { fix } => doctor::run(&settings, fix).await,
                }
            })
        }
    }
}

/// Prints a line for whoever called the program.
fn say(text: impl fmt::Display) -> Result<(), Failure> {
    Ok(writeln!(io::stdout(), "{text}")?)
}

/// Shows a password that is shown once.
fn introduce(admin: Option<&crate::FirstAdmin>) -> Result<(), Failure> {
    let Some(admin) = admin else { return Ok(()) };
    match &admin.password {
        Some(password) => {
            say(format_args!("The first admin is {}, password: {}", admin.email, password.expose()))?;
            say("It is shown this once. Change it after signing in.")
        }
        None => say(format_args!("The first admin is {}.", admin.email)),
    }
}
