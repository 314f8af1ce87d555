//! Tables whose rows are written as models.

pub(crate) mod notification;
