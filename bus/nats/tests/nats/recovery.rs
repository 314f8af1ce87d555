//! A broker that dies, comes back, and forgets.

use crate::{
    broker::Broker,
    cable::Cable,
    scratch::{SOON, Scratch},
    shop::{STORED, Shop},
};
use bus::{BusError, Context, Headers, Transport};
use bus_nats::{Nats, NatsSettings};
use bus_testkit::eventually;
use bytes::Bytes;
use futures::future::join_all;
use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};
use tokio::time::{Instant, timeout};

/// B12: how long after a restart each subscription has to answer again.
const BACK: Duration = Duration::from_secs(10);

async fn ask(transport: &dyn Transport, name: &str) -> Result<Bytes, BusError> {
    transport.request(name, Headers::new(), "hello".into()).await
}

/// How long a sender waits for receipts that a broker may have lost.
const BRIEF: Duration = Duration::from_secs(2);

/// Sends a batch again and again until it has its receipts, as the outbox does.
async fn deliver(transport: &dyn Transport, name: &str, batch: String, patience: Duration) {
    loop {
        let headers = Context::default().with_deadline(Instant::now() + patience).to_headers();
        if transport.deliver(name, headers, batch.clone().into()).await == Ok(STORED) {
            return;
        }
        tokio::task::yield_now().await;
    }
}

/// B12, C18, CALL-17: a broker that dies fails what waits and makes everybody unready, at once; when it is back every
/// subscription of every module answers, each time.
#[actix_rt::test]
#[ignore = "needs NATS"]
async fn every_subscription_answers_after_the_broker_was_restarted() {
    let (mut broker, shop) = (Broker::start().await, Shop::new());
    let scratch = Scratch::on(broker.url());
    let (calling, serving) = (scratch.connect().await, scratch.connect().await);
    let (transport, listener) = (calling.transport(), serving.listener(shop.answers()));
    let modules = ["shop", "till", "shelf"];
    for module in modules {
        listener.open(module).await.expect("opened");
    }
    for round in 1..=3 {
        let held = ["shop.deaf", "till.deaf"].map(|name| {
            let transport = Arc::clone(&transport);
            bus::spawn(async move { ask(&*transport, name).await })
        });
        // Those of the rounds before are inside still.
        eventually("they are heard", SOON, async || shop.inside.load(SeqCst) >= round * 2).await;
        broker.kill();
        for call in held {
            let answer = call.await.expect("it does not panic");
            assert!(matches!(answer, Err(BusError::Unavailable { .. })), "{answer:?}");
        }
        eventually("it is seen", SOON, async || !listener.is_ready() && !calling.is_connected()).await;
        assert_eq!(calling.pending(), 0);
        let lost = BusError::Unheard { port: "shop".into() };
        assert_eq!(timeout(Duration::from_secs(5), ask(&*transport, "shop.echo")).await, Ok(Err(lost)));

        broker.restart().await;
        let begun = shop.begun.load(SeqCst);
        for module in modules {
            let (call, inbox) = (format!("{module}.echo"), format!("{module}.inbox"));
            eventually(&call, BACK, async || ask(&*transport, &call).await.is_ok()).await;
            timeout(BACK, deliver(&*transport, &inbox, "1".into(), BRIEF)).await.expect(&inbox);
        }
        assert!(shop.begun.load(SeqCst) >= begun + modules.len());
        eventually("it is ready", SOON, async || listener.is_ready()).await;
    }
}

/// M3: a call that failed because the broker was away is not sent when it is back, however it was caught by the loss.
#[actix_rt::test]
#[ignore = "needs NATS"]
async fn nothing_is_sent_later() {
    let (mut broker, shop) = (Broker::start().await, Shop::new());
    let scratch = Scratch::on(broker.url());
    let (calling, serving) = (scratch.connect().await, scratch.connect().await);
    let listener = serving.listener(shop.answers());
    listener.open("shop").await.expect("opened");
    for _ in 0..5 {
        let before = shop.asked.load(SeqCst);
        let callers: Vec<_> = (0..16)
            .map(|_| {
                let transport = calling.transport();
                bus::spawn(async move { while ask(&*transport, "shop.echo").await.is_ok() {} })
            })
            .collect();
        eventually("calls go on", SOON, async || shop.asked.load(SeqCst) > before + 100).await;
        broker.kill();
        timeout(SOON, join_all(callers)).await.expect("all of them hear of it");
        eventually("it is seen", SOON, async || !listener.is_ready()).await;
        // What had come in by then is begun all the same; once the module is closed all of it has ended.
        timeout(SOON, listener.close("shop")).await.expect("it is closed");
        let heard = shop.asked.load(SeqCst);
        let opening = eventually("it is open again", SOON, async || listener.open("shop").await.is_ok());
        futures::join!(opening, broker.restart());
        eventually("all are back", BACK, async || calling.is_connected() && listener.is_ready()).await;
        assert_eq!(ask(&*calling.transport(), "shop.echo").await, Ok("hello".into()));
        assert_eq!(shop.asked.load(SeqCst), heard + 1);
    }
}

/// C18, CALL-17: a cut between the broker and one side, while the broker lives: the caller's calls fail at once, what
/// the other side had taken is answered all the same, and both go on.
#[actix_rt::test]
#[ignore = "needs NATS"]
async fn a_cut_cable_is_noticed_and_mended() {
    let (scratch, shop) = (Scratch::new(), Shop::new());
    let (near, far) = (Cable::to(&scratch.url).await, Cable::to(&scratch.url).await);
    let over = |cable: &Cable| NatsSettings { servers: vec![cable.url()], ..scratch.settings() };
    let (calling, serving) =
        (scratch.connect_with(over(&near)).await, scratch.connect_with(over(&far)).await);
    let listener = serving.listener(shop.answers());
    listener.open("shop").await.expect("opened");
    for round in 1..=5 {
        let held = || {
            let transport = calling.transport();
            bus::spawn(async move { ask(&*transport, "shop.gate").await })
        };
        let lost = held();
        eventually("it is heard", SOON, async || shop.inside.load(SeqCst) == 1).await;
        near.cut();
        assert_eq!(
            lost.await.expect("it does not panic"),
            Err(BusError::Unavailable { port: "shop".into() })
        );
        shop.let_go(1);
        timeout(BACK, calling.connected()).await.expect("the caller is back");

        eventually("nobody is inside", SOON, async || shop.inside.load(SeqCst) == 0).await;
        let kept = held();
        eventually("it is heard", SOON, async || shop.inside.load(SeqCst) == 1).await;
        far.cut();
        eventually("it is seen", SOON, async || !listener.is_ready()).await;
        eventually("the module is served again", BACK, async || listener.is_ready()).await;
        shop.let_go(1);
        assert_eq!(kept.await.expect("it does not panic"), Ok("hello".into()));
        // Once: sent again in between it would be there twice.
        deliver(&*calling.transport(), "shop.inbox", "batch".into(), SOON).await;
        assert_eq!(shop.batches().len(), round);
    }
}

/// D4: the broker dies in the middle of deliveries and forgets everything, twice; whoever sends repeats, and every batch
/// gets its receipts.
#[actix_rt::test]
#[ignore = "needs NATS"]
async fn a_wiped_store_loses_nothing() {
    const SENDERS: usize = 4;
    const EACH: usize = 150;
    let (mut broker, shop) = (Broker::start().await, Shop::new());
    let scratch = Scratch::on(broker.url());
    let (calling, serving) = (scratch.connect().await, scratch.connect().await);
    let listener = serving.listener(shop.answers());
    listener.open("shop").await.expect("opened");
    let done = Arc::new(AtomicUsize::new(0));
    let senders: Vec<_> = (0..SENDERS)
        .map(|sender| {
            let (transport, done) = (calling.transport(), Arc::clone(&done));
            bus::spawn(async move {
                for number in 0..EACH {
                    deliver(&*transport, "shop.inbox", format!("{sender}/{number}"), BRIEF).await;
                    done.fetch_add(1, SeqCst);
                }
            })
        })
        .collect();
    for part in 1..=2 {
        let so_far = SENDERS * EACH * part / 4;
        eventually("deliveries go on", SOON, async || done.load(SeqCst) >= so_far).await;
        broker.kill();
        broker.wipe();
        broker.restart().await;
    }
    timeout(SOON * 2, join_all(senders)).await.expect("all have their receipts");
    let stored: BTreeSet<_> = shop.batches().into_iter().collect();
    assert_eq!(stored.len(), SENDERS * EACH);
    assert_eq!(calling.pending(), 0);
}

/// A process that starts before its broker is served as soon as that is there.
#[actix_rt::test]
#[ignore = "needs NATS"]
async fn a_broker_may_come_later() {
    let (mut broker, shop) = (Broker::reserve(&[]), Shop::new());
    let scratch = Scratch::on(broker.url());
    let nats = Nats::connect(scratch.settings()).await.expect("good settings");
    let listener = nats.listener(shop.answers());
    assert!(!listener.is_ready());
    let opening = eventually("it is opened", SOON, async || listener.open("shop").await.is_ok());
    futures::join!(opening, broker.restart());
    assert!(listener.is_ready());
    assert_eq!(ask(&*nats.transport(), "shop.echo").await, Ok("hello".into()));
}
