//! The shell: passes come back by themselves, and the gauge changes with the state.

use super::*;
use metrics::{Counter, Gauge, GaugeFn, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

fn rule() -> BreakerRule {
    BreakerRule { spread: Duration::ZERO, consecutive: 2, probes: 3, ..BreakerRule::default() }
}

/// Opened, and past the time for which it is.
async fn knocking(rule: BreakerRule) -> Breaker {
    let breaker = Breaker::new("shop", rule);
    for _ in 0..2 {
        breaker.admit().expect("closed").tell(Outcome::Failure);
    }
    assert_eq!(breaker.status().state, BreakerState::Open);
    tokio::time::advance(rule.open_for).await;
    breaker
}

/// CB-15, C13: however a probe ends, its place is free again.
#[tokio::test(start_paused = true)]
async fn a_pass_comes_back_however_the_attempt_ends() {
    let breaker = Arc::new(knocking(rule()).await);
    for _ in 0..50 {
        // A caller that leaves.
        let held = breaker.admit().expect("a probe");
        let waiting = async {
            let _held = held;
            std::future::pending::<()>().await;
        };
        assert!(tokio::time::timeout(Duration::from_millis(1), waiting).await.is_err());
        // A panic.
        let panics = catch_unwind(AssertUnwindSafe(|| {
            let _held = breaker.admit().expect("a probe");
            panic!("as asked");
        }));
        assert!(panics.is_err());
        // An error that says nothing.
        breaker.admit().expect("a probe").tell(Outcome::Ignored);
    }
    for _ in 0..3 {
        breaker.admit().expect("a probe").tell(Outcome::Success);
    }
    assert_eq!(breaker.status().state, BreakerState::Closed);
}

/// CB-3: exactly so many probes, however many threads ask at once.
#[test]
fn threads_share_the_probes() {
    let breaker = Breaker::new("shop", BreakerRule { open_for: Duration::from_nanos(1), ..rule() });
    for _ in 0..2 {
        breaker.admit().expect("closed").tell(Outcome::Failure);
    }
    let admitted: usize = std::thread::scope(|scope| {
        let ask = || {
            // Kept until all have asked.
            let passes: Vec<_> = (0..100).filter_map(|_| breaker.admit()).collect();
            let count = passes.len();
            passes.into_iter().for_each(std::mem::forget);
            count
        };
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(ask)).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).sum()
    });
    assert_eq!(admitted, 3);
}

#[tokio::test(start_paused = true)]
async fn what_the_admin_api_shows() {
    let breaker = Breaker::new("shop", rule());
    breaker.admit().expect("closed").tell(Outcome::Success);
    breaker.admit().expect("closed").tell(Outcome::Failure);
    let expected = BreakerStatus { state: BreakerState::Closed, probe_in_ms: None, calls: 2, failures: 1 };
    assert_eq!(breaker.status(), expected);
    let open = knocking(BreakerRule { open_for: Duration::from_millis(1), ..rule() }).await;
    assert_eq!(open.status().probe_in_ms, Some(0));
    assert_eq!(serde_json::to_value(open.status().state).expect("a name"), "open");
}

/// What is never enabled lets everything through, also after an operator has had it open.
#[test]
fn a_breaker_can_be_switched_off() {
    let breaker = Breaker::new("shop", BreakerRule { enabled: false, ..rule() });
    for _ in 0..100 {
        breaker.admit().expect("let through").tell(Outcome::Failure);
    }
    breaker.force(Forced::Open);
    assert!(breaker.admit().is_none());
    breaker.force(Forced::Auto);
    assert!(breaker.admit().is_some());
    assert_eq!(breaker.status().state, BreakerState::ForcedClosed);
}

/// Writes down every value that the breaker's gauge is set to.
#[derive(Clone, Default)]
struct Gauges(Arc<Mutex<Vec<f64>>>);

impl GaugeFn for Gauges {
    fn increment(&self, _: f64) {}
    fn decrement(&self, _: f64) {}
    fn set(&self, value: f64) {
        self.0.lock().expect("not poisoned").push(value);
    }
}

impl Recorder for Gauges {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn register_counter(&self, _: &Key, _: &Metadata<'_>) -> Counter {
        Counter::noop()
    }
    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        assert_eq!(key.name(), "bus_breaker_state");
        Gauge::from_arc(Arc::new(self.clone()))
    }
    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

/// CB-14, C14: the gauge has the value of the state after every step, each once.
#[test]
fn the_gauge_changes_with_the_state() {
    let gauges = Gauges::default();
    let seen = || gauges.0.lock().expect("not poisoned").clone();
    metrics::with_local_recorder(&gauges, || {
        let breaker = Breaker::new("shop", BreakerRule { open_for: Duration::from_nanos(1), ..rule() });
        assert_eq!(seen(), [0.0]);
        for _ in 0..2 {
            breaker.admit().expect("closed").tell(Outcome::Failure);
        }
        assert_eq!(seen(), [0.0, 2.0]);
        let mut probe = None;
        while probe.is_none() {
            probe = breaker.admit();
        }
        assert_eq!(seen(), [0.0, 2.0, 1.0]);
        probe.expect("a probe").tell(Outcome::Failure);
        assert_eq!(seen(), [0.0, 2.0, 1.0, 2.0]);
        breaker.force(Forced::Closed);
        breaker.force(Forced::Closed);
        breaker.force(Forced::Open);
        breaker.force(Forced::Auto);
        assert_eq!(seen(), [0.0, 2.0, 1.0, 2.0, 0.0, 2.0, 0.0]);
    });
}
