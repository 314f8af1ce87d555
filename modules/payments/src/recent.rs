//! The payments that this process saw last, so that a question about one of them need not be asked of the database.
//!
//! They may be out of date: whoever acts on one says so in the condition of its update.

use crate::attempt::Attempt;
use kernel::PaymentId;
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Mutex, PoisonError},
};

/// How many are kept.
const KEPT: usize = 1024;

#[derive(Default)]
pub(crate) struct Recent(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    attempts: BTreeMap<PaymentId, Attempt>,
    /// Oldest first.
    order: VecDeque<PaymentId>,
}

impl Recent {
    /// Keeps a payment as it was committed.
    pub(crate) fn keep(&self, attempt: &Attempt) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.attempts.insert(attempt.id, attempt.clone()).is_none() {
            kept.order.push_back(attempt.id);
        }
        if kept.order.len() > KEPT
            && let Some(oldest) = kept.order.pop_front()
        {
            kept.attempts.remove(&oldest);
        }
    }

    /// What was seen of a payment no longer counts: it is about to be changed by somebody who does not say how.
    pub(crate) fn forget(&self, id: PaymentId) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.attempts.remove(&id).is_some() {
            kept.order.retain(|own| *own != id);
        }
    }

    /// A payment as it was when it was last seen here.
    pub(crate) fn seen(&self, id: PaymentId) -> Option<Attempt> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).attempts.get(&id).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bus::Timestamp;

    #[test]
    fn the_oldest_goes_first_and_the_newest_word_counts() {
        let recent = Recent::default();
        let named = |n: usize| {
            let id = PaymentId(uuid::Uuid::from_u128(u128::try_from(n).expect("small")));
            crate::authorize::tombstone(id, Timestamp::from_micros(1)).expect("a row")
        };
        for n in 0..KEPT {
            recent.keep(&named(n));
        }
        recent.keep(&Attempt { version: 7, ..named(0) });
        assert_eq!(recent.seen(named(0).id).map(|seen| seen.version), Some(7));
        recent.keep(&named(KEPT));
        assert!(recent.seen(named(0).id).is_none(), "the first that came");
        assert!(recent.seen(named(1).id).is_some() && recent.seen(named(KEPT).id).is_some());
    }
}
