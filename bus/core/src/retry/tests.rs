//! The decision by tables, the budget by what holds for any history.

use super::*;
use proptest::prelude::*;

const RULE: RetryRule = RetryRule {
    attempts: 3,
    base: Duration::from_millis(100),
    cap: Duration::from_millis(150),
    budget_percent: 10,
    reserve: 10,
    refill: Duration::from_secs(10),
    burst: 100,
};

fn ended(heard: Heard, number: u32, left: u64) -> Ended {
    Ended { heard, number, could_time_out: true, left: Duration::from_millis(left) }
}

/// CALL-6, C12: what is tried again, how often, and never past the deadline. With the longest pauses.
#[test]
fn what_could_succeed_is_tried_again() {
    let again = |millis| Decision::Again(Duration::from_millis(millis));
    let soon = Heard::Overloaded(Duration::from_millis(300));
    let table = [
        (ended(Heard::Answer, 1, 9000), Decision::Done),
        (ended(Heard::Unreachable, 1, 9000), again(100)),
        (ended(Heard::Unreachable, 2, 9000), again(150)),
        (ended(Heard::Unreachable, 3, 9000), Decision::Done),
        (ended(Heard::Unreachable, 1, 100), Decision::Done),
        (ended(Heard::Unreachable, 1, 101), again(100)),
        (ended(soon, 1, 9000), again(400)),
        (ended(soon, 1, 400), Decision::Done),
        (ended(Heard::Late, 1, 9000), again(100)),
        // M1: the deadline is the call's, not the attempt's.
        (Ended { could_time_out: false, ..ended(Heard::Late, 1, 9000) }, Decision::Done),
        // Somebody else's request runs under that key, or an earlier attempt of ours.
        (ended(Heard::InUse, 1, 9000), Decision::Done),
        (ended(Heard::InUse, 2, 9000), again(150)),
    ];
    for (ended, expected) in table {
        assert_eq!(RULE.decide(ended, 1.0), expected, "{ended:?}");
    }
}

/// C21: an error from further down, which comes inside of an answer, is the answer of a target that works.
#[test]
fn only_the_targets_own_errors_are_heard_from_inside() {
    let unavailable = |port: &str| BusError::Unavailable { port: port.into() };
    let overloaded = |port: &str| BusError::Overloaded { port: port.into(), retry_after_ms: 7 };
    let late = |name: &str| BusError::DeadlineExceeded { name: name.into() };
    let shortly = Heard::Overloaded(Duration::from_millis(7));
    let table = [
        (unavailable("shop"), Heard::Unreachable, Heard::Unreachable),
        (unavailable("leaf"), Heard::Answer, Heard::Unreachable),
        (overloaded("shop"), shortly, shortly),
        (overloaded("leaf"), Heard::Answer, shortly),
        (late("shop.buy"), Heard::Late, Heard::Late),
        (late("leaf.ask"), Heard::Answer, Heard::Late),
        (BusError::KeyInUse, Heard::InUse, Heard::InUse),
        (BusError::KeyReused, Heard::Answer, Heard::Answer),
        (BusError::UnknownName { name: "shop.buy".into() }, Heard::Answer, Heard::Answer),
        (BusError::failed(&"anything"), Heard::Answer, Heard::Answer),
    ];
    for (error, inside, outside) in table {
        assert_eq!(Heard::of(&error, true, "shop", "shop.buy"), inside, "{error:?} inside");
        assert_eq!(Heard::of(&error, false, "shop", "shop.buy"), outside, "{error:?} outside");
    }
}

#[test]
fn a_budget_is_spent_earned_and_refilled() {
    let start = Instant::now();
    let at = |second| start + Duration::from_secs(second);
    let mut budget = Budget::full(&RULE, start);
    for _ in 0..10 {
        budget = budget.spend(&RULE, start).expect("the reserve");
    }
    assert_eq!(budget.spend(&RULE, at(9)), None);
    assert_eq!(budget.left(&RULE, at(10)), 1, "time brings back one in ten seconds");
    assert_eq!(budget.left(&RULE, at(86_400)), 10, "and never more than the reserve");
    for _ in 0..10 {
        assert_eq!(budget.spend(&RULE, start), None);
        budget = budget.earn(&RULE, start);
    }
    assert_eq!(budget.left(&RULE, start), 1, "ten calls earn one attempt");
    for _ in 0..100_000 {
        budget = budget.earn(&RULE, start);
    }
    assert_eq!(budget.left(&RULE, at(86_400)), 100, "a good day does not pay for a storm");
}

proptest! {
    /// CALL-11: pauses stay inside their bounds, whatever the attempt.
    #[test]
    fn pauses_stay_inside_their_bounds(number in 1u32..200, random in 0.0f64..1.0) {
        prop_assert!(RULE.pause(number, random) <= RULE.cap);
        prop_assert_eq!(RULE.pause(number, 0.0), Duration::ZERO);
    }

    /// C11: whatever happens when, further attempts are never more than a tenth of the calls, the reserve, and what
    /// time has brought back.
    #[test]
    fn further_attempts_are_a_share_of_the_calls(
        history in proptest::collection::vec((any::<bool>(), 0u64..3000), 1..500),
    ) {
        let mut now = Instant::now();
        let (start, mut budget) = (now, Budget::full(&RULE, now));
        let (mut calls, mut further) = (0_u64, 0_u64);
        for (is_call, pause) in history {
            now += Duration::from_millis(pause);
            if is_call {
                budget = budget.earn(&RULE, now);
                calls += 1;
            } else if let Some(rest) = budget.spend(&RULE, now) {
                budget = rest;
                further += 1;
            }
            let refilled = now.duration_since(start).as_secs() / 10 + 1;
            prop_assert!(further <= calls / 10 + 10 + refilled, "{} further of {}", further, calls);
        }
    }
}
