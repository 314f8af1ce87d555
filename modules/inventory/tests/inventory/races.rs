//! Many orders, little stock: what is sold is exactly what is there.

use crate::world::{World, to_lines};
use futures::{StreamExt as _, future::join_all, stream};
use inventory::Service;
use inventory_ports::{InventoryError, InventoryPort as _, ReleaseStock, ReserveStock, Shortage};
use kernel::OrderId;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// Looks at a stock until told to stop; how often it looked.
async fn watched(world: &World, sku: &str, done: &AtomicBool) -> usize {
    let mut looks = 0;
    while !done.load(Ordering::SeqCst) {
        let stock = world.stock(sku).await;
        assert!(stock.available >= 0 && stock.reserved <= stock.on_hand, "{stock:?}");
        looks += 1;
    }
    looks
}

/// F1, I3: two hundred orders for twenty units, from two processes where there can be two.
async fn the_last_units_are_sold_exactly_once(world: World) {
    world.product("Lamp", &[("LAMP", 20)]).await;
    let (_, elsewhere) = world.elsewhere().await;
    let done = AtomicBool::new(false);
    let orders = async {
        let services = [&world.service, &elsewhere].into_iter().cycle();
        let asked = services.take(200).map(|service| {
            let order_id = world.id();
            service.reserve(ReserveStock { order_id, lines: to_lines(&[("LAMP", 1)]) })
        });
        let answers = join_all(asked).await;
        done.store(true, Ordering::SeqCst);
        answers
    };
    let (answers, looks) = tokio::join!(orders, watched(&world, "LAMP", &done));
    assert!(looks > 0);
    let (held, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!((held.len(), refused.len()), (20, 180));
    for refusal in refused {
        assert!(matches!(refusal, Err(InventoryError::InsufficientStock { .. })), "{refusal:?}");
    }
    assert_eq!(world.shelf("LAMP").await, (20, 20));
    world.adds_up().await;
}

/// F2: two lines of one SKU are one demand; a refusal holds nothing of any line.
async fn lines_of_one_sku_are_checked_on_their_sum(world: World) {
    world.product("Cup", &[("CUP", 10), ("SAUCER", 100)]).await;
    let refused = world.reserve(world.id(), &[("SAUCER", 5), ("CUP", 6), ("CUP", 6)]).await;
    let shortage = Shortage { sku: "CUP".parse().expect("a SKU"), requested: 12, available: 10 };
    assert_eq!(refused, Err(InventoryError::InsufficientStock { shortages: vec![shortage] }));
    assert_eq!((world.shelf("CUP").await, world.shelf("SAUCER").await), ((10, 0), (100, 0)));
    let held = world.reserve(world.id(), &[("CUP", 6), ("CUP", 4)]).await.expect("ten are there");
    assert_eq!(held.lines, to_lines(&[("CUP", 10)]));
}

/// The same order asked for by many at once, also in another process, is held once.
async fn an_order_asked_for_many_times_at_once_is_held_once(world: World) {
    world.product("Chair", &[("CHAIR", 100)]).await;
    let (_, elsewhere) = world.elsewhere().await;
    let order_id: OrderId = world.id();
    let services = [&world.service, &elsewhere].into_iter().cycle();
    let asked = services
        .take(30)
        .map(|service| service.reserve(ReserveStock { order_id, lines: to_lines(&[("CHAIR", 3)]) }));
    let mut answers = join_all(asked).await;
    let first = answers.pop().expect("thirty answers").expect("held");
    assert!(answers.into_iter().all(|answer| answer.as_ref() == Ok(&first)));
    assert_eq!(world.shelf("CHAIR").await, (100, 3));
}

/// B15, T-LATE: whichever of release and reservation comes first, nothing stays held.
async fn a_release_that_overtakes_its_reservation_wins(world: World) {
    world.product("Table", &[("TABLE", 1000)]).await;
    let orders: Vec<OrderId> = (0..50).map(|_| world.id()).collect();
    let races = orders.iter().map(|order| async {
        let release = async {
            world.release(*order).await;
            world.release(*order).await;
        };
        let (held, ()) = tokio::join!(world.reserve(*order, &[("TABLE", 2)]), release);
        assert!(matches!(held, Ok(_) | Err(InventoryError::ReservationClosed { .. })), "{held:?}");
    });
    join_all(races).await;
    assert_eq!(world.shelf("TABLE").await, (1000, 0));
    let late = world.reserve(orders[0], &[("TABLE", 2)]).await;
    assert_eq!(late, Err(InventoryError::ReservationClosed { order_id: orders[0] }));
    world.adds_up().await;
}

/// One random order: held, and mostly released again, perhaps by the other process.
async fn random_order(world: &World, services: [&Arc<Service>; 2], skus: &[String], seed: u64) {
    let mut random = StdRng::seed_from_u64(seed);
    let count = random.random_range(1..=5);
    let lines: Vec<(&str, u32)> = (0..count)
        .map(|_| (skus[random.random_range(0..skus.len())].as_str(), random.random_range(1..=3)))
        .collect();
    let (first, second) = (random.random_range(0..2), random.random_range(0..2));
    let order_id = world.id();
    match services[first].reserve(ReserveStock { order_id, lines: to_lines(&lines) }).await {
        Ok(_) if random.random_bool(0.9) => {
            let release = ReleaseStock { order_id, reason: "a test".into() };
            services[second].release(release).await.expect("no deadlock, no failure");
        }
        Ok(_) | Err(InventoryError::InsufficientStock { .. }) => {}
        Err(error) => panic!("seed {seed}: {error}"),
    }
}

/// F13: random baskets over twenty SKUs, from two processes where there can be two: no deadlock, no drift.
async fn random_baskets_never_deadlock(world: World) {
    let skus: Vec<String> = (0..20).map(|i| format!("SKU-{i:02}")).collect();
    for sku in &skus {
        world.product(sku, &[(sku, 60)]).await;
    }
    let (_, elsewhere) = world.elsewhere().await;
    let orders = if world.is_postgres() { 10_000 } else { 3_000 };
    let services = [&world.service, &elsewhere];
    stream::iter(0..orders).for_each_concurrent(64, |seed| random_order(&world, services, &skus, seed)).await;
    world.adds_up().await;
    if world.is_postgres() {
        // The writer runs a group again after a deadlock, so that no caller sees it: there must be none to see.
        let sql = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
        let row = world.database.reader().row(sql, []).await.expect("read").expect("a row");
        assert_eq!(row.get::<i64>("deadlocks"), Ok(0));
    }
}

crate::on_both! {
    /// F1, I3.
    the_last_units_are_sold_exactly_once,
    /// F2.
    lines_of_one_sku_are_checked_on_their_sum,
    an_order_asked_for_many_times_at_once_is_held_once,
    /// B15, T-LATE.
    a_release_that_overtakes_its_reservation_wins,
    /// F13.
    random_baskets_never_deadlock,
}
