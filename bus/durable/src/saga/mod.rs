//! Sagas: work over several modules that ends well or is undone, through any crash.
//!
//! A saga is a row, its steps are code. State is saved at the start, when it waits, at the decision to unwind
//! and at the end, each time in one transaction with what the module writes at that moment; a step that is safe
//! to repeat needs no save of its own. After "Sagas", H. Garcia-Molina and K. Salem, 1987; what may happen when
//! is decided by [`decide`], which is pure.

mod decide;
mod engine;
mod row;
pub(crate) mod store;

pub use bus::{Phase, SagaEntry, SagaView};
pub use decide::{Acted, Effect, Input, Instance, NotUndone, decide};
pub use engine::{Begun, Driven, Engine, SagaSettings};

use crate::Tx;
use async_trait::async_trait;
use bus::BusError;
use serde::{Serialize, de::DeserializeOwned};

/// A kind of saga: its steps in order, cheapest to undo first, and what is written at its turns.
#[async_trait]
pub trait Saga: Send + Sync + 'static {
    /// The kind's stable name: `orders.placement`.
    const KIND: &'static str;
    /// What the steps know and learn; saved as JSON.
    type State: Serialize + DeserializeOwned + Clone + Send + Sync + 'static;

    /// The steps, in the order in which they act.
    fn steps(&self) -> &[Box<dyn Step<Self::State>>];

    /// Writes the good end, in one transaction with it. May run again if it is not committed.
    ///
    /// # Errors
    /// [`BusError`]: the end is tried again. A business rule cannot refuse here: there is no step left.
    async fn completed(&self, state: &Self::State, tx: &Tx<'_>) -> Result<(), BusError>;

    /// Writes that everything has been undone, in one transaction with it.
    ///
    /// # Errors
    /// As [`Saga::completed`].
    async fn compensated(&self, state: &Self::State, tx: &Tx<'_>) -> Result<(), BusError>;

    /// Writes that the saga waits, in one transaction with it.
    ///
    /// # Errors
    /// As [`Saga::completed`].
    async fn waiting(&self, state: &Self::State, tx: &Tx<'_>) -> Result<(), BusError>;
}

/// One step: undo beside do. Both may be repeated, and both may run although the other's outcome is unknown.
#[async_trait]
pub trait Step<S>: Send + Sync {
    /// The step's stable name: `reserve`.
    fn name(&self) -> &'static str;

    /// Does it. What the step learns, it notes in the state.
    async fn act(&self, state: &mut S) -> Acted;

    /// Undoes it, or sees to it that it cannot take effect any more.
    ///
    /// # Errors
    /// [`BusError`]: tried again with back-off, then the saga needs attention.
    async fn undo(&self, state: &mut S) -> Result<(), BusError>;
}
