//! A broker that dies: everything is consumed again when it is back, whatever it remembers.

use crate::{
    SOON,
    node::Node,
    probe::{Probe, within},
};
use bus::{Listener, Transport};
use bus_amqp::{Amqp, AmqpSettings, AmqpTransport};
use bus_testkit::eventually;
use std::{sync::Arc, time::Duration};
use tokio::time::timeout;

const MODULES: [&str; 3] = ["orders", "shop", "stock"];

/// How the broker ends. Stopped first: a quorum queue that is a few seconds old when its node is killed is without a
/// leader for good afterwards (RabbitMQ 3.10.8).
#[derive(Debug, PartialEq)]
enum End {
    Stopped,
    Killed,
    KilledAndWiped,
}

/// B12, C18: after a restart, after `kill -9`, and after another one with an empty disk, each subscription consumes
/// again, and readiness was red in between.
#[tokio::test]
#[ignore = "needs RabbitMQ"]
async fn every_subscription_consumes_again_after_the_broker_was_gone() {
    let mut node = Node::start().await;
    let connect = || Amqp::connect(AmqpSettings::new(node.url("amqp"), "test")).expect("good settings");
    let (calling, serving, probe) = (connect(), connect(), Probe::open());
    let transport = calling.transport();
    let listener = serving.listener(Arc::clone(&probe) as Arc<dyn Transport>);
    for module in MODULES {
        listener.open(module).await.expect("the broker is there");
        assert_served(&transport, module).await;
    }
    for end in [End::Stopped, End::Killed, End::KilledAndWiped] {
        if end == End::Stopped {
            node.stop().await;
        } else {
            node.kill().await;
        }
        eventually("readiness turns red", SOON, async || !listener.is_ready()).await;
        let refused = transport.request("shop.open", within(SOON), "{}".into());
        assert!(timeout(SOON, refused).await.expect("at once").is_err(), "{end:?}");
        if end == End::KilledAndWiped {
            node.wipe();
        }
        node.restart().await;
        for module in MODULES {
            assert_served(&transport, module).await;
        }
        eventually("readiness turns green", SOON, async || listener.is_ready()).await;
    }
    assert_eq!(transport.pending(), 0);
}

/// Asks and sends again and again, as a policy for retries does, and a relay.
async fn assert_served(transport: &AmqpTransport, module: &str) {
    let (call, inbox) = (format!("{module}.open"), format!("{module}.inbox"));
    let brief = Duration::from_secs(2);
    let answered = async || {
        let asked = transport.request(&call, within(brief), "{}".into());
        timeout(brief, asked).await.is_ok_and(|answer| answer.is_ok())
    };
    eventually("calls are taken", SOON, answered).await;
    let received = async || {
        let sent = transport.deliver(&inbox, within(brief), "[]".into());
        timeout(brief, sent).await.is_ok_and(|answer| answer.is_ok())
    };
    eventually("events are received", SOON, received).await;
}
