//! What the handler of a request can know and ask of the connection that it came on.

use std::{cell::Cell, rc::Rc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Shared by a connection and the handlers of its requests, on one worker's thread.
#[derive(Clone, Default)]
pub(crate) struct Link(Rc<State>);

#[derive(Default)]
struct State {
    left: CancellationToken,
    body_until: Cell<Option<Instant>>,
}

impl Link {
    /// Resolves when the client has closed its side: it sends no more, and whoever sends requests for others
    /// takes it that it waits for no more either.
    pub(crate) fn left(&self) -> &CancellationToken {
        &self.0.left
    }

    pub(super) fn leave(&self) {
        self.0.left.cancel();
    }

    /// The body that arrives now has until then: some are larger than others.
    pub(crate) fn give_body_until(&self, until: Instant) {
        self.0.body_until.set(Some(until));
    }

    pub(super) fn body_until(&self) -> Option<Instant> {
        self.0.body_until.get()
    }
}
