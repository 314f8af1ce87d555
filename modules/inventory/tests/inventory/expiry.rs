//! Reservations end when their time has passed, once, and not before.

use crate::world::{SOON, TTL, World};
use bus_testkit::eventually;
use inventory_ports::{CheckInventory, InventoryError, InventoryPort as _};
use std::time::Duration;
use tokio::sync::watch;

const PAST_IT: Duration = Duration::from_secs(1);

/// I14: what is past its time is let go; what is not stays. Several processes sweep, each is let go once.
async fn a_reservation_past_its_time_is_let_go_once(world: World) {
    world.product("Pen", &[("PEN", 1000)]).await;
    let early: Vec<_> = (0..100).map(|_| world.id()).collect();
    for order in &early {
        world.reserve(*order, &[("PEN", 2)]).await.expect("held");
    }
    world.clock.advance(TTL / 2);
    let late = world.id();
    world.reserve(late, &[("PEN", 1)]).await.expect("held");
    world.clock.advance(TTL / 2 + PAST_IT);

    let (_, elsewhere) = world.elsewhere().await;
    let (stop, stopped) = watch::channel(false);
    let mut workers = world.service.workers(stopped.clone());
    workers.extend(elsewhere.workers(stopped.clone()));
    workers.extend(world.service.workers(stopped));
    eventually("only the late one is held", SOON, async || world.shelf("PEN").await == (1000, 1)).await;
    let closed = world.reserve(early[0], &[("PEN", 2)]).await;
    assert_eq!(closed, Err(InventoryError::ReservationClosed { order_id: early[0] }));
    world.release(early[1]).await;
    assert_eq!(world.shelf("PEN").await, (1000, 1), "released after it expired, it is not let go twice");
    stop.send_replace(true);
    for worker in workers {
        worker.await.expect("ends when told");
    }
    world.adds_up().await;
}

/// B23, C-CLOCK: the instant is stored; a clock that jumps back ends nothing, and ends it in time afterwards.
async fn a_clock_that_jumps_back_expires_nothing_early(world: World) {
    world.product("Ink", &[("INK", 100)]).await;
    let start = world.now();
    let order = world.id();
    let held = world.reserve(order, &[("INK", 1)]).await.expect("held");
    assert_eq!(held.expires_at, start.after(TTL));
    let (stop, stopped) = watch::channel(false);
    let workers = world.service.workers(stopped);
    for back in [Duration::from_secs(3600), Duration::from_secs(24 * 3600)] {
        world.clock.set(start.before(back));
        // A marker that is due shows that a sweep has passed by.
        let marker = world.id();
        world.reserve(marker, &[("INK", 5)]).await.expect("held");
        world.clock.advance(TTL + PAST_IT);
        eventually("the marker is let go", SOON, async || world.shelf("INK").await == (100, 1)).await;
    }
    world.clock.set(start.after(TTL - PAST_IT));
    assert_eq!(world.reserve(order, &[("INK", 1)]).await, Ok(held), "still held, to the same instant");
    world.clock.set(start.after(TTL + PAST_IT));
    eventually("it ends in time", SOON, async || world.shelf("INK").await == (100, 0)).await;
    stop.send_replace(true);
    for worker in workers {
        worker.await.expect("ends when told");
    }
}

/// I14: without a sweep, the check says so.
async fn a_reservation_held_past_its_time_is_reported(world: World) {
    world.product("Nib", &[("NIB", 3)]).await;
    let order = world.id();
    world.reserve(order, &[("NIB", 1)]).await.expect("held");
    world.clock.advance(TTL + Duration::from_secs(60));
    let checks = world.service.check(CheckInventory {}).await.expect("checked");
    let wrong: Vec<_> = checks.iter().filter(|check| check.violations > 0).collect();
    assert_eq!((wrong.len(), &wrong[0].sample), (1, &vec![order.to_string()]), "{checks:?}");
}

crate::on_both! {
    /// I14.
    a_reservation_past_its_time_is_let_go_once,
    /// B23, C-CLOCK.
    a_clock_that_jumps_back_expires_nothing_early,
    /// I14.
    a_reservation_held_past_its_time_is_reported,
}
