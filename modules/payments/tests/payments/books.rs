//! The integrity checks find what is planted, and nothing else.

use crate::world::World;
use payments_ports::{PaymentStatus, PaymentsPort};

async fn the_books_agree_and_a_planted_difference_is_found(world: World) {
    let world = world.with_workers();
    world.authorize("tok_ok").await;
    world.authorize("tok_3ds").await;
    world.captured("tok_ok").await;
    let payment = world.captured("tok_ok").await;
    world.service.refund(world.refund(payment.id, 700)).await.unwrap();
    world.void(world.authorize("tok_ok").await.id).await.unwrap();
    world.void(world.captured("tok_ok").await.id).await.unwrap();
    assert!(world.service.authorize(world.attempt("tok_decline")).await.is_err());
    let lost = world.authorize("tok_lost_ok").await;
    world.until(lost.id, PaymentStatus::Authorized).await;
    assert_eq!(world.violations().await, []);

    world.tamper("UPDATE payment SET captured = 1998 WHERE status = 'partially_refunded'").await;
    assert_eq!(world.violations().await, [("captured and refunded = the provider's books".to_owned(), 1)]);
    world.tamper("UPDATE payment SET captured = 1999 WHERE status = 'partially_refunded'").await;
    world.tamper("UPDATE refund SET amount = 699 WHERE amount = 700").await;
    assert_eq!(world.violations().await, [("refunds = what is held and what went back".to_owned(), 1)]);
    world.tamper("UPDATE refund SET amount = 700 WHERE amount = 699").await;
    world.tamper("UPDATE payment SET status = 'failed' WHERE status = 'authorized'").await;
    assert_eq!(world.violations().await, [("captured and refunded = the provider's books".to_owned(), 2)]);
}

async fn a_payment_that_nobody_looks_after_is_found(world: World) {
    world.authorize("tok_3ds").await;
    assert_eq!(world.violations().await, []);
    world.tamper("UPDATE payment SET due_at = 1 WHERE status = 'requires_action'").await;
    assert_eq!(world.violations().await, [("what is open is being looked after".to_owned(), 1)]);
}

crate::on_both! {
    /// B17, F12: integrity against the provider's own ledger.
    the_books_agree_and_a_planted_difference_is_found,
    /// F12: the reconciler stands still.
    a_payment_that_nobody_looks_after_is_found,
}
