//! How many calls run and wait. Each body runs with the limit on the calling side and on the serving one,
//! where those are two.

use super::{
    probe::{Crash, ProbeError, ProbePort},
    world::{Side, World},
};
use crate::Placement;
use bus::{BusError, InvalidPolicy, Policies, Policy};
use std::{sync::atomic::Ordering::SeqCst, time::Duration};

fn is_overloaded<T>(answer: &Result<T, ProbeError>) -> bool {
    matches!(
        answer,
        Err(ProbeError::Unavailable(BusError::Overloaded { port, retry_after_ms: 1.. })) if port == "probe"
    )
}

fn is_late<T>(answer: &Result<T, ProbeError>) -> bool {
    matches!(answer, Err(ProbeError::Unavailable(BusError::DeadlineExceeded { .. })))
}

/// CALL-7: three run at once, five wait, two are refused at once; a failure inside leaks no slot.
pub async fn so_many_calls_run_so_many_wait_and_the_rest_is_refused(placement: &dyn Placement) {
    for &side in Side::of(placement) {
        let world = World::limited(placement, side, 3, 5).await;
        for _ in 0..10 {
            let failed = world.bus.crash(Crash { after_await: true }).await;
            assert!(matches!(failed, Err(ProbeError::Unavailable(BusError::Died { .. }))), "{failed:?}");
        }
        world.until(side, 0, 0).await;
        let admitted: Vec<_> = (0..8).map(|id| world.hold(id, None)).collect();
        world.until(side, 3, 5).await;
        for _ in 0..2 {
            let refused = world.hold(99, None).await.expect("it does not panic");
            assert!(is_overloaded(&refused), "{refused:?} on {}", placement.name());
        }
        // Admitted is not yet begun.
        world.until_count("at work", &world.probe.peak, 3).await;
        world.probe.let_go(8);
        for (id, call) in (0..).zip(admitted) {
            assert_eq!(call.await.expect("it does not panic"), Ok(id), "on {}", placement.name());
        }
        assert_eq!(world.probe.peak.load(SeqCst), 3, "on {}", placement.name());
        world.until_idle().await;
    }
}

/// CALL-8: no permits, no calls, as a policy or at run time; permits change while held and waited for.
pub async fn zero_permits_refuse_and_permits_change_while_held_and_waited_for(placement: &dyn Placement) {
    let none = Policy { concurrency: 0, ..Policy::default() };
    assert_eq!(Policies::new(none).err(), Some(InvalidPolicy::Concurrency("bus".into())));
    for &side in Side::of(placement) {
        let world = World::limited(placement, side, 1, 5).await;
        let set = |permits| assert!(world.limiting(side).set_concurrency("probe", permits));
        set(0);
        assert!(is_overloaded(&world.echo("refused").await), "on {}", placement.name());
        set(2);
        let held: Vec<_> = (0..3).map(|id| world.hold(id, None)).collect();
        world.until(side, 2, 1).await;
        set(1);
        world.probe.let_go(1);
        world.until(side, 1, 1).await;
        set(3);
        world.until(side, 2, 0).await;
        world.probe.let_go(2);
        for call in held {
            assert!(call.await.expect("it does not panic").is_ok());
        }
        world.until_idle().await;
    }
}

/// CALL-8: whoever waits for a permit waits no longer than the call's deadline.
pub async fn a_waiter_gives_up_at_its_deadline(placement: &dyn Placement) {
    for &side in Side::of(placement) {
        let world = World::limited(placement, side, 1, 5).await;
        let held = world.hold(1, None);
        world.until(side, 1, 0).await;
        let waiter = world.hold(2, Some(Duration::from_secs(2)));
        world.until(side, 1, 1).await;
        let waiter = waiter.await.expect("it does not panic");
        assert!(is_late(&waiter), "{waiter:?} on {}", placement.name());
        world.until(side, 1, 0).await;
        world.probe.let_go(1);
        assert_eq!(held.await.expect("it does not panic"), Ok(1));
        assert_eq!(world.probe.begun.load(SeqCst), 1, "the waiter never ran");
        world.assert_alive().await;
    }
}

/// CALL-8, CALL-9: a waiter that is cancelled leaves its place to the next and never runs.
pub async fn a_cancelled_waiter_leaves_its_place_and_takes_no_permit(placement: &dyn Placement) {
    for &side in Side::of(placement) {
        let world = World::limited(placement, side, 1, 1).await;
        let held = world.hold(1, None);
        world.until(side, 1, 0).await;
        for id in 0..10 {
            let waiter = world.hold(id, None);
            world.until(side, 1, 1).await;
            waiter.abort();
            world.until(side, 1, 0).await;
        }
        let last = world.hold(2, None);
        world.until(side, 1, 1).await;
        world.probe.let_go(2);
        assert_eq!(held.await.expect("it does not panic"), Ok(1));
        assert_eq!(last.await.expect("it does not panic"), Ok(2));
        assert_eq!(world.probe.begun.load(SeqCst), 2, "on {}", placement.name());
        world.until_idle().await;
    }
}

/// M3: nobody waits for them any more, so nobody does the work.
pub async fn calls_whose_deadline_passed_in_the_queue_are_never_executed(placement: &dyn Placement) {
    for &side in Side::of(placement) {
        let world = World::limited(placement, side, 1, 100).await;
        let held = world.hold(0, None);
        world.until(side, 1, 0).await;
        let queued: Vec<_> = (1..20).map(|id| world.hold(id, Some(Duration::from_secs(2)))).collect();
        world.until(side, 1, 19).await;
        for call in queued {
            let answer = call.await.expect("it does not panic");
            assert!(is_late(&answer), "{answer:?} on {}", placement.name());
        }
        // The serving side's own deadline passes a moment later.
        world.until(side, 1, 0).await;
        world.probe.let_go(100);
        assert_eq!(held.await.expect("it does not panic"), Ok(0));
        world.assert_alive().await;
        world.until_idle().await;
        assert_eq!(world.probe.begun.load(SeqCst), 1, "on {}", placement.name());
    }
}

/// C20: a hundred calls that run or wait unanswered, and as many whose callers left, leave nothing behind.
pub async fn nothing_is_pending_after_unanswered_calls(placement: &dyn Placement) {
    for &side in Side::of(placement) {
        let world = World::limited(placement, side, 20, 200).await;
        let left: Vec<_> = (0..100).map(|id| world.hold(id, None)).collect();
        world.until(side, 20, 80).await;
        let brief = Some(Duration::from_millis(200));
        let unanswered: Vec<_> = (0..100).map(|id| world.hold(id, brief)).collect();
        for call in unanswered {
            let answer = call.await.expect("it does not panic");
            assert!(is_late(&answer), "{answer:?} on {}", placement.name());
        }
        for call in left {
            call.abort();
        }
        world.probe.let_go(200);
        world.until_idle().await;
        world.assert_alive().await;
        world.until_idle().await;
    }
}
