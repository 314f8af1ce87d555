//! Webhooks: from the provider only, each once, in any order, about what is known.

use crate::{
    provider::Fault,
    world::{SOON, World, webhook_body},
};
use bus_testkit::eventually;
use payments::{EntryKind, Provider};
use payments_ports::{CapturePayment, Payment, PaymentStatus, PaymentsError, PaymentsPort, ReceiveWebhook};

const SETTLED: &str = "payments.payment_settled.v1";

/// A payment whose authorization happened, and nobody heard of it; and its charge.
async fn unheard(world: &World) -> (Payment, String) {
    world.provider.next("authorize", [Fault::After]);
    let payment = world.authorize("tok_ok").await;
    assert_eq!(payment.status, PaymentStatus::Processing);
    let ledger = world.provider.transactions(&payment.order_id.to_string()).await.unwrap();
    (payment, ledger[0].charge.clone())
}

fn authorized(payment: &Payment, charge: &str, amount: i64) -> String {
    let key = format!("pay-{}-authorize", payment.id);
    webhook_body("authorized", &key, &payment.order_id.to_string(), charge, amount)
}

/// Everything that payments has of payments, as one text.
async fn state(world: &World) -> String {
    let rows = world
        .database
        .reader()
        .rows("SELECT id, status, step, version, captured, refunded, attention FROM payment ORDER BY id", [])
        .await
        .unwrap();
    let text = |row: &bus_durable::Row| {
        format!(
            "{}|{}|{}|{}|{:?};",
            row.get::<uuid::Uuid>("id").unwrap(),
            row.get::<String>("status").unwrap(),
            row.get::<i64>("version").unwrap(),
            row.get::<i64>("captured").unwrap(),
            row.get::<Option<String>>("attention").unwrap()
        )
    };
    rows.iter().map(text).collect()
}

async fn concurrent_duplicates_have_one_effect(world: World) {
    let (payment, charge) = unheard(&world).await;
    let webhook = world.webhook("evt_1", &authorized(&payment, &charge, 1999));
    let answers =
        futures::future::join_all((0..20).map(|_| world.service.receive_webhook(webhook.clone()))).await;
    assert!(answers.iter().all(|answer| answer.as_ref().is_ok_and(|receipt| receipt.matched)), "{answers:?}");
    assert_eq!(world.payment(payment.id).await.status, PaymentStatus::Authorized);
    assert_eq!(world.count("SELECT COUNT(*) AS n FROM webhook_event").await, 1);
    assert_eq!(world.published(SETTLED, payment.order_id).await, 1);
    assert_eq!(world.history(payment.order_id).await, ["processing", "authorized"]);
}

async fn only_the_provider_is_believed(world: World) {
    let (payment, charge) = unheard(&world).await;
    let good = world.webhook("evt_1", &authorized(&payment, &charge, 1999));
    let before = state(&world).await;
    let late = world.sources.now().seconds() - 301;
    let signature = sandbox::sign(crate::world::SECRET, "evt_1", late, good.body.as_bytes());
    for bad in [
        ReceiveWebhook { signature: String::new(), ..good.clone() },
        ReceiveWebhook { signature: "v1,AAAA".into(), ..good.clone() },
        ReceiveWebhook { body: good.body.replace("1999", "1998"), ..good.clone() },
        ReceiveWebhook { body: good.body.replace(['\n', ' '], ""), ..good.clone() },
        ReceiveWebhook { id: "evt_2".into(), ..good.clone() },
        ReceiveWebhook { timestamp: late.to_string(), signature, ..good.clone() },
        ReceiveWebhook {
            signature: sandbox::sign(
                "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
                "evt_1",
                good.timestamp.parse().unwrap(),
                good.body.as_bytes(),
            ),
            ..good.clone()
        },
    ] {
        assert_eq!(world.service.receive_webhook(bad).await, Err(PaymentsError::InvalidSignature));
    }
    assert_eq!(state(&world).await, before);
    assert_eq!(world.count("SELECT COUNT(*) AS n FROM webhook_event").await, 0);
    let list = ReceiveWebhook { signature: format!("v1,AAAA {}", good.signature), ..good };
    assert!(world.service.receive_webhook(list).await.unwrap().matched, "a list with a good one");
    assert_eq!(world.payment(payment.id).await.status, PaymentStatus::Authorized);
}

async fn what_is_about_nothing_known_changes_nothing(world: World) {
    let (payment, charge) = unheard(&world).await;
    let before = state(&world).await;
    let (order, stranger) = (payment.order_id.to_string(), uuid::Uuid::from_u128(7).to_string());
    let key = format!("pay-{}-authorize", payment.id);
    for (n, body) in [
        webhook_body("authorized", &format!("pay-{stranger}-authorize"), &order, &charge, 1999),
        webhook_body("authorized", "", &order, &charge, 1999),
        webhook_body("authorized", &key, "", &charge, 1999),
        webhook_body("authorized", &key, "undefined", &charge, 1999),
        webhook_body("refunded", &format!("ref-{stranger}"), &order, &charge, 1999),
        "{\"type\":\"charge.authorized\"}".to_owned(),
    ]
    .into_iter()
    .enumerate()
    {
        let receipt = world.service.receive_webhook(world.webhook(&format!("evt_{n}"), &body)).await.unwrap();
        assert!(!receipt.matched, "{body}");
    }
    for (n, body) in ["not json".to_owned(), "{\"type\":\"account.updated\"}".to_owned()].iter().enumerate() {
        world.service.receive_webhook(world.webhook(&format!("other_{n}"), body)).await.unwrap();
    }
    assert_eq!(state(&world).await, before);
    assert_eq!(world.count("SELECT COUNT(*) AS n FROM webhook_event WHERE state = 'unmatched'").await, 6);
    assert_eq!(world.violations().await, []);

    let body = webhook_body("authorized", &key, &stranger, &charge, 1999);
    world.service.receive_webhook(world.webhook("evt_wrong", &body)).await.unwrap();
    assert_eq!(state(&world).await, before, "another order's reference confirms nothing, and is an alarm");
    assert_eq!(world.violations().await.len(), 1);
}

async fn a_wrong_amount_is_an_alarm_and_confirms_nothing(world: World) {
    let (payment, charge) = unheard(&world).await;
    let body = authorized(&payment, &charge, 1);
    world.service.receive_webhook(world.webhook("evt_1", &body)).await.unwrap();
    assert_eq!(world.payment(payment.id).await.status, PaymentStatus::Processing);
    assert_eq!(world.violations().await.len(), 2, "the payment and the webhook");
    assert_eq!(world.history(payment.order_id).await, ["processing", "attention"]);
}

async fn events_in_any_order_converge(world: World) {
    let (payment, charge) = unheard(&world).await;
    world.service.receive_webhook(world.webhook("e1", &authorized(&payment, &charge, 1999))).await.unwrap();
    world.provider.next("capture", [Fault::After]);
    world.service.capture(CapturePayment { payment_id: payment.id }).await.unwrap();
    let order = payment.order_id.to_string();
    let capture_key = format!("pay-{}-capture", payment.id);
    let captured = webhook_body("captured", &capture_key, &order, &charge, 1999);
    let receive = async |id: &str, body: &str| {
        world.service.receive_webhook(world.webhook(id, body)).await.unwrap();
        world.payment(payment.id).await
    };
    assert_eq!(receive("e2", &captured).await.status, PaymentStatus::Captured);
    world.provider.next("ref-", [Fault::After]);
    let refund = world.service.refund(world.refund(payment.id, 500)).await.unwrap();
    let refund_key = format!("ref-{}", refund.id);
    let refunded = receive("e3", &webhook_body("refunded", &refund_key, &order, &charge, 500)).await;
    assert_eq!(refunded.status, PaymentStatus::PartiallyRefunded);
    for (id, body) in [("e4", captured), ("e5", authorized(&payment, &charge, 1999))] {
        assert_eq!(receive(id, &body).await, refunded, "an old event changes nothing");
    }
    assert_eq!(world.published(SETTLED, payment.order_id).await, 2);
    assert_eq!(world.violations().await, []);
}

async fn what_could_not_be_handled_is_handled_later_or_dead(world: World) {
    let (payment, charge) = unheard(&world).await;
    let webhook = world.webhook("evt_1", &authorized(&payment, &charge, 1999));
    world.tamper("ALTER TABLE payment_event RENAME TO elsewhere").await;
    let receipt = world.service.receive_webhook(webhook.clone()).await.unwrap();
    assert!(receipt.matched, "it is stored, so the provider need not send it again");
    assert_eq!(world.count("SELECT COUNT(*) AS n FROM webhook_event WHERE state = 'pending'").await, 1);
    assert_eq!(world.service.handle_webhooks().await.unwrap(), 0, "nor can it be handled now");
    world.tamper("ALTER TABLE elsewhere RENAME TO payment_event").await;
    assert_eq!(world.payment(payment.id).await.status, PaymentStatus::Processing);
    eventually("it is handled", SOON, async || world.service.handle_webhooks().await.unwrap() == 1).await;
    assert_eq!(world.payment(payment.id).await.status, PaymentStatus::Authorized);
    assert_eq!(world.violations().await, []);

    let (payment, charge) = unheard(&world).await;
    world.tamper("ALTER TABLE payment_event RENAME TO elsewhere").await;
    let webhook = world.webhook("evt_2", &authorized(&payment, &charge, 1999));
    world.service.receive_webhook(webhook).await.unwrap();
    world.tamper("UPDATE webhook_event SET attempts = 7 WHERE state = 'pending'").await;
    world.service.handle_webhooks().await.unwrap();
    let dead = "SELECT COUNT(*) AS n FROM webhook_event WHERE state = 'dead' AND error IS NOT NULL";
    assert_eq!(world.count(dead).await, 1);
    assert_eq!(world.violations().await.len(), 1, "a dead one is seen");
}

async fn a_webhook_that_is_known_is_one_row(world: World) {
    let payment = world.captured("tok_ok").await;
    let ledger = world.provider.transactions(&payment.order_id.to_string()).await.unwrap();
    let before = state(&world).await;
    let body = authorized(&payment, &ledger[0].charge, 1999);
    world.service.receive_webhook(world.webhook("evt_1", &body)).await.unwrap();
    assert_eq!(state(&world).await, before);
    assert_eq!(world.done(payment.order_id, EntryKind::Capture).await, (1, 1999));
}

async fn a_buyer_approves_or_abandons(world: World) {
    let world = world.with_workers();
    let port = std::sync::Arc::clone(&world.service) as std::sync::Arc<dyn PaymentsPort>;
    let sink = std::sync::Arc::new(crate::sandbox_provider::WebhooksToPort::new(port));
    let sandbox = world.sandbox.clone();
    let postman = bus::spawn(async move { sandbox.deliver_webhooks(sink).await });
    for (approve, status) in [(true, PaymentStatus::Authorized), (false, PaymentStatus::Declined)] {
        let payment = world.authorize("tok_3ds").await;
        assert_eq!(payment.status, PaymentStatus::RequiresAction);
        let url = payment.action_url.clone().unwrap();
        let (_, charge) = url.rsplit_once('/').unwrap();
        let page = sandbox::answer(&world.sandbox, charge, approve).await;
        assert_eq!(page.status, 303);
        let settled = world.until(payment.id, status).await;
        assert_eq!(settled.action_url, None);
        assert_eq!(world.published(SETTLED, payment.order_id).await, 1);
    }
    assert_eq!(world.violations().await, []);
    postman.abort();
}

crate::on_both! {
    /// F6, F5: a payment with a challenge is settled when its buyer approves or abandons, and told once.
    a_buyer_approves_or_abandons,
    /// F10: duplicates at once are all answered well, with one effect.
    concurrent_duplicates_have_one_effect,
    /// 5.7: the table of what comes in.
    only_the_provider_is_believed,
    /// F11: a wrong or absent reference.
    what_is_about_nothing_known_changes_nothing,
    /// 5.7: amount mismatch.
    a_wrong_amount_is_an_alarm_and_confirms_nothing,
    /// F5, 5.7: out of order.
    events_in_any_order_converge,
    /// F10, EVT-11: kept, tried again, and parked where it can be seen.
    what_could_not_be_handled_is_handled_later_or_dead,
    /// F5: what is known already changes nothing.
    a_webhook_that_is_known_is_one_row,
}
