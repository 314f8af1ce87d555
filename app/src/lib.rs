//! The program as a library, for its binary and for tests.
#![warn(missing_docs)]

mod admin;
mod app;
pub mod authentication;
mod commands;
pub mod gateway;
mod modules;
#[cfg(feature = "payments")]
pub mod sandbox_provider;
pub mod secrets;
pub mod settings;
mod telemetry;

pub use app::{App, block_on};
pub use commands::main;
pub use modules::{FirstAdmin, StartError};

/// An error with all that it comes from, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        // Some say what they come from already.
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}
