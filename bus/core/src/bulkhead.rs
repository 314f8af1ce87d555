//! The bound on how many calls of one port run and wait.
//!
//! A mailbox is no such bound: an actix mailbox's capacity is per sender, and an actor that answers with a
//! future forgets the message at once (measured on actix 0.13.5).

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Admits a number of calls at once, lets a number more wait, and refuses the rest.
#[derive(Debug)]
pub struct Bulkhead {
    permits: Arc<Semaphore>,
    capacity: AtomicUsize,
    /// Permits that are still held although the capacity has shrunk below them.
    surplus: AtomicUsize,
    in_flight: AtomicUsize,
    waiting: AtomicUsize,
    queue: usize,
}

/// The right to run; given back when dropped, whatever became of the call.
#[derive(Debug)]
pub struct Permit {
    bulkhead: Arc<Bulkhead>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Bulkhead {
    /// Admits `capacity` calls and lets `queue` more wait. A capacity of zero refuses every call.
    #[must_use]
    pub fn new(capacity: usize, queue: usize) -> Arc<Self> {
        Arc::new(Self {
            permits: Arc::new(Semaphore::new(capacity)),
            capacity: AtomicUsize::new(capacity),
            surplus: AtomicUsize::new(0),
            in_flight: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            queue,
        })
    }

    /// Takes a permit if one is free.
    #[must_use]
    pub fn try_enter(self: &Arc<Self>) -> Option<Permit> {
        if self.capacity.load(Ordering::Acquire) == 0 {
            return None;
        }
        Arc::clone(&self.permits).try_acquire_owned().ok().map(|permit| self.admit(permit))
    }

    /// Waits for a permit; `None` at once where the queue is full. Dropping the future gives its place back.
    pub async fn enter(self: &Arc<Self>) -> Option<Permit> {
        if let Some(permit) = self.try_enter() {
            return Some(permit);
        }
        if self.capacity.load(Ordering::Acquire) == 0 {
            return None;
        }
        let _place = Place::take(self)?;
        let permit = Arc::clone(&self.permits).acquire_owned().await.ok()?;
        Some(self.admit(permit))
    }

    fn admit(self: &Arc<Self>, permit: OwnedSemaphorePermit) -> Permit {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        Permit { bulkhead: Arc::clone(self), permit: Some(permit) }
    }

    /// Changes the capacity, also while permits are held and waited for.
    pub fn resize(&self, capacity: usize) {
        let before = self.capacity.swap(capacity, Ordering::AcqRel);
        if capacity > before {
            let mut grow = capacity - before;
            while grow > 0 && self.pay_surplus() {
                grow -= 1;
            }
            self.permits.add_permits(grow);
        } else {
            let shrink = before - capacity;
            let forgotten = self.permits.forget_permits(shrink);
            self.surplus.fetch_add(shrink - forgotten, Ordering::AcqRel);
        }
    }

    /// How many calls run now.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// How many calls wait now.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// How many calls may run at once.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.capacity.load(Ordering::Relaxed)
    }

    fn pay_surplus(&self) -> bool {
        self.surplus
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |surplus| surplus.checked_sub(1))
            .is_ok()
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.bulkhead.in_flight.fetch_sub(1, Ordering::Relaxed);
        if let Some(permit) = self.permit.take()
            && self.bulkhead.pay_surplus()
        {
            permit.forget();
        }
    }
}

/// A place in the queue, given back when dropped.
struct Place<'a>(&'a Bulkhead);

impl<'a> Place<'a> {
    fn take(bulkhead: &'a Bulkhead) -> Option<Self> {
        bulkhead
            .waiting
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |waiting| {
                (waiting < bulkhead.queue).then_some(waiting + 1)
            })
            .ok()
            .map(|_| Self(bulkhead))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    /// CALL-7: three run, five wait, the rest is refused; nothing leaks.
    #[tokio::test]
    async fn three_run_five_wait_and_two_are_refused() {
        let bulkhead = Bulkhead::new(3, 5);
        let held: Vec<_> = (0..3).map(|_| bulkhead.enter().now_or_never().flatten()).collect();
        assert!(held.iter().all(Option::is_some));
        let mut waiting: Vec<_> = (0..5).map(|_| Box::pin(bulkhead.enter())).collect();
        for waiter in &mut waiting {
            assert!(waiter.now_or_never().is_none());
        }
        for _ in 0..2 {
            assert!(matches!(bulkhead.enter().now_or_never(), Some(None)));
        }
        assert_eq!((bulkhead.in_flight(), bulkhead.waiting()), (3, 5));
        drop(held);
        for waiter in waiting {
            drop(waiter.await.expect("admitted"));
        }
        assert_eq!((bulkhead.in_flight(), bulkhead.waiting()), (0, 0));
    }

    /// CALL-8, CALL-9: whoever stops waiting gives the place back and takes no permit.
    #[tokio::test]
    async fn a_cancelled_waiter_leaves_nothing_behind() {
        let bulkhead = Bulkhead::new(1, 1);
        let held = bulkhead.enter().await.expect("admitted");
        assert!(Box::pin(bulkhead.enter()).as_mut().now_or_never().is_none());
        assert_eq!(bulkhead.waiting(), 0);
        drop(held);
        assert!(bulkhead.enter().now_or_never().flatten().is_some());
    }

    /// CALL-8: zero permits refuse; the capacity can change while permits are held and waited for.
    #[tokio::test]
    async fn the_capacity_changes_while_permits_are_held() {
        let bulkhead = Bulkhead::new(0, 5);
        assert!(bulkhead.enter().await.is_none());
        bulkhead.resize(2);
        let held = (bulkhead.enter().await, bulkhead.enter().await);
        let mut waiter = Box::pin(bulkhead.enter());
        assert!((&mut waiter).now_or_never().is_none());
        bulkhead.resize(1);
        drop(held.0);
        assert!((&mut waiter).now_or_never().is_none(), "the permit over capacity is gone");
        drop(held.1);
        let admitted = (&mut waiter).now_or_never().flatten();
        assert!(admitted.is_some());
        bulkhead.resize(3);
        assert!(bulkhead.enter().now_or_never().flatten().is_some());
        drop(admitted);
        assert_eq!(bulkhead.in_flight(), 0);
    }
}
