//! When to try again, and when to give up: pure, so that a simulator can play it.

use std::time::Duration;

/// Exponential back-off with full jitter ("Exponential Backoff and Jitter", AWS Architecture Blog, 2015).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RetryPolicy {
    /// How often a message is tried before it is a dead letter; at least 1.
    pub max_attempts: u32,
    /// The longest pause after the first failure.
    pub base: Duration,
    /// The longest pause at all.
    pub cap: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self { max_attempts: 8, base: Duration::from_millis(200), cap: Duration::from_secs(30) }
    }
}

/// What becomes of work that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Try again after this pause.
    Again(Duration),
    /// Give up: a dead letter, or a saga that needs attention.
    GiveUp,
}

impl RetryPolicy {
    /// What to do after the `attempts`-th failure. `random` is in 0..1.
    #[must_use]
    pub fn decide(&self, attempts: u32, random: f64) -> Decision {
        if attempts >= self.max_attempts {
            Decision::GiveUp
        } else {
            Decision::Again(self.pause(attempts, random))
        }
    }

    /// The pause after the `attempts`-th failure, for work that is never given up. `random` is in 0..1.
    #[must_use]
    pub fn pause(&self, attempts: u32, random: f64) -> Duration {
        let factor = 2_u32.saturating_pow(attempts.saturating_sub(1).min(20));
        let longest = self.base.saturating_mul(factor).min(self.cap);
        // Half of it fixed: a pause near zero would be no pause.
        longest.div_f64(2.0) + longest.div_f64(2.0).mul_f64(random.clamp(0.0, 1.0))
    }

    /// The pause before work is tried again whose failure is not its own: it grows with how long the work has
    /// waited, so that neither many waiters storm nor a short outage is slept through. `random` is in 0..1.
    #[must_use]
    pub(crate) fn outage(&self, age: Duration, random: f64) -> Duration {
        const LONGEST: Duration = Duration::from_secs(10);
        let shortest = self.base.min(LONGEST / 100);
        let longest = self.cap.min(LONGEST).max(shortest);
        (age.min(LONGEST * 4) / 4).mul_f64(1.0 + random.clamp(0.0, 1.0)).clamp(shortest, longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// CALL-11: pauses grow to the cap and stay inside their bounds.
        #[test]
        fn pauses_stay_inside_their_bounds(attempts in 1u32..40, random in 0.0f64..1.0) {
            let policy = RetryPolicy::default();
            let pause = policy.pause(attempts, random);
            prop_assert!(pause >= policy.base / 2 && pause <= policy.cap);
        }
    }

    #[test]
    fn a_longer_outage_is_looked_at_less_often() {
        let policy = RetryPolicy::default();
        let pauses = [0, 1, 4, 60, 86_400].map(|age| policy.outage(Duration::from_secs(age), 0.5));
        assert!(pauses.is_sorted() && pauses[0] >= Duration::from_millis(100), "{pauses:?}");
        assert!(pauses[4] <= Duration::from_secs(10), "{pauses:?}");
    }

    #[test]
    fn the_last_attempt_gives_up() {
        let policy = RetryPolicy { max_attempts: 2, ..RetryPolicy::default() };
        assert!(matches!(policy.decide(1, 0.5), Decision::Again(_)));
        assert_eq!(policy.decide(2, 0.5), Decision::GiveUp);
    }
}
