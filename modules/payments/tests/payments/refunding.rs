//! Refunds: never more than was captured, never twice, and to their end.

use crate::{
    provider::Fault,
    world::{SOON, World, eur},
};
use bus_testkit::eventually;
use payments::EntryKind;
use payments_ports::{PaymentStatus, PaymentsError, PaymentsPort, RefundStatus};

const REFUNDED: &str = "payments.payment_refunded.v1";

async fn fifty_refunds_at_once_never_exceed_what_was_captured(world: World) {
    let payment = world.captured("tok_ok").await;
    let refunds = (0..50).map(|_| world.service.refund(world.refund(payment.id, 100)));
    let outcomes = futures::future::join_all(refunds).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 19);
    let refused = Err(PaymentsError::RefundExceedsCaptured { refundable: eur(99) });
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == refused).count(), 31);
    assert_eq!(world.done(payment.order_id, EntryKind::Refund).await, (19, 1900));
    let after = world.payment(payment.id).await;
    assert_eq!((after.status, after.refunded), (PaymentStatus::PartiallyRefunded, eur(1900)));
    assert_eq!(world.published(REFUNDED, payment.order_id).await, 19);
    assert_eq!(world.violations().await, []);
}

async fn a_refund_whose_answer_is_lost_holds_its_amount_and_is_paid_once(world: World) {
    for fault in [Fault::After, Fault::Lost, Fault::Before, Fault::Hang] {
        let payment = world.captured("tok_ok").await;
        world.provider.next("ref-", [fault.clone()]);
        let request = world.refund(payment.id, 1500);
        let refund = world.service.refund(request.clone()).await.unwrap();
        assert_eq!(refund.status, RefundStatus::Processing, "{fault:?}");
        assert_eq!(world.provider.fired().last(), Some(&fault), "the fault was met");
        let more = world.service.refund(world.refund(payment.id, 500)).await;
        assert_eq!(more, Err(PaymentsError::RefundExceedsCaptured { refundable: eur(499) }), "{fault:?}");
        let again = world.service.refund(request).await.unwrap();
        assert_eq!((again.id, again.status), (refund.id, RefundStatus::Succeeded), "{fault:?}");
        assert_eq!(world.done(payment.order_id, EntryKind::Refund).await, (1, 1500), "{fault:?}");
        assert_eq!(world.published(REFUNDED, payment.order_id).await, 1, "{fault:?}");
    }
}

async fn the_reconciler_ends_what_nobody_asks_for_again(world: World) {
    let world = world.with_workers();
    let payment = world.captured("tok_ok").await;
    world.provider.next("ref-", [Fault::Lost, Fault::Before]);
    world.service.refund(world.refund(payment.id, 1999)).await.unwrap();
    world.until(payment.id, PaymentStatus::Refunded).await;
    assert_eq!(world.provider.fired(), [Fault::Lost, Fault::Before], "the faults were met");
    assert_eq!(world.done(payment.order_id, EntryKind::Refund).await, (1, 1999));
    assert_eq!(world.published(REFUNDED, payment.order_id).await, 1);
    assert_eq!(world.violations().await, []);
}

async fn a_refund_that_fails_for_a_while_completes(world: World) {
    let world = world.with_workers();
    let payment = world.captured("tok_refund_fail_3").await;
    let undo = world.void(payment.id).await;
    assert_eq!(undo, Err(PaymentsError::NotSettled { payment_id: payment.id }));
    world.until(payment.id, PaymentStatus::Refunded).await;
    assert_eq!(world.void(payment.id).await.unwrap().status, PaymentStatus::Refunded);
    assert_eq!(world.done(payment.order_id, EntryKind::Refund).await, (1, 1999));
    assert_eq!(world.violations().await, []);
}

async fn a_refund_that_fails_for_ever_calls_for_attention(world: World) {
    let world = world.with_workers();
    let payment = world.captured("tok_refund_fail").await;
    let refund = world.service.refund(world.refund(payment.id, 1000)).await.unwrap();
    assert_eq!(refund.status, RefundStatus::Processing);
    eventually("the alarm", SOON, async || {
        world.violations().await.contains(&("no payment needs attention".to_owned(), 1))
    })
    .await;
    assert!(world.history(payment.order_id).await.contains(&"attention".to_owned()));
    assert_eq!(world.payment(payment.id).await.refunded, eur(0), "and nobody says that it went back");
}

crate::on_both! {
    /// F9: concurrent refunds are capped.
    fifty_refunds_at_once_never_exceed_what_was_captured,
    /// F9: a retried refund reuses its key and row.
    a_refund_whose_answer_is_lost_holds_its_amount_and_is_paid_once,
    /// F9, B16.
    the_reconciler_ends_what_nobody_asks_for_again,
    /// B17: 500 several times, then it works.
    a_refund_that_fails_for_a_while_completes,
    /// B17: permanent.
    a_refund_that_fails_for_ever_calls_for_attention,
}
