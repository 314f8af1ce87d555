//! The states by tables, and by what holds for any history.

use super::*;
use proptest::prelude::*;

const RULE: BreakerRule = BreakerRule {
    enabled: true,
    failure_rate: 50,
    slow_rate: 90,
    slow_after: Duration::from_secs(4),
    min_calls: 4,
    window_calls: 8,
    window_time: Duration::from_secs(10),
    consecutive: 3,
    spread: Duration::from_secs(1),
    open_for: Duration::from_secs(1),
    open_longest: Duration::from_secs(5),
    probes: 2,
    probe_longest: Duration::from_secs(10),
};

/// A breaker on a clock of its own, which shows milliseconds.
struct Bench {
    machine: Machine,
    start: Instant,
    clock: u64,
}

impl Bench {
    fn new() -> Self {
        Self { machine: Machine::new(Forced::Auto), start: Instant::now(), clock: 0 }
    }

    fn now(&self) -> Instant {
        self.start + Duration::from_millis(self.clock)
    }

    fn pass(&mut self, millis: u64) {
        self.clock += millis;
    }

    fn admit(&mut self) -> Option<Ticket> {
        self.machine.admit(&RULE, self.now(), 1.0)
    }

    fn done(&mut self, ticket: Option<Ticket>, outcome: Outcome) {
        let now = self.now();
        self.machine.done(ticket.expect("it was let through"), outcome, &RULE, now, 1.0);
    }

    /// Attempts one after the other, a second apart: `+` an answer, `-` none, `s` slow, `i` ignored.
    fn run(&mut self, outcomes: &str) {
        for outcome in outcomes.chars() {
            let ticket = self.admit();
            self.pass(1000);
            self.done(ticket, outcome_of(outcome));
        }
    }

    fn opened(mut self) -> Self {
        self.run("---");
        assert_eq!(self.machine.state(), BreakerState::Open);
        self
    }
}

fn outcome_of(letter: char) -> Outcome {
    match letter {
        '+' => Outcome::Success,
        '-' => Outcome::Failure,
        's' => Outcome::Slow,
        _ => Outcome::Ignored,
    }
}

/// CB-1, CB-8: when it opens. Each history is attempts a second apart.
#[test]
fn failures_and_slow_answers_open_it() {
    use BreakerState::{Closed, Open};
    let table = [
        ("", Closed),
        ("-", Closed),
        ("--", Closed),
        ("---", Open),
        ("--+", Closed),
        ("--+-", Open),
        ("+-+-", Open),
        ("+++-+-+", Closed),
        ("+++-+-+-", Closed),
        ("++++-+--", Closed),
        ("+++--+-+-", Open),
        ("--i-", Open),
        ("iiiiiiiiii", Closed),
        ("-i-i", Closed),
        ("sss", Closed),
        ("ssss", Open),
        ("+sss", Closed),
        ("++ssssssss", Open),
    ];
    for (history, expected) in table {
        let mut bench = Bench::new();
        bench.run(history);
        assert_eq!(bench.machine.state(), expected, "{history}");
    }
}

/// CB-1: it refuses, probes after its time, closes on success and opens again, for longer, on failure.
#[test]
fn an_open_breaker_probes_and_closes() {
    let mut bench = Bench::new().opened();
    assert_eq!(bench.admit(), None);
    bench.pass(999);
    assert_eq!(bench.admit(), None);
    for wait in [1, 2000, 4000, 5000, 5000] {
        bench.pass(wait - 1);
        assert_eq!(bench.admit(), None);
        bench.pass(1);
        let probe = bench.admit();
        assert_eq!(bench.machine.state(), BreakerState::HalfOpen);
        bench.done(probe, Outcome::Failure);
        assert_eq!(bench.machine.state(), BreakerState::Open);
    }
    bench.pass(5000);
    bench.run("++");
    assert_eq!(bench.machine.state(), BreakerState::Closed);
    bench.run("---");
    bench.pass(1000);
    assert!(bench.admit().is_some(), "closed in between, it waits the short time again");
}

/// M8: 57 failures in a row, 19 in each second, with any minimum of calls.
#[test]
fn low_traffic_opens_it_too() {
    for (calls, apart, outcomes) in [(57, 53, "-"), (5, 60_000, "-"), (20, 30_000, "--+")] {
        let mut bench = Bench::new();
        let mut letters = outcomes.chars().cycle();
        let mut done = 0;
        while bench.machine.state() == BreakerState::Closed && done < calls {
            let ticket = bench.admit();
            bench.pass(apart);
            bench.done(ticket, outcome_of(letters.next().expect("cycles")));
            done += 1;
        }
        assert_eq!(bench.machine.state(), BreakerState::Open, "{calls} calls, {apart} ms apart");
    }
}

/// C15: one connection that breaks is one failure, however many calls were on it.
#[test]
fn a_burst_is_no_trend() {
    let mut bench = Bench::new();
    let tickets: Vec<_> = (0..64).map(|_| bench.admit()).collect();
    bench.pass(1000);
    for ticket in tickets {
        bench.done(ticket, Outcome::Failure);
    }
    assert_eq!(bench.machine.state(), BreakerState::Closed);
    bench.run("-");
    assert_eq!(bench.machine.state(), BreakerState::Open, "it goes on failing");
}

/// CB-6: many failures at once past the threshold open it once, and it is half open later.
#[test]
fn failures_of_calls_from_before_count_once() {
    let mut bench = Bench::new();
    let tickets: Vec<_> = (0..20).map(|_| bench.admit()).collect();
    bench.run("---");
    for ticket in tickets {
        bench.done(ticket, Outcome::Failure);
    }
    bench.pass(1000);
    assert!(bench.admit().is_some());
    assert_eq!(bench.machine.state(), BreakerState::HalfOpen);
}

/// CB-7: what began in another state does not count in this one.
#[test]
fn a_success_from_before_does_not_close_it() {
    let mut bench = Bench::new();
    let before: Vec<_> = (0..4).map(|_| bench.admit()).collect();
    bench.run("---");
    bench.done(before[0], Outcome::Success);
    assert_eq!(bench.machine.state(), BreakerState::Open);
    bench.pass(1000);
    let probe = bench.admit();
    bench.done(before[1], Outcome::Success);
    bench.done(before[2], Outcome::Success);
    assert_eq!(bench.machine.state(), BreakerState::HalfOpen, "nor do they stand for probes");
    bench.done(before[3], Outcome::Failure);
    assert_eq!(bench.machine.state(), BreakerState::HalfOpen);
    bench.done(probe, Outcome::Success);
    bench.run("+");
    assert_eq!(bench.machine.state(), BreakerState::Closed);
}

/// CB-3, CB-4, CB-5, C13: so many probes and no more; one that is ignored gives its place back, and the minimum of
/// calls means nothing here.
#[test]
fn probes_are_few_and_come_back() {
    let mut bench = Bench::new().opened();
    bench.pass(1000);
    for _ in 0..100 {
        let probes = [bench.admit(), bench.admit()];
        assert_eq!(bench.admit(), None);
        for probe in probes {
            bench.done(probe, Outcome::Ignored);
        }
    }
    let first = bench.admit();
    bench.done(first, Outcome::Success);
    let second = bench.admit();
    assert_eq!(bench.admit(), None, "one good and one under way are two");
    bench.done(second, Outcome::Ignored);
    bench.run("+");
    assert_eq!(bench.machine.state(), BreakerState::Closed);
}

/// CB-8: a slow probe opens it again.
#[test]
fn a_slow_probe_is_a_bad_one() {
    let mut bench = Bench::new().opened();
    bench.pass(1000);
    bench.run("s");
    assert_eq!(bench.machine.state(), BreakerState::Open);
}

/// CB-15: probes that never come back do not keep it half open for ever.
#[test]
fn probes_that_are_lost_are_replaced() {
    let mut bench = Bench::new().opened();
    bench.pass(1000);
    let lost = [bench.admit(), bench.admit()];
    bench.pass(9999);
    assert_eq!(bench.admit(), None);
    assert_eq!(bench.machine.state(), BreakerState::HalfOpen);
    bench.pass(1);
    assert_eq!(bench.admit(), None);
    assert_eq!(bench.machine.state(), BreakerState::Open);
    bench.pass(2000);
    assert!(bench.admit().is_some());
    bench.done(lost[0], Outcome::Failure);
    assert_eq!(bench.machine.state(), BreakerState::HalfOpen, "their end comes too late to count");
}

/// CB-9, CB-10: what an operator says holds, whatever happens, and after it everything begins anew.
#[test]
fn an_operator_has_the_last_word() {
    let mut bench = Bench::new();
    bench.machine.force(Forced::Open);
    bench.pass(3_600_000);
    assert_eq!((bench.admit(), bench.machine.state()), (None, BreakerState::ForcedOpen));
    bench.machine.force(Forced::Closed);
    bench.run("----------");
    assert!(bench.admit().is_some());
    assert_eq!(bench.machine.state(), BreakerState::ForcedClosed);
    let before = bench.admit();
    bench.machine.force(Forced::Auto);
    assert_eq!(bench.machine.state(), BreakerState::Closed);
    bench.done(before, Outcome::Failure);
    bench.run("--");
    assert_eq!(bench.machine.state(), BreakerState::Closed, "what came before is forgotten");
    let mut open = Bench::new().opened();
    open.machine.force(Forced::Closed);
    assert!(open.admit().is_some());
}

/// CB-9: told to look on, it lets everything through and counts each time that it would have opened, once.
#[test]
fn one_that_looks_on_counts_and_refuses_nothing() {
    let mut bench = Bench::new().opened();
    bench.machine.force(Forced::MetricsOnly);
    for times in 0..3 {
        assert_eq!(
            (bench.machine.would_have_opened(), bench.machine.state()),
            (times, BreakerState::MetricsOnly)
        );
        bench.run("---");
    }
    bench.machine.force(Forced::Auto);
    bench.run("--");
    assert_eq!(bench.machine.state(), BreakerState::Closed, "what came before is forgotten");
}

#[test]
fn processes_do_not_all_probe_at_the_same_moment() {
    assert_eq!(wait(&RULE, 0, 0.0), Duration::from_millis(800));
    assert_eq!(wait(&RULE, 0, 1.0), Duration::from_secs(1));
    assert_eq!(wait(&RULE, 1000, 1.0), RULE.open_longest);
}

#[derive(Debug, Clone)]
enum Step {
    Admit,
    Done(usize, Outcome),
    Lose(usize),
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let outcome = proptest::sample::select(vec!['+', '-', 's', 'i']).prop_map(outcome_of);
    prop_oneof![
        4 => Just(Step::Admit),
        3 => (0usize..8, outcome).prop_map(|(which, outcome)| Step::Done(which, outcome)),
        1 => (0usize..8).prop_map(Step::Lose),
        2 => (0u64..4000).prop_map(Step::Pass),
    ]
}

proptest! {
    /// CB-3, CB-15: whatever happens in whatever order, no more probes are under way than may be, and a target that
    /// is well again is asked again: the breaker never stays shut.
    #[test]
    fn it_never_lets_too_much_through_and_never_stays_shut(
        steps in proptest::collection::vec(step(), 0..200),
    ) {
        let mut bench = Bench::new();
        // With the state's number, since only the probes of one state count together.
        let mut under_way: Vec<Ticket> = Vec::new();
        for step in steps {
            match step {
                Step::Admit => {
                    let ticket = bench.admit();
                    prop_assert!(ticket.is_none() || bench.machine.state() != BreakerState::Open);
                    under_way.extend(ticket);
                }
                Step::Done(which, outcome) if which < under_way.len() => {
                    let ticket = under_way.swap_remove(which);
                    bench.done(Some(ticket), outcome);
                }
                Step::Lose(which) if which < under_way.len() => {
                    under_way.swap_remove(which);
                }
                Step::Done(..) | Step::Lose(_) => {}
                Step::Pass(millis) => bench.pass(millis),
            }
            if bench.machine.state() == BreakerState::HalfOpen {
                let probes = under_way.iter().filter(|it| **it == bench.machine.ticket()).count();
                prop_assert!(probes <= 2, "{} probes", probes);
            }
        }
        let mut asked = 0;
        while bench.machine.state() != BreakerState::Closed {
            bench.pass(1000);
            if let Some(ticket) = bench.admit() {
                bench.done(Some(ticket), Outcome::Success);
            }
            asked += 1;
            prop_assert!(asked < 60, "it stays {:?}", bench.machine.state());
        }
    }
}
