//! The rows of the provider's database.

pub(crate) mod charges;
pub(crate) mod operations;
pub(crate) mod transactions;
pub(crate) mod webhooks;
