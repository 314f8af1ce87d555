//! Calls side by side: one attempt for an order, one winner between capture and void, webhooks among the calls.

use crate::{
    provider::Fault,
    sandbox_provider::WebhooksToPort,
    world::{SOON, World, settings},
};
use async_trait::async_trait;
use bus_testkit::{eventually, postgres::fresh_postgres};
use payments::EntryKind;
use payments_ports::{AuthorizePayment, CapturePayment, PaymentStatus, PaymentsError, PaymentsPort};
use sandbox::{SignedWebhook, WebhookSink};
use std::sync::{Arc, Mutex};

const SETTLED: &str = "payments.payment_settled.v1";

async fn an_order_is_paid_once_however_many_pay(world: World) {
    let order = world.attempt("tok_ok");
    let attempts = (0..20).map(|_| {
        let request = AuthorizePayment { payment_id: world.sources.id(), ..order.clone() };
        world.service.authorize(request)
    });
    let outcomes = futures::future::join_all(attempts).await;
    let won: Vec<_> = outcomes.iter().filter_map(|outcome| outcome.as_ref().ok()).collect();
    assert_eq!(won.len(), 1);
    let refused = Err(PaymentsError::AttemptInFlight { payment_id: won[0].id });
    assert_eq!(outcomes.iter().filter(|outcome| **outcome == refused).count(), 19);
    assert_eq!(world.done(order.order_id, EntryKind::Authorize).await, (1, 1999));
}

async fn one_request_many_times_at_once_is_one_charge(world: World) {
    let request = world.attempt("tok_slow_20");
    let outcomes = futures::future::join_all((0..20).map(|_| world.service.authorize(request.clone()))).await;
    for outcome in outcomes {
        let payment = outcome.unwrap();
        assert_eq!((payment.id, payment.status), (request.payment_id, PaymentStatus::Authorized));
    }
    let capture = CapturePayment { payment_id: request.payment_id };
    let outcomes = futures::future::join_all((0..20).map(|_| world.service.capture(capture.clone()))).await;
    assert!(outcomes.iter().all(|outcome| outcome.as_ref().unwrap().status == PaymentStatus::Captured));
    assert_eq!(world.done(request.order_id, EntryKind::Authorize).await, (1, 1999));
    assert_eq!(world.done(request.order_id, EntryKind::Capture).await, (1, 1999));
    let history = world.history(request.order_id).await;
    assert_eq!(history, ["authorized", "captured"]);
}

async fn between_capture_and_void_one_wins_and_the_money_is_free(world: World) {
    let world = world.with_workers();
    for _ in 0..30 {
        let payment = world.authorize("tok_ok").await;
        let (captured, voided) = futures::join!(
            world.service.capture(CapturePayment { payment_id: payment.id }),
            world.void(payment.id)
        );
        eventually("the undo ends", SOON, async || world.void(payment.id).await.is_ok()).await;
        let after = world.payment(payment.id).await;
        match after.status {
            PaymentStatus::Voided => assert!(captured.is_err(), "{captured:?} {voided:?}"),
            PaymentStatus::Refunded => assert_eq!(after.captured, after.refunded),
            other => panic!("{other}: {captured:?} {voided:?}"),
        }
        let (captures, taken) = world.done(payment.order_id, EntryKind::Capture).await;
        let (_, back) = world.done(payment.order_id, EntryKind::Refund).await;
        let (voids, _) = world.done(payment.order_id, EntryKind::Void).await;
        assert_eq!((taken, captures + voids), (back, 1));
    }
    assert_eq!(world.violations().await, []);
}

async fn a_late_success_of_a_superseded_attempt_is_undone(world: World) {
    let world = world.with_workers();
    world.provider.next("authorize", [Fault::Late]);
    // Whatever is sent again is lost, so that only the first request arrives, and late.
    world.provider.next("authorize", std::iter::repeat_n(Fault::Hang, 3));
    let first = world.authorize("tok_ok").await;
    assert_eq!(first.status, PaymentStatus::Processing);
    let undo = world.void(first.id).await;
    assert_eq!(undo, Err(PaymentsError::NotSettled { payment_id: first.id }), "it may yet arrive");
    let second = AuthorizePayment { order_id: first.order_id, ..world.attempt("tok_ok") };
    let refused = world.service.authorize(second.clone()).await;
    assert_eq!(refused, Err(PaymentsError::AttemptInFlight { payment_id: first.id }));

    world.until(first.id, PaymentStatus::Voided).await;
    eventually("the buyer pays otherwise", SOON, async || {
        world.service.authorize(second.clone()).await.is_ok_and(|p| p.status == PaymentStatus::Authorized)
    })
    .await;
    world.provider.release();
    eventually("the late charge is let go", SOON, async || {
        world.done(first.order_id, EntryKind::Void).await.0 == 1
    })
    .await;
    eventually("and it is in the history", SOON, async || {
        let history = world.history(first.order_id).await;
        history.contains(&"late_success".to_owned()) && history.last() == Some(&"voided".to_owned())
    })
    .await;
    assert_eq!(world.payment(second.payment_id).await.status, PaymentStatus::Authorized);
    assert_eq!(world.violations().await, []);
}

/// Posts, and notes what was answered.
struct Answers(WebhooksToPort, Mutex<Vec<Result<u16, String>>>);

#[async_trait]
impl WebhookSink for Answers {
    async fn post(&self, webhook: SignedWebhook) -> Result<u16, String> {
        let answer = self.0.post(webhook).await;
        self.1.lock().unwrap().push(answer.clone());
        answer
    }
}

async fn webhooks_among_the_calls(world: World) {
    let world = world.with_workers();
    let port = Arc::clone(&world.service) as Arc<dyn PaymentsPort>;
    let answers = Arc::new(Answers(WebhooksToPort::new(port), Mutex::default()));
    let (sandbox, sink) = (world.sandbox.clone(), Arc::clone(&answers));
    let postman = bus::spawn(async move { sandbox.deliver_webhooks(sink).await });
    let orders = (0..40).map(|_| async {
        let payment = world.authorize("tok_ok").await;
        let captured = world.service.capture(CapturePayment { payment_id: payment.id }).await.unwrap();
        assert_eq!(captured.status, PaymentStatus::Captured);
        payment.order_id
    });
    let orders = futures::future::join_all(orders).await;
    eventually("every webhook is posted", SOON, async || answers.1.lock().unwrap().len() >= 2 * 3 * 40).await;
    assert!(answers.1.lock().unwrap().iter().all(|answer| *answer == Ok(200)));
    for order in orders {
        assert_eq!(world.done(order, EntryKind::Capture).await, (1, 1999));
        assert_eq!(world.published(SETTLED, order).await, 0, "the callers were told");
        assert_eq!(world.history(order).await, ["authorized", "captured"]);
    }
    assert_eq!(world.count("SELECT COUNT(*) AS n FROM webhook_event").await, 80);
    assert_eq!(world.count("SELECT COUNT(*) AS n FROM webhook_event WHERE state <> 'done'").await, 0);
    assert_eq!(world.violations().await, []);
    postman.abort();
}

/// F5: three copies of every webhook, in reverse, while the calls run.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn webhooks_race_with_calls_on_sqlite() {
    for shuffle in [false, true] {
        webhooks_among_the_calls(World::open(None, settings(), 3, shuffle).await).await;
    }
}

/// F5: as above.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL"]
async fn webhooks_race_with_calls_on_postgres() {
    let database = fresh_postgres("payments").await;
    webhooks_among_the_calls(World::open(Some(database), settings(), 3, true).await).await;
}

crate::on_both! {
    /// F7: one payment attempt in flight for an order.
    an_order_is_paid_once_however_many_pay,
    /// B19, F5: the same commands at once.
    one_request_many_times_at_once_is_one_charge,
    /// F20, F22: capture and void are decided by one conditional update.
    between_capture_and_void_one_wins_and_the_money_is_free,
    /// F7: what was given up comes about after all.
    a_late_success_of_a_superseded_attempt_is_undone,
}
