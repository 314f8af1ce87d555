//! What is remembered, and for how long.

use super::*;

fn rule() -> BreakerRule {
    BreakerRule { consecutive: u32::MAX, ..BreakerRule::default() }
}

/// Notes `count` outcomes, `apart` milliseconds apart; the time after it.
fn note(window: &mut Window, outcome: Outcome, count: u32, apart: u64, mut now: Instant) -> Instant {
    for _ in 0..count {
        now += Duration::from_millis(apart);
        window.note(outcome, &rule(), now);
    }
    now
}

/// CB-11: the window by time forgets what is older, a slice at a time, and holds any number of attempts.
#[test]
fn old_slices_are_dropped() {
    let (mut window, start) = (Window::default(), Instant::now());
    let now = note(&mut window, Outcome::Failure, 5000, 1, start);
    let now = note(&mut window, Outcome::Success, 5000, 1, now);
    assert_eq!(window.recent(&rule(), now), (10_000, 5000));
    assert!(window.slices.len() <= 11);
    let later = now + Duration::from_millis(5500);
    let (calls, failures) = window.recent(&rule(), later);
    assert!(calls < 5500 && failures < 1000, "{failures} of {calls}");
    assert_eq!(window.recent(&rule(), now + rule().window_time), (0, 0));
}

/// CB-2: many calls a second push a bad spell out of the window by count, not out of the one by time.
#[test]
fn each_window_sees_what_the_other_does_not() {
    let (mut window, start) = (Window::default(), Instant::now());
    let now = note(&mut window, Outcome::Success, 100, 1, start);
    let now = note(&mut window, Outcome::Failure, 2000, 1, now);
    let now = note(&mut window, Outcome::Success, 20, 1, now);
    assert!(!window.by_count(now).trips(&rule()));
    assert!(window.by_time(&rule(), now).trips(&rule()));

    let mut rare = Window::default();
    let now = note(&mut rare, Outcome::Failure, 10, 30_000, start);
    assert!(rare.by_count(now).trips(&rule()));
    assert!(!rare.by_time(&rule(), now).trips(&rule()));
}

/// Yesterday's failures and one of today are no trend.
#[test]
fn the_window_by_count_forgets_too() {
    let (mut window, start) = (Window::default(), Instant::now());
    let now = note(&mut window, Outcome::Failure, 15, 1, start) + Duration::from_secs(43_200);
    let now = note(&mut window, Outcome::Failure, 1, 1, now);
    assert!(!window.trips(&rule(), now));
}

#[test]
fn a_success_ends_a_run_of_failures() {
    let rule = BreakerRule { min_calls: 1000, window_calls: 1000, ..BreakerRule::default() };
    let (mut window, mut now) = (Window::default(), Instant::now());
    for _ in 0..100 {
        now = note(&mut window, Outcome::Failure, 4, 1000, now);
        assert!(!window.trips(&rule, now));
        now = note(&mut window, Outcome::Success, 1, 1000, now);
    }
    now = note(&mut window, Outcome::Failure, 5, 1000, now);
    assert!(window.trips(&rule, now));
}
