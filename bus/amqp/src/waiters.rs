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
    /// It did not leave: the channel was gone.
    Unsent,
    /// The broker knows no queue for it.
    Unroutable,
    /// The broker did not take it: the queue is full.
    Refused,
}

#[derive(Debug, Default)]
pub(crate) struct Waiters(Mutex<HashMap<u64, oneshot::Sender<Heard>>>);

impl Waiters {
    fn waiting(&self) -> MutexGuard<'_, HashMap<u64, oneshot::Sender<Heard>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn len(&self) -> usize {
        self.waiting().len()
    }

    /// Tells a waiter; whoever has left hears nothing.
    pub(crate) fn tell(&self, number: u64, heard: Heard) {
        let waiter = self.waiting().remove(&number);
        if let Some(waiter) = waiter {
            let _ = waiter.send(heard);
        }
    }

    /// Tells all who wait that nothing will come.
    pub(crate) fn lose_all(&self) {
        self.waiting().clear();
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
        // Not to be guessed: whoever knows a number could answer in another's name, or call another's call off.
        let number = rand::random();
        waiters.waiting().insert(number, teller);
        Self { waiters: Arc::clone(waiters), number, told }
    }

    /// What was heard; `None` where the connection was lost.
    pub(crate) async fn heard(&mut self) -> Option<Heard> {
        (&mut self.told).await.ok()
    }

    /// Leaves; whether anybody might still have told it something.
    pub(crate) fn leave(&self) -> bool {
        self.waiters.waiting().remove(&self.number).is_some()
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        self.leave();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    /// C20: answered, lost or given up, nothing stays behind.
    #[test]
    fn an_entry_leaves_with_its_waiter_however_the_wait_ends() {
        let waiters = Arc::<Waiters>::default();
        let [mut answered, given_up, mut lost] = [(); 3].map(|()| Waiter::enter(&waiters));
        waiters.tell(answered.number, Heard::Unroutable);
        assert_eq!(waiters.len(), 2);
        assert!(given_up.leave() && !given_up.leave() && !answered.leave());
        assert_eq!(answered.heard().now_or_never(), Some(Some(Heard::Unroutable)));
        drop(given_up);
        assert_eq!(waiters.len(), 1);
        waiters.lose_all();
        assert_eq!(lost.heard().now_or_never(), Some(None));
        assert_eq!(waiters.len(), 0);
        waiters.tell(7, Heard::Refused);
    }
}
