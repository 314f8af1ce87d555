//! What comes in place of an answer: proxies' pages, cut and broken bodies, too much of it.

use crate::{
    calling::transport,
    peer::{Peer, Reply, ok, ok_with},
};
use bus::{BusError, Headers, Transport};
use bus_http::{HttpSettings, HttpTransport};
use bus_testkit::eventually;
use bytes::Bytes;
use std::time::Duration;
use tokio::time::timeout;

const SOON: Duration = Duration::from_secs(20);

fn small() -> HttpSettings {
    HttpSettings { body: 1000, connections: 1, ..HttpSettings::default() }
}

async fn ask(transport: &HttpTransport, body: impl Into<Bytes>) -> Result<Bytes, BusError> {
    let asked = transport.request("shop.order", Headers::new(), body.into());
    timeout(SOON, asked).await.expect("it does not hang")
}

/// C21, CALL-19: no answer of ours is no answer, whatever it looks like; where it says to ask elsewhere nobody does.
#[tokio::test]
async fn what_is_no_answer_of_ours_is_unavailable() {
    let elsewhere = Peer::always(ok("1")).await;
    let redirect =
        format!("HTTP/1.1 307 T\r\nlocation: http://{}/\r\ncontent-length: 0\r\n\r\n", elsewhere.address);
    let marked = |mark: &str, body: &str| {
        let length = body.len();
        format!("HTTP/1.1 503 S\r\ncleave-error: {mark}\r\ncontent-length: {length}\r\n\r\n{body}")
    };
    let error = r#"{"type":"key_reused"}"#;
    let table = [
        String::new(),
        "SSH-2.0-OpenSSH_9.2\r\n".into(),
        "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 4\r\n\r\n<h1>".into(),
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}".into(),
        "HTTP/1.1 502 Bad Gateway\r\ncontent-type: text/html\r\ncontent-length: 4\r\n\r\n<h1>".into(),
        "HTTP/1.1 404 Not Found\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}".into(),
        "HTTP/1.1 204 No Content\r\ncontent-type: application/json\r\n\r\n".into(),
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 50\r\n\r\n{\"cut\":".into(),
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n{}"
            .into(),
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n9\r\n{\"cut"
            .into(),
        redirect,
        marked("bus", "not json"),
        marked("bus", r#"{"type":"of_a_later_version"}"#),
        marked("sub", error),
    ];
    for answer in table {
        let says = answer.clone();
        let peer = Peer::new(move |_| Reply::Last(says.clone().into())).await;
        let transport = transport(peer.address, small());
        let lost = Err(BusError::Unavailable { port: "shop".into() });
        assert_eq!(ask(&transport, "{}").await, lost, "{answer}");
        assert_eq!((peer.requests().len(), transport.pending()), (1, 0), "{answer}");
    }
    assert_eq!(elsewhere.connections().0, 0);
    let peer = Peer::always(marked("bus", error).into()).await;
    assert_eq!(
        ask(&transport(peer.address, small()), "{}").await,
        Err(BusError::KeyReused),
        "the mark is right"
    );
}

/// An answer that is too large is not read to its end, whether or not it says how large it is.
#[tokio::test]
async fn an_answer_that_is_too_large_is_not_read() {
    let (fits, large) = ("1".repeat(1000), "1".repeat(1001));
    let chunked = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n3e9\r\n{large}\r\n"
    );
    for answer in [ok(&large), chunked.into_bytes()] {
        let peer = Peer::always(answer).await;
        let transport = transport(peer.address, small());
        assert_eq!(ask(&transport, "{}").await, Err(BusError::Unavailable { port: "shop".into() }));
        eventually("the connection is closed", SOON, async || peer.connections().1 == 0).await;
    }
    let peer = Peer::always(ok(&fits)).await;
    assert_eq!(ask(&transport(peer.address, small()), "{}").await, Ok(fits.into()));
}

/// A request that nobody would take is not sent, and asking again does not make it smaller.
#[tokio::test]
async fn a_request_that_is_too_large_is_not_sent() {
    let peer = Peer::always(ok("1")).await;
    let transport = transport(peer.address, small());
    assert_eq!(ask(&transport, vec![b'1'; 1001]).await, Err(BusError::Codec { name: "shop.order".into() }));
    assert_eq!((peer.connections().0, transport.pending()), (0, 0));
    assert_eq!(ask(&transport, vec![b'1'; 1000]).await, Ok("1".into()));
}

/// C23: what a request says on the wire, in whole: nothing of it is more than needed.
#[tokio::test]
async fn a_request_says_what_it_has_to_and_no_more() {
    let peer = Peer::always(ok_with("connection: close\r\n", "1")).await;
    let base = format!("http://{}/behind/a/proxy/", peer.address);
    let transport = HttpTransport::new(&base, HttpSettings::default()).expect("an address");
    let headers = || Headers::from([("caller".into(), "ż%".into())]);
    transport.request("shop.order", headers(), "{}".into()).await.expect("an answer");
    transport.deliver("shop/../x.inbox", headers(), "[]".into()).await.expect("an answer");
    let host = format!("host: {}", peer.address);
    let sent = |path: &str, content: &str, body: &str| {
        format!(
            "POST /behind/a/proxy/bus/{path} HTTP/1.1\r\n{host}\r\ncontent-type: application/{content}\r\n\
             cleave-caller: %C5%BC%25\r\ncontent-length: 2\r\n\r\n{body}"
        )
    };
    assert_eq!(
        peer.requests(),
        [sent("shop.order", "json", "{}"), sent("shop%2F..%2Fx.inbox", "cloudevents-batch+json", "[]"),]
    );
    assert_eq!(peer.connections().0, 2, "each answer was the last of its connection");
}
