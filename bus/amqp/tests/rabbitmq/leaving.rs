//! A process that leaves: what it had in its hands goes on elsewhere, and nobody is taken along.

use crate::{
    SOON,
    namespace::{Namespace, Raw, broker},
    probe::{Probe, within},
};
use bus::{BusError, Listener, Transport};
use bus_amqp::{Amqp, AmqpSettings};
use bus_testkit::eventually;
use bytes::Bytes;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{task::JoinHandle, time::timeout};

fn begin(
    transport: &Arc<impl Transport>,
    name: &'static str,
    body: String,
) -> JoinHandle<Result<Bytes, BusError>> {
    let transport = Arc::clone(transport);
    bus::spawn(async move {
        match name {
            "shop.inbox" => transport.deliver(name, within(SOON), body.into()).await,
            _ => transport.request(name, within(SOON), body.into()).await,
        }
    })
}

/// C17: calls that a leaving process had been handed and not begun are answered by the next one, although there was
/// nobody for a moment; what it had begun it answers itself.
#[tokio::test]
#[ignore = "needs RabbitMQ"]
async fn calls_that_were_not_begun_are_answered_by_the_next_process() {
    let namespace = Namespace::of(&["shop"]);
    let (old, new) = (Probe::shut("old "), Probe::named("new "));
    let settings = AmqpSettings { concurrency: 1, prefetch: 10, ..namespace.settings() };
    let leaving = Amqp::connect(settings).expect("good settings");
    let leaver = leaving.listener(Arc::clone(&old) as Arc<dyn Transport>);
    leaver.open("shop").await.expect("the broker is there");
    let transport = namespace.connect().await.transport();
    let begun = begin(&transport, "shop.open", "0".into());
    eventually("the first is begun", SOON, async || old.count() == 1).await;
    // Ten are handed over, and one that is not shows that they are.
    let not_begun: Vec<_> = (1..=11).map(|n| begin(&transport, "shop.open", n.to_string())).collect();
    let raw = Raw::connect(&broker()).await;
    let queue = namespace.calls("shop");
    let waiting = async |expected| raw.look(&queue).await.is_some_and(|(waiting, _)| waiting == expected);
    eventually("all are sent", SOON, async || waiting(1).await).await;
    // Connected before: the queue does not wait long for a consumer.
    let joining = namespace.connect().await;
    let joiner = joining.listener(Arc::clone(&new) as Arc<dyn Transport>);
    let closing = bus::spawn(async move { leaver.close("shop").await });
    eventually("they are back at the broker", SOON, async || waiting(11).await).await;

    joiner.open("shop").await.expect("the broker is there");
    for (n, call) in (1..).zip(not_begun) {
        let answer = timeout(SOON, call).await.expect("it is answered").expect("it does not panic");
        assert_eq!(answer, Ok(format!("new {n}").into()));
    }
    assert!(!closing.is_finished(), "the old one still has a call that runs");
    old.let_go(1);
    assert_eq!(begun.await.expect("it does not panic"), Ok("old 0".into()));
    timeout(SOON, closing).await.expect("it ends").expect("it does not panic");
    assert_eq!((old.count(), new.count()), (1, 11));
}

/// C17: the same for events, and none of it is a dead letter.
#[tokio::test]
#[ignore = "needs RabbitMQ"]
async fn batches_that_were_not_begun_are_received_by_the_next_process() {
    let namespace = Namespace::of(&["shop"]);
    let (old, new) = (Probe::shut("old "), Probe::named("new "));
    let leaving = namespace.connect().await;
    let leaver = leaving.listener(Arc::clone(&old) as Arc<dyn Transport>);
    leaver.open("shop").await.expect("the broker is there");
    let transport = namespace.connect().await.transport();
    let begun = begin(&transport, "shop.inbox", "0".into());
    eventually("the first is begun", SOON, async || old.count() == 1).await;
    let handed_over: Vec<_> = (1..=10).map(|n| begin(&transport, "shop.inbox", n.to_string())).collect();
    let raw = Raw::connect(&broker()).await;
    // Four are handed over: the one that is begun, and three.
    let queue = namespace.events("shop");
    let ready = async |expected| raw.look(&queue).await.is_some_and(|(ready, _)| ready == expected);
    eventually("they are sent", SOON, async || ready(7).await).await;

    let joining = namespace.connect().await;
    let joiner = joining.listener(Arc::clone(&new) as Arc<dyn Transport>);
    let closing = bus::spawn(async move { leaver.close("shop").await });
    joiner.open("shop").await.expect("the broker is there");
    assert!(!closing.is_finished(), "the old one still has a batch in its inbox");
    old.let_go(1);
    assert_eq!(begun.await.expect("it does not panic"), Ok("old 0".into()));
    timeout(SOON, closing).await.expect("it ends").expect("it does not panic");
    for (n, batch) in (1..).zip(handed_over) {
        assert_eq!(batch.await.expect("it does not panic"), Ok(format!("new {n}").into()));
    }
    assert_eq!((old.count(), new.count()), (1, 10));
    assert_eq!(raw.look(&namespace.dead()).await, Some((0, 0)));
    joiner.close("shop").await;
    // First the one that expires. A quorum queue hears of a consumer's end a little later.
    for queue in [namespace.calls("shop"), queue] {
        eventually("the queue stays", SOON, async || raw.look(&queue).await == Some((0, 0))).await;
    }
}

/// C18: consumers of one queue on one connection, and of other queues, are not torn down by one that closes.
#[tokio::test]
#[ignore = "needs RabbitMQ"]
async fn a_subscription_that_closes_leaves_its_siblings_alone() {
    let namespace = Namespace::of(&["shop", "stock"]);
    let amqp = namespace.connect().await;
    let probes = [Probe::named("a "), Probe::named("b ")];
    let listeners = probes.each_ref().map(|probe| amqp.listener(Arc::clone(probe) as Arc<dyn Transport>));
    for listener in &listeners {
        for module in ["shop", "stock"] {
            listener.open(module).await.expect("the broker is there");
        }
    }
    let raw = Raw::connect(&broker()).await;
    let queue = namespace.events("shop");
    let consumers = async |expected| raw.look(&queue).await == Some((0, expected));
    eventually("both consume", SOON, async || consumers(2).await).await;
    listeners[0].close("shop").await;
    eventually("one consumes", SOON, async || consumers(1).await).await;
    assert!(listeners.iter().all(|listener| listener.is_ready()));
    let transport = amqp.transport();
    for _ in 0..10 {
        assert_eq!(
            begin(&transport, "shop.open", "call".into()).await.expect("no panic"),
            Ok("b call".into())
        );
        assert_eq!(begin(&transport, "shop.inbox", "[]".into()).await.expect("no panic"), Ok("b []".into()));
        assert!(transport.request("stock.count", within(SOON), Bytes::new()).await.is_ok());
    }
}

/// C17: while a module leaves and comes back, a call is answered or sent back; none is lost in between.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs RabbitMQ"]
async fn no_call_is_lost_where_a_module_leaves_and_comes_back() {
    let namespace = Namespace::of(&["shop"]);
    let probe = Probe::named("a");
    let serving = namespace.connect().await;
    let transport = namespace.connect().await.transport();
    let over = Arc::new(AtomicBool::new(false));
    // Callers at a pace: where one always waits, the queue is never empty, as it is in most shops most of the time.
    let ask = |pace: u64| {
        let (transport, over) = (Arc::clone(&transport), Arc::clone(&over));
        bus::spawn(async move {
            let (mut answered, mut lost) = (0, 0);
            let mut pace = tokio::time::interval(Duration::from_millis(pace));
            while !over.load(Ordering::SeqCst) {
                pace.tick().await;
                let call = transport.request("shop.open", within(SOON), Bytes::new());
                match timeout(SOON, call).await {
                    Ok(Ok(_)) => answered += 1,
                    Ok(Err(BusError::Unheard { .. })) => {}
                    _ => lost += 1,
                }
            }
            (answered, lost)
        })
    };
    let callers: Vec<_> = [11, 13, 17, 19, 23, 29, 31, 37].map(ask).into();
    for _ in 0..300 {
        let listener = serving.listener(Arc::clone(&probe) as Arc<dyn Transport>);
        listener.open("shop").await.expect("the broker is there");
        let before = probe.count();
        eventually("calls come", SOON, async || probe.count() > before + 3).await;
        listener.close("shop").await;
    }
    let listener = serving.listener(Arc::clone(&probe) as Arc<dyn Transport>);
    listener.open("shop").await.expect("the broker is there");
    over.store(true, Ordering::SeqCst);
    let (mut answered, mut lost) = (0, 0);
    for caller in callers {
        let (well, badly) = caller.await.expect("ends");
        (answered, lost) = (answered + well, lost + badly);
    }
    assert_eq!(lost, 0, "of {answered} answered calls");
}
