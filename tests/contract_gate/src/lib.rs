//! The contract gate: what goes over wires between versions is written down, compared and tried.
//!
//! - [`document`] writes each port's requests and events as JSON Schema, from the types themselves. The files are
//!   committed beside the ports (`modules/*/ports/schema.json`, `bus/core/schema.json`); a test fails where they are not in
//!   step, and `cargo run -p contract-gate -- schema --write` brings them there.
//! - [`compatibility`] says whether a document breaks what another one promised, and why. A test compares the files with
//!   those of the commits before.
//! - [`exchange`] writes a sample of every message by way of the bus and reads what another version has written.
//!   `.ci/exchange` lets the last commit and this one do so, both ways.
#![warn(missing_docs)]

pub mod compatibility;
pub mod document;
pub mod exchange;
pub mod history;
pub mod modules;
pub mod sample;
mod shape;
mod visit;
