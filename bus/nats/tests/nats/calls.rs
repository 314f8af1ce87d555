//! Calls: shared among instances, bounded, and gone when they are given up.

use crate::{
    scratch::{SOON, Scratch},
    shop::Shop,
};
use bus::{BusError, Headers, Transport};
use bus_nats::NatsSettings;
use bus_testkit::eventually;
use bytes::Bytes;
use futures::future::join_all;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};
use tokio::{task::JoinHandle, time::timeout};

async fn ask(transport: &dyn Transport, name: &str) -> Result<Bytes, BusError> {
    timeout(SOON, transport.request(name, Headers::new(), "hello".into())).await.expect("it is answered")
}

fn begin(transport: &Arc<dyn Transport>, name: &'static str) -> JoinHandle<Result<Bytes, BusError>> {
    let transport = Arc::clone(transport);
    bus::spawn(async move { ask(&*transport, name).await })
}

/// EVT-1: of two instances of a module each call reaches one, and both have some.
#[actix_rt::test]
#[ignore = "needs NATS"]
async fn instances_of_a_module_share_its_calls() {
    let scratch = Scratch::new();
    let (first, second) = (Shop::new(), Shop::new());
    let (one, two) = (scratch.connect().await, scratch.connect().await);
    let (one, two) = (one.listener(first.answers()), two.listener(second.answers()));
    one.open("shop").await.expect("opened");
    two.open("shop").await.expect("opened");
    let calling = scratch.connect().await;
    let transport = calling.transport();
    let answers = join_all((0..200).map(|_| ask(&*transport, "shop.echo"))).await;
    assert!(answers.iter().all(|answer| *answer == Ok("hello".into())));
    let (first, second) = (first.asked.load(SeqCst), second.asked.load(SeqCst));
    assert_eq!(first + second, 200, "each is answered once");
    assert!(first > 0 && second > 0, "{first} and {second}");
}

/// C17: instances come and go under load, and no call falls between them.
#[actix_rt::test]
#[ignore = "needs NATS"]
async fn an_instance_that_closes_under_load_loses_no_call() {
    let (scratch, shop) = (Scratch::new(), Shop::new());
    let (one, two) = (scratch.connect().await, scratch.connect().await);
    let stays = one.listener(shop.answers());
    let goes = two.listener(shop.answers());
    stays.open("shop").await.expect("opened");
    let calling = scratch.connect().await;
    let (enough, failed) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let callers: Vec<_> = (0..32)
        .map(|_| {
            let (transport, enough, failed) = (calling.transport(), Arc::clone(&enough), Arc::clone(&failed));
            bus::spawn(async move {
                while !enough.load(SeqCst) {
                    if ask(&*transport, "shop.echo").await != Ok("hello".into()) {
                        failed.fetch_add(1, SeqCst);
                    }
                }
            })
        })
        .collect();
    for _ in 0..25 {
        goes.open("shop").await.expect("opened");
        let before = shop.asked.load(SeqCst);
        eventually("calls go on", SOON, async || shop.asked.load(SeqCst) > before + 200).await;
        goes.close("shop").await;
    }
    enough.store(true, SeqCst);
    join_all(callers).await;
    assert_eq!(failed.load(SeqCst), 0, "of {} calls", shop.asked.load(SeqCst));
}

/// C17: what a process answered last arrives, though it is gone right after.
#[actix_rt::test]
#[ignore = "needs NATS"]
async fn the_last_answers_of_a_process_arrive() {
    let (scratch, shop) = (Scratch::new(), Shop::new());
    let calling = scratch.connect().await;
    let transport = calling.transport();
    for round in 1..=20 {
        let serving = scratch.connect().await;
        let listener = serving.listener(shop.answers());
        listener.open("shop").await.expect("opened");
        let held: Vec<_> = (0..10).map(|_| begin(&transport, "shop.gate")).collect();
        eventually("all are heard", SOON, async || shop.asked.load(SeqCst) == round * 10).await;
        shop.let_go(10);
        listener.close("shop").await;
        drop((listener, serving));
        for call in held {
            assert_eq!(call.await.expect("it does not panic"), Ok("hello".into()));
        }
    }
}

/// C20: ten thousand calls that nobody answers leave nothing, on either side.
#[actix_rt::test]
#[ignore = "needs NATS"]
async fn unanswered_calls_leave_nothing_behind() {
    let (scratch, shop) = (Scratch::new(), Shop::new());
    let (calling, serving) = (scratch.connect().await, scratch.connect().await);
    let listener = serving.listener(shop.answers());
    listener.open("shop").await.expect("opened");
    let transport = calling.transport();
    for round in 1..=10 {
        let calls: Vec<_> = (0..1000).map(|_| begin(&transport, "shop.deaf")).collect();
        eventually("all are heard", SOON, async || shop.asked.load(SeqCst) == round * 1000).await;
        assert_eq!(calling.pending(), 1000);
        calls.iter().for_each(JoinHandle::abort);
        eventually("the caller is rid of them", SOON, async || calling.pending() == 0).await;
        eventually("the other side is", SOON, async || shop.inside.load(SeqCst) == 0).await;
    }
    assert_eq!(ask(&*transport, "shop.echo").await, Ok("hello".into()));
}

/// CALL-22: the listener takes so many, and says so to the rest.
#[actix_rt::test]
#[ignore = "needs NATS"]
async fn more_calls_than_are_taken_at_once_are_refused_at_once() {
    let (scratch, shop) = (Scratch::new(), Shop::new());
    let serving = scratch.connect_with(NatsSettings { concurrency: 3, ..scratch.settings() }).await;
    let listener = serving.listener(shop.answers());
    listener.open("shop").await.expect("opened");
    let calling = scratch.connect().await;
    let transport = calling.transport();
    let held: Vec<_> = (0..3).map(|_| begin(&transport, "shop.gate")).collect();
    eventually("three are inside", SOON, async || shop.inside.load(SeqCst) == 3).await;
    let refused = ask(&*transport, "shop.echo").await;
    assert!(matches!(refused, Err(BusError::Overloaded { ref port, .. }) if port == "shop"), "{refused:?}");
    shop.let_go(3);
    for call in held {
        assert_eq!(call.await.expect("it does not panic"), Ok("hello".into()));
    }
    assert_eq!(ask(&*transport, "shop.echo").await, Ok("hello".into()));
}

/// What no message can hold is refused before it is sent, and an answer that none can hold is an error.
#[actix_rt::test]
#[ignore = "needs NATS"]
async fn what_is_too_large_for_a_message_is_refused() {
    let (scratch, shop) = (Scratch::new(), Shop::new());
    let nats = scratch.connect().await;
    let listener = nats.listener(shop.answers());
    listener.open("shop").await.expect("opened");
    let transport = nats.transport();
    let large = Bytes::from(vec![b'x'; 2 << 20]);
    for refused in [
        transport.request("shop.echo", Headers::new(), large.clone()).await,
        transport.deliver("shop.inbox", Headers::new(), large).await,
        ask(&*transport, "shop.large").await,
    ] {
        assert!(matches!(refused, Err(BusError::Failed { .. })), "{:?}", refused.map(|bytes| bytes.len()));
    }
    assert_eq!((shop.asked.load(SeqCst), shop.batches().len()), (1, 0), "only the last one arrives");
    assert_eq!(nats.pending(), 0);
    assert_eq!(ask(&*transport, "shop.echo").await, Ok("hello".into()), "the connection is unharmed");
}

/// EVT-4: two systems on one broker do not hear each other.
#[actix_rt::test]
#[ignore = "needs NATS"]
async fn namespaces_are_apart() {
    let (here, there) = (Scratch::new(), Scratch::new());
    let (ours, theirs) = (Shop::new(), Shop::new());
    let (one, two) = (here.connect().await, there.connect().await);
    let (first, second) = (one.listener(ours.answers()), two.listener(theirs.answers()));
    first.open("shop").await.expect("opened");
    second.open("shop").await.expect("opened");
    let transport = one.transport();
    let answers = join_all((0..50).map(|_| ask(&*transport, "shop.echo"))).await;
    assert!(answers.iter().all(Result::is_ok));
    transport.deliver("shop.inbox", Headers::new(), "[]".into()).await.expect("receipts");
    assert_eq!((ours.asked.load(SeqCst), ours.batches().len()), (50, 1));
    assert_eq!((theirs.asked.load(SeqCst), theirs.batches().len()), (0, 0));
}

/// C22: names that no subject can have, and a broker that was never there, are answered at once.
#[actix_rt::test]
#[ignore = "needs NATS"]
async fn what_cannot_be_sent_is_answered_at_once() {
    let scratch = Scratch::new();
    let nats = scratch.connect().await;
    for name in ["", "shop.>", "shop.*", "shop.a b", "shop.\r\nPUB x 0\r\n"] {
        let answer = ask(&*nats.transport(), name).await;
        assert_eq!(answer, Err(BusError::UnknownName { name: name.into() }));
    }
    let nowhere =
        bus_nats::Nats::connect(NatsSettings::new("nats://127.0.0.1:1", "shop")).await.expect("settings");
    let listener = nowhere.listener(Shop::new().answers());
    assert!(!nowhere.is_connected() && !listener.is_ready());
    let lost = Err(BusError::Unheard { port: "shop".into() });
    let at_once = Duration::from_secs(5);
    let transport = nowhere.transport();
    for answer in [
        timeout(at_once, transport.request("shop.echo", Headers::new(), Bytes::new())).await,
        timeout(at_once, transport.deliver("shop.inbox", Headers::new(), Bytes::new())).await,
    ] {
        assert_eq!(answer.expect("at once"), lost);
    }
    assert_eq!(listener.open("shop").await, Err(BusError::Unavailable { port: "shop".into() }));
}
