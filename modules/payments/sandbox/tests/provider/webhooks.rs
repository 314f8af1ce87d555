//! Every change is told to the shop until the shop says that it heard.

use crate::support::*;
use sandbox::{Sandbox, sign};
use sea_orm::ConnectionTrait;
use std::sync::{Arc, Mutex};

async fn drained(fixture: &Fixture) {
    let rows = fixture.rows().await;
    eventually("no webhook is left", async || {
        let statement = "SELECT id FROM webhooks LIMIT 1";
        let statement = sea_orm::Statement::from_string(rows.get_database_backend(), statement);
        rows.query_one_raw(statement).await.expect("reads").is_none().then_some(())
    })
    .await;
    rows.close().await.expect("closes");
}

async fn one_order(sandbox: &Sandbox, key: &str) {
    let charge = authorized(sandbox, key, "tok_ok").await;
    sandbox.capture(capture(&format!("{key}-c"), charge, 1000)).await.expect("captured");
    sandbox.refund(refund(&format!("{key}-r"), charge, 250)).await.expect("refunded");
}

on_both! {
    /// 5.7: what a webhook says, and that its signature is over just that.
    async fn each_change_is_told_signed(fixture: &Fixture) {
        let sandbox = fixture.open().await;
        let sink = Arc::new(Sink::default());
        let _delivering = Delivering::start(&sandbox, &sink);
        one_order(&sandbox, "a").await;
        let voided = authorized(&sandbox, "b", "tok_ok").await;
        sandbox.void(void("b-v", voided)).await.expect("voided");
        sandbox.authorize(authorize("c", 1000, "tok_decline")).await.expect("an outcome");
        drained(fixture).await;

        let mut words = sink.words();
        words.sort();
        assert_eq!(
            words,
            [
                "charge.authorized", "charge.authorized", "charge.captured", "charge.declined",
                "charge.refunded", "charge.voided",
            ]
        );
        let bodies = sink.bodies();
        let refund = bodies.iter().find(|body| body["type"] == "charge.refunded").expect("was told");
        assert_eq!(refund["reference"], "order-a");
        assert_eq!(refund["amount"], serde_json::json!({"amount": 250, "currency": "EUR"}));
        assert_eq!(refund["status"], "refunded");
        assert_eq!(refund["idempotency_key"], "a-r");
        let ledger = sandbox.transactions("order-a").await.expect("a ledger");
        assert_eq!(refund["id"], format!("evt_{}", ledger[2].id));
        assert_eq!(refund["at"], ledger[2].at);
        for webhook in sink.seen.lock().expect("not poisoned").iter() {
            assert_eq!(webhook.signature, sign(SECRET, &webhook.id, webhook.timestamp, &webhook.body));
            let body: serde_json::Value = serde_json::from_slice(&webhook.body).expect("JSON");
            assert_eq!(body["id"], webhook.id.as_str());
        }
        sandbox.close().await;
    }

    /// C1: a webhook is a row of the transaction that caused it: a restart loses none, and repeats none that
    /// was acknowledged.
    async fn webhooks_survive_a_restart(fixture: &Fixture) {
        let sandbox = fixture.open().await;
        for i in 0..200 {
            authorized(&sandbox, &format!("k{i}"), "tok_ok").await;
        }
        sandbox.close().await;

        let sandbox = fixture.open().await;
        let sink = Arc::new(Sink::default());
        let delivering = Delivering::start(&sandbox, &sink);
        drained(fixture).await;
        drop(delivering);
        let mut ids: Vec<String> = sink.seen.lock().expect("not poisoned").iter().map(|w| w.id.clone()).collect();
        assert_eq!(ids.len(), 200);
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 200);
        sandbox.close().await;
    }

    /// 5.7: retried until it is acknowledged, with one id and a new timestamp's signature each time.
    async fn a_refused_webhook_is_sent_again(fixture: &Fixture) {
        let sandbox = fixture.open().await;
        let sink = Arc::new(Sink { plan: Mutex::new([400, 0, 503].into()), ..Sink::default() });
        let _delivering = Delivering::start(&sandbox, &sink);
        authorized(&sandbox, "a", "tok_ok").await;
        drained(fixture).await;
        let seen = sink.seen.lock().expect("not poisoned").clone();
        assert_eq!(seen.len(), 4);
        assert!(seen.iter().all(|w| w.id == seen[0].id && w.body == seen[0].body));
        sandbox.close().await;
    }

    /// F5, F10: duplicates on demand.
    async fn copies_are_sent_as_often_as_asked(fixture: &Fixture) {
        let mut settings = fixture.settings.clone();
        settings.webhook_copies = 3;
        let sandbox = Fixture { settings }.open().await;
        let sink = Arc::new(Sink::default());
        let _delivering = Delivering::start(&sandbox, &sink);
        authorized(&sandbox, "a", "tok_ok").await;
        drained(fixture).await;
        let seen = sink.seen.lock().expect("not poisoned").clone();
        assert_eq!(seen.len(), 3);
        assert!(seen.iter().all(|webhook| webhook.id == seen[0].id));
        sandbox.close().await;
    }

    /// F5: out of order on demand.
    async fn a_shuffled_batch_is_sent_newest_first(fixture: &Fixture) {
        let mut settings = fixture.settings.clone();
        settings.webhook_shuffle = true;
        let sandbox = Fixture { settings }.open().await;
        one_order(&sandbox, "a").await;
        let sink = Arc::new(Sink::default());
        let _delivering = Delivering::start(&sandbox, &sink);
        drained(fixture).await;
        assert_eq!(sink.words(), ["charge.refunded", "charge.captured", "charge.authorized"]);
        sandbox.close().await;
    }
}
