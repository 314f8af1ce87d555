//! How long to wait before the broker is asked again.

use std::time::Duration;
use tokio::time::Instant;

const FIRST: Duration = Duration::from_millis(100);

/// Short, so that everything is consumed again within seconds of a broker's return.
const LONGEST: Duration = Duration::from_secs(2);

/// What held for so long was no failure.
const HELD: Duration = Duration::from_secs(10);

/// The pause after the `failures`-th failure in a row, from 0; `random` is in 0..1. Half of it is fixed, since a pause
/// near zero would be none; half is jitter, so that the processes of a system do not come back all at once.
fn pause(failures: u32, random: f64) -> Duration {
    let longest = FIRST.saturating_mul(2_u32.saturating_pow(failures.min(16))).min(LONGEST);
    longest / 2 + (longest / 2).mul_f64(random.clamp(0.0, 1.0))
}

/// Counts failures in a row.
#[derive(Debug)]
pub(crate) struct Backoff {
    failures: u32,
    tried: Instant,
}

impl Backoff {
    pub(crate) fn new() -> Self {
        Self { failures: 0, tried: Instant::now() }
    }

    /// Pauses after a failure.
    pub(crate) async fn pause(&mut self) {
        if self.tried.elapsed() > HELD {
            self.failures = 0;
        }
        tokio::time::sleep(pause(self.failures, rand::random())).await;
        self.failures = self.failures.saturating_add(1);
        self.tried = Instant::now();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// CALL-11: pauses grow to the cap and stay inside their bounds.
    #[test]
    fn pauses_grow_to_the_cap_and_are_never_none() {
        for failures in 0..40 {
            let (shortest, longest) = (pause(failures, 0.0), pause(failures, 1.0));
            assert!(shortest >= FIRST / 2 && longest <= LONGEST && shortest < longest);
            assert!(longest <= pause(failures + 1, 1.0));
        }
        assert_eq!(pause(u32::MAX, 1.0), LONGEST);
    }
}
