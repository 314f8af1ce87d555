//! How long a call was on its way for nothing: while it waited in a queue, its deadline came closer, and nobody told it.
//!
//! A sender says when it sent by a clock of its own that only runs, and we look at ours when it comes. The difference
//! means nothing by itself; but the smallest one of late is a call that did not wait, and what another one has above
//! that is its wait. No two clocks have to agree, and none that is set matters.

use lapin::types::ShortString;
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// How long the smallest difference is remembered at least: clocks drift, and ways change.
const WINDOW: i64 = 10_000_000;

/// How many senders are remembered; more begin anew, and are believed to have sent their first call just now.
const REMEMBERED: usize = 4096;

/// Microseconds since this began.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn micros(self) -> i64 {
        i64::try_from(self.0.elapsed().as_micros()).unwrap_or(i64::MAX)
    }
}

/// The smallest differences of one sender, in this window and in the one before.
#[derive(Debug, Clone, Copy)]
struct Smallest {
    since: i64,
    now: i64,
    before: i64,
}

impl Smallest {
    /// How much longer than the quickest of late this one took.
    fn wait(&mut self, sent: i64, arrived: i64) -> i64 {
        if arrived.saturating_sub(self.since) > WINDOW {
            (self.since, self.before, self.now) = (arrived, self.now, i64::MAX);
        }
        let difference = arrived.saturating_sub(sent);
        self.now = self.now.min(difference);
        difference.saturating_sub(self.now.min(self.before))
    }
}

/// The senders of late.
#[derive(Debug)]
pub(crate) struct Delays {
    clock: Stopwatch,
    senders: Mutex<HashMap<ShortString, Smallest>>,
}

impl Delays {
    pub(crate) fn new() -> Self {
        Self { clock: Stopwatch::start(), senders: Mutex::default() }
    }

    /// How long a call waited that its sender sent then.
    pub(crate) fn wait(&self, sender: &ShortString, sent: i64) -> Duration {
        let arrived = self.clock.micros();
        let mut senders = self.senders.lock().unwrap_or_else(PoisonError::into_inner);
        if senders.len() >= REMEMBERED && !senders.contains_key(sender) {
            senders.clear();
        }
        let first = || Smallest { since: arrived, now: i64::MAX, before: i64::MAX };
        let wait = senders.entry(sender.clone()).or_insert_with(first).wait(sent, arrived);
        Duration::from_micros(u64::try_from(wait).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_what_the_quickest_did_not_have() {
        let mut sender = Smallest { since: 0, now: i64::MAX, before: i64::MAX };
        // The sender's clock began 5,000 before ours; the way takes 10.
        let mut waited = |arrived: i64, wait: i64| sender.wait(arrived + 5_000 - 10 - wait, arrived);
        assert_eq!(waited(100, 7), 0, "there is nothing yet to compare it with");
        assert_eq!(waited(200, 0), 0);
        assert_eq!(waited(300, 90), 90);
        // Much later the way has become longer for good: believed after two windows at the latest.
        assert_eq!(waited(300 + WINDOW + 1, 50), 50);
        assert_eq!(waited(300 + 2 * WINDOW + 2, 50), 0);
    }

    /// Whatever a message says of itself, nothing overflows.
    #[test]
    fn nonsense_is_no_wait_that_panics() {
        let delays = Delays::new();
        for sent in [i64::MIN, i64::MAX, 0, -1] {
            let _ = delays.wait(&"somebody".into(), sent);
        }
        assert_eq!(delays.wait(&"somebody else".into(), 0), Duration::ZERO);
    }
}
