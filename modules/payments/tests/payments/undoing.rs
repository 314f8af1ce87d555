//! Undoing: whatever had happened, the buyer's money is free in the end.

use crate::{
    provider::Fault,
    world::{SOON, World, eur},
};
use bus_testkit::eventually;
use payments::EntryKind;
use payments_ports::{AuthorizePayment, CapturePayment, PaymentStatus, PaymentsError, PaymentsPort};

const SETTLED: &str = "payments.payment_settled.v1";

async fn an_unknown_authorization_is_found_and_let_go(world: World) {
    let world = world.with_workers();
    for fault in [Fault::Lost, Fault::After] {
        world.provider.next("authorize", [fault.clone()]);
        let payment = world.authorize("tok_ok").await;
        assert_eq!(payment.status, PaymentStatus::Processing);
        eventually("it is undone", SOON, async || world.void(payment.id).await.is_ok()).await;
        assert_eq!(world.payment(payment.id).await.status, PaymentStatus::Voided);
        assert_eq!(world.done(payment.order_id, EntryKind::Void).await.0, 1, "{fault:?}");
    }
    assert_eq!(world.violations().await, []);
}

async fn an_unknown_capture_is_found_and_given_back(world: World) {
    let world = world.with_workers();
    for fault in [Fault::Lost, Fault::After, Fault::Before, Fault::Hang] {
        world.provider.next("capture", [fault.clone()]);
        world.provider.next("lookup", [Fault::Before]);
        let payment = world.authorize("tok_ok").await;
        let unknown = world.service.capture(CapturePayment { payment_id: payment.id }).await.unwrap();
        assert_eq!(unknown.status, PaymentStatus::Processing);
        eventually("it is undone", SOON, async || world.void(payment.id).await.is_ok()).await;
        assert!(world.provider.fired().ends_with(&[fault.clone(), Fault::Before]), "both faults were met");
        let (_, taken) = world.done(payment.order_id, EntryKind::Capture).await;
        let (_, back) = world.done(payment.order_id, EntryKind::Refund).await;
        let (voids, _) = world.done(payment.order_id, EntryKind::Void).await;
        assert_eq!(taken, back, "{fault:?}");
        assert!(taken > 0 || voids == 1, "{fault:?}");
    }
    assert_eq!(world.violations().await, []);
}

async fn a_void_whose_answer_is_lost_is_ended_by_the_reconciler(world: World) {
    let world = world.with_workers();
    let payment = world.authorize("tok_ok").await;
    world.provider.next("void", [Fault::Lost, Fault::Before]);
    assert_eq!(world.void(payment.id).await, Err(PaymentsError::NotSettled { payment_id: payment.id }));
    world.until(payment.id, PaymentStatus::Voided).await;
    assert_eq!(world.provider.fired(), [Fault::Lost, Fault::Before], "the faults were met");
    assert_eq!(world.done(payment.order_id, EntryKind::Void).await.0, 1);
    assert_eq!(world.published(SETTLED, payment.order_id).await, 1, "the caller had not been told");
    assert_eq!(world.violations().await, []);
}

async fn what_is_left_after_a_part_was_refunded_goes_back(world: World) {
    let payment = world.captured("tok_ok").await;
    world.service.refund(world.refund(payment.id, 500)).await.unwrap();
    let undone = world.void(payment.id).await.unwrap();
    assert_eq!((undone.status, undone.refunded), (PaymentStatus::Refunded, eur(1999)));
    assert_eq!(world.done(payment.order_id, EntryKind::Refund).await, (2, 1999));
}

async fn a_request_that_never_arrives_is_voided_in_bounded_time(world: World) {
    let world = world.with_workers();
    let payment = world.authorize("tok_lost_fail").await;
    assert!(world.void(payment.id).await.is_err(), "it may yet arrive");
    world.until(payment.id, PaymentStatus::Voided).await;
    assert_eq!(world.void(payment.id).await.unwrap().status, PaymentStatus::Voided);
    assert_eq!(world.done(payment.order_id, EntryKind::Authorize).await.0, 0);
}

async fn an_undo_that_comes_first_leaves_nothing_to_charge(world: World) {
    let request = world.attempt("tok_ok");
    let voids = (0..10).map(|_| world.void(request.payment_id));
    for voided in futures::future::join_all(voids).await {
        assert_eq!(voided.unwrap().status, PaymentStatus::Voided);
    }
    let refused = Err(PaymentsError::InvalidTransition { status: PaymentStatus::Voided });
    assert_eq!(world.service.authorize(request.clone()).await, refused);
    assert_eq!(world.service.authorize(request.clone()).await, refused);
    assert_eq!(world.provider.asked("authorize"), 0);
    assert_eq!(world.history(request.order_id).await, ["voided"]);
    assert_eq!(world.violations().await, []);
}

async fn a_capture_that_was_announced_is_called_off(world: World) {
    let request = AuthorizePayment { capture_next: true, ..world.attempt("tok_ok") };
    let payment = world.service.authorize(request).await.unwrap();
    assert_eq!(world.void(payment.id).await.unwrap().status, PaymentStatus::Voided);
    let refused = world.service.capture(CapturePayment { payment_id: payment.id }).await;
    assert_eq!(refused, Err(PaymentsError::InvalidTransition { status: PaymentStatus::Voided }));
    assert_eq!(world.done(payment.order_id, EntryKind::Capture).await.0, 0);
    assert_eq!(world.violations().await, []);
}

crate::on_both! {
    /// F20: the caller said that it would capture, and undoes instead.
    a_capture_that_was_announced_is_called_off,
    /// F20, B16: the answer to the authorization was lost.
    an_unknown_authorization_is_found_and_let_go,
    /// F20, B16: the answer to the capture was lost, or the request.
    an_unknown_capture_is_found_and_given_back,
    /// F20, B17.
    a_void_whose_answer_is_lost_is_ended_by_the_reconciler,
    /// F20.
    what_is_left_after_a_part_was_refunded_goes_back,
    /// B15, B16: the request is lost for good.
    a_request_that_never_arrives_is_voided_in_bounded_time,
    /// B15: the undo overtakes the action.
    an_undo_that_comes_first_leaves_nothing_to_charge,
}
