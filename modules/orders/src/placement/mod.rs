//! Placement: the saga that turns a wish into a paid, numbered order, or leaves nothing behind.

mod authorize;
mod capture;
mod order;
mod reserve;
mod saga;

pub(crate) use order::draft;
pub(crate) use saga::{Placement, PlacementState};
