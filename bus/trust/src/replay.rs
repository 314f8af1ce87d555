//! The ids of seals that were taken, each until it would be refused as expired anyway.
//!
//! By the second in which they expire: whoever comes again comes with the same second, and a second is forgotten as a
//! whole. It is forgotten when both clocks say so: the wall's, which may jump ahead and back, and the one that
//! never does.

use crate::{refusal::Refusal, seal::LONGEST_LIFE};
use bus::Timestamp;
use std::{
    collections::{BTreeMap, HashSet},
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

pub(crate) struct Replays {
    seen: Mutex<Seen>,
    capacity: usize,
}

struct Seen {
    seconds: BTreeMap<i64, Second>,
    ids: usize,
    /// The last second that is forgotten: what expires in it or before may have been here.
    forgotten: i64,
}

struct Second {
    ids: HashSet<u128>,
    /// Not forgotten before.
    until: Instant,
}

impl Replays {
    /// Remembers so many at most.
    pub(crate) fn new(capacity: usize) -> Self {
        let seen = Seen { seconds: BTreeMap::new(), ids: 0, forgotten: i64::MIN };
        Self { seen: Mutex::new(seen), capacity }
    }

    /// Takes an id that was not here before.
    pub(crate) fn take(
        &self,
        id: u128,
        expires: Timestamp,
        now: Timestamp,
        tolerance: Duration,
    ) -> Result<(), Refusal> {
        let at = Instant::now();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.forget(now.before(tolerance).seconds(), at);
        let second = expires.seconds();
        if second <= seen.forgotten {
            return Err(Refusal::Forgotten);
        }
        if seen.ids >= self.capacity {
            return Err(Refusal::Full);
        }
        let until = at + now.until(expires.after(tolerance));
        let bucket = seen.seconds.entry(second).or_insert_with(|| Second { ids: HashSet::new(), until });
        if !bucket.ids.insert(id) {
            return Err(Refusal::Replayed);
        }
        bucket.until = bucket.until.max(until);
        seen.ids += 1;
        Ok(())
    }
}

impl Seen {
    /// Forgets what has expired by `passed`, the second that is over even for the slowest clock.
    fn forget(&mut self, passed: i64, at: Instant) {
        while let Some(entry) = self.seconds.first_entry() {
            if *entry.key() >= passed || entry.get().until > at {
                break;
            }
            self.forgotten = self.forgotten.max(*entry.key());
            self.ids -= entry.remove().ids.len();
        }
        let longest = i64::try_from(LONGEST_LIFE.as_secs()).unwrap_or(i64::MAX);
        if self.forgotten.saturating_sub(passed) > longest {
            // To refuse everything for as long as the clock went back would be worse than what a replay can do:
            // commands have ids of their own.
            tracing::warn!(seconds = self.forgotten - passed, "the clock went back: old seals are as new");
            self.forgotten = i64::MIN;
        }
    }
}
