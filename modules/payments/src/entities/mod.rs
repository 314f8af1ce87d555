//! Tables whose rows are written as models.

pub(crate) mod payment;
pub(crate) mod payment_event;
pub(crate) mod webhook_event;
