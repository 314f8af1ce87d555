//! Orders with inventory and payments behind them: the contract, the saga under faults, the buyers that have to act.

use actix_rt::Arbiter;
use bus_actor::Mailbox;
use bus_testkit::{Fault, eventually};
use kernel::UserId;
use orders_ports::{
    CancelOrder, GetOrder, GetTimeline, Order, OrderPaymentStatus, OrderStatus, OrdersError, OrdersPort,
    Viewer, contract,
};
use std::{sync::Arc, time::Duration};
use tests::world::{Backend, Terms, World};

const SOON: Duration = Duration::from_secs(30);

/// Runs each body on both databases.
macro_rules! on_both {
    ($($(#[$meta:meta])* $name:ident),+ $(,)?) => {$(
        mod $name {
            use super::*;

            $(#[$meta])*
            #[tokio::test(flavor = "multi_thread")]
            async fn on_sqlite() {
                super::$name(Backend::Sqlite).await;
            }

            $(#[$meta])*
            #[tokio::test(flavor = "multi_thread")]
            #[ignore = "needs PostgreSQL"]
            async fn on_postgres() {
                super::$name(Backend::Postgres).await;
            }
        }
    )+};
}

async fn the_contract_is_kept(backend: Backend) {
    for (strict, twice) in [(false, false), (true, false), (true, true)] {
        let world = World::start(backend, Terms { strict, ..Terms::default() }).await;
        if twice {
            world.ask_orders_twice();
        }
        keeps_the_contract(world).await;
    }
}

async fn the_contract_is_kept_over_the_actor(backend: Backend) {
    let thread = Arbiter::new();
    for twice in [false, true] {
        let executor = Arc::new(Mailbox::start_on(&thread.handle(), 256).await);
        let world = World::start(backend, Terms { strict: false, executor, ..Terms::default() }).await;
        if twice {
            world.ask_orders_twice();
        }
        keeps_the_contract(world).await;
    }
    thread.stop();
}

async fn keeps_the_contract(world: World) {
    let shop = orders_ports::Shop {
        sources: world.sources.clone(),
        buyer: world.sources.id(),
        stranger: world.sources.id(),
        staff: world.sources.id(),
        plenty: world.stock("PLENTY", 1999, 1000).await,
        scarce: world.stock("SCARCE", 500, 1).await,
        good_token: "tok_ok".into(),
        bad_token: "tok_decline".into(),
    };
    contract(Arc::new(world.bus.clone()), shop).await;
    world.stop().await;
}

/// Actors need actix's system around them, as in the program.
mod over_the_actor {
    use super::*;

    #[test]
    fn on_sqlite() {
        cleave::block_on(the_contract_is_kept_over_the_actor(Backend::Sqlite));
    }

    #[test]
    #[ignore = "needs PostgreSQL"]
    fn on_postgres() {
        cleave::block_on(the_contract_is_kept_over_the_actor(Backend::Postgres));
    }
}

async fn look(world: &World, order: &Order) -> Order {
    let viewer = Viewer::Staff(order.user_id);
    world.bus.get(GetOrder { order_id: order.id, viewer }).await.expect("the order is there")
}

/// What the provider did for an order, as (kind, amount) of what succeeded.
async fn provider(world: &World, order_id: kernel::OrderId) -> Vec<(String, i64)> {
    let ledger = world.sandbox.transactions(&order_id.to_string()).await.expect("a ledger");
    ledger
        .into_iter()
        .filter(|row| row.status == sandbox::TransactionStatus::Succeeded)
        .map(|row| (row.kind.as_str().to_owned(), row.amount.amount))
        .collect()
}

fn net(ledger: &[(String, i64)]) -> i64 {
    ledger
        .iter()
        .map(|(kind, amount)| match kind.as_str() {
            "capture" => *amount,
            "refund" => -*amount,
            _ => 0,
        })
        .sum()
}

/// Waits until no order is on its way, and says what is left reserved and what was sold.
async fn settled(world: &World) {
    eventually("every order has ended", SOON, async || {
        let request = orders_ports::ListSettlements { before: None, limit: 1000 };
        let all = world.bus.settlements(request).await.expect("settlements");
        all.iter().all(|order| !order.in_progress)
    })
    .await;
}

/// F3, F8, F20, reliability 3.3 (2 and 4): each request of the saga fails or loses its answer, definitely or for a
/// time; each time the order ends placed and paid, or rejected with nothing held and nothing kept.
async fn every_fault_ends_well_or_is_undone(backend: Backend) {
    let world = World::start(backend, Terms::default()).await;
    let sku = world.stock("FAULTY", 1000, 1000).await;
    let buyer: UserId = world.sources.id();
    let mut sold = 0;
    let mut undone = 0;
    for request in ["inventory.reserve", "payments.authorize", "payments.capture"] {
        for fault in [Fault::BreakBefore, Fault::BreakAfter] {
            // Three in a row are more than the saga's patience.
            for times in [1, 2, 3] {
                world.faults.inject(request, fault, times);
                let wish = world.wish(buyer, &sku, 1, "tok_ok");
                let id = wish.order_id;
                let outcome = world.bus.place(wish).await;
                settled(&world).await;
                let viewer = Viewer::Staff(buyer);
                let order = world.bus.get(GetOrder { order_id: id, viewer }).await.expect("kept");
                let ledger = provider(&world, id).await;
                match order.status {
                    OrderStatus::Placed => {
                        sold += 1;
                        assert_eq!(net(&ledger), 1000, "{request} {fault:?} ×{times}: {ledger:?}");
                    }
                    OrderStatus::Rejected => {
                        undone += 1;
                        assert!(times > 2, "{request} {fault:?} ×{times} is overcome: {outcome:?}");
                        assert_eq!(net(&ledger), 0, "{request} {fault:?} ×{times}: {ledger:?}");
                        assert!(matches!(outcome, Err(OrdersError::NotPlaced { .. })), "{outcome:?}");
                    }
                    other => panic!("{request} {fault:?} ×{times} ended {other:?}"),
                }
                assert!(ledger.iter().filter(|(kind, _)| kind == "capture").count() <= 1, "{ledger:?}");
                world.faults.assert_all_fired();
            }
        }
    }
    assert!(sold > 0 && undone > 0, "both ways were taken: {sold} sold, {undone} undone");
    eventually("what was sold has left the shelf", SOON, async || {
        let stock = world.on_shelf(&sku).await;
        stock.reserved == 0 && stock.on_hand == 1000 - sold
    })
    .await;
    world.stop().await;
}

/// F12, B16: an answer that is lost is asked for; the buyer hears 202, then the order is placed, charged once.
async fn a_lost_answer_is_settled_without_a_second_charge(backend: Backend) {
    let world = World::start(backend, Terms::default()).await;
    let sku = world.stock("LOST", 700, 10).await;
    let order =
        world.bus.place(world.wish(world.sources.id(), &sku, 1, "tok_lost_ok")).await.expect("accepted");
    assert_eq!((order.status, order.number), (OrderStatus::Processing, None), "F6: no number yet");
    eventually("the reconciler settles it", SOON, async || {
        look(&world, &order).await.status == OrderStatus::Placed
    })
    .await;
    let ledger = provider(&world, order.id).await;
    assert_eq!(ledger, [("authorize".into(), 700), ("capture".into(), 700)]);
    world.stop().await;
}

/// F12: a request that never arrived ends, and nothing is held for it.
async fn a_request_that_never_arrived_is_given_up(backend: Backend) {
    let world = World::start(backend, Terms::default()).await;
    let sku = world.stock("NEVER", 700, 10).await;
    let order =
        world.bus.place(world.wish(world.sources.id(), &sku, 1, "tok_lost_fail")).await.expect("accepted");
    eventually("it is given up", SOON, async || look(&world, &order).await.status == OrderStatus::Rejected)
        .await;
    assert_eq!(net(&provider(&world, order.id).await), 0);
    assert_eq!(world.on_shelf(&sku).await.reserved, 0);
    world.stop().await;
}

/// F8, F20: a capture that is refused undoes what was before it, and the timeline tells.
async fn a_refused_capture_undoes_the_rest(backend: Backend) {
    let world = World::start(backend, Terms::default()).await;
    let sku = world.stock("REFUSED", 700, 10).await;
    let wish = world.wish(world.sources.id(), &sku, 2, "tok_capture_decline");
    let (order_id, buyer) = (wish.order_id, wish.user_id);
    let outcome = world.bus.place(wish).await;
    assert!(matches!(outcome, Err(OrdersError::PaymentDeclined { .. })), "{outcome:?}");
    assert_eq!(world.on_shelf(&sku).await.reserved, 0, "nothing stays reserved");
    let ledger = provider(&world, order_id).await;
    assert_eq!(ledger, [("authorize".into(), 1400), ("void".into(), 1400)]);
    let request = GetTimeline { order_id, viewer: Viewer::Buyer(buyer) };
    let timeline = world.bus.timeline(request).await.expect("a timeline");
    let undone = timeline.iter().filter(|entry| entry.detail == "undone").count();
    assert_eq!(undone, 3, "every step is undone, the failed one too: {timeline:?}");
    world.stop().await;
}

/// A buyer who has to approve: 202 with the page, then placed; another who cancels; a third who never comes.
async fn buyers_approve_cancel_or_stay_away(backend: Backend) {
    let mut terms = Terms::default();
    terms.orders.payment_window = Duration::from_secs(10);
    let world = World::start(backend, terms).await;
    let sku = world.stock("THREE", 900, 3).await;
    let mut waiting = Vec::new();
    for _ in 0..3 {
        let wish = world.wish(world.sources.id(), &sku, 1, "tok_3ds");
        let order = world.bus.place(wish).await.expect("accepted");
        assert_eq!(order.status, OrderStatus::RequiresAction);
        assert!(order.action_url.is_some());
        waiting.push(order);
    }
    assert_eq!(world.on_shelf(&sku).await.available, 0, "the stock is held while they think");
    let cancel = CancelOrder {
        cancellation_id: world.sources.id(),
        order_id: waiting[1].id,
        viewer: Viewer::Buyer(waiting[1].user_id),
        reason: "too slow".into(),
        expected_version: None,
    };
    let cancelled = world.bus.cancel(cancel).await.expect("cancelled");
    assert_eq!(cancelled.status, OrderStatus::Cancelled);
    eventually("the one who stays away expires", SOON, async || {
        look(&world, &waiting[2]).await.status == OrderStatus::Expired
    })
    .await;
    eventually("nothing stays reserved", SOON, async || world.on_shelf(&sku).await.reserved == 0).await;
    for order in &waiting {
        let now = look(&world, order).await;
        assert_eq!(now.number, None, "F6");
        assert_ne!(now.payment_status, OrderPaymentStatus::Paid);
        assert_eq!(net(&provider(&world, order.id).await), 0);
    }
    world.stop().await;
}

/// F14: a provider that hangs on one order holds nobody else up who wants the same thing.
async fn a_slow_provider_delays_its_own_buyer_only(backend: Backend) {
    let mut terms = Terms::default();
    terms.payments.provider_timeout = Duration::from_secs(9);
    let world = World::start(backend, terms).await;
    let sku = world.stock("HOT", 100, 100).await;
    let slow = {
        let (bus, wish) = (world.bus.clone(), world.wish(world.sources.id(), &sku, 1, "tok_slow_7000"));
        bus::spawn(async move { bus.place(wish).await })
    };
    eventually("the slow one holds its stock", SOON, async || world.on_shelf(&sku).await.reserved == 1).await;
    for _ in 0..5 {
        let order = world.bus.place(world.wish(world.sources.id(), &sku, 1, "tok_ok")).await.expect("placed");
        assert_eq!(order.status, OrderStatus::Placed);
    }
    assert!(!slow.is_finished(), "five were served while one waited");
    // Its buyer may have been told that it goes on.
    let slow = slow.await.expect("runs").expect("accepted");
    eventually("it is placed as well", SOON, async || {
        look(&world, &slow).await.status == OrderStatus::Placed
    })
    .await;
    world.stop().await;
}

on_both! {
    the_contract_is_kept,
    every_fault_ends_well_or_is_undone,
    a_lost_answer_is_settled_without_a_second_charge,
    a_request_that_never_arrived_is_given_up,
    a_refused_capture_undoes_the_rest,
    buyers_approve_cancel_or_stay_away,
    a_slow_provider_delays_its_own_buyer_only,
}
