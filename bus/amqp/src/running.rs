//! The calls that run here, by their numbers.

use futures::future::{AbortHandle, AbortRegistration};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

#[derive(Debug, Default)]
pub(crate) struct Running(Mutex<HashMap<u64, AbortHandle>>);

/// A call's entry; leaves with it.
#[derive(Debug)]
pub(crate) struct Entry {
    running: Arc<Running>,
    number: u64,
}

impl Running {
    fn calls(&self) -> MutexGuard<'_, HashMap<u64, AbortHandle>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn enter(running: &Arc<Self>, number: u64) -> (Entry, AbortRegistration) {
        let (handle, registration) = AbortHandle::new_pair();
        running.calls().insert(number, handle);
        (Entry { running: Arc::clone(running), number }, registration)
    }

    /// Nobody waits for this call any longer. What of it has begun runs to its end.
    pub(crate) fn call_off(&self, number: u64) {
        if let Some(call) = self.calls().get(&number) {
            call.abort();
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.running.calls().remove(&self.number);
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
        let (first, called_off) = Running::enter(&running, 1);
        let (second, goes_on) = Running::enter(&running, 2);
        running.call_off(1);
        running.call_off(3);
        assert_eq!(Abortable::new(pending::<()>(), called_off).now_or_never(), Some(Err(Aborted)));
        assert_eq!(Abortable::new(pending::<()>(), goes_on).now_or_never(), None);
        drop((first, second));
        assert!(running.calls().is_empty());
    }
}
