//! What others may put on our subjects, by mistake or on purpose.

use crate::{
    scratch::{SOON, Scratch},
    shop::{STORED, Shop},
};
use async_nats::HeaderMap;
use bus::{Headers, Transport};
use bus_testkit::eventually;
use bytes::Bytes;
use futures::StreamExt;
use std::{sync::atomic::Ordering::SeqCst, time::Duration};
use tokio::{io::AsyncWriteExt, net::TcpStream, time::timeout};

/// What must not happen is waited for no longer than this.
const A_WHILE: Duration = Duration::from_millis(300);

async fn assert_alive(transport: &dyn Transport) {
    let called = transport.request("shop.echo", Headers::new(), "hello".into());
    assert_eq!(timeout(SOON, called).await.expect("answered"), Ok("hello".into()));
    let delivered = transport.deliver("shop.inbox", Headers::new(), "batch".into());
    assert_eq!(timeout(SOON, delivered).await.expect("answered"), Ok(STORED));
}

/// Messages that make no sense are passed over, or are answered like any other; nobody stops.
#[actix_rt::test]
#[ignore = "needs NATS"]
async fn messages_that_make_no_sense_stop_nobody() {
    let (scratch, shop) = (Scratch::new(), Shop::new());
    let nats = scratch.connect().await;
    let listener = nats.listener(shop.answers());
    listener.open("shop").await.expect("opened");
    let (bare, on) = (scratch.bare().await, |rest: &str| format!("{}.{rest}", scratch.namespace));
    let mut odd = HeaderMap::new();
    odd.insert("Bus-timeout-ms", "%ff%zz");
    odd.insert("Bus-caller", "{");
    odd.insert("Receipts-To", "not a subject");
    odd.insert("Answer", "neither");
    for payload in
        [Bytes::new(), Bytes::from_static(b"\xff\xfe{"), Bytes::from("cancel"), Bytes::from("ask x\r\n")]
    {
        for to in ["call.shop.echo", "call.shop.a.b.c", "events.shop", "control.shop", "reply.x.y", "reply.x"]
        {
            bare.publish(on(to), payload.clone()).await.expect("sent");
            bare.publish_with_headers(on(to), odd.clone(), payload.clone()).await.expect("sent");
        }
    }
    bare.flush().await.expect("sent");
    eventually("the batches among them arrive", SOON, async || shop.batches().len() == 8).await;
    assert_alive(&*nats.transport()).await;
    assert_eq!(shop.asked.load(SeqCst), 1, "nobody waits for the answers to the others");
    assert!(listener.is_ready());
}

/// Headers that the client library cannot read break its connection. That heals, also where the broker keeps such a
/// message and hands it out again.
#[actix_rt::test]
#[ignore = "needs NATS"]
async fn a_message_that_breaks_the_connection_is_survived() {
    let (scratch, shop) = (Scratch::new(), Shop::new());
    let settings = bus_nats::NatsSettings { ack_wait: Duration::from_secs(1), ..scratch.settings() };
    let nats = scratch.connect_with(settings).await;
    let listener = nats.listener(shop.answers());
    listener.open("shop").await.expect("opened");
    let address = scratch.url.trim_start_matches("nats://").to_owned();
    let mut raw = TcpStream::connect(address).await.expect("the broker is there");
    let headers = "NATS/1.0\r\nno colon in this line\r\n\r\n";
    let mut said = "CONNECT {\"verbose\":false,\"headers\":true}\r\n".to_owned();
    for to in ["call.shop.echo", "events.shop"] {
        let (length, to) = (headers.len(), format!("{}.{to}", scratch.namespace));
        said.push_str(&format!("HPUB {to} {length} {length}\r\n{headers}\r\n"));
    }
    said.push_str("PING\r\n");
    raw.write_all(said.as_bytes()).await.expect("sent");
    let stream = async_nats::jetstream::new(scratch.bare().await)
        .get_stream(scratch.stream("shop"))
        .await
        .expect("it is there");
    // Five times, with a second and a new connection for each.
    eventually("the broker gives it up", SOON * 3, async || {
        let consumer = stream.consumer_info("shop").await.expect("it is there");
        consumer.delivered.consumer_sequence >= 5 && consumer.num_ack_pending == 0
    })
    .await;
    eventually("the module is served again", SOON, async || listener.is_ready()).await;
    assert_alive(&*nats.transport()).await;
}

/// Whoever asks names the subject that is answered to. One that is no place to wait for an answer gets none: it would be
/// a command to the broker, or a call, with our rights.
#[actix_rt::test]
#[ignore = "needs NATS"]
async fn forged_reply_subjects_do_no_harm() {
    let (scratch, shop) = (Scratch::new(), Shop::new());
    let nats = scratch.connect().await;
    let listener = nats.listener(shop.answers());
    listener.open("shop").await.expect("opened");
    let (bare, on) = (scratch.bare().await, |rest: &str| format!("{}.{rest}", scratch.namespace));
    let mut heard = bare.subscribe(on("call.till.refund")).await.expect("subscribed");
    let forged = [
        format!("$JS.API.STREAM.DELETE.{}", scratch.stream("shop")),
        format!("$JS.API.STREAM.PURGE.{}", scratch.stream("shop")),
        on("call.till.refund"),
        on("reply.>"),
    ];
    for reply in &forged {
        if !reply.ends_with('>') {
            let sent = bare.publish_with_reply(on("call.shop.echo"), reply.clone(), Bytes::new()).await;
            sent.expect("sent");
        }
        let mut headers = HeaderMap::new();
        headers.insert("Receipts-To", reply.as_str());
        bare.publish_with_headers(on("events.shop"), headers, Bytes::from("batch")).await.expect("sent");
    }
    bare.flush().await.expect("sent");
    eventually("the batches arrive", SOON, async || shop.batches().len() == forged.len()).await;
    assert_alive(&*nats.transport()).await;
    assert_eq!(shop.asked.load(SeqCst), 1, "only the last call is carried out");
    assert!(timeout(A_WHILE, heard.next()).await.is_err(), "nothing was sent in our name");
    let jetstream = async_nats::jetstream::new(bare);
    let stream = jetstream.get_stream(scratch.stream("shop")).await.expect("it is still there");
    let kept = stream.cached_info().state.messages;
    assert_eq!(kept, forged.len() as u64 + 1, "and holds what it held");
}
