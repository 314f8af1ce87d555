//! A broker that loses what it held: whatever is missing is declared again on the way.

use crate::{
    SOON,
    namespace::{Namespace, Raw, broker},
    probe::{Probe, within},
};
use bus::{Listener, Transport};
use bus_amqp::AmqpTransport;
use bus_testkit::eventually;
use bytes::Bytes;
use lapin::{options::QueueBindOptions, types::FieldTable};
use std::{sync::Arc, time::Duration};
use tokio::time::timeout;

/// D18, B11: a batch that the broker has no route for, acknowledged though it is, is not taken for sent. The route is
/// made again, and the batch sent again.
#[tokio::test]
#[ignore = "needs RabbitMQ"]
async fn an_unroutable_batch_is_a_failure_that_mends_itself() {
    let namespace = Namespace::of(&["shop"]);
    let (amqp, probe) = (namespace.connect().await, Probe::open());
    let listener = amqp.listener(Arc::clone(&probe) as Arc<dyn Transport>);
    listener.open("shop").await.expect("the broker is there");
    let transport = namespace.connect().await.transport();
    let send = async |body: &'static str| {
        timeout(SOON, transport.deliver("shop.inbox", within(SOON), body.into()))
            .await
            .expect("it is answered")
    };
    assert_eq!(send("before").await, Ok("before".into()));
    let raw = Raw::connect(&broker()).await;
    let (queue, exchange) = (namespace.events("shop"), namespace.exchange());
    let unbound = raw.channel.queue_unbind(
        queue.as_str().into(),
        exchange.as_str().into(),
        "shop".into(),
        FieldTable::default(),
    );
    unbound.await.expect("it is unbound");
    assert_eq!(send("unbound").await, Ok("unbound".into()));
    assert_eq!(probe.bodies(), ["before", "unbound"]);
    let bound = raw.channel.queue_bind(
        queue.as_str().into(),
        exchange.as_str().into(),
        "shop".into(),
        QueueBindOptions::default(),
        FieldTable::default(),
    );
    bound.await.expect("it was bound already");
}

/// The end-to-end argument: queues and exchanges vanish in the middle of deliveries, a sender repeats what has no
/// receipt, and every batch is received. Calls go on as well.
#[tokio::test]
#[ignore = "needs RabbitMQ"]
async fn queues_that_vanish_lose_nothing() {
    const BATCHES: usize = 60;
    let namespace = Namespace::of(&["shop"]);
    let (amqp, probe) = (namespace.connect().await, Probe::open());
    let listener = amqp.listener(Arc::clone(&probe) as Arc<dyn Transport>);
    listener.open("shop").await.expect("the broker is there");
    let transport = namespace.connect().await.transport();
    let sending = async {
        for batch in 0..BATCHES {
            send_until_received(&transport, batch.to_string().into()).await;
        }
    };
    let wiping = async {
        let raw = Raw::connect(&broker()).await;
        for round in 1..=4 {
            let progress = BATCHES * round / 6;
            eventually("batches go on", SOON, async || probe.count() >= progress).await;
            raw.delete_queue(&namespace.events("shop")).await;
            if round % 2 == 0 {
                raw.delete_exchange(&namespace.exchange()).await;
                raw.delete_queue(&namespace.dead()).await;
                raw.delete_exchange(&namespace.dead()).await;
            }
            raw.delete_queue(&namespace.calls("shop")).await;
            let answered = async || {
                let brief = Duration::from_secs(2);
                let asked = timeout(brief, transport.request("shop.open", within(brief), "call".into()));
                asked.await.is_ok_and(|answer| answer == Ok("call".into()))
            };
            eventually("calls go on", SOON, answered).await;
        }
    };
    futures::join!(sending, wiping);
    let bodies = probe.bodies();
    for batch in 0..BATCHES {
        assert!(bodies.contains(&Bytes::from(batch.to_string())), "batch {batch} is lost");
    }
    eventually("all is consumed", SOON, async || listener.is_ready()).await;
}

/// As a relay does: again and again, until there is a receipt.
async fn send_until_received(transport: &AmqpTransport, body: Bytes) {
    let brief = Duration::from_secs(2);
    let received = async || {
        let sent = timeout(brief, transport.deliver("shop.inbox", within(brief), body.clone()));
        sent.await.is_ok_and(|answer| answer.is_ok())
    };
    eventually("a receipt", SOON, received).await;
}
