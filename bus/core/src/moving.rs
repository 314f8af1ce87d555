//! A module on the move: calls wait while it is nowhere, and go on where it is then.

use crate::{
    Bulkhead, Bus, BusError, Transport,
    site::{Moving, Site},
};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::watch,
    time::{Instant, timeout_at},
};

/// Holds a module's calls, events and operations back. Whatever the bus is told of the module meanwhile holds from
/// [`settle`](Self::settle) on; dropped before that, everything is again as it was.
pub struct Held {
    bus: Bus,
    module: String,
    before: Option<Site>,
    over: Option<watch::Sender<()>>,
}

impl Bus {
    /// Holds a module back: from now on whoever calls it waits, no longer than the call's own deadline and no more of
    /// them than the port's queue is long.
    #[must_use = "dropped, it holds nothing"]
    pub fn hold_module(&self, module: &str) -> Held {
        let (over, waiting) = watch::channel(());
        let room = Bulkhead::new(self.policies().port(module).queue, 0);
        let moving = Moving { over: waiting, room };
        let mut before = None;
        self.change(module, |site| {
            let held = Site { moving: Some(moving.clone()), ..Site::default() };
            before = Some(std::mem::replace(site, held));
        });
        Held { bus: self.clone(), module: module.to_owned(), before, over: Some(over) }
    }

    /// Sends all of a module's calls, events and operations to another process, from the next one on.
    pub fn connect_module(&self, module: &str, transport: &Arc<dyn Transport>) {
        self.connect(module, Arc::clone(transport));
        self.connect_inbox(module, Arc::clone(transport));
        self.connect_operations(module, Arc::clone(transport));
    }
}

/// What a module was before it moved: its last calls may still run.
pub struct Left(Option<Site>);

impl Left {
    /// Waits until everything that had begun there has ended; `false` where it has not by the deadline.
    pub async fn drained(&self, deadline: Instant) -> bool {
        drained(self.0.as_ref(), deadline).await
    }
}

async fn drained(site: Option<&Site>, deadline: Instant) -> bool {
    while !site.is_none_or(Site::is_idle) {
        if Instant::now() >= deadline {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    true
}

impl Held {
    /// Waits until everything that had begun has ended; `false` where it has not by the deadline.
    pub async fn drained(&self, deadline: Instant) -> bool {
        drained(self.before.as_ref(), deadline).await
    }

    /// The module is where the bus has been told: those who wait go there. Nowhere, where it has been told nothing.
    pub fn settle(mut self) -> Left {
        let left = Left(self.before.take());
        self.release(|site| site.moving = None);
        left
    }

    fn release(&mut self, change: impl Fn(&mut Site)) {
        self.bus.change(&self.module, change);
        self.over = None;
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.over.is_some() {
            let before = self.before.take().unwrap_or_default();
            self.release(|site| *site = before.clone());
        }
    }
}

impl Moving {
    /// Waits for the end of the move.
    pub(crate) async fn wait(mut self, module: &str, name: &str, deadline: Instant) -> Result<(), BusError> {
        let full = || BusError::Overloaded { port: module.into(), retry_after_ms: 1000 };
        let _place = self.room.try_enter().ok_or_else(full)?;
        // Nothing is ever sent: it ends by being closed.
        match timeout_at(deadline, self.over.changed()).await {
            Ok(_) => Ok(()),
            Err(_) => Err(BusError::DeadlineExceeded { name: name.into() }),
        }
    }
}
