//! What the suites of the whole share.

pub mod architecture;
pub mod http;
pub mod mutants;
pub mod process;
pub mod shop;
pub mod world;
