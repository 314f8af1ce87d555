//! Tables whose rows are written as models.

pub(crate) mod payment_event;
