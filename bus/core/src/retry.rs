//! Whether a call is tried again, and when. Pure: error, time and a random number come from outside.
//!
//! One layer repeats: the one next to what failed. An answer that says that something further down cannot be reached
//! is an answer; what comes as a second attempt is not repeated further down; and what is repeated at all is a share
//! of the calls (the budget of Finagle, and of "Addressing cascading failures" in Google's SRE book). So a dead leaf
//! under three layers that try three times each costs a tenth more calls, not 27 times as many.

use crate::BusError;
use std::time::Duration;
use tokio::time::Instant;

/// How calls are tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryRule {
    /// How often a call is tried, the first time included.
    pub attempts: u32,
    /// The longest pause before the second attempt; each further one may be twice as long.
    pub base: Duration,
    /// The longest pause at all.
    pub cap: Duration,
    /// How many of a hundred calls may be tried again.
    pub budget_percent: u32,
    /// How many more may be where there are few calls: so many to begin with.
    pub reserve: u32,
    /// How long it takes until one of these comes back by itself.
    pub refill: Duration,
    /// How many further attempts calls can earn at most: what is under way on a connection that breaks should fit in,
    /// and a good day should not pay for a storm.
    pub burst: u32,
}

impl Default for RetryRule {
    fn default() -> Self {
        Self {
            attempts: 3,
            base: Duration::from_millis(50),
            cap: Duration::from_secs(1),
            budget_percent: 10,
            reserve: 10,
            refill: Duration::from_secs(60),
            burst: 100,
        }
    }
}

/// What a caller heard of one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Heard {
    /// An answer: a success, a domain error, or an error that another attempt would not change.
    Answer,
    /// The target could not be reached.
    Unreachable,
    /// The target has too much to do, for so long by its own account.
    Overloaded(Duration),
    /// Nothing in time.
    Late,
    /// An earlier request under the same idempotency key still runs.
    InUse,
}

impl Heard {
    /// What an error says about the target. One from inside an answer does only where it is the target's own: a
    /// module that cannot reach another one has answered.
    pub(crate) fn of(error: &BusError, from_inside: bool, port: &str, name: &str) -> Self {
        match error {
            BusError::Unavailable { port: of } | BusError::Unheard { port: of }
                if !from_inside || of == port =>
            {
                Self::Unreachable
            }
            BusError::Overloaded { port: of, retry_after_ms } if !from_inside || of == port => {
                Self::Overloaded(Duration::from_millis(*retry_after_ms))
            }
            BusError::DeadlineExceeded { name: of } if !from_inside || of == name => Self::Late,
            BusError::KeyInUse => Self::InUse,
            _ => Self::Answer,
        }
    }
}

/// An attempt that has ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ended {
    pub(crate) heard: Heard,
    /// Which one it was, from 1.
    pub(crate) number: u32,
    /// Whether its own time-out could end it, and not only the call's deadline.
    pub(crate) could_time_out: bool,
    /// How much of the call's time is left.
    pub(crate) left: Duration,
}

/// What to do after an attempt, budget permitting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    /// That was it.
    Done,
    /// Try again after this pause.
    Again(Duration),
}

impl RetryRule {
    /// What to do after an attempt. `random` is in 0..1.
    pub(crate) fn decide(&self, ended: Ended, random: f64) -> Decision {
        let at_least = match ended.heard {
            Heard::Unreachable => Duration::ZERO,
            Heard::Overloaded(pause) => pause,
            // When the deadline has passed there is nobody to try again for.
            Heard::Late if ended.could_time_out => Duration::ZERO,
            // The earlier attempt got through, only its answer did not: ours is coming.
            Heard::InUse if ended.number > 1 => Duration::ZERO,
            Heard::Answer | Heard::Late | Heard::InUse => return Decision::Done,
        };
        let pause = at_least + self.pause(ended.number, random);
        if ended.number >= self.attempts || pause >= ended.left {
            return Decision::Done;
        }
        Decision::Again(pause)
    }

    /// The pause after the `number`-th attempt: exponential, with full jitter ("Exponential Backoff and Jitter", AWS
    /// Architecture Blog, 2015).
    fn pause(&self, number: u32, random: f64) -> Duration {
        let factor = 2_u32.saturating_pow(number.saturating_sub(1).min(20));
        self.base.saturating_mul(factor).min(self.cap).mul_f64(random.clamp(0.0, 1.0))
    }
}

/// A thousand make one attempt.
const ATTEMPT: u64 = 1000;

/// What may be spent on further attempts: a bucket that first attempts and time fill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Budget {
    thousandths: u64,
    at: Instant,
}

impl Budget {
    pub(crate) fn full(rule: &RetryRule, now: Instant) -> Self {
        Self { thousandths: u64::from(rule.reserve) * ATTEMPT, at: now }
    }

    /// After a first attempt.
    pub(crate) fn earn(self, rule: &RetryRule, now: Instant) -> Self {
        let earned = u64::from(rule.budget_percent) * ATTEMPT / 100;
        let refilled = self.refill(rule, now);
        let thousandths = (refilled.thousandths + earned).min(u64::from(rule.burst) * ATTEMPT);
        Self { thousandths, ..refilled }
    }

    /// After a further attempt; `None` where there is not enough for one.
    pub(crate) fn spend(self, rule: &RetryRule, now: Instant) -> Option<Self> {
        let refilled = self.refill(rule, now);
        Some(Self { thousandths: refilled.thousandths.checked_sub(ATTEMPT)?, ..refilled })
    }

    /// How many further attempts there could be now.
    pub(crate) fn left(self, rule: &RetryRule, now: Instant) -> u64 {
        self.refill(rule, now).thousandths / ATTEMPT
    }

    fn refill(self, rule: &RetryRule, now: Instant) -> Self {
        let reserve = u64::from(rule.reserve) * ATTEMPT;
        let passed = now.saturating_duration_since(self.at).as_micros() * u128::from(ATTEMPT);
        let refilled = u64::try_from(passed / rule.refill.as_micros().max(1)).unwrap_or(u64::MAX);
        if refilled == 0 {
            return self;
        }
        // Time fills the reserve only; what calls have earned above it stays.
        let thousandths = self.thousandths.max(self.thousandths.saturating_add(refilled).min(reserve));
        Self { thousandths, at: now }
    }
}

#[cfg(test)]
mod tests;
