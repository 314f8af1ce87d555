//! Answers that are lost, late or never come: never a second charge, and always an end.

use crate::{
    provider::Fault,
    world::{SOON, World},
};
use bus_testkit::eventually;
use payments::EntryKind;
use payments_ports::{AuthorizePayment, CapturePayment, PaymentStatus, PaymentsError, PaymentsPort};
use std::{sync::Arc, time::Duration};

const SETTLED: &str = "payments.payment_settled.v1";

async fn a_lost_answer_is_found_and_nothing_is_charged_twice(world: World) {
    let world = world.with_workers();
    let payment = world.authorize("tok_lost_ok").await;
    assert_eq!(payment.status, PaymentStatus::Processing);
    let payment = world.until(payment.id, PaymentStatus::Authorized).await;
    assert_eq!(world.done(payment.order_id, EntryKind::Authorize).await, (1, 1999));
    assert_eq!(world.published(SETTLED, payment.order_id).await, 1);
    assert_eq!(world.history(payment.order_id).await, ["processing", "authorized"]);

    let payment = world.authorize("tok_capture_lost_ok").await;
    let captured = world.service.capture(CapturePayment { payment_id: payment.id }).await.unwrap();
    assert_eq!(captured.status, PaymentStatus::Processing);
    world.until(payment.id, PaymentStatus::Captured).await;
    assert_eq!(world.done(payment.order_id, EntryKind::Capture).await, (1, 1999));
    assert_eq!(world.published(SETTLED, payment.order_id).await, 1);
    assert_eq!(world.violations().await, []);
}

async fn every_fault_of_the_line_comes_to_one_charge(world: World) {
    let world = world.with_workers();
    for (step, fault) in [
        ("authorize", Fault::Before),
        ("authorize", Fault::After),
        ("authorize", Fault::Lost),
        ("authorize", Fault::Hang),
        ("capture", Fault::Before),
        ("capture", Fault::After),
        ("capture", Fault::Lost),
        ("capture", Fault::Hang),
    ] {
        world.provider.next(step, [fault.clone()]);
        let payment = world.authorize("tok_ok").await;
        let payment = world.until(payment.id, PaymentStatus::Authorized).await;
        let _ = world.service.capture(CapturePayment { payment_id: payment.id }).await.unwrap();
        world.until(payment.id, PaymentStatus::Captured).await;
        assert_eq!(world.provider.fired().last(), Some(&fault), "the fault was met");
        assert_eq!(world.done(payment.order_id, EntryKind::Authorize).await, (1, 1999), "{step} {fault:?}");
        assert_eq!(world.done(payment.order_id, EntryKind::Capture).await, (1, 1999), "{step} {fault:?}");
        assert_eq!(world.published(SETTLED, payment.order_id).await, 1, "{step} {fault:?}");
    }
    assert_eq!(world.violations().await, []);
}

async fn a_request_that_never_arrives_fails_in_bounded_time(world: World) {
    let world = world.with_workers();
    let payment = world.authorize("tok_lost_fail").await;
    assert_eq!(payment.status, PaymentStatus::Processing);
    let failed = world.until(payment.id, PaymentStatus::Failed).await;
    assert_eq!(world.done(failed.order_id, EntryKind::Authorize).await, (0, 0));
    assert_eq!(world.published(SETTLED, failed.order_id).await, 1);
    let other = payments_ports::AuthorizePayment { order_id: failed.order_id, ..world.attempt("tok_ok") };
    assert_eq!(world.service.authorize(other).await.unwrap().status, PaymentStatus::Authorized);
    assert_eq!(world.violations().await, []);
}

async fn asking_again_finds_the_lost_answer_at_once(world: World) {
    let request = world.attempt("tok_ok");
    world.provider.next("authorize", [Fault::Lost]);
    let payment = world.service.authorize(request.clone()).await.unwrap();
    assert_eq!(payment.status, PaymentStatus::Processing);
    let payment = world.service.authorize(request).await.unwrap();
    assert_eq!(payment.status, PaymentStatus::Authorized);
    world.provider.next("capture", [Fault::Lost]);
    let capture = CapturePayment { payment_id: payment.id };
    assert_eq!(world.service.capture(capture.clone()).await.unwrap().status, PaymentStatus::Processing);
    assert_eq!(world.service.capture(capture).await.unwrap().status, PaymentStatus::Captured);
    assert_eq!(world.done(payment.order_id, EntryKind::Authorize).await, (1, 1999));
    assert_eq!(world.done(payment.order_id, EntryKind::Capture).await, (1, 1999));
    assert_eq!(world.published(SETTLED, payment.order_id).await, 0, "the callers were told");
}

async fn a_caller_that_dies_before_the_call_leaves_nothing_open(world: World) {
    world.provider.next("authorize", [Fault::Hang]);
    let (service, request) = (Arc::clone(&world.service), world.attempt("tok_ok"));
    let payment_id = request.payment_id;
    let dying = bus::spawn(async move { service.authorize(request).await });
    eventually("the provider is asked", SOON, async || world.provider.asked("authorize") == 1).await;
    dying.abort();
    let service = world.another_service().await;
    eventually("the next process settles it", SOON, async || {
        service.reconcile().await.unwrap();
        world.payment(payment_id).await.status == PaymentStatus::Authorized
    })
    .await;
    let order_id = world.payment(payment_id).await.order_id;
    assert_eq!(world.done(order_id, EntryKind::Authorize).await, (1, 1999));
    assert_eq!(world.published(SETTLED, order_id).await, 1);
}

async fn a_hanging_call_holds_nobody_up(world: World) {
    world.provider.next("authorize", [Fault::Slow]);
    let (service, request) = (Arc::clone(&world.service), world.attempt("tok_ok"));
    let hanging = bus::spawn(async move { service.authorize(request).await });
    eventually("one call hangs", SOON, async || world.provider.fired() == [Fault::Slow]).await;
    let others = (0..50).map(|_| async {
        let payment = world.authorize("tok_ok").await;
        world.service.capture(CapturePayment { payment_id: payment.id }).await.unwrap()
    });
    let others = futures::future::join_all(others).await;
    assert!(others.iter().all(|payment| payment.status == PaymentStatus::Captured));
    world.provider.release();
    hanging.await.unwrap().unwrap();
}

async fn a_caller_in_a_hurry_is_answered_in_time(world: World) {
    let settings = payments::Settings { provider_timeout: Duration::from_secs(60), ..world.settings.clone() };
    let provider = Arc::clone(&world.provider) as Arc<dyn payments::Provider>;
    let service = payments::Service::start(world.database.clone(), provider, settings).await.unwrap();
    world.provider.next("authorize", [Fault::Hang]);
    let deadline = tokio::time::Instant::now() + Duration::from_secs(2);
    let context = bus::Context::default().with_deadline(deadline);
    let payment = context.scope(service.authorize(world.attempt("tok_ok"))).await.unwrap();
    assert_eq!(payment.status, PaymentStatus::Processing);
    assert!(
        tokio::time::Instant::now() < deadline + Duration::from_secs(20),
        "long before the provider's time is up"
    );
    assert_eq!(world.provider.fired(), [Fault::Hang]);
}

async fn an_answer_about_another_amount_confirms_nothing(world: World) {
    let world = world.with_workers();
    let wrong = Fault::Amount(crate::world::eur(1));
    world.provider.next("authorize", [wrong.clone()]);
    world.provider.next("lookup", std::iter::repeat_n(wrong, 1000));
    let payment = world.authorize("tok_ok").await;
    assert_eq!(payment.status, PaymentStatus::Processing);
    eventually("the alarm", SOON, async || {
        world.violations().await == [("no payment needs attention".to_owned(), 1)]
    })
    .await;
    let capture = world.service.capture(CapturePayment { payment_id: payment.id }).await;
    assert_eq!(capture, Err(PaymentsError::NotSettled { payment_id: payment.id }));
    let undone = world.void(payment.id).await.unwrap();
    assert_eq!(undone.status, PaymentStatus::Voided);
    assert_eq!(world.done(payment.order_id, EntryKind::Void).await.0, 1, "the money is let go");
    assert!(world.history(payment.order_id).await.contains(&"attention".to_owned()));

    world.provider.next("authorize", [Fault::Reference("another order".into())]);
    let payment = world.authorize("tok_ok").await;
    assert_eq!(payment.status, PaymentStatus::Processing);
}

async fn a_token_that_makes_no_sense_is_declined_at_once(world: World) {
    let request = world.attempt("tok_\u{7}");
    let refused = PaymentsError::Declined { payment_id: request.payment_id, code: "invalid_request".into() };
    assert_eq!(world.service.authorize(request).await, Err(refused));
}

async fn two_processes_settle_each_payment_once(world: World) {
    let mut payments = Vec::new();
    for _ in 0..20 {
        world.provider.next("authorize", [Fault::After]);
        payments.push(world.authorize("tok_ok").await);
    }
    let other = world.another_service().await;
    eventually("all are settled", SOON, async || {
        let (mine, others) = futures::join!(world.service.reconcile(), other.reconcile());
        mine.unwrap();
        others.unwrap();
        world.count("SELECT COUNT(*) AS n FROM payment WHERE step <> ''").await == 0
    })
    .await;
    assert_eq!(world.provider.asked("lookup"), 20, "one question each");
    for payment in payments {
        assert_eq!(world.published(SETTLED, payment.order_id).await, 1);
    }
}

async fn an_announced_capture_is_carried_out_once_whoever_comes(world: World) {
    let announced = || AuthorizePayment { capture_next: true, ..world.attempt("tok_ok") };
    let request = announced();
    let payment = world.service.authorize(request.clone()).await.unwrap();
    assert_eq!(payment.status, PaymentStatus::Authorized);
    assert_eq!(world.service.authorize(request).await, Ok(payment.clone()), "sent twice");
    let stored = "SELECT COUNT(*) AS n FROM payment WHERE status = 'authorized' AND step = 'capture'";
    assert_eq!(world.count(stored).await, 1, "the intent is there before the provider is asked");
    let capture = CapturePayment { payment_id: payment.id };
    for _ in 0..2 {
        let captured = world.service.capture(capture.clone()).await.unwrap();
        assert_eq!(captured.status, PaymentStatus::Captured);
    }
    assert_eq!(world.done(payment.order_id, EntryKind::Capture).await, (1, 1999));

    // The process dies between the two: whoever comes after it takes up what was announced.
    let left = world.service.authorize(announced()).await.unwrap();
    world.tamper("UPDATE payment SET due_at = 0 WHERE step = 'capture'").await;
    let next = world.another_service().await;
    assert_eq!(next.reconcile().await, Ok(1));
    assert_eq!(world.payment(left.id).await.status, PaymentStatus::Captured);
    let late = world.service.capture(CapturePayment { payment_id: left.id }).await.unwrap();
    assert_eq!(late.status, PaymentStatus::Captured, "whoever comes late finds it done");
    assert_eq!(world.done(left.order_id, EntryKind::Capture).await, (1, 1999));
    assert_eq!(world.violations().await, []);
}

crate::on_both! {
    /// B2, F12: that the money will be taken is stored with the outcome of setting it aside.
    an_announced_capture_is_carried_out_once_whoever_comes,
    /// F12, B16: the provider has done it, and its answer is lost.
    a_lost_answer_is_found_and_nothing_is_charged_twice,
    /// F12, B16: 5xx before and after the effect, lost answers, lost requests.
    every_fault_of_the_line_comes_to_one_charge,
    /// F4, F12: the provider never hears of it.
    a_request_that_never_arrives_fails_in_bounded_time,
    /// F12, B19: the caller repeats itself before the reconciler gets there.
    asking_again_finds_the_lost_answer_at_once,
    /// B2, F12: killed between the intent and the answer.
    a_caller_that_dies_before_the_call_leaves_nothing_open,
    /// F14: no lock and no transaction is held across a provider call.
    a_hanging_call_holds_nobody_up,
    /// F19: a deadline is kept although the provider does not answer.
    a_caller_in_a_hurry_is_answered_in_time,
    /// 5.7: the amount or the reference is not what was asked for.
    an_answer_about_another_amount_confirms_nothing,
    /// B16: what the provider does not understand is no lost answer.
    a_token_that_makes_no_sense_is_declined_at_once,
    /// F12, B8: several processes share the work without doing it twice.
    two_processes_settle_each_payment_once,
}
