//! The calls that run here, by their numbers.

use futures::future::{AbortHandle, AbortRegistration};
use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// How many numbers of calls that are not here are remembered. Most are another process's; some are still on their way.
const REMEMBERED: usize = 4096;

#[derive(Debug, Default)]
pub(crate) struct Running(Mutex<Calls>);

#[derive(Debug, Default)]
struct Calls {
    running: HashMap<u64, AbortHandle>,
    /// Called off before they came; the oldest first.
    called_off: HashSet<u64>,
    order: VecDeque<u64>,
}

/// A call's entry; leaves with it.
#[derive(Debug)]
pub(crate) struct Entry {
    running: Arc<Running>,
    number: u64,
}

impl Running {
    fn calls(&self) -> MutexGuard<'_, Calls> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `None` for a call that was called off before it came.
    pub(crate) fn enter(running: &Arc<Self>, number: u64) -> Option<(Entry, AbortRegistration)> {
        let (handle, registration) = AbortHandle::new_pair();
        let mut calls = running.calls();
        if calls.called_off.contains(&number) {
            return None;
        }
        calls.running.insert(number, handle);
        Some((Entry { running: Arc::clone(running), number }, registration))
    }

    /// Nobody waits for this call any longer. What of it has begun runs to its end.
    pub(crate) fn call_off(&self, number: u64) {
        let mut calls = self.calls();
        if let Some(call) = calls.running.get(&number) {
            call.abort();
        } else if calls.called_off.insert(number) {
            calls.order.push_back(number);
            if calls.order.len() > REMEMBERED
                && let Some(oldest) = calls.order.pop_front()
            {
                calls.called_off.remove(&oldest);
            }
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.running.calls().running.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::{
        FutureExt,
        future::{Abortable, Aborted, pending},
    };

    /// C20: an entry is there as long as its call.
    #[test]
    fn a_call_is_called_off_by_its_number_and_leaves_nothing() {
        let running = Arc::<Running>::default();
        let (first, called_off) = Running::enter(&running, 1).expect("it is wanted");
        let (second, goes_on) = Running::enter(&running, 2).expect("it is wanted");
        running.call_off(1);
        assert_eq!(Abortable::new(pending::<()>(), called_off).now_or_never(), Some(Err(Aborted)));
        assert_eq!(Abortable::new(pending::<()>(), goes_on).now_or_never(), None);
        drop((first, second));
        assert!(running.calls().running.is_empty());
    }

    #[test]
    fn a_call_that_comes_after_its_notice_is_not_begun_and_notices_are_not_kept_for_ever() {
        let running = Arc::<Running>::default();
        let last = REMEMBERED as u64 + 1;
        (0..=last).chain(0..2).for_each(|number| running.call_off(number));
        assert!(Running::enter(&running, last).is_none() && Running::enter(&running, 1).is_none());
        assert!(Running::enter(&running, 2).is_some(), "the oldest ones are forgotten");
        let calls = running.calls();
        assert_eq!((calls.called_off.len(), calls.order.len()), (REMEMBERED, REMEMBERED));
    }
}
