//! The serving half towards clients that are none of ours: what it refuses, and how.

use crate::raw::{Raw, listen, request};
use bus::Listener;
use bus_http::ListenerSettings;

fn small() -> ListenerSettings {
    ListenerSettings { body: 1000, ..ListenerSettings::default() }
}

/// Each request with the status that it gets.
#[tokio::test]
async fn what_is_no_request_of_the_bus_is_refused_in_plain_http() {
    let (_, listener) = listen(small()).await;
    let json = "content-type: application/json\r\n";
    let post = |path: &str, headers: &str| {
        format!("POST {path} HTTP/1.1\r\nhost: x\r\n{headers}content-length: 0\r\n\r\n")
    };
    let table = [
        (format!("GET /bus/shop.echo HTTP/1.1\r\nhost: x\r\n{json}\r\n"), 405),
        (format!("PUT /bus/shop.echo HTTP/1.1\r\nhost: x\r\n{json}content-length: 0\r\n\r\n"), 405),
        ("GET / HTTP/1.1\r\nhost: x\r\n\r\n".into(), 404),
        (post("/", json), 404),
        (post("/bus", json), 404),
        (post("/bus/", json), 404),
        (post("/bus/shop.echo/more", json), 404),
        (post("/bus/%ff", json), 404),
        (post("/buss/shop.echo", json), 404),
        (post("/bus/shop.echo", ""), 415),
        (post("/bus/shop.echo", "content-type: text/plain\r\n"), 415),
        (post("/bus/shop.echo", &format!("{json}cleave-caller: %ff\r\n")), 400),
        (post("/bus/shop.echo", &format!("{json}cleave-caller: \u{17c}\r\n")), 400),
        (post("/bus/shop.echo", &format!("{json}cleave-caller: a\r\ncleave-caller: b\r\n")), 400),
        (post("/bus/shop.echo", &format!("{json}x-filler: {}\r\n", "x".repeat(70_000))), 431),
        ("GARBAGE\r\n\r\n".into(), 400),
    ];
    for (sent, status) in table {
        let mut raw = Raw::connect(listener.address()).await;
        raw.send(&sent).await;
        let answer = raw.answer().await;
        assert_eq!(answer.status, status, "{sent:.200}");
        assert_eq!(answer.header("cleave-error"), None, "{sent:.200}");
        if status == 405 {
            assert_eq!(answer.header("allow"), Some("POST"));
        }
    }
}

/// C22: a name of a module that is open, but that nobody knows, is the bus's to refuse.
#[tokio::test]
async fn errors_of_the_bus_are_marked() {
    let (_, listener) = listen(small()).await;
    for (name, status, error) in [
        ("shop.unheard_of", 404, r#"{"type":"unknown_name","name":"shop.unheard_of"}"#),
        ("street.echo", 503, r#"{"type":"unheard","port":"street"}"#),
    ] {
        let mut raw = Raw::connect(listener.address()).await;
        raw.send(&request(name, "")).await;
        let answer = raw.answer().await;
        assert_eq!((answer.status, answer.header("cleave-error")), (status, Some("bus")));
        assert_eq!(answer.body, error);
    }
}

/// CALL-21: requests that arrive in one packet are answered, all of them, in order.
#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let (_, listener) = listen(small()).await;
    let mut raw = Raw::connect(listener.address()).await;
    let requests: String = (0..50).map(|n| request("shop.echo", &n.to_string())).collect();
    raw.send(&requests).await;
    for n in 0..50 {
        let answer = raw.answer().await;
        assert_eq!((answer.status, answer.body), (200, n.to_string()));
    }
    assert_eq!(listener.connections(), 1);
}

/// C23: what HTTP says for itself stays below the bus, in a body of chunks too.
#[tokio::test]
async fn headers_of_http_are_not_the_buss() {
    let (_, listener) = listen(small()).await;
    let mut raw = Raw::connect(listener.address()).await;
    raw.send(
        "POST /bus/shop.headers HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
         connection: keep-alive, cleave-attempt\r\nkeep-alive: timeout=5\r\nte: trailers\r\n\
         transfer-encoding: chunked\r\nx-cleave-caller: no\r\nCleave-Caller: %C5%BC\r\ncleave-attempt: 2\r\n\r\n\
         1\r\n{\r\n1;x=y\r\n}\r\n0\r\ncleave-depth: 9\r\n\r\n",
    )
    .await;
    let answer = raw.answer().await;
    assert_eq!(answer.body, r#"{"attempt":"2","caller":"ż"}"#);
    assert_eq!(answer.header("transfer-encoding"), None);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    raw.send(&request("shop.echo", "next")).await;
    assert_eq!(raw.answer().await.body, "next", "not a byte of the first is left over");
}

/// A body that is too large is refused as soon as that is known, before it has arrived where it says so.
#[tokio::test]
async fn a_body_that_is_too_large_is_refused() {
    let (answers, listener) = listen(small()).await;
    let head = "POST /bus/shop.echo HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n";
    let chunk = "1".repeat(1001);
    for sent in [
        format!("{head}content-length: 1001\r\n\r\n"),
        format!("{head}content-length: 99999999999999\r\n\r\n"),
        format!("{head}transfer-encoding: chunked\r\n\r\n3e9\r\n{chunk}\r\n"),
    ] {
        let mut raw = Raw::connect(listener.address()).await;
        raw.send(&sent).await;
        let answer = raw.answer().await;
        assert_eq!((answer.status, answer.header("connection")), (413, Some("close")));
        assert_eq!(answer.body, r#"{"type":"codec","name":"shop.echo"}"#);
        assert!(raw.is_hung_up_on().await);
    }
    assert_eq!(answers.asked(), 0);
    let mut raw = Raw::connect(listener.address()).await;
    raw.send(&request("shop.echo", &chunk[..1000])).await;
    assert_eq!(raw.answer().await.status, 200);
    listener.close("shop").await;
}
