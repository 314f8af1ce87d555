//! What a caller makes do with.

use crate::world::{Look, ShopError, World, unavailable};
use bus::{BusError, PortError, answered_or};
use bus_testkit::Fault;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

/// CALL-10: the fallback answers where nobody does, once, after all attempts; it sees why.
#[tokio::test(start_paused = true)]
async fn a_fallback_answers_once_where_nobody_does() {
    let (world, asked) = (World::new(), AtomicUsize::new(0));
    let look = async || {
        let fallback = async |error: BusError| {
            asked.fetch_add(1, SeqCst);
            assert_eq!(Some(&error), unavailable().bus());
            Ok(7)
        };
        world.bus.call_or(Look {}, fallback).await
    };
    world.faults.inject("*", Fault::BreakBefore, 3);
    assert_eq!(look().await, Ok(7));
    world.faults.assert_all_fired();
    assert_eq!(look().await, Ok(0), "who answers needs no fallback");
    assert_eq!(asked.load(SeqCst), 1);
    world.faults.inject("*", Fault::DropRequest, 1);
    let timed_out =
        bus::within(std::time::Duration::from_secs(1), world.bus.call_or(Look {}, async |_| Ok(8)));
    assert_eq!(timed_out.await, Ok(8));
}

/// CALL-10: a domain error is an answer, a fallback that fails is heard, and so is what idempotency keys say.
#[tokio::test(start_paused = true)]
async fn an_answer_is_never_replaced() {
    let world = World::new();
    for error in [ShopError::SoldOut, BusError::KeyReused.into(), BusError::KeyInUse.into()] {
        world.shop.will_answer([Err(error.clone())]);
        assert_eq!(world.bus.call_or(Look {}, async |_| Ok(7)).await, Err(error));
    }
    world.shop.will_answer([Err(BusError::Unavailable { port: "warehouse".into() }.into())]);
    let sold_out = world.bus.call_or(Look {}, async |_| Err(ShopError::SoldOut)).await;
    assert_eq!(sold_out, Err(ShopError::SoldOut));
}

/// M4: what other languages take for nothing is an answer like any other.
#[tokio::test]
async fn falsy_values_are_honoured() {
    async fn fall_back<T: Clone>(to: T) -> Result<T, ShopError> {
        answered_or(async { Err(unavailable()) }, async |_| Ok(to.clone())).await
    }
    assert_eq!(fall_back(0).await, Ok(0));
    assert_eq!(fall_back(false).await, Ok(false));
    assert_eq!(fall_back(String::new()).await, Ok(String::new()));
    assert_eq!(fall_back(None::<u32>).await, Ok(None));
    assert_eq!(fall_back(Vec::<u32>::new()).await, Ok(vec![]));
    assert_eq!(fall_back(()).await, Ok(()));
}
