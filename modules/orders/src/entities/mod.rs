//! The tables.

pub(crate) mod order;
pub(crate) mod order_event;
