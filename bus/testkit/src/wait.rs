//! Waiting for a state, in place of sleeping and hoping.

use std::time::Duration;
use tokio::time::Instant;

/// How often the state is looked at: the one place where tests wait by the clock.
const INTERVAL: Duration = Duration::from_millis(2);

/// Asks until `condition` holds.
///
/// # Panics
/// Where it does not hold by then, with `what` was waited for.
pub async fn eventually(what: &str, within: Duration, mut condition: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + within;
    while !condition().await {
        assert!(Instant::now() < deadline, "not within {within:?}: {what}");
        tokio::time::sleep(INTERVAL).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_state_that_comes_is_waited_for() {
        let mut asked = 0;
        eventually("the third time", Duration::from_secs(5), async || {
            asked += 1;
            asked == 3
        })
        .await;
        assert_eq!(asked, 3);
    }

    #[tokio::test]
    #[should_panic(expected = "the moon")]
    async fn a_state_that_does_not_come_is_named() {
        eventually("the moon", Duration::from_millis(10), async || false).await;
    }
}
