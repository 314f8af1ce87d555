//! The serving half towards clients that take their time, come in crowds, or leave; and its end.

use crate::raw::{Raw, listen, request};
use bus::Listener;
use bus_http::{HttpListener, ListenerSettings};
use bus_testkit::eventually;
use futures::future::{join, join_all};
use std::{sync::Arc, time::Duration};
use tokio::{
    net::TcpStream,
    time::{Instant, timeout},
};

const SOON: Duration = Duration::from_secs(20);
const BRIEF: Duration = Duration::from_millis(100);

async fn until_connections(listener: &HttpListener, expected: usize) {
    let what = format!("{expected} connections");
    eventually(&what, SOON, async || listener.connections() == expected).await;
}

/// CALL-20: a body that stops half-way is not waited for for ever, and its sender is told.
#[tokio::test]
async fn a_body_that_does_not_arrive_is_given_up() {
    let settings = ListenerSettings { body_timeout: BRIEF, ..ListenerSettings::default() };
    let (answers, listener) = listen(settings).await;
    let mut raw = Raw::connect(listener.address()).await;
    let whole = request("shop.echo", "0123456789");
    raw.send(&whole[..whole.len() - 1]).await;
    let answer = raw.answer().await;
    assert_eq!((answer.status, answer.header("connection")), (408, Some("close")));
    assert!(raw.is_hung_up_on().await);
    assert_eq!(answers.asked(), 0);
}

/// CALL-20: a head that stops half-way, and a connection on which nothing comes, are closed; one that goes on is not.
#[tokio::test]
async fn a_connection_on_which_nothing_happens_is_closed() {
    let idle = Duration::from_secs(3);
    let settings = ListenerSettings { idle, ..ListenerSettings::default() };
    let (_, listener) = listen(settings).await;
    let silent = ["", "POST /bus/shop.echo HT", "POST /bus/shop.echo HTTP/1.1\r\nhost: x\r\n"];
    let silent = silent.map(async |sent| {
        let mut raw = Raw::connect(listener.address()).await;
        raw.send(sent).await;
        assert!(raw.is_hung_up_on().await, "{sent}");
    });
    let talking = async {
        let mut raw = Raw::connect(listener.address()).await;
        let started = Instant::now();
        eventually("it has talked for longer", SOON, async || {
            raw.send(&request("shop.echo", "1")).await;
            assert_eq!(raw.answer().await.status, 200);
            started.elapsed() >= idle + idle / 2
        })
        .await;
        assert!(raw.is_hung_up_on().await);
    };
    join(join_all(silent), talking).await;
    until_connections(&listener, 0).await;
}

/// CALL-20: a peer that asks and asks and never reads an answer is hung up on.
#[tokio::test]
async fn a_peer_that_does_not_read_is_hung_up_on() {
    let settings = ListenerSettings { write_timeout: BRIEF, ..ListenerSettings::default() };
    let (_, listener) = listen(settings).await;
    let mut raw = Raw::connect(listener.address()).await;
    raw.send(&request("shop.echo", "1")).await;
    assert_eq!(raw.answer().await.status, 200);
    assert_eq!(listener.connections(), 1);
    raw.send(&request("shop.large", "").repeat(20)).await;
    until_connections(&listener, 0).await;
}

/// One connection too many is closed at once, and takes nothing from those that are there.
#[tokio::test]
async fn connections_are_bounded() {
    let settings = ListenerSettings { connections: 2, ..ListenerSettings::default() };
    let (_, listener) = listen(settings).await;
    let mut inside = [Raw::connect(listener.address()).await, Raw::connect(listener.address()).await];
    until_connections(&listener, 2).await;
    for _ in 0..5 {
        assert!(Raw::connect(listener.address()).await.is_hung_up_on().await);
    }
    for raw in &mut inside {
        raw.send(&request("shop.echo", "1")).await;
        assert_eq!(raw.answer().await.status, 200);
    }
    let [_, leaving] = inside;
    drop(leaving);
    until_connections(&listener, 1).await;
    let mut next = Raw::connect(listener.address()).await;
    next.send(&request("shop.echo", "1")).await;
    assert_eq!(next.answer().await.status, 200);
}

/// C17: what runs when everything stops is answered, on a connection that ends with it; what is idle is closed,
/// and nobody new is let in.
#[tokio::test]
async fn stopping_lets_what_runs_end() {
    let (answers, listener) = listen(ListenerSettings::default()).await;
    let listener = Arc::new(listener);
    let mut idle = Raw::connect(listener.address()).await;
    idle.send(&request("shop.echo", "1")).await;
    assert_eq!(idle.answer().await.status, 200);
    let mut running = Raw::connect(listener.address()).await;
    running.send(&request("shop.gate", "held")).await;
    eventually("it runs", SOON, async || answers.asked() == 2).await;
    assert!(listener.is_ready());

    let mut stopping = bus::spawn({
        let listener = Arc::clone(&listener);
        async move { listener.stop(Instant::now() + SOON).await }
    });
    assert!(idle.is_hung_up_on().await);
    assert!(!listener.is_ready());
    let nobody_new = async || TcpStream::connect(listener.address()).await.is_err();
    eventually("the door is closed", SOON, nobody_new).await;
    assert!(timeout(BRIEF, &mut stopping).await.is_err(), "a call still runs");
    answers.gate.add_permits(1);
    let answer = running.answer().await;
    assert_eq!((answer.status, &*answer.body), (200, "held"));
    assert_eq!(answer.header("connection"), Some("close"));
    stopping.await.expect("it does not panic");
    assert_eq!(listener.connections(), 0);
}

/// C17: nobody is waited for longer than the deadline.
#[tokio::test]
async fn stopping_ends_at_its_deadline() {
    let (answers, listener) = listen(ListenerSettings::default()).await;
    let mut running = Raw::connect(listener.address()).await;
    running.send(&request("shop.gate", "held")).await;
    eventually("it runs", SOON, async || answers.asked() == 1).await;
    timeout(SOON, listener.stop(Instant::now() + BRIEF)).await.expect("it does not hang");
    assert!(running.is_hung_up_on().await);
    until_connections(&listener, 0).await;
}
