//! A placed order's stock leaves the shelf, once, whatever came before.

use crate::world::{SOON, TTL, World};
use bus::{Delivery, Event as _, Message, Receipt};
use bus_durable::Dispatch;
use bus_testkit::eventually;
use inventory_ports::{InventoryPort as _, Movement, MovementKind, OrderMovements};
use kernel::{Currency, Money, OrderId, UserId};
use orders_ports::{OrderLine, OrderPlaced};
use std::time::Duration;
use tokio::sync::watch;

/// The event of an order, as its inbox gets it; each time as another message.
fn placed(world: &World, order_id: OrderId, lines: &[(&str, u32)]) -> Delivery {
    let price = Money::new(1000, Currency::EUR);
    let line = |(sku, quantity): &(&str, u32)| OrderLine {
        sku: sku.parse().expect("a SKU"),
        title: (*sku).into(),
        quantity: *quantity,
        unit_price: price,
        total: price,
    };
    let event = OrderPlaced {
        order_id,
        number: 7,
        user_id: UserId(world.id()),
        lines: lines.iter().map(line).collect(),
        total: price,
        placed_at: world.now(),
        version: 2,
    };
    let message = Message {
        id: world.id(),
        name: OrderPlaced::NAME.into(),
        source: "orders".into(),
        key: event.key(),
        sequence: event.sequence(),
        at: world.now(),
        trace: None,
        data: serde_json::to_string(&event).expect("serialises"),
    };
    Delivery { subscription: "inventory.ship_stock".into(), message }
}

async fn deliver(dispatch: &Dispatch, deliveries: Vec<Delivery>) {
    let count = deliveries.len();
    let receipts = dispatch.inbox().receive(deliveries).await.expect("received");
    assert_eq!(receipts, vec![Receipt::Stored; count]);
}

async fn movements(world: &World, order_id: OrderId) -> Vec<(MovementKind, i64)> {
    let found: Vec<Movement> =
        world.service.order_movements(OrderMovements { order_id }).await.expect("movements");
    assert!(found.iter().all(|movement| movement.order_id == Some(order_id)));
    found.iter().map(|movement| (movement.kind, movement.delta)).collect()
}

async fn has_moved(world: &World, order: OrderId, count: usize) {
    eventually("the stock moves", SOON, async || movements(world, order).await.len() == count).await;
}

/// I4, EVT-13: a message delivered twice, and one replayed under a new id, ship once.
async fn a_placed_order_leaves_the_shelf_once(world: World) {
    world.product("Book", &[("BOOK", 10), ("NOTE", 10)]).await;
    let dispatch = world.dispatch();
    let lines = [("NOTE", 1), ("BOOK", 2)];
    let (order, other) = (world.id(), world.id());
    world.reserve(order, &lines).await.expect("held");
    world.reserve(other, &[("BOOK", 1)]).await.expect("held");
    let message = placed(&world, order, &lines);
    deliver(&dispatch, vec![message.clone(), message.clone()]).await;
    deliver(&dispatch, vec![message, placed(&world, order, &lines)]).await;
    has_moved(&world, order, 2).await;
    // One more order behind it, to know that the repetitions have been handled.
    deliver(&dispatch, vec![placed(&world, other, &[("BOOK", 1)])]).await;
    has_moved(&world, other, 1).await;
    dispatch.stop().await;
    assert_eq!(movements(&world, order).await, [(MovementKind::Sale, -2), (MovementKind::Sale, -1)]);
    assert_eq!((world.shelf("BOOK").await, world.shelf("NOTE").await), ((7, 0), (9, 0)));
    world.adds_up().await;
}

/// I4: a cancelled order's stock comes back, with a line in the ledger; cancelling twice returns it once.
async fn released_after_it_was_shipped_it_goes_back_to_the_shelf(world: World) {
    world.product("Vase", &[("VASE", 5)]).await;
    let dispatch = world.dispatch();
    let order = world.id();
    world.reserve(order, &[("VASE", 2)]).await.expect("held");
    deliver(&dispatch, vec![placed(&world, order, &[("VASE", 2)])]).await;
    has_moved(&world, order, 1).await;
    assert_eq!(world.shelf("VASE").await, (3, 0));
    world.release(order).await;
    world.release(order).await;
    assert_eq!(world.shelf("VASE").await, (5, 0));
    assert_eq!(movements(&world, order).await, [(MovementKind::Sale, -2), (MovementKind::Return, 2)]);
    dispatch.stop().await;
    world.adds_up().await;
}

/// An order that is cancelled before its event arrives keeps its stock on the shelf.
async fn released_before_it_was_shipped_it_stays_on_the_shelf(world: World) {
    world.product("Bowl", &[("BOWL", 5)]).await;
    let dispatch = world.dispatch();
    let (order, marker) = (world.id(), world.id());
    world.reserve(order, &[("BOWL", 2)]).await.expect("held");
    world.release(order).await;
    world.reserve(marker, &[("BOWL", 1)]).await.expect("held");
    deliver(&dispatch, vec![placed(&world, order, &[("BOWL", 2)])]).await;
    deliver(&dispatch, vec![placed(&world, marker, &[("BOWL", 1)])]).await;
    has_moved(&world, marker, 1).await;
    dispatch.stop().await;
    assert_eq!((movements(&world, order).await, world.shelf("BOWL").await), (vec![], (4, 0)));
    world.adds_up().await;
}

/// F8: an order that was placed after its reservation had expired gets what the shelf still has; where it has
/// not, the message is a dead letter that can be replayed once the goods are found.
async fn an_order_placed_after_its_reservation_expired_takes_what_is_there(world: World) {
    world.product("Ring", &[("RING", 3)]).await;
    let dispatch = world.dispatch();
    let (first, second) = (world.id(), world.id());
    world.reserve(first, &[("RING", 1)]).await.expect("held");
    world.reserve(second, &[("RING", 2)]).await.expect("held");
    world.clock.advance(TTL + Duration::from_secs(1));
    let (stop, stopped) = watch::channel(false);
    let workers = world.service.workers(stopped);
    eventually("both expire", SOON, async || world.shelf("RING").await == (3, 0)).await;
    stop.send_replace(true);
    for worker in workers {
        worker.await.expect("ends when told");
    }
    let faster = world.id();
    world.reserve(faster, &[("RING", 2)]).await.expect("held");
    deliver(&dispatch, vec![placed(&world, first, &[("RING", 1)])]).await;
    deliver(&dispatch, vec![placed(&world, second, &[("RING", 2)])]).await;
    has_moved(&world, first, 1).await;
    assert_eq!(world.shelf("RING").await, (2, 2), "what is held for others is not touched");
    let dead = async || {
        let sql = "SELECT position FROM inbox WHERE state = 'dead'";
        world.database.reader().rows(sql, []).await.expect("read").len()
    };
    eventually("the second is a dead letter", SOON, async || dead().await == 1).await;
    assert_eq!(movements(&world, second).await, []);
    dispatch.stop().await;
    world.adds_up().await;
}

crate::on_both! {
    /// I4, EVT-13.
    a_placed_order_leaves_the_shelf_once,
    /// I4.
    released_after_it_was_shipped_it_goes_back_to_the_shelf,
    released_before_it_was_shipped_it_stays_on_the_shelf,
    /// F8.
    an_order_placed_after_its_reservation_expired_takes_what_is_there,
}
