//! What others put into our queues.

use crate::{
    SOON,
    namespace::{Namespace, Raw, broker},
    probe::{Probe, within},
};
use bus::{Listener, Transport};
use bus_testkit::eventually;
use lapin::{
    BasicProperties,
    options::QueueDeclareOptions,
    types::{AMQPValue, FieldTable},
};
use std::{sync::Arc, time::Duration};
use tokio::time::timeout;

/// Properties as anybody may set them.
fn forged(name: &str, reply_to: &str) -> BasicProperties {
    let mut headers = FieldTable::default();
    headers.insert("bus".into(), AMQPValue::FieldTable(FieldTable::default()));
    BasicProperties::default()
        .with_type(name.into())
        .with_headers(headers)
        .with_reply_to(reply_to.into())
        .with_correlation_id("1".into())
}

fn unreadable() -> [BasicProperties; 4] {
    let mut headers = FieldTable::default();
    headers.insert("bus".into(), AMQPValue::LongLongInt(7));
    [
        BasicProperties::default(),
        BasicProperties::default().with_type("shop.open".into()).with_expiration("100000".into()),
        BasicProperties::default().with_type("shop.open".into()).with_headers(headers),
        forged("stock.count", "amq.rabbitmq.reply-to.forged"),
    ]
}

/// B13: nothing panics, loops, or stands in the way of what comes next. What no inbox can be asked to store goes aside
/// with its bytes.
#[tokio::test]
#[ignore = "needs RabbitMQ"]
async fn garbage_stands_in_nobodys_way() {
    let namespace = Namespace::of(&["shop"]);
    let (amqp, probe) = (namespace.connect().await, Probe::open());
    let listener = amqp.listener(Arc::clone(&probe) as Arc<dyn Transport>);
    listener.open("shop").await.expect("the broker is there");
    let raw = Raw::connect(&broker()).await;
    let transport = namespace.connect().await.transport();
    for properties in unreadable() {
        raw.publish("", &namespace.calls("shop"), properties.clone(), b"\xff\0garbage").await;
        raw.publish(&namespace.exchange(), "shop", properties, b"\xff\0garbage").await;
        assert_eq!(transport.request("shop.open", within(SOON), "call".into()).await, Ok("call".into()));
        assert_eq!(transport.deliver("shop.inbox", within(SOON), "[]".into()).await, Ok("[]".into()));
    }
    assert_eq!(probe.count(), 8, "garbage is not asked for");
    let dead = namespace.dead();
    eventually("all of it is aside", SOON, async || raw.look(&dead).await == Some((4, 0))).await;
    assert_eq!(raw.get(&dead).await.as_deref(), Some(b"\xff\0garbage".as_slice()));
    for queue in [namespace.calls("shop"), namespace.events("shop")] {
        eventually("nothing is left", SOON, async || raw.look(&queue).await == Some((0, 1))).await;
    }
    assert!(listener.is_ready());
}

/// Section 5.11: a reply address from a message is not trusted. A forged one fills nobody's queue and closes no channel
/// under those who have true ones.
#[tokio::test]
#[ignore = "needs RabbitMQ"]
async fn a_forged_reply_address_does_no_harm() {
    let namespace = Namespace::of(&["shop", "victim"]);
    let (amqp, probe) = (namespace.connect().await, Probe::open());
    let listener = amqp.listener(Arc::clone(&probe) as Arc<dyn Transport>);
    listener.open("shop").await.expect("the broker is there");
    let raw = Raw::connect(&broker()).await;
    let victim = namespace.calls("victim");
    let declared = raw.channel.queue_declare(
        victim.as_str().into(),
        QueueDeclareOptions::default(),
        FieldTable::default(),
    );
    declared.await.expect("it is declared");
    let transport = namespace.connect().await.transport();
    // This one is no stranger any longer when the forger comes.
    assert_eq!(transport.request("shop.open", within(SOON), "true".into()).await, Ok("true".into()));
    let addresses = [
        victim.as_str(),
        "",
        "amq.rabbitmq.reply-to.",
        "amq.rabbitmq.reply-to.forged",
        "amq.rabbitmq.reply-to.g1h2AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==.AAAAAAAAAAAAAAAAAAAAAA==",
    ];
    for address in addresses {
        raw.publish("", &namespace.calls("shop"), forged("shop.open", address), b"call").await;
        raw.publish(&namespace.exchange(), "shop", forged("shop.inbox", address), b"[]").await;
        assert_eq!(transport.request("shop.open", within(SOON), "true".into()).await, Ok("true".into()));
        assert_eq!(transport.deliver("shop.inbox", within(SOON), "[1]".into()).await, Ok("[1]".into()));
    }
    assert_eq!(raw.look(&victim).await, Some((0, 0)));
    let newcomer = namespace.connect().await.transport();
    // Again and again: strangers are answered by a connection that the last forgery may just be taking down.
    let answered = async || {
        let brief = Duration::from_secs(2);
        let asked = timeout(brief, newcomer.request("shop.open", within(brief), "new".into()));
        asked.await.is_ok_and(|answer| answer == Ok("new".into()))
    };
    eventually("a true stranger is answered all the same", SOON, answered).await;
    let stored = probe.bodies().iter().filter(|body| *body == "[]").count();
    assert_eq!(stored, addresses.len(), "an event is stored, whoever may not hear of it");
}
