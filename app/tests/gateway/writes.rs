//! Public writes: detached, keyed, told where the new thing is.

use crate::fixture::{Server, eventually};
use std::{io::Write as _, sync::atomic::Ordering};

/// Design section 3.2: a write whose client has gone runs to its end.
#[test]
fn a_write_survives_its_client() {
    let server = Server::start();
    let mut socket = server.connect();
    let text = "POST /api/v1/held HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n";
    socket.write_all(text.as_bytes()).expect("sent");
    eventually("the write has begun", || server.things.asked.load(Ordering::SeqCst) == 1);
    drop(socket);
    server.things.gate.add_permits(1);
    eventually("the write has ended", || server.things.written.load(Ordering::SeqCst) == 1);
    eventually("and is not counted any more", || server.lifecycle.writes().running() == 0);
}

/// Design section 3.2: the client's deadline ends the waiting, not the write.
#[test]
fn a_write_survives_its_deadline() {
    let server = Server::start();
    let answer = server.send("POST", "/api/v1/held", &[("x-request-deadline", "200")], "");
    assert_eq!(answer.status, 504);
    assert_eq!(server.things.written.load(Ordering::SeqCst), 0);
    server.things.gate.add_permits(1);
    eventually("the write has ended", || server.things.written.load(Ordering::SeqCst) == 1);
}

/// B20, section 5.5: the key becomes the caller's command, in whatever spelling; a bad one is a 400.
#[test]
fn a_key_becomes_a_command() {
    let server = Server::start();
    let post = |token: &str, key: &[&str], body: &str| {
        let bearer = format!("Bearer {token}");
        let mut headers = vec![("content-type", "application/json"), ("authorization", bearer.as_str())];
        headers.extend(key.iter().map(|key| ("idempotency-key", *key)));
        server.send("POST", "/api/v1/things", &headers, body)
    };
    let body = "{\"name\":\"x\"}";
    let first = post("customer", &["key-1"], body);
    assert_eq!((first.status, first.header("location")), (201, Some("/api/v1/things/1")));
    assert_eq!(first.header("idempotent-replayed"), None);
    let command =
        |answer: &crate::client::Answer| answer.json()["command"].as_str().expect("keyed").to_owned();
    assert_eq!(command(&first), command(&post("customer", &["\"key-1\""], body)));
    assert_ne!(command(&first), command(&post("staff", &["key-1"], body)), "another caller, another command");
    assert_ne!(command(&first), command(&post("customer", &["key-2"], body)));
    assert!(!command(&first).contains("key-1"));
    assert!(post("customer", &[], body).json()["command"].is_null());
    let replayed = post("customer", &["key-3"], "{\"name\":\"replayed\"}");
    assert_eq!(replayed.header("idempotent-replayed"), Some("true"));
    let long = "k".repeat(256);
    for bad in [&["a", "a"][..], &[""], &["a b"], &[long.as_str()], &["\"\""], &["sch\u{e9}"]] {
        let answer = post("customer", bad, body);
        assert_eq!((answer.status, answer.code().as_str()), (400, "invalid_idempotency_key"), "{bad:?}");
    }
    let anonymous = [("content-type", "application/json"), ("idempotency-key", "key-1")];
    let anonymous = server.send("POST", "/api/v1/things", &anonymous, body);
    assert!(command(&anonymous).starts_with("anonymous-127.0.0.1:"));
}

/// An ordinary client, keeping its connection.
#[tokio::test]
async fn an_ordinary_client_is_served() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let server = Server::start();
    let client = reqwest::Client::new();
    let url = format!("http://{}/api/v1/things", server.address);
    for _ in 0..10 {
        let made = client.post(&url).json(&serde_json::json!({"name": "x", "lines": [{"quantity": 2}]}));
        let made = made.send().await.expect("answered");
        assert_eq!(made.status(), 201);
        assert_eq!(made.json::<serde_json::Value>().await.expect("JSON")["quantity"], 2);
        let list = client.get(format!("{url}?limit=7")).send().await.expect("answered");
        assert_eq!(list.json::<serde_json::Value>().await.expect("JSON")["data"][0], 7);
    }
}
