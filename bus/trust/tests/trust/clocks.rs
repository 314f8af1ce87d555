//! Clocks that differ, jump ahead and go back; and what is remembered meanwhile.

use crate::world::{Sent, World, headers};
use bus::{BusError, Clock as _};
use bytes::Bytes;
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn the_tolerance_is_a_setting() {
    let world = World::with(|guard| guard.with_tolerance(Duration::ZERO));
    let now = world.clock.now();
    world.taken(&world.reserve().await).await;
    world.clock.advance(Duration::from_micros(1));
    let early = world.reserve().await;
    world.clock.set(now);
    world.refused(&early, "from the future").await;
}

/// A jump ahead makes what is on its way too old; when the clock is back nothing that was used opens again.
#[tokio::test]
async fn a_clock_that_jumps_ahead_and_back_forgets_nothing() {
    let world = World::new();
    let (used, unused) = (world.reserve().await, world.reserve().await);
    world.taken(&used).await;
    let now = world.clock.now();
    world.clock.advance(HOUR);
    world.refused(&unused, "expired").await;
    world.taken(&world.reserve().await).await;
    world.clock.set(now);
    world.refused(&used, "seen before").await;
    world.taken(&unused).await;
    world.taken(&world.reserve().await).await;
}

/// A clock that is put back a little: what was forgotten by then is not taken for new.
#[tokio::test(start_paused = true)]
async fn a_clock_that_goes_back_does_not_make_old_seals_new() {
    let world = World::new();
    let used = world.reserve().await;
    let then = world.clock.now();
    world.taken(&used).await;
    for _ in 0..3 {
        world.clock.advance(MINUTE / 3);
        tokio::time::advance(MINUTE / 3).await;
        world.taken(&world.reserve().await).await;
    }
    world.clock.set(then.after(Duration::from_secs(8)));
    world.refused(&used, "the clock went back").await;
}

/// A clock that is put back by an hour: refusing everything for an hour would be the greater harm.
#[tokio::test(start_paused = true)]
async fn a_clock_that_goes_far_back_stops_nothing() {
    let world = World::new();
    let then = world.clock.now();
    world.clock.advance(HOUR);
    world.taken(&world.reserve().await).await;
    world.clock.advance(2 * MINUTE);
    tokio::time::advance(2 * MINUTE).await;
    world.taken(&world.reserve().await).await;
    world.clock.set(then);
    let sent = world.reserve().await;
    world.taken(&sent).await;
    world.refused(&sent, "seen before").await;
    assert!(world.log.text().contains("the clock went back"), "{}", world.log.text());
}

/// Memory is bounded, by refusing what is new and never by forgetting what was used; it comes back by itself.
#[tokio::test(start_paused = true)]
async fn more_seals_than_can_be_remembered_are_refused_as_overload() {
    let world = World::with(|guard| guard.with_capacity(3));
    let mut used = Vec::new();
    for _ in 0..3 {
        let sent = world.reserve().await;
        world.taken(&sent).await;
        used.push(sent);
    }
    let fourth = world.reserve().await;
    let full = BusError::Overloaded { port: "inventory".into(), retry_after_ms: 1000 };
    assert_eq!(world.send(&fourth).await, Err(full));
    for sent in &used {
        assert!(world.send(sent).await.is_err());
    }
    world.clock.advance(MINUTE);
    tokio::time::advance(MINUTE).await;
    world.taken(&world.reserve().await).await;
}

/// Whoever has no key takes up no memory.
#[tokio::test]
async fn what_is_refused_is_not_remembered() {
    let world = World::with(|guard| guard.with_capacity(1));
    for _ in 0..100 {
        let mut forged = world.reserve().await;
        forged.bytes = Bytes::from_static(b"{}");
        assert!(world.send(&forged).await.is_err());
    }
    world.taken(&world.reserve().await).await;
}

/// Seals of different lives expire in different seconds, each in its own.
#[tokio::test(start_paused = true)]
async fn each_seal_is_remembered_until_it_expires() {
    let world = World::with(|guard| guard.with_capacity(2));
    let call = |ms: &str| Sent {
        name: "inventory.stock".into(),
        headers: headers(&[("timeout-ms", ms)]),
        bytes: Bytes::new(),
    };
    let long = world.catch(&world.orders, "inventory", call("60000")).await;
    let short = world.catch(&world.orders, "inventory", call("1000")).await;
    world.taken(&long).await;
    world.taken(&short).await;
    world.clock.advance(MINUTE / 2);
    tokio::time::advance(MINUTE / 2).await;
    world.taken(&world.catch(&world.orders, "inventory", call("1000")).await).await;
    assert!(world.send(&long).await.is_err(), "still remembered");
}
