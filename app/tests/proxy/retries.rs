//! Whose turn it is, what is tried again, and what never is.

use crate::{
    fixture::{Server, route, text},
    upstream::{Upstream, nowhere},
};
use serde_json::json;
use std::{
    io::Write as _,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

/// Instances take turns.
#[test]
fn instances_take_turns() {
    let (one, two) = (Upstream::text("one"), Upstream::text("two"));
    let server = Server::to("", json!({"upstream": [one.url(), two.url()]}));
    let texts: Vec<String> = (0..6).map(|_| server.get("/up/x").text()).collect();
    assert_eq!(texts, ["one", "two", "one", "two", "one", "two"]);
}

/// CALL-18: nobody at one instance is tried at the next, with the body that nobody has seen; then it is asked last.
#[test]
fn nobody_at_one_is_tried_at_the_next() {
    let there = Upstream::text("there");
    let server = Server::to("", json!({"upstream": [nowhere(), there.url()], "retry": 1}));
    for _ in 0..4 {
        assert_eq!(server.send("POST", "/up/x", &[], "a body").text(), "there");
        assert_eq!(there.last().body, b"a body");
    }
    let server = Server::to("", json!({"upstream": [nowhere(), there.url()], "retry": 0}));
    let statuses: Vec<u16> = (0..3).map(|_| server.get("/up/x").status).collect();
    assert_eq!(statuses, [503, 200, 200], "without retries the first finds it out");
}

/// C12, CALL-14, CALL-18: lost under way is tried again only for what may be done twice and has no body.
#[test]
fn only_what_may_be_done_twice_is_sent_twice() {
    let upstream = Upstream::answering(|_, _| false);
    for (method, headers, body, times) in [
        ("GET", &[][..], "", 3),
        ("HEAD", &[], "", 3),
        ("PUT", &[("Content-Length", "0")], "", 3),
        ("DELETE", &[], "", 3),
        ("GET", &[], "a body", 1),
        ("PUT", &[], "a body", 1),
        ("POST", &[], "", 1),
        ("POST", &[], "a body", 1),
        ("PATCH", &[], "", 1),
    ] {
        let server = Server::to(&upstream.url(), json!({"retry": 2}));
        let before = upstream.asked().len();
        let answer = server.send(method, "/up/x", headers, body);
        assert_eq!(answer.status, 502, "{method} {body}");
        assert_eq!(upstream.asked().len() - before, times, "{method} {body}");
    }
    let server = Server::to(&upstream.url(), json!({"retry": 2}));
    let before = upstream.asked().len();
    let chunked = "PUT /up/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n";
    assert_eq!(server.connect().ask(chunked).status, 502);
    assert_eq!(upstream.asked().len() - before, 1, "in chunks");
}

/// CALL-13: an answer is an answer: not even a 503 is asked for twice.
#[test]
fn an_error_is_an_answer() {
    let upstream = Upstream::saying("HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n");
    let server = Server::to(&upstream.url(), json!({"retry": 5}));
    assert_eq!(server.get("/up/x").status, 503);
    assert_eq!(upstream.asked().len(), 1);
}

/// A connection that the upstream closes when it is used again costs nobody an error.
#[test]
fn a_kept_connection_that_closes_is_replaced() {
    let per_connection = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&per_connection);
    let upstream = Upstream::raw(move |socket| {
        // One answer a connection, though it says nothing of closing; the second request finds it closed.
        let mut socket = std::io::BufReader::new(socket);
        let mut line = String::new();
        while std::io::BufRead::read_line(&mut socket, &mut line).is_ok_and(|length| length > 2) {}
        counted.fetch_add(1, Ordering::SeqCst);
        let _ = socket.get_mut().write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        line.clear();
        let _ = std::io::BufRead::read_line(&mut socket, &mut line);
    });
    let server = Server::to(&upstream.url(), json!({"retry": 0}));
    let mut client = server.connect();
    for _ in 0..20 {
        assert_eq!(client.ask(text("GET", "/up/x", &[], "")).text(), "ok");
    }
    assert_eq!(per_connection.load(Ordering::SeqCst), 20);
}

/// Instances that are found by name come and go while requests are served.
#[test]
fn instances_are_found_by_name() {
    let (one, two) = (Upstream::text("one"), Upstream::text("two"));
    let found = json!([{"path": "/up/{*rest}", "auth": "none", "discover": "dns:things:80"}]);
    let server = Server::with(found, |_| {});
    assert_eq!(server.get("/up/x").problem(), (503, "dependency_unavailable".into()));
    server.finds(&[one.address]);
    assert_eq!(server.get("/up/x").text(), "one");
    assert_eq!(one.last().header("host").as_deref(), Some("things"));
    server.finds(&[two.address]);
    assert_eq!(server.get("/up/x").text(), "two");
    server.finds(&[one.address, two.address]);
    let mut texts: Vec<String> = (0..4).map(|_| server.get("/up/x").text()).collect();
    texts.sort();
    assert_eq!(texts, ["one", "one", "two", "two"]);
}

/// C29: an unknown name refuses to start.
#[test]
fn an_unknown_name_is_refused() {
    let server = Server::with(json!([]), |_| {});
    *server.written.lock().expect("not poisoned") =
        Ok(json!([route("/up", "", json!({"upstream": [], "discover": "dns:other:80"}))]));
    let error = server.proxy.reload().expect_err("refused").to_string();
    assert!(error.contains("gateway.routes[0].discover is not known"), "{error}");
}
