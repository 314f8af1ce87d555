//! What the suites of the whole share.

pub mod architecture;
pub mod http;
pub mod load;
pub mod mutants;
pub mod process;
pub mod shop;
pub mod topology;
pub mod transcript;
pub mod verdict;
pub mod world;
