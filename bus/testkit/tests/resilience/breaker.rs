//! The breaker of a port, from the outside.

use crate::world::{Look, ShopError, ShopPort, World, unavailable};
use bus::{BreakerState, BusError, Forced};
use bus_testkit::Fault;
use std::time::Duration;
use tokio::time::advance;

fn state(world: &World) -> BreakerState {
    world.status().breaker.expect("a remote port has one").state
}

/// Fails calls, a quarter of a second apart, until the breaker opens.
async fn open(world: &World) {
    let mut calls = 0;
    while state(world) != BreakerState::Open {
        world.faults.inject("*", Fault::BreakBefore, 1);
        let _ = world.look().await;
        advance(Duration::from_millis(250)).await;
        calls += 1;
        assert!(calls < 30, "it never opens");
    }
}

/// One attempt a call, so that a test knows what it counts.
fn single() -> World {
    World::with(|it| it.retry.attempts = 1)
}

/// CB-1: a port that is down is not asked any more, answers at once, and is asked again when it may be back.
#[tokio::test(start_paused = true)]
async fn a_port_that_is_down_is_left_alone_and_tried_again() {
    let world = single();
    open(&world).await;
    assert!(world.shop.attempts().is_empty());
    for _ in 0..100 {
        assert_eq!(world.look().await, Err(unavailable()));
    }
    assert!(world.shop.attempts().is_empty(), "nothing was sent");
    assert!(world.status().breaker.expect("there").probe_in_ms.is_some());
    advance(Duration::from_secs(1)).await;
    for _ in 0..3 {
        assert_eq!(world.look().await, Ok(0));
    }
    assert_eq!(state(&world), BreakerState::Closed);
    // A probe that fails opens it again at once.
    open(&world).await;
    advance(Duration::from_secs(1)).await;
    world.faults.inject("*", Fault::BreakBefore, 1);
    assert_eq!(world.look().await, Err(unavailable()));
    assert_eq!(state(&world), BreakerState::Open);
    world.faults.assert_all_fired();
}

/// M8, C15: 57 failures in a row, 19 a second, and no minimum of calls to hide behind.
#[tokio::test(start_paused = true)]
async fn low_traffic_opens_it() {
    let world = single();
    let mut failures = 0;
    while state(&world) == BreakerState::Closed {
        world.faults.inject("*", Fault::BreakBefore, 1);
        assert_eq!(world.look().await, Err(unavailable()));
        advance(Duration::from_millis(53)).await;
        failures += 1;
        assert!(failures < 57, "it never opens");
    }
}

/// C15: neither one failure nor one connection that breaks under many calls opens it.
#[tokio::test(start_paused = true)]
async fn a_broken_connection_does_not_open_it() {
    let world = single();
    world.faults.inject("*", Fault::BreakAfter, 64);
    let calls = (0..64).map(|_| world.look());
    assert!(futures::future::join_all(calls).await.iter().all(Result::is_err));
    world.faults.assert_all_fired();
    assert_eq!(state(&world), BreakerState::Closed);
    assert_eq!(world.look().await, Ok(0));
}

/// What is no sign of a dead target does not open it: domain errors, panics, overload, callers in a hurry.
#[tokio::test(start_paused = true)]
async fn answers_and_hurried_callers_do_not_open_it() {
    let world = single();
    let overloaded = || ShopError::from(BusError::Overloaded { port: "shop".into(), retry_after_ms: 1 });
    let further_down = || ShopError::from(BusError::Unavailable { port: "warehouse".into() });
    for error in [ShopError::SoldOut, overloaded(), further_down(), BusError::failed(&"as asked").into()] {
        for _ in 0..50 {
            world.shop.will_answer([Err(error.clone())]);
            assert_eq!(world.look().await, Err(error.clone()));
            advance(Duration::from_millis(100)).await;
        }
        assert_eq!(state(&world), BreakerState::Closed, "{error:?}");
    }
    for _ in 0..50 {
        world.faults.inject("*", Fault::DropRequest, 1);
        assert!(world.look_within(100).await.is_err());
    }
    assert_eq!(state(&world), BreakerState::Closed);
    for _ in 0..50 {
        world.faults.inject("*", Fault::DropRequest, 1);
        let left = tokio::time::timeout(Duration::from_millis(100), world.look()).await;
        assert!(left.is_err(), "the caller leaves");
    }
    assert_eq!(state(&world), BreakerState::Closed);
}

/// A target that takes calls and never answers is down too.
#[tokio::test(start_paused = true)]
async fn silence_opens_it() {
    let world = single();
    for _ in 0..5 {
        world.faults.inject("*", Fault::DropRequest, 1);
        assert!(world.look().await.is_err());
    }
    assert_eq!(state(&world), BreakerState::Open);
}

/// CB-8: so is one whose answers take too long.
#[tokio::test(start_paused = true)]
async fn slow_answers_open_it() {
    let world = single();
    for _ in 0..10 {
        world.faults.inject("*", Fault::Delay(Duration::from_millis(4500)), 1);
        assert_eq!(world.look().await, Ok(0));
    }
    assert_eq!(state(&world), BreakerState::Open);
}

/// C14: an attempt that is refused is not tried again: the pause of the breaker is longer than any between attempts.
#[tokio::test(start_paused = true)]
async fn what_the_breaker_refuses_is_not_tried_again() {
    let world = World::new();
    assert!(world.bus.force_breaker("shop", Forced::Open));
    let (before, asked) = (world.status().retries_left, tokio::time::Instant::now());
    assert_eq!(world.look().await, Err(unavailable()));
    assert_eq!((world.status().retries_left, asked.elapsed()), (before, Duration::ZERO));
}

/// CB-3, CB-15: many callers at once are three probes; callers that leave give their places back.
#[tokio::test(start_paused = true)]
async fn callers_that_leave_leave_no_probe_behind() {
    let world = single();
    open(&world).await;
    advance(Duration::from_secs(1)).await;
    for _ in 0..20 {
        world.faults.inject("*", Fault::DropRequest, 3);
        let calls = (0..20).map(|_| tokio::time::timeout(Duration::from_millis(10), world.look()));
        let answers = futures::future::join_all(calls).await;
        assert_eq!(answers.iter().filter(|it| it.is_err()).count(), 3, "three went through and were left");
        world.faults.assert_all_fired();
        assert_eq!(state(&world), BreakerState::HalfOpen);
    }
    for _ in 0..3 {
        assert_eq!(world.look().await, Ok(0));
    }
    assert_eq!(state(&world), BreakerState::Closed);
}

/// CB-9: an operator opens and closes it, and lets it go again.
#[tokio::test(start_paused = true)]
async fn an_operator_forces_it() {
    let world = single();
    assert!(world.bus.force_breaker("shop", Forced::Open));
    assert_eq!((world.look().await, state(&world)), (Err(unavailable()), BreakerState::ForcedOpen));
    assert!(world.bus.force_breaker("shop", Forced::Closed));
    for _ in 0..50 {
        world.faults.inject("*", Fault::BreakBefore, 1);
        assert_eq!(world.look().await, Err(unavailable()));
        advance(Duration::from_millis(100)).await;
    }
    world.faults.assert_all_fired();
    assert_eq!((world.look().await, state(&world)), (Ok(0), BreakerState::ForcedClosed));
    assert!(world.bus.force_breaker("shop", Forced::Auto));
    assert_eq!((world.bus.look(Look {}).await, state(&world)), (Ok(0), BreakerState::Closed));
    assert!(!world.bus.force_breaker("nobody", Forced::Open));
}
