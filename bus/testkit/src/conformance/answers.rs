//! What comes back: answers, errors, panics; and calls that go on without their caller.

use super::{
    SOON,
    probe::{Crash, Echo, Echoed, Fail, ProbeError, ProbePort},
    world::World,
};
use crate::{Placement, Standard, eventually, place};
use bus::{Bus, BusError, CallKind, Incident, Policies, PortError, Request};
use futures::future::{join, join_all};
use serde::{Deserialize, Serialize};
use std::{
    sync::{Arc, atomic::Ordering::SeqCst},
    time::Duration,
};
use tokio::time::timeout;
use uuid::Uuid;

/// "At once" for an answer that needs no work: far less than the default deadline.
const AT_ONCE: Duration = Duration::from_secs(5);

/// A call is answered with what the handler returned.
pub async fn a_call_is_answered_by_the_handler(placement: &dyn Placement) {
    let world = World::new(placement).await;
    world.assert_alive().await;
    assert!(world.bus.has("probe") && !world.bus.has("nowhere"));
    world.until_idle().await;
}

/// C27, M7: what the handler does to its copy is not seen by the caller; through a codec nothing is shared,
/// not even what a type shares on purpose.
pub async fn values_are_not_shared(placement: &dyn Placement) {
    let world = World::new(placement).await;
    let request = Echo::new("mine");
    assert_eq!(world.bus.echo(request.clone()).await, Ok(Echoed { text: "mine!".into() }));
    assert_eq!(request.text, "mine");
    let seen = request.shared.load(SeqCst);
    assert_eq!(seen, usize::from(!placement.encodes()), "shared with the handler on {}", placement.name());
}

/// A1, A2: a panic, before the first await or after, fails one call with a typed error; calls that run next
/// to it are answered, and so is every later one.
pub async fn a_panicking_handler_fails_its_caller_only(placement: &dyn Placement) {
    let world = World::new(placement).await;
    let neighbour = world.hold(7, None);
    world.until_count("held calls begun", &world.probe.begun, 1).await;
    for after_await in [false, true] {
        let error = world.bus.crash(Crash { after_await }).await.expect_err("it panics");
        match error.bus() {
            Some(BusError::Died { name, .. }) => assert_eq!(name, "probe.crash"),
            other => panic!("on {}: {other:?}", placement.name()),
        }
        world.assert_alive().await;
    }
    world.probe.let_go(1);
    assert_eq!(neighbour.await.expect("it does not panic"), Ok(7));
    world.until_idle().await;
}

/// A1, A2: fifty calls that are queued before and behind one that panics are answered, all of them.
pub async fn calls_queued_around_a_panic_are_all_answered(placement: &dyn Placement) {
    let world = World::new(placement).await;
    let echoes = |from: u32| {
        let bus = &world.bus;
        join_all((from..from + 25).map(move |id| async move { (id, bus.echo(Echo::new(id)).await) }))
    };
    // Polled in one go, without giving way: the actor on this thread has them all in its mailbox.
    let crash = world.bus.crash(Crash { after_await: false });
    let ((before, crashed), behind) = join(join(echoes(0), crash), echoes(25)).await;
    assert!(matches!(crashed, Err(ProbeError::Unavailable(BusError::Died { .. }))));
    let answers: Vec<_> = before.into_iter().chain(behind).collect();
    assert_eq!(answers.len(), 50);
    for (id, answer) in answers {
        assert_eq!(answer, Ok(Echoed { text: format!("{id}!") }), "on {}", placement.name());
    }
    world.until_idle().await;
}

/// M10: whoever asked may leave; what has begun is carried out.
pub async fn a_started_call_runs_to_its_end(placement: &dyn Placement) {
    let world = World::new(placement).await;
    let caller = world.hold(1, None);
    world.until_count("held calls begun", &world.probe.begun, 1).await;
    caller.abort();
    assert!(caller.await.expect_err("aborted").is_cancelled());
    let impatient = world.hold(2, Some(Duration::from_millis(50)));
    let answer = impatient.await.expect("it does not panic");
    assert!(matches!(answer, Err(ProbeError::Unavailable(BusError::DeadlineExceeded { .. }))));
    world.probe.let_go(2);
    let (begun, ended) = (&world.probe.begun, &world.probe.ended);
    eventually("what has begun ends", SOON, async || begun.load(SeqCst) == ended.load(SeqCst)).await;
    assert!(ended.load(SeqCst) >= 1, "on {}", placement.name());
    world.until_idle().await;
}

/// C21, CALL-19, M9: each error, of the domain and of the bus, is the same value, variant and fields included.
pub async fn every_error_is_the_same_value_as_in_the_handler(placement: &dyn Placement) {
    let world = World::new(placement).await;
    let sku = || "mug-blue".to_owned();
    let domain = [
        ProbeError::Unit,
        ProbeError::Newtype("zażółć \"quoted\"\n".into()),
        ProbeError::Tuple(Uuid::from_u128(7), Some(i64::MIN)),
        ProbeError::Tuple(Uuid::nil(), None),
        ProbeError::Struct { sku: sku(), requested: u32::MAX, available: 0 },
        ProbeError::Nested { shortages: vec![(sku(), 1), (sku(), 2)] },
    ];
    let bus = bus_errors().into_iter().map(ProbeError::Unavailable);
    for error in domain.into_iter().chain(bus) {
        let answer = world.bus.fail(Fail { error: error.clone() }).await;
        assert_eq!(answer, Err(error.clone()), "on {}", placement.name());
        assert_eq!(answer.map_err(|answer| answer.kind()), Err(error.kind()));
    }
    world.until_idle().await;
}

/// One of each [`BusError`] that a caller can hear. (`Unheard` is between a transport and what waits.)
#[must_use]
pub fn bus_errors() -> Vec<BusError> {
    let (name, port, incident) =
        (|| "probe.fail".to_owned(), || "probe".to_owned(), Incident::log(&"a test"));
    vec![
        BusError::Unavailable { port: port() },
        BusError::Overloaded { port: port(), retry_after_ms: 1234 },
        BusError::DeadlineExceeded { name: name() },
        BusError::Died { name: name(), incident },
        BusError::UnknownName { name: name() },
        BusError::Codec { name: name() },
        BusError::TooDeep { name: name(), depth: 17 },
        BusError::Failed { incident },
        BusError::NotTrusted { name: name() },
        BusError::KeyReused,
        BusError::KeyInUse,
    ]
}

/// A method that a newer caller knows and the service does not.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Unserved {}

impl Request for Unserved {
    type Response = ();
    type Error = ProbeError;
    const PORT: &'static str = "probe";
    const NAME: &'static str = "probe.unserved";
    const KIND: CallKind = CallKind::Query;
}

/// A request of a port that nothing serves.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Lost {}

impl Request for Lost {
    type Response = ();
    type Error = ProbeError;
    const PORT: &'static str = "nowhere";
    const NAME: &'static str = "nowhere.lost";
    const KIND: CallKind = CallKind::Query;
}

/// C22: a method that is not there does not hang.
pub async fn an_unknown_method_is_answered_at_once(placement: &dyn Placement) {
    let world = World::new(placement).await;
    let answer = timeout(AT_ONCE, world.bus.call(Unserved {})).await.expect("at once");
    assert_eq!(answer, Err(BusError::UnknownName { name: "probe.unserved".into() }.into()));
    world.until_idle().await;
}

/// C22: a port that nothing serves does not hang.
pub async fn an_unknown_port_is_answered_at_once(placement: &dyn Placement) {
    let world = World::new(placement).await;
    let answer = timeout(AT_ONCE, world.bus.call(Lost {})).await.expect("at once");
    assert_eq!(answer, Err(BusError::Unavailable { port: "nowhere".into() }.into()));
}

/// B21: a placement is swapped under load; every call is carried out once and answered, and what was
/// written through one link is read through the next.
pub async fn a_link_swapped_while_calls_run_loses_no_call(placement: &dyn Placement) {
    const CALLERS: usize = 8;
    const CALLS: usize = 100;
    const SWAPS: usize = 10;
    let world = World::new(placement).await;
    let across = world.hold(9, Some(Duration::from_secs(60)));
    world.until_count("held calls begun", &world.probe.begun, 1).await;
    let callers: Vec<_> = (0..CALLERS).map(|_| bus::spawn(call_on(world.bus.clone(), CALLS))).collect();
    let mut attachments = Vec::new();
    for swap in 0..SWAPS {
        let next = if swap % 2 == 0 { &Standard::Direct as &dyn Placement } else { placement };
        let service = Arc::clone(&world.probe) as Arc<dyn ProbePort>;
        attachments.push(place(next, &world.bus, service, &Policies::default()).await);
        let progress = CALLERS * CALLS * swap / (SWAPS + 1);
        eventually("calls go on", SOON, async || world.probe.echoed.load(SeqCst) >= progress).await;
    }
    for caller in callers {
        caller.await.expect("every call is answered");
    }
    assert_eq!(world.probe.echoed.load(SeqCst), CALLERS * CALLS);
    world.probe.let_go(1);
    assert_eq!(across.await.expect("it does not panic"), Ok(9), "a call older than every swap");
    // An answer may be there a moment before its call is over on the serving side.
    eventually("nothing is pending", SOON, async || {
        attachments.iter().all(|attachment| attachment.pending() == 0)
    })
    .await;
}

async fn call_on(bus: Bus, calls: usize) {
    for call in 0..calls {
        assert_eq!(bus.echo(Echo::new(call)).await, Ok(Echoed { text: format!("{call}!") }));
    }
}
