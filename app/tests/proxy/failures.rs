//! What an upstream may do wrong, and a client: what each is told, and what is let go.

use crate::{
    fixture::{Server, eventually, route, text},
    upstream::{Upstream, nowhere},
};
use serde_json::json;
use std::{
    io::{Read as _, Write as _},
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

/// C24, contract: nobody there is 503 with the route for a dependency, and the upstream's address is told to nobody.
#[test]
fn nobody_there_is_unavailable() {
    let server = Server::to(&nowhere(), json!({}));
    let answer = server.send("POST", "/up/x", &[], "a body");
    assert_eq!(answer.problem(), (503, "dependency_unavailable".into()));
    assert_eq!(answer.json()["dependency"], "/up/{*rest}");
    assert!(answer.header("retry-after").is_some());
    assert!(!answer.text().contains("127.0.0.1"));
}

/// F19, C22, M1: silence is 504 in its time, all attempts together, and the upstream is let go.
#[test]
fn a_silent_upstream_is_too_late() {
    for (more, what) in [
        (json!({"timeout": "1s", "retry": 3}), "the whole time"),
        (json!({"timeout": "20s", "idle_timeout": "1s", "retry": 3}), "silence"),
    ] {
        let upstream = Upstream::raw(|mut socket| drop(socket.read_to_end(&mut Vec::new())));
        let server = Server::to(&upstream.url(), more);
        for request in [text("GET", "/up/x", &[], ""), text("POST", "/up/x", &[], "a body")] {
            let began = Instant::now();
            let answer = server.connect().ask(request);
            assert_eq!(answer.problem(), (504, "deadline_exceeded".into()), "{what}");
            assert!(began.elapsed() < Duration::from_secs(5), "{what}");
        }
        eventually("both have come", || upstream.connections() == 2);
        eventually("the upstream is let go", || upstream.open.load(Ordering::SeqCst) == 0);
        assert_eq!(upstream.connections(), 2, "{what}: what may have been done is not done again");
    }
}

/// The client may have less patience than the route.
#[test]
fn a_client_may_ask_for_less_time() {
    let upstream = Upstream::raw(|mut socket| drop(socket.read_to_end(&mut Vec::new())));
    let server = Server::to(&upstream.url(), json!({}));
    let answer = server.send("GET", "/up/x", &[("X-Request-Deadline", "200")], "");
    assert_eq!(answer.problem(), (504, "deadline_exceeded".into()));
}

/// C24: what is no HTTP, or is HTTP that can be read in two ways, is 502.
#[test]
fn garbage_is_a_bad_gateway() {
    for garbage in [
        "SSH-2.0-OpenSSH_9.2\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "HTTP/1.1 200 OK\r\nX: a\r\n folded\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        "HTTP/1.1 20x OK\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        "<html>",
    ] {
        let upstream = Upstream::answering(move |_, socket| {
            let _ = socket.write_all(garbage.as_bytes());
            false
        });
        let server = Server::to(&upstream.url(), json!({}));
        let answer = server.get("/up/x");
        assert_eq!(answer.problem(), (502, "bad_gateway".into()), "{garbage:?}");
        assert_eq!(upstream.asked().len(), 1, "{garbage:?}: an answer, if a bad one");
    }
    let endless = Upstream::answering(|_, socket| {
        let _ = socket.write_all(b"HTTP/1.1 200 OK\r\n");
        while socket.write_all(b"X: y\r\n").is_ok() {}
        false
    });
    let server = Server::to(&endless.url(), json!({}));
    assert_eq!(server.get("/up/x").problem(), (502, "bad_gateway".into()), "a head has an end");
}

/// C24: lost before its answer is 502, since the request may have been carried out.
#[test]
fn an_upstream_that_hangs_up_is_a_bad_gateway() {
    let upstream = Upstream::answering(|_, _| false);
    let server = Server::to(&upstream.url(), json!({"retry": 0}));
    assert_eq!(server.get("/up/x").problem(), (502, "bad_gateway".into()));
    assert_eq!(server.send("POST", "/up/x", &[], "a body").problem(), (502, "bad_gateway".into()));
}

/// CALL-16: an answer that breaks off breaks off for the client too: never is it a whole one.
#[test]
fn a_body_that_is_cut_short_is_seen_to_be() {
    for head in ["Content-Length: 1000000\r\n", "Transfer-Encoding: chunked\r\n"] {
        let upstream = Upstream::answering(move |_, socket| {
            let _ = write!(socket, "HTTP/1.1 200 OK\r\n{head}\r\n5\r\nabcde\r\n");
            false
        });
        let server = Server::to(&upstream.url(), json!({}));
        let mut client = server.connect();
        let answer = client.ask(text("GET", "/up/x", &[], ""));
        assert_eq!((answer.status, answer.whole), (200, false), "{head}");
        assert!(client.read(false).is_none(), "and the connection ends");
    }
}

/// An answer that stops in the middle is cut off in its time.
#[test]
fn a_body_that_stops_is_cut_off() {
    for more in [json!({"idle_timeout": "2s"}), json!({"timeout": "2s"})] {
        let upstream = Upstream::answering(|_, socket| {
            let _ = socket.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nabc");
            drop(socket.read(&mut [0]));
            false
        });
        let server = Server::to(&upstream.url(), more);
        let began = Instant::now();
        let answer = server.get("/up/x");
        assert_eq!((answer.status, answer.text().as_str(), answer.whole), (200, "abc", false));
        assert!(began.elapsed() < Duration::from_secs(5));
        eventually("the upstream is let go", || upstream.open.load(Ordering::SeqCst) == 0);
    }
}

/// A slow answer that keeps moving is no silence.
#[test]
fn slow_is_not_silent() {
    let upstream = Upstream::answering(|_, socket| {
        let _ = socket.set_read_timeout(Some(Duration::from_millis(300)));
        let _ = socket.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n");
        // Nothing comes to be read: that is the pause.
        (0..8).all(|_| socket.read(&mut [0]).is_err() && socket.write_all(b"x").is_ok())
    });
    let server = Server::to(&upstream.url(), json!({"idle_timeout": "2s"}));
    let answer = server.get("/up/x");
    assert_eq!((answer.text().as_str(), answer.whole), ("xxxxxxxx", true));
}

/// S-SLOW: a body that stops coming is 408, in a time that is not the server's own for bodies.
#[test]
fn a_client_that_stops_sending_is_told() {
    let upstream = Upstream::text("x");
    let server = Server::to(&upstream.url(), json!({"idle_timeout": "2s"}));
    for framing in ["Content-Length: 100", "Transfer-Encoding: chunked"] {
        let mut client = server.connect();
        let answer = client.ask(format!("POST /up/x HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n5\r\nab"));
        assert_eq!(answer.problem(), (408, "request_timeout".into()), "{framing}");
        assert!(client.read(false).is_none(), "and the connection closes");
    }
    assert_eq!(upstream.asked().len(), 0);
    // The server's own time for a body is 400 ms here; this one takes longer and keeps moving.
    let mut client = server.connect();
    client.say("POST /up/x HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\n");
    client.socket().set_read_timeout(Some(Duration::from_millis(350))).expect("a time-out");
    for _ in 0..7 {
        client.say("x");
        assert!(client.socket().peek(&mut [0]).is_err(), "no answer before the end");
    }
    client.socket().set_read_timeout(Some(Duration::from_secs(20))).expect("a time-out");
    client.say("x");
    assert_eq!(client.read(false).expect("an answer").status, 200);
    assert_eq!(upstream.last().body, b"xxxxxxxx");
}

/// Section 5.9: a body that turns out too large is 413, and the upstream never gets it whole.
#[test]
fn a_body_that_is_too_large_is_refused() {
    let upstream = Upstream::text("x");
    let server = Server::to(&upstream.url(), json!({"max_body": 1000}));
    let answer = server.send("POST", "/up/x", &[("Content-Length", "1001")], "");
    assert_eq!(answer.problem(), (413, "body_too_large".into()));
    assert_eq!(upstream.connections(), 0);
    let mut client = server.connect();
    let chunk = format!("100\r\n{}\r\n", "x".repeat(256));
    client.say(format!(
        "POST /up/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{}",
        chunk.repeat(5)
    ));
    assert_eq!(client.read_all()[0].problem(), (413, "body_too_large".into()));
    assert_eq!(upstream.asked().len(), 0);
}

/// C20: a client that leaves takes its request along: while it waits, sends, or reads.
#[test]
fn who_leaves_takes_the_request_along() {
    let silent = Upstream::raw(|mut socket| drop(socket.read_to_end(&mut Vec::new())));
    let endless = Upstream::answering(|_, socket| {
        let _ = socket.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nabc");
        drop(socket.read(&mut [0]));
        false
    });
    let server = Server::with(
        json!([
            route("/silent", &silent.url(), json!({"idle_timeout": "1h", "timeout": "1h"})),
            route("/endless", &endless.url(), json!({"idle_timeout": "1h", "timeout": "1h"})),
        ]),
        |_| {},
    );
    for (request, upstream) in [
        (text("GET", "/silent", &[], ""), &silent),
        (text("POST", "/silent", &[], "a body"), &silent),
        (text("POST", "/silent", &[("Content-Length", "100")], ""), &silent),
        (text("GET", "/endless", &[], ""), &endless),
    ] {
        let mut client = server.connect();
        client.say(&request);
        eventually("the upstream is asked", || upstream.open.load(Ordering::SeqCst) == 1);
        if upstream.address == endless.address {
            let mut byte = [0];
            client.reader.read_exact(&mut byte).expect("the answer has begun");
        }
        drop(client);
        eventually("the upstream is let go", || upstream.open.load(Ordering::SeqCst) == 0);
    }
}

/// CALL-7: a route takes so many at once, and a slow upstream takes nothing from what is ours.
#[test]
fn a_route_has_so_many_places() {
    let upstream = Upstream::raw(|mut socket| drop(socket.read_to_end(&mut Vec::new())));
    let server =
        Server::to(&upstream.url(), json!({"concurrency": 2, "timeout": "1h", "idle_timeout": "1h"}));
    let mut held: Vec<_> = (0..2).map(|_| server.connect()).collect();
    for client in &mut held {
        client.say(text("GET", "/up/x", &[], ""));
    }
    eventually("both are in", || upstream.open.load(Ordering::SeqCst) == 2);
    let answer = server.get("/up/x");
    assert_eq!(answer.problem(), (503, "overloaded".into()));
    assert!(answer.header("retry-after").is_some());
    assert_eq!(server.get("/api/v1/things/1").status, 200);
    held.clear();
    eventually("the places are free again", || upstream.open.load(Ordering::SeqCst) == 0);
}
