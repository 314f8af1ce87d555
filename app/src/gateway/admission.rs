//! How many requests are served at once: past that the answer is "come back", at once.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

#[derive(Debug, Clone)]
pub(crate) struct Admission {
    in_flight: Arc<AtomicUsize>,
    most: usize,
}

/// A request that is being served, for as long as this lives.
pub(crate) struct Admitted(Arc<AtomicUsize>);

impl Admission {
    pub(crate) fn new(most: usize) -> Self {
        Self { in_flight: Arc::default(), most }
    }

    /// `None` where as many as may be are being served.
    pub(crate) fn enter(&self) -> Option<Admitted> {
        let before = self.in_flight.fetch_add(1, Ordering::AcqRel);
        let admitted = Admitted(Arc::clone(&self.in_flight));
        metrics::gauge!("http_requests_in_flight").increment(1);
        (before < self.most).then_some(admitted)
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
        metrics::gauge!("http_requests_in_flight").decrement(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_given_back() {
        let admission = Admission::new(1);
        let first = admission.enter();
        assert!(first.is_some());
        assert!(admission.enter().is_none());
        drop(first);
        assert!(admission.enter().is_some());
    }
}
