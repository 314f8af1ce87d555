//! Calls: what is answered at once, what is shared, what is refused, and what a lost connection does.

use crate::{
    SOON,
    namespace::{Namespace, Raw, broker},
    probe::{Probe, within},
    proxy::Proxy,
};
use bus::{BusError, Headers, Listener, Transport};
use bus_amqp::{Amqp, AmqpSettings};
use bus_testkit::eventually;
use bytes::Bytes;
use futures::future::join_all;
use std::{sync::Arc, time::Duration};
use tokio::time::timeout;

fn unheard(port: &str) -> BusError {
    BusError::Unheard { port: port.into() }
}

fn unavailable(port: &str) -> BusError {
    BusError::Unavailable { port: port.into() }
}

/// C22: the broker sends back what it has no queue for, and the caller need not wait for a deadline.
#[tokio::test]
#[ignore = "needs RabbitMQ"]
async fn a_module_that_nobody_serves_is_unavailable_at_once() {
    let namespace = Namespace::of(&["shop"]);
    let transport = namespace.connect().await.transport();
    for name in ["shop.open", "shop.#", "no such module.open", "shop"] {
        let asked = timeout(SOON, transport.request(name, Headers::new(), Bytes::new()));
        let module = name.split('.').next().expect("a module");
        assert_eq!(asked.await.expect("at once"), Err(unheard(module)));
    }
    assert_eq!(transport.pending(), 0);
}

/// Several processes that serve one module take its calls by turns, each call once.
#[tokio::test]
#[ignore = "needs RabbitMQ"]
async fn processes_that_serve_one_module_share_its_calls() {
    let namespace = Namespace::of(&["shop"]);
    let probes = [Probe::named("a"), Probe::named("b"), Probe::named("c")];
    let mut serving = Vec::new();
    for probe in &probes {
        let amqp = namespace.connect().await;
        let listener = amqp.listener(Arc::clone(probe) as Arc<dyn Transport>);
        listener.open("shop").await.expect("the broker is there");
        serving.push((amqp, listener));
    }
    let transport = namespace.connect().await.transport();
    let calls = (0..300).map(|_| transport.request("shop.open", within(SOON), Bytes::new()));
    for answer in join_all(calls).await {
        assert!(answer.is_ok(), "{answer:?}");
    }
    let counts = probes.map(|probe| probe.count());
    assert_eq!(counts.iter().sum::<usize>(), 300);
    assert!(counts.iter().all(|count| *count > 0), "{counts:?}");
}

/// What a broker would close the channel for is refused before it is sent, and nobody else's call is lost over it.
#[tokio::test]
#[ignore = "needs RabbitMQ"]
async fn a_body_that_is_too_long_is_refused_before_it_is_sent() {
    let namespace = Namespace::of(&["shop"]);
    let probe = Probe::shut("longer than it was: ");
    let settings = || AmqpSettings { max_body: 1000, ..namespace.settings() };
    let serving = Amqp::connect(settings()).expect("good settings");
    let listener = serving.listener(Arc::clone(&probe) as Arc<dyn Transport>);
    listener.open("shop").await.expect("the broker is there");
    let transport = Amqp::connect(settings()).expect("good settings").transport();
    let neighbour = bus::spawn({
        let transport = Arc::clone(&transport);
        async move { transport.request("shop.open", within(SOON), "neighbour".into()).await }
    });
    eventually("the neighbour is heard", SOON, async || probe.count() == 1).await;
    let long = || Bytes::from(vec![b'x'; 1001]);
    let failed = |answer: &Result<Bytes, BusError>| matches!(answer, Err(BusError::Failed { .. }));
    assert!(failed(&transport.request("shop.open", within(SOON), long()).await));
    assert!(failed(&transport.deliver("shop.inbox", within(SOON), long()).await));
    assert_eq!(probe.count(), 1, "neither was sent");
    probe.let_go(2);
    assert!(neighbour.await.expect("it does not panic").is_ok());
    let answer = transport.request("shop.open", within(SOON), vec![b'x'; 1000].into()).await;
    assert!(failed(&answer), "an answer that is too long is an error, not silence: {answer:?}");
}

/// M3: what nobody waits for any longer is not begun, although it is in a process's hands.
#[tokio::test]
#[ignore = "needs RabbitMQ"]
async fn a_call_that_expired_at_the_broker_is_never_begun() {
    let namespace = Namespace::of(&["shop"]);
    let probe = Probe::shut("");
    let settings = AmqpSettings { concurrency: 1, prefetch: 1, ..namespace.settings() };
    let serving = Amqp::connect(settings).expect("good settings");
    let listener = serving.listener(Arc::clone(&probe) as Arc<dyn Transport>);
    listener.open("shop").await.expect("the broker is there");
    let transport = namespace.connect().await.transport();
    let ask = |body: &'static str, patience| {
        let transport = Arc::clone(&transport);
        bus::spawn(async move {
            timeout(patience, transport.request("shop.open", within(patience), body.into())).await
        })
    };
    let held = ask("held", SOON);
    eventually("the first is begun", SOON, async || probe.count() == 1).await;
    // One is in the process's hands, unbegun, and one more at the broker.
    let handed_over = ask("handed over", SOON);
    let raw = Raw::connect(&broker()).await;
    eventually("one is handed over", SOON, async || transport.pending() == 2).await;
    assert!(ask("expires", Duration::from_millis(200)).await.expect("no panic").is_err());
    let queue = namespace.calls("shop");
    eventually("it is gone", SOON, async || raw.look(&queue).await.is_some_and(|(waiting, _)| waiting == 0))
        .await;
    probe.let_go(3);
    for call in [held, handed_over] {
        assert!(call.await.expect("no panic").expect("in time").is_ok());
    }
    assert_eq!(probe.bodies(), ["held", "handed over"]);
}

/// CALL-17, C20: a connection that is lost fails all who wait on it, at once and not at their deadlines; what comes next
/// fails at once as well, until the connection is back.
#[tokio::test]
#[ignore = "needs RabbitMQ"]
async fn a_lost_connection_fails_its_callers_at_once() {
    let namespace = Namespace::of(&["shop"]);
    let probe = Probe::shut("");
    let serving = namespace.connect().await;
    let listener = serving.listener(Arc::clone(&probe) as Arc<dyn Transport>);
    listener.open("shop").await.expect("the broker is there");
    let mut proxy = Proxy::to(&broker()).await;
    let calling =
        Amqp::connect(AmqpSettings { url: proxy.url(), ..namespace.settings() }).expect("good settings");
    let transport = calling.transport();
    let begin = |name: &'static str| {
        let transport = Arc::clone(&transport);
        let hour = within(Duration::from_secs(3600));
        bus::spawn(async move {
            match name {
                "shop.inbox" => transport.deliver(name, hour, "[]".into()).await,
                _ => transport.request(name, hour, "{}".into()).await,
            }
        })
    };
    let waiting: Vec<_> = ["shop.open"; 20].into_iter().chain(["shop.inbox"; 1]).map(begin).collect();
    eventually("all are begun", SOON, async || probe.count() == 21).await;
    assert_eq!(transport.pending(), 21);
    proxy.cut().await;
    for call in waiting {
        let answer = timeout(SOON, call).await.expect("at once").expect("it does not panic");
        assert_eq!(answer, Err(unavailable("shop")));
    }
    assert_eq!(transport.pending(), 0);
    eventually("it is noticed", SOON, async || !calling.is_connected()).await;
    for name in ["shop.open", "shop.inbox"] {
        let answer = timeout(SOON, begin(name)).await.expect("at once").expect("it does not panic");
        assert_eq!(answer, Err(unheard("shop")));
    }
    proxy.mend().await;
    probe.let_go(1000);
    for name in ["shop.open", "shop.inbox"] {
        eventually("it is back", SOON, async || begin(name).await.expect("no panic").is_ok()).await;
    }
}

/// C20, CALL-9: whoever leaves is heard of where the call runs, by the one of several processes that has it.
#[tokio::test]
#[ignore = "needs RabbitMQ"]
async fn a_caller_who_leaves_is_heard_of_where_the_call_runs() {
    let namespace = Namespace::of(&["shop"]);
    let probes = [Probe::shut(""), Probe::shut("")];
    let mut serving = Vec::new();
    for probe in &probes {
        let amqp = namespace.connect().await;
        let listener = amqp.listener(Arc::clone(probe) as Arc<dyn Transport>);
        listener.open("shop").await.expect("the broker is there");
        serving.push((amqp, listener));
    }
    let transport = namespace.connect().await.transport();
    let calls: Vec<_> = (0..10)
        .map(|_| {
            let transport = Arc::clone(&transport);
            let hour = within(Duration::from_secs(3600));
            bus::spawn(async move { transport.request("shop.open", hour, Bytes::new()).await })
        })
        .collect();
    let inside = || probes.iter().map(|probe| probe.inside()).sum::<usize>();
    eventually("all run", SOON, async || inside() == 10).await;
    for call in calls.iter().take(9) {
        call.abort();
    }
    eventually("nine are let go", SOON, async || inside() == 1 && transport.pending() == 1).await;
    for probe in &probes {
        probe.let_go(10);
    }
    for call in calls.into_iter().skip(9) {
        assert!(call.await.expect("it does not panic").is_ok(), "the tenth is not");
    }
}

/// CALL-9: a call that is called off while the broker still has it is not begun either.
#[tokio::test]
#[ignore = "needs RabbitMQ"]
async fn a_call_that_was_called_off_at_the_broker_is_never_begun() {
    let namespace = Namespace::of(&["shop"]);
    let probe = Probe::shut("");
    let settings = AmqpSettings { concurrency: 2, prefetch: 1, ..namespace.settings() };
    let serving = Amqp::connect(settings).expect("good settings");
    let listener = serving.listener(Arc::clone(&probe) as Arc<dyn Transport>);
    listener.open("shop").await.expect("the broker is there");
    let transport = namespace.connect().await.transport();
    let ask = |body: &'static str| {
        let transport = Arc::clone(&transport);
        bus::spawn(async move { transport.request("shop.open", within(SOON), body.into()).await })
    };
    let held = ask("held");
    eventually("the first is begun", SOON, async || probe.count() == 1).await;
    let fence = ask("fence");
    eventually("the second is begun", SOON, async || probe.count() == 2).await;
    let raw = Raw::connect(&broker()).await;
    let queue = namespace.calls("shop");
    let waiting = async |expected| raw.look(&queue).await.is_some_and(|(waiting, _)| waiting == expected);
    let called_off = [ask("in its hands"), ask("at the broker")];
    eventually("both are sent", SOON, async || waiting(1).await).await;
    for call in called_off {
        call.abort();
    }
    eventually("nobody waits for them", SOON, async || transport.pending() == 2).await;
    // Its notice is heard after theirs, and its place is the first that they could have.
    fence.abort();
    eventually("all notices are heard", SOON, async || probe.inside() == 1).await;
    let last = ask("last");
    probe.let_go(4);
    for call in [held, last] {
        assert!(call.await.expect("it does not panic").is_ok());
    }
    assert_eq!(probe.bodies(), ["held", "fence", "last"]);
}
