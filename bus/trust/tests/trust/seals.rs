//! A good seal opens once, for one module, for a minute.

use crate::world::{Sent, USER, World, headers};
use bus::{BusError, Transport as _};
use bus_trust::{HEADER, LONGEST_LIFE};
use bytes::Bytes;
use std::time::Duration;

const TOLERANCE: Duration = Duration::from_secs(5);
const MICROSECOND: Duration = Duration::from_micros(1);

/// 8.3.3: the user on whose behalf it is travels as a signed claim; what answers sees all headers but the seal.
#[tokio::test]
async fn a_sealed_call_arrives_as_it_was_sent() {
    let world = World::new();
    let sent = world.reserve().await;
    assert!(
        sent.headers[HEADER].is_ascii() && sent.headers[HEADER].len() < 250,
        "{:?}",
        sent.headers[HEADER]
    );
    world.taken(&sent).await;
    let arrived = world.inner.seen().remove(0);
    assert_eq!(arrived.headers, headers(&[("caller", USER), ("timeout-ms", "10000"), ("attempt", "1")]));
    assert_eq!((arrived.name, arrived.bytes), (sent.name, sent.bytes));
}

/// 12.3.5, 4.1.3: a user's word alone, or nobody's, opens nothing.
#[tokio::test]
async fn a_call_without_a_seal_is_refused() {
    let world = World::new();
    let mut sent = world.reserve().await;
    sent.headers.remove(HEADER);
    world.refused(&sent, "there is no seal").await;
    sent.headers.clear();
    world.refused(&sent, "there is no seal").await;
    sent.headers.insert("Seal".into(), world.reserve().await.headers[HEADER].clone());
    world.refused(&sent, "there is no seal").await;
}

/// Section 5.11: what was sealed for inventory is worth nothing at payments.
#[tokio::test]
async fn a_seal_is_for_one_module() {
    let world = World::new();
    let sent = world.reserve().await;
    for name in ["payments.reserve", "payments.capture", "inventory2.reserve", "orders", ""] {
        world.refused(&Sent { name: name.into(), ..sent.clone() }, "another module").await;
    }
    let call = Sent { name: "payments.capture".into(), headers: headers(&[]), bytes: Bytes::new() };
    world.refused(&world.catch(&world.orders, "inventory", call.clone()).await, "another module").await;
    world.taken(&world.catch(&world.orders, "payments", call).await).await;
    world.taken(&sent).await;
}

/// A call lives as long as its caller waits, and a little longer for clocks that differ.
#[tokio::test]
async fn a_seal_expires() {
    let world = World::new();
    let (first, second) = (world.reserve().await, world.reserve().await);
    world.clock.advance(Duration::from_secs(10) + TOLERANCE);
    world.taken(&first).await;
    world.clock.advance(MICROSECOND);
    world.refused(&second, "expired").await;
}

/// 13.2.1: nothing is good for long, whatever patience the caller has.
#[tokio::test]
async fn no_seal_is_good_for_more_than_a_minute() {
    let world = World::new();
    for patience in [None, Some("3600000"), Some("18446744073709551615"), Some("for ever")] {
        let headers = patience.map_or_else(|| headers(&[]), |ms| headers(&[("timeout-ms", ms)]));
        let call = Sent { name: "inventory.stock".into(), headers, bytes: Bytes::new() };
        let first = world.catch(&world.orders, "inventory", call.clone()).await;
        let second = world.catch(&world.orders, "inventory", call).await;
        world.clock.advance(LONGEST_LIFE + TOLERANCE);
        world.taken(&first).await;
        world.clock.advance(MICROSECOND);
        world.refused(&second, "expired").await;
    }
}

#[tokio::test]
async fn a_seal_from_the_future_is_refused() {
    let world = World::new();
    let now = bus::Clock::now(&world.clock);
    world.clock.advance(TOLERANCE);
    let near = world.reserve().await;
    world.clock.advance(MICROSECOND);
    let far = world.reserve().await;
    world.clock.set(now);
    world.refused(&far, "from the future").await;
    world.taken(&near).await;
}

/// Section 5.11: for reads as for commands, for calls as for events.
#[tokio::test]
async fn a_seal_opens_once() {
    let world = World::new();
    let call =
        |name: &str| Sent { name: name.into(), headers: headers(&[]), bytes: Bytes::from_static(b"[]") };
    for name in ["inventory.reserve", "inventory.stock", "inventory.inbox"] {
        let sent = world.catch(&world.orders, "inventory", call(name)).await;
        world.taken(&sent).await;
        for _ in 0..3 {
            world.refused(&sent, "seen before").await;
        }
        let delivered = world.guard.deliver(&sent.name, sent.headers.clone(), sent.bytes.clone()).await;
        assert_eq!(delivered, Err(BusError::NotTrusted { name: name.into() }));
        // Whoever tries again seals anew.
        world.taken(&world.catch(&world.orders, "inventory", call(name)).await).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_copies_at_once_one_goes_through() {
    let world = World::new();
    let sent = world.reserve().await;
    let copies: Vec<_> = (0..64)
        .map(|_| {
            let (guard, sent) = (std::sync::Arc::clone(&world.guard), sent.clone());
            bus::spawn(async move { guard.request(&sent.name, sent.headers, sent.bytes).await })
        })
        .collect();
    let mut taken = 0;
    for copy in copies {
        taken += usize::from(copy.await.expect("it does not panic").is_ok());
    }
    assert_eq!((taken, world.inner.seen().len()), (1, 1));
}

/// A call that was refused has not used its seal up: whoever changes it on its way does not spoil the original.
#[tokio::test]
async fn a_refused_copy_does_not_use_the_seal_up() {
    let world = World::new();
    let sent = world.reserve().await;
    world.refused(&Sent { bytes: Bytes::from_static(b"{}"), ..sent.clone() }, "not for this call").await;
    world.taken(&sent).await;
}
