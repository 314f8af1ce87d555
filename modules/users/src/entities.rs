//! The rows that are read whole.

pub(crate) mod account;
