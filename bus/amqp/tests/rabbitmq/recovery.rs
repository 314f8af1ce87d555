//! A broker that dies: everything is consumed again when it is back, whatever it remembers.

use crate::{
    SOON,
    node::Node,
    probe::{Probe, within},
};
use bus::{Listener, Transport};
use bus_amqp::{Amqp, AmqpSettings};
use bus_testkit::eventually;
use std::{sync::Arc, time::Duration};
use tokio::time::timeout;

const MODULES: [&str; 3] = ["orders", "shop", "stock"];

/// B12, C18: after `kill -9` and a restart, and after another one with an empty disk, each subscription consumes again,
/// and readiness was red in between. A batch that was sent before is received after, by the broker's memory or by the
/// sender's.
#[tokio::test]
#[ignore = "needs RabbitMQ"]
async fn every_subscription_consumes_again_after_a_broker_was_killed() {
    let mut node = Node::start().await;
    let connect = |node: &Node| Amqp::connect(AmqpSettings::new(node.url(), "test")).expect("good settings");
    let (calling, serving, probe) = (connect(&node), connect(&node), Probe::open());
    let (transport, listener) =
        (calling.transport(), serving.listener(Arc::clone(&probe) as Arc<dyn Transport>));
    for module in MODULES {
        listener.open(module).await.expect("the broker is there");
    }
    for wiped in [false, true] {
        for module in MODULES {
            // A quorum queue that is killed while it is being made has no leader afterwards, for good (3.10.8).
            let inbox = format!("{module}.inbox");
            let sent = transport.deliver(&inbox, within(SOON), "[]".into());
            assert!(timeout(SOON, sent).await.expect("it is answered").is_ok());
        }
        node.kill().await;
        eventually("readiness turns red", SOON, async || !listener.is_ready()).await;
        let refused = transport.request("shop.open", within(SOON), "{}".into());
        assert!(timeout(SOON, refused).await.expect("at once").is_err());
        if wiped {
            node.wipe();
        }
        node.restart().await;
        for module in MODULES {
            let (call, inbox) = (format!("{module}.open"), format!("{module}.inbox"));
            // As a relay does, and as a policy for retries does.
            let brief = Duration::from_secs(2);
            let answered = async || {
                let asked = transport.request(&call, within(brief), "{}".into());
                timeout(brief, asked).await.is_ok_and(|answer| answer.is_ok())
            };
            eventually("its calls are taken", SOON, answered).await;
            let received = async || {
                let sent = transport.deliver(&inbox, within(brief), "[]".into());
                timeout(brief, sent).await.is_ok_and(|answer| answer.is_ok())
            };
            eventually("its events are received", SOON, received).await;
        }
        eventually("readiness turns green", SOON, async || listener.is_ready()).await;
    }
    assert_eq!(transport.pending(), 0);
}
