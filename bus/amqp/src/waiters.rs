//! Who waits for an answer. An entry is owned by its waiter and leaves the table with it, however the wait ends.

use bus::BusError;
use bytes::Bytes;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::oneshot;

/// What became of a message.
#[derive(Debug, PartialEq)]
pub(crate) enum Heard {
    /// Whoever took it answered.
    Answered(Result<Bytes, BusError>),
    /// The broker knows no queue for it.
    Unroutable,
    /// The broker did not take it: the queue is full.
    Refused,
}

#[derive(Debug)]
pub(crate) struct Waiters(Mutex<Table>);

#[derive(Debug)]
struct Table {
    next: u64,
    waiting: HashMap<u64, oneshot::Sender<Heard>>,
}

impl Waiters {
    /// Numbers begin anywhere, so that an answer to somebody else's question is nobody's here.
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(Table { next: rand::random(), waiting: HashMap::new() })))
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn len(&self) -> usize {
        self.table().waiting.len()
    }

    /// Tells a waiter; whoever has left hears nothing.
    pub(crate) fn tell(&self, number: u64, heard: Heard) {
        let waiter = self.table().waiting.remove(&number);
        if let Some(waiter) = waiter {
            let _ = waiter.send(heard);
        }
    }

    /// Tells all who wait that nothing will come.
    pub(crate) fn lose_all(&self) {
        self.table().waiting.clear();
    }
}

/// One who waits.
#[derive(Debug)]
pub(crate) struct Waiter {
    waiters: Arc<Waiters>,
    pub(crate) number: u64,
    told: oneshot::Receiver<Heard>,
}

impl Waiter {
    pub(crate) fn enter(waiters: &Arc<Waiters>) -> Self {
        let (teller, told) = oneshot::channel();
        let number = {
            let mut table = waiters.table();
            table.next = table.next.wrapping_add(1);
            let number = table.next;
            table.waiting.insert(number, teller);
            number
        };
        Self { waiters: Arc::clone(waiters), number, told }
    }

    /// What was heard; `None` where the connection was lost.
    pub(crate) async fn heard(mut self) -> Option<Heard> {
        (&mut self.told).await.ok()
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        self.waiters.table().waiting.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    /// C20: answered, lost or given up, nothing stays behind.
    #[test]
    fn an_entry_leaves_with_its_waiter_however_the_wait_ends() {
        let waiters = Waiters::new();
        let [answered, given_up, lost] = [(); 3].map(|()| Waiter::enter(&waiters));
        waiters.tell(answered.number, Heard::Unroutable);
        assert_eq!(waiters.len(), 2);
        assert_eq!(answered.heard().now_or_never(), Some(Some(Heard::Unroutable)));
        drop(given_up);
        assert_eq!(waiters.len(), 1);
        waiters.lose_all();
        assert_eq!(lost.heard().now_or_never(), Some(None));
        assert_eq!(waiters.len(), 0);
        waiters.tell(7, Heard::Refused);
    }
}
