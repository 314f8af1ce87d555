//! Batches of events: kept for who is not there, handed on in order, answered by the inbox and nobody else.

use crate::{
    scratch::{SOON, Scratch, holds},
    shop::{STORED, Shop},
};
use bus::{BusError, Context, Headers, Transport};
use bus_nats::NatsSettings;
use bus_testkit::eventually;
use bytes::Bytes;
use std::{sync::atomic::Ordering::SeqCst, time::Duration};
use tokio::time::Instant;

/// What must not happen is waited for no longer than this.
const A_WHILE: Duration = Duration::from_millis(300);

/// A short one, though longer than a busy machine keeps a process waiting.
const ACK_WAIT: Duration = Duration::from_secs(5);

fn headers(patience: Duration) -> Headers {
    Context::default().with_deadline(Instant::now() + patience).to_headers()
}

async fn deliver(transport: &dyn Transport, batch: &str, patience: Duration) -> Result<Bytes, BusError> {
    transport.deliver("shop.inbox", headers(patience), Bytes::copy_from_slice(batch.as_bytes())).await
}

/// EVT-3, B11: what is sent while nobody is there is kept and read later, in order; the broker's word alone is no
/// receipt.
#[actix_rt::test]
#[ignore = "needs NATS"]
async fn batches_sent_while_the_module_is_away_are_read_later() {
    let (scratch, shop) = (Scratch::new(), Shop::new());
    let nats = scratch.connect().await;
    let transport = nats.transport();
    let first = bus::spawn(async move { deliver(&*transport, "1", SOON).await });
    // It makes the stream, however long that takes.
    let jetstream = async_nats::jetstream::new(scratch.bare().await);
    eventually("the broker keeps it", SOON, async || {
        let stream = jetstream.get_stream(scratch.stream("shop")).await;
        stream.is_ok_and(|stream| stream.cached_info().state.messages == 1)
    })
    .await;
    assert!(!first.is_finished(), "nobody has stored it");
    first.abort();
    let transport = nats.transport();
    let late = BusError::DeadlineExceeded { name: "shop.inbox".into() };
    assert_eq!(deliver(&*transport, "2", A_WHILE).await, Err(late), "nor this one");
    let third = bus::spawn(async move { deliver(&*transport, "3", SOON).await });
    let listener = nats.listener(shop.answers());
    listener.open("shop").await.expect("opened");
    assert_eq!(third.await.expect("it does not panic"), Ok(STORED));
    assert_eq!(shop.batches(), ["1", "2", "3"], "the first two although their sender had given up");
    assert_eq!(shop.inboxes(), ["shop.inbox"; 3]);

    listener.close("shop").await;
    let transport = nats.transport();
    assert!(deliver(&*transport, "4", A_WHILE).await.is_err());
    listener.open("shop").await.expect("opened again");
    eventually("the durable consumer goes on", SOON, async || shop.batches().len() == 4).await;
    assert_eq!(nats.pending(), 0);
}

/// D17, B9, B10, C19: a batch that is sent again reaches the inbox again: the broker, which knows the first one, must
/// not swallow it.
#[actix_rt::test]
#[ignore = "needs NATS"]
async fn a_repeated_batch_is_delivered_again() {
    let (scratch, shop) = (Scratch::new(), Shop::new());
    let nats = scratch.connect().await;
    let listener = nats.listener(shop.answers());
    listener.open("shop").await.expect("opened");
    let transport = nats.transport();
    for _ in 0..3 {
        assert_eq!(deliver(&*transport, "same", SOON).await, Ok(STORED));
    }
    assert_eq!(shop.batches(), ["same"; 3]);
}

/// C11, EVT-2: the inbox's error goes to the sender, who repeats; the broker does not, and later batches go on.
#[actix_rt::test]
#[ignore = "needs NATS"]
async fn a_failing_inbox_is_the_senders_to_repeat() {
    let (scratch, shop) = (Scratch::new(), Shop::new());
    let nats = scratch.connect_with(NatsSettings { ack_wait: ACK_WAIT, ..scratch.settings() }).await;
    let listener = nats.listener(shop.answers());
    listener.open("shop").await.expect("opened");
    let transport = nats.transport();
    let error = BusError::Overloaded { port: "shop".into(), retry_after_ms: 7 };
    *shop.error.lock().expect("not poisoned") = Some(error.clone());
    assert_eq!(deliver(&*transport, "1", SOON).await, Err(error));
    *shop.error.lock().expect("not poisoned") = None;
    holds("the broker does not repeat it", ACK_WAIT * 2, || shop.begun.load(SeqCst) == 1).await;
    assert_eq!(deliver(&*transport, "2", SOON).await, Ok(STORED));
    assert_eq!(shop.batches(), ["2"]);
}

/// EVT-4: one at a time, in order, whoever sends.
#[actix_rt::test]
#[ignore = "needs NATS"]
async fn batches_are_handed_on_one_at_a_time() {
    let (scratch, shop) = (Scratch::new(), Shop::new());
    let nats = scratch.connect().await;
    let listener = nats.listener(shop.answers());
    listener.open("shop").await.expect("opened");
    shop.holding.store(true, SeqCst);
    let senders: Vec<_> = (0..5)
        .map(|number| {
            let transport = nats.transport();
            bus::spawn(async move { deliver(&*transport, &number.to_string(), SOON).await })
        })
        .collect();
    for done in 0..5 {
        eventually("the next one begins", SOON, async || shop.begun.load(SeqCst) == done + 1).await;
        assert_eq!(shop.batches().len(), done, "the one before has ended");
        shop.let_go(1);
    }
    for sender in senders {
        assert_eq!(sender.await.expect("it does not panic"), Ok(STORED));
    }
}

/// B14: work that takes longer than the broker waits is not given to a second process.
#[actix_rt::test]
#[ignore = "needs NATS"]
async fn a_batch_in_hand_is_not_given_to_another() {
    let scratch = Scratch::new();
    let settings = NatsSettings { ack_wait: ACK_WAIT, ..scratch.settings() };
    let (slow, other) = (Shop::new(), Shop::new());
    let (one, two) = (scratch.connect_with(settings.clone()).await, scratch.connect_with(settings).await);
    let first = one.listener(slow.answers());
    first.open("shop").await.expect("opened");
    slow.holding.store(true, SeqCst);
    let transport = two.transport();
    let sent = bus::spawn(async move { deliver(&*transport, "long", SOON).await });
    eventually("it is begun", SOON, async || slow.begun.load(SeqCst) == 1).await;
    let second = two.listener(other.answers());
    second.open("shop").await.expect("opened");
    let begun = || (slow.begun.load(SeqCst), other.begun.load(SeqCst));
    holds("nobody else has it", ACK_WAIT * 2, || begun() == (1, 0)).await;
    slow.let_go(1);
    assert_eq!(sent.await.expect("it does not panic"), Ok(STORED));
    assert_eq!((slow.batches().len(), other.batches().len()), (1, 0));
}

/// C17, C19: what a process had in hand when it died is handed out again, and what it was told to close on is finished.
#[actix_rt::test]
#[ignore = "needs NATS"]
async fn a_batch_in_the_hand_of_the_dead_goes_to_the_next() {
    let scratch = Scratch::new();
    let settings = NatsSettings { ack_wait: ACK_WAIT, ..scratch.settings() };
    let (dies, next) = (Shop::new(), Shop::new());
    let (one, two) = (scratch.connect_with(settings.clone()).await, scratch.connect_with(settings).await);
    let first = one.listener(dies.answers());
    first.open("shop").await.expect("opened");
    dies.holding.store(true, SeqCst);
    let transport = two.transport();
    let sent = bus::spawn(async move { deliver(&*transport, "1", SOON).await });
    eventually("it is begun", SOON, async || dies.begun.load(SeqCst) == 1).await;
    drop((first, one));
    let second = two.listener(next.answers());
    second.open("shop").await.expect("opened");
    assert_eq!(sent.await.expect("it does not panic"), Ok(STORED));
    assert_eq!((dies.batches().len(), next.batches()), (0, vec![Bytes::from("1")]));

    next.holding.store(true, SeqCst);
    let transport = two.transport();
    let sent = bus::spawn(async move { deliver(&*transport, "2", SOON).await });
    eventually("the next is begun", SOON, async || next.begun.load(SeqCst) == 2).await;
    let closing = bus::spawn(async move { second.close("shop").await });
    next.let_go(1);
    closing.await.expect("it does not panic");
    assert_eq!(sent.await.expect("it does not panic"), Ok(STORED), "finished before it closed");
}

/// C18: a stream that is deleted under a consumer is made again by it, or by the next sender.
#[actix_rt::test]
#[ignore = "needs NATS"]
async fn a_stream_that_is_deleted_is_made_again() {
    let (scratch, shop) = (Scratch::new(), Shop::new());
    let nats = scratch.connect().await;
    let listener = nats.listener(shop.answers());
    listener.open("shop").await.expect("opened");
    let transport = nats.transport();
    assert_eq!(deliver(&*transport, "1", SOON).await, Ok(STORED));
    let jetstream = async_nats::jetstream::new(scratch.bare().await);
    for batch in ["2", "3"] {
        jetstream.delete_stream(scratch.stream("shop")).await.expect("it was there");
        assert_eq!(deliver(&*transport, batch, SOON).await, Ok(STORED));
    }
    assert_eq!(shop.batches(), ["1", "2", "3"]);
    assert!(listener.is_ready());
    assert_eq!(nats.pending(), 0);
}
