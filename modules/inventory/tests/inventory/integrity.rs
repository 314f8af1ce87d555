//! Drift is reported, stands in nobody's way, and is put right.

use crate::world::World;
use bus::BusError;
use inventory_ports::{CheckInventory, InventoryPort as _, RepairInventory, RepairedStock};
use kernel::IntegrityCheck;

/// Writes past the module, as a bug or an operator would.
async fn tamper(world: &World, sql: &'static str) {
    let changed = world.database.write((), move |(), tx| Box::pin(async move { tx.execute(sql, []).await }));
    let changed: Result<u64, BusError> = changed.await;
    assert_eq!(changed, Ok(1));
}

async fn violated(world: &World) -> Vec<IntegrityCheck> {
    let checks = world.service.check(CheckInventory {}).await.expect("checked");
    checks.into_iter().filter(|check| check.violations > 0).collect()
}

/// F15: drift of either number is found by name and repaired; stock that is right is left alone.
async fn drift_is_reported_and_repaired(world: World) {
    world.product("Set", &[("GOOD", 10), ("HAND", 10), ("HELD", 10)]).await;
    world.reserve(world.id(), &[("GOOD", 1), ("HAND", 2), ("HELD", 3)]).await.expect("held");
    tamper(&world, "UPDATE variant SET on_hand = 7 WHERE sku = 'HAND'").await;
    tamper(&world, "UPDATE variant SET reserved = 9 WHERE sku = 'HELD'").await;
    let found: Vec<_> = violated(&world).await.into_iter().map(|c| (c.invariant, c.sample)).collect();
    let one = |invariant: &str, sku: &str| (invariant.to_owned(), vec![sku.to_owned()]);
    assert_eq!(found, [one("stock on hand = ledger", "HAND"), one("reserved = live reservations", "HELD")]);

    let untouched = world.stock("GOOD").await;
    let done = world.service.repair(RepairInventory {}).await.expect("repaired");
    let repaired = |sku: &str, on_hand_was, reserved_was, reserved| RepairedStock {
        sku: sku.parse().expect("a SKU"),
        on_hand_was,
        on_hand: 10,
        reserved_was,
        reserved,
    };
    assert_eq!(done.repaired, [repaired("HAND", 7, 2, 2), repaired("HELD", 10, 9, 3)]);
    assert_eq!(done.contradictory, []);
    assert_eq!(violated(&world).await, []);
    assert_eq!(world.stock("GOOD").await, untouched);
    let again = world.service.repair(RepairInventory {}).await.expect("nothing to do");
    assert_eq!(again.repaired, []);
}

/// F15: "reserved_quantity negative and no way to fix": a release goes through at any stock value.
async fn a_release_goes_through_although_the_numbers_have_drifted(world: World) {
    world.product("Bag", &[("BAG", 10)]).await;
    let order = world.id();
    world.reserve(order, &[("BAG", 4)]).await.expect("held");
    tamper(&world, "UPDATE variant SET reserved = 1 WHERE sku = 'BAG'").await;
    world.release(order).await;
    assert_eq!(world.shelf("BAG").await, (10, 0));
    world.adds_up().await;
}

/// F15: where ledger and reservations contradict each other, a person decides.
async fn a_contradiction_is_named_and_left_alone(world: World) {
    world.product("Box", &[("BOX", 10)]).await;
    world.reserve(world.id(), &[("BOX", 8)]).await.expect("held");
    tamper(&world, "UPDATE movement SET delta = 5 WHERE sku = 'BOX'").await;
    let done = world.service.repair(RepairInventory {}).await.expect("looked at");
    assert_eq!((done.repaired.len(), done.contradictory.len()), (0, 1));
    assert_eq!(world.shelf("BOX").await, (10, 8));
}

/// The CHECKs stand behind the statements: no writer can sell what is not there.
async fn the_database_itself_refuses_to_oversell(world: World) {
    world.product("Hat", &[("HAT", 2)]).await;
    for sql in [
        "UPDATE variant SET reserved = 3 WHERE sku = 'HAT'",
        "UPDATE variant SET reserved = -1 WHERE sku = 'HAT'",
        "UPDATE variant SET on_hand = -1 WHERE sku = 'HAT'",
    ] {
        let write =
            world.database.write((), move |(), tx| Box::pin(async move { tx.execute(sql, []).await }));
        let refused: Result<u64, BusError> = write.await;
        assert!(refused.is_err(), "{sql}");
    }
    assert_eq!(world.shelf("HAT").await, (2, 0));
}

crate::on_both! {
    /// F15.
    drift_is_reported_and_repaired,
    /// F15.
    a_release_goes_through_although_the_numbers_have_drifted,
    /// F15.
    a_contradiction_is_named_and_left_alone,
    the_database_itself_refuses_to_oversell,
}
