//! Events: kept for whoever is away, done when the inbox says so, and never a storm.

use crate::{
    SOON,
    namespace::{Namespace, Raw, broker},
    probe::{Probe, within},
};
use bus::{BusError, Listener, Transport};
use bus_amqp::AmqpTransport;
use bus_testkit::eventually;
use bytes::Bytes;
use futures::future::join_all;
use std::sync::{Arc, atomic::Ordering::SeqCst};
use tokio::task::JoinHandle;

fn deliver(transport: &Arc<AmqpTransport>, body: &'static str) -> JoinHandle<Result<Bytes, BusError>> {
    let transport = Arc::clone(transport);
    bus::spawn(async move { transport.deliver("shop.inbox", within(SOON), body.into()).await })
}

/// EVT-3: a batch for a module that has never run waits at the broker, and its sender for the receipts. A batch whose
/// sender has gone is received all the same.
#[tokio::test]
#[ignore = "needs RabbitMQ"]
async fn batches_for_a_module_that_has_never_run_are_kept() {
    let namespace = Namespace::of(&["shop"]);
    let transport = namespace.connect().await.transport();
    let raw = Raw::connect(&broker()).await;
    let queue = namespace.events("shop");
    let kept = async |expected| raw.look(&queue).await.is_some_and(|(kept, _)| kept == expected);
    let gone = deliver(&transport, "gone");
    eventually("the first is kept", SOON, async || kept(1).await).await;
    gone.abort();
    eventually("its sender leaves nothing", SOON, async || transport.pending() == 0).await;
    let waiting = deliver(&transport, "waiting");
    eventually("both are kept", SOON, async || kept(2).await).await;

    let (amqp, probe) = (namespace.connect().await, Probe::named("stored "));
    let listener = amqp.listener(Arc::clone(&probe) as Arc<dyn Transport>);
    listener.open("shop").await.expect("the broker is there");
    assert_eq!(waiting.await.expect("it does not panic"), Ok("stored waiting".into()));
    assert_eq!(probe.bodies(), ["gone", "waiting"], "in the order in which they were sent");
    eventually("nothing is left", SOON, async || kept(0).await).await;
}

/// EVT-1: a batch reaches one of a module's processes, and each module its own.
#[tokio::test]
#[ignore = "needs RabbitMQ"]
async fn each_module_receives_its_own_batches_once() {
    let namespace = Namespace::of(&["shop", "stock"]);
    let probes = [Probe::open(), Probe::open(), Probe::open()];
    let mut serving = Vec::new();
    for (probe, module) in probes.iter().zip(["shop", "shop", "stock"]) {
        let amqp = namespace.connect().await;
        let listener = amqp.listener(Arc::clone(probe) as Arc<dyn Transport>);
        listener.open(module).await.expect("the broker is there");
        serving.push((amqp, listener));
    }
    let transport = namespace.connect().await.transport();
    let all = (0..20).flat_map(|_| ["shop.inbox", "stock.inbox"]);
    let all = all.map(|name| transport.deliver(name, within(SOON), name.into()));
    for (answer, name) in join_all(all).await.into_iter().zip(["shop.inbox", "stock.inbox"].iter().cycle()) {
        assert_eq!(answer, Ok(Bytes::from_static(name.as_bytes())));
    }
    let [shop, second_shop, stock] = probes.each_ref().map(|probe| probe.bodies());
    assert_eq!((shop.len() + second_shop.len(), stock.len()), (20, 20));
    assert!(stock.iter().all(|body| body == "stock.inbox"));
}

/// EVT-2, C19: an inbox that fails is an answer. The broker hands nothing over again, counts nothing, and nothing
/// becomes a dead letter; another module's batches pass by.
#[tokio::test]
#[ignore = "needs RabbitMQ"]
async fn an_inbox_that_fails_burns_no_redeliveries() {
    let namespace = Namespace::of(&["shop", "stock"]);
    let (failing, good) = (Probe::open(), Probe::open());
    let error = BusError::Unavailable { port: "shop".into() };
    *failing.error.lock().expect("not poisoned") = Some(error.clone());
    let amqp = namespace.connect().await;
    let listeners = [("shop", &failing), ("stock", &good)]
        .map(|(module, probe)| (module, amqp.listener(Arc::clone(probe) as Arc<dyn Transport>)));
    for (module, listener) in &listeners {
        listener.open(module).await.expect("the broker is there");
    }
    let transport = amqp.transport();
    for repeated in 1..=30 {
        assert_eq!(deliver(&transport, "batch").await.expect("it does not panic"), Err(error.clone()));
        assert_eq!(failing.count(), repeated, "once for each time it was sent");
        assert_eq!(transport.deliver("stock.inbox", within(SOON), "[]".into()).await, Ok("[]".into()));
    }
    *failing.error.lock().expect("not poisoned") = None;
    assert_eq!(deliver(&transport, "batch").await.expect("it does not panic"), Ok("batch".into()));
    let raw = Raw::connect(&broker()).await;
    assert_eq!(raw.look(&namespace.dead()).await, Some((0, 0)));
    assert_eq!(failing.count(), 31);
}

/// B14: an inbox that is slower than its sender's patience has one batch at a time, in the order in which they were
/// sent: a repetition is never stored beside what it repeats.
#[tokio::test]
#[ignore = "needs RabbitMQ"]
async fn a_slow_inbox_has_one_batch_at_a_time() {
    let namespace = Namespace::of(&["shop"]);
    let (amqp, probe) = (namespace.connect().await, Probe::shut(""));
    let listener = amqp.listener(Arc::clone(&probe) as Arc<dyn Transport>);
    listener.open("shop").await.expect("the broker is there");
    let transport = namespace.connect().await.transport();
    let impatient = deliver(&transport, "first");
    eventually("the first arrives", SOON, async || probe.count() == 1).await;
    impatient.abort();
    let repeated = deliver(&transport, "first");
    let raw = Raw::connect(&broker()).await;
    eventually("it is sent again", SOON, async || transport.pending() == 1).await;
    probe.let_go(2);
    assert_eq!(repeated.await.expect("it does not panic"), Ok("first".into()));
    probe.let_go(1);
    assert_eq!(deliver(&transport, "second").await.expect("it does not panic"), Ok("second".into()));
    assert_eq!(probe.bodies(), ["first", "first", "second"]);
    assert_eq!(probe.most.load(SeqCst), 1);
    let queue = namespace.events("shop");
    eventually("all is acknowledged", SOON, async || raw.look(&queue).await == Some((0, 1))).await;
}

/// D18: a queue that is full refuses, and the sender hears so at once: a batch that is repeated for a module that is
/// away does not fill a disk.
#[tokio::test]
#[ignore = "needs RabbitMQ"]
async fn a_full_queue_refuses_and_loses_nothing() {
    let namespace = Namespace::of(&["shop"]);
    let transport = namespace.connect().await.transport();
    let overloaded = Err(BusError::Overloaded { port: "shop".into(), retry_after_ms: 1000 });
    let mut kept = Vec::new();
    let raw = Raw::connect(&broker()).await;
    let queue = namespace.events("shop");
    for sent in 1..=200 {
        let batch = deliver(&transport, "batch");
        eventually("it is kept or refused", SOON, async || {
            batch.is_finished() || raw.look(&queue).await.is_some_and(|(length, _)| length == sent)
        })
        .await;
        if batch.is_finished() {
            assert_eq!(batch.await.expect("it does not panic"), overloaded);
            break;
        }
        kept.push(batch);
    }
    assert!((1..200).contains(&kept.len()), "{} are kept", kept.len());
    let (amqp, probe) = (namespace.connect().await, Probe::open());
    let listener = amqp.listener(Arc::clone(&probe) as Arc<dyn Transport>);
    listener.open("shop").await.expect("the broker is there");
    for batch in kept {
        assert_eq!(batch.await.expect("it does not panic"), Ok("batch".into()));
    }
    assert_eq!(deliver(&transport, "next").await.expect("it does not panic"), Ok("next".into()));
}
