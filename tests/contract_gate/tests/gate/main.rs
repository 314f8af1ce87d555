//! The contract gate: schemas in step, breaks found, messages understood.

mod breaking;
mod contract;
mod exchange;
mod harmless;
mod promised;
mod schema;
