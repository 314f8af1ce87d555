//! Sizes and times: what is too large or too slow is let go, and everybody else is served.

use crate::{
    client::{read_all, read_one},
    fixture::{Server, eventually},
};
use std::{
    io::{Read as _, Write as _},
    time::{Duration, Instant},
};

/// Section 5.9: head, target, headers.
#[test]
fn heads_have_limits() {
    let server = Server::start();
    let many: String = (0..100).map(|i| format!("X-{i}: y\r\n")).collect();
    for (text, status, code) in [
        (format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(9000)), 414, "uri_too_long"),
        (format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "a".repeat(17_000)), 431, "head_too_large"),
        (
            format!("GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {}\r\n\r\n", "a".repeat(100_000)),
            431,
            "head_too_large",
        ),
        (format!("GET / HTTP/1.1\r\nHost: a\r\n{many}\r\n"), 431, "head_too_large"),
    ] {
        let answers = server.raw(text.as_bytes());
        assert_eq!(answers.len(), 1, "{text:.40}");
        assert_eq!((answers[0].status, answers[0].code().as_str()), (status, code), "{text:.40}");
    }
}

/// Section 5.9: a body that is too large is refused by its announced length, or when it gets there.
#[test]
fn bodies_have_limits() {
    let server = Server::with(|settings| settings.body_limit = 1000);
    let head = "POST /api/v1/raw HTTP/1.1\r\nHost: a\r\n";
    let answers = server.raw(format!("{head}Content-Length: 99999999\r\n\r\n").as_bytes());
    assert_eq!((answers[0].status, answers[0].code().as_str()), (413, "body_too_large"));
    let endless = "100\r\n".to_owned() + &"x".repeat(256) + "\r\n";
    let answers =
        server.raw(format!("{head}Transfer-Encoding: chunked\r\n\r\n{}", endless.repeat(10)).as_bytes());
    assert_eq!((answers.len(), answers[0].status), (1, 413));
    let answers =
        server.raw(format!("{head}Expect: 100-continue\r\nContent-Length: 1001\r\n\r\n").as_bytes());
    assert_eq!((answers.len(), answers[0].status), (1, 413), "413 and no 100 before it");
    let mut socket = server.connect();
    let head = format!("{head}Connection: close\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
    socket.write_all(head.as_bytes()).expect("sent");
    assert_eq!(read_one(&mut socket, false).status, 100);
    socket.write_all(b"abc").expect("sent");
    assert_eq!(read_all(&mut socket)[0].status, 200);
}

/// S-SLOW: a head that drips in is answered with 408 in its time, the first and any later one.
#[test]
fn slow_heads_are_let_go() {
    let server = Server::with(|settings| settings.head_timeout = Duration::from_secs(1));
    let began = Instant::now();
    let mut first = server.connect();
    first.write_all(b"GET / HTTP/1.1\r\nHos").expect("sent");
    let answers = read_all(&mut first);
    assert_eq!((answers.len(), answers[0].status, answers[0].code().as_str()), (1, 408, "request_timeout"));
    assert!(began.elapsed() >= Duration::from_millis(950) && began.elapsed() < Duration::from_secs(5));

    let mut second = server.connect();
    second.write_all(b"GET /api/v1/things HTTP/1.1\r\nHost: a\r\n\r\n").expect("sent");
    assert_eq!(read_one(&mut second, false).status, 200);
    second.write_all(b"GET /api/v1").expect("sent");
    let answers = read_all(&mut second);
    assert_eq!((answers.len(), answers[0].status), (1, 408));

    let mut silent = server.connect();
    assert_eq!(read_all(&mut silent).len(), 0, "who says nothing is told nothing");
}

/// S-SLOW: a body that drips in is answered with 408 in its time; actix alone would wait for ever.
#[test]
fn slow_bodies_are_let_go() {
    let server = Server::with(|settings| settings.body_timeout = Duration::from_millis(400));
    for framing in ["Content-Length: 100", "Transfer-Encoding: chunked"] {
        let mut socket = server.connect();
        let began = Instant::now();
        let head = format!("POST /api/v1/raw HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n5\r\nab");
        socket.write_all(head.as_bytes()).expect("sent");
        let answer = read_one(&mut socket, false);
        assert_eq!((answer.status, answer.code().as_str()), (408, "request_timeout"), "{framing}");
        assert!(began.elapsed() < Duration::from_secs(4));
        assert_eq!(read_all(&mut socket).len(), 0, "and the connection closes");
    }
}

/// S-SLOW: whoever does not read an answer that is larger than the buffers is let go.
#[test]
fn clients_that_do_not_read_are_let_go() {
    let server = Server::with(|settings| settings.write_timeout = Duration::from_millis(300));
    let mut socket = server.connect();
    // Hundreds of megabytes of answers, none of them taken.
    let request = "GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: a\r\n\r\n".repeat(200);
    socket.write_all(request.as_bytes()).expect("sent");
    let began = Instant::now();
    eventually("the server gives up", || {
        // A probe that is written into a connection that is gone fails.
        socket.write_all(b"\r\n").is_err()
    });
    assert!(began.elapsed() >= Duration::from_millis(250));
    assert_eq!(server.get("/api/v1/things").status, 200);
}

/// O-CONN: half-open connections take nothing from the others.
#[test]
fn half_open_connections_do_not_matter() {
    let server = Server::with(|settings| settings.head_timeout = Duration::from_secs(30));
    let mut open = Vec::new();
    for i in 0..300 {
        let mut socket = server.connect();
        if i % 2 == 0 {
            socket.write_all(b"GET / HT").expect("sent");
        }
        open.push(socket);
    }
    assert_eq!(server.get("/api/v1/things").status, 200);
}

/// Contract, C22: no answer takes longer than its deadline; the client may ask for less, not for more.
#[test]
fn answers_come_within_the_deadline() {
    let server = Server::with(|settings| settings.request_deadline = Duration::from_millis(300));
    for asked in ["999999", "100", "nonsense", "0"] {
        let began = Instant::now();
        let answer = server.send("GET", "/api/v1/never", &[("x-request-deadline", asked)], "");
        assert_eq!((answer.status, answer.code().as_str()), (504, "deadline_exceeded"));
        assert!(began.elapsed() < Duration::from_secs(3), "{asked}");
    }
    let left = server.send("GET", "/api/v1/context", &[("x-request-deadline", "200")], "").json();
    assert!(left["remaining_ms"].as_u64().is_some_and(|left| (1..=200).contains(&left)), "{left}");
}

/// Section 4: past the limit the answer is "come back", at once; health is asked all the same.
#[test]
fn more_than_can_be_served_is_refused_at_once() {
    let server = Server::with(|settings| settings.max_in_flight = 2);
    let mut held: Vec<_> = (0..2)
        .map(|_| {
            let mut socket = server.connect();
            let text =
                "POST /api/v1/held HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            socket.write_all(text.as_bytes()).expect("sent");
            socket
        })
        .collect();
    eventually("both are in", || server.lifecycle.writes().running() == 2);
    let answer = server.get("/api/v1/things");
    assert_eq!((answer.status, answer.code().as_str()), (503, "overloaded"));
    let wait: u64 = answer.header("retry-after").expect("there").parse().expect("seconds");
    assert!((1..=5).contains(&wait));
    assert_eq!(server.get("/healthz").status, 200);
    server.things.gate.add_permits(2);
    for socket in &mut held {
        let mut text = String::new();
        socket.read_to_string(&mut text).expect("answered");
        assert!(text.starts_with("HTTP/1.1 204"), "{text}");
    }
    eventually("the places are free again", || server.get("/api/v1/things").status == 200);
}

/// Section 5.6: the allowance is told, shrinks, and ends in 429 with the time to wait.
#[test]
fn rates_are_limited_per_caller_and_address() {
    let rate = |requests| Some(cleave::gateway::RateLimit { requests, window: Duration::from_secs(60) });
    let server = Server::with(|settings| {
        settings.rate_per_caller = rate(2);
        settings.rate_per_ip = rate(6);
    });
    let answer = server.get_as("customer", "/api/v1/things");
    assert_eq!(answer.header("ratelimit-policy"), Some("\"ip\";q=6;w=60, \"caller\";q=2;w=60"));
    let state = answer.header("ratelimit").expect("there");
    assert!(state.starts_with("\"ip\";r=5;t=") && state.contains("\"caller\";r=1;t="), "{state}");
    assert_eq!(server.get_as("customer", "/api/v1/things").status, 200);
    let refused = server.get_as("customer", "/api/v1/things");
    assert_eq!((refused.status, refused.code().as_str()), (429, "rate_limited"));
    let wait: u64 = refused.header("retry-after").expect("there").parse().expect("seconds");
    assert!((1..=30).contains(&wait), "{wait}");
    assert!(refused.header("ratelimit").expect("there").contains("\"caller\";r=0;t="));
    assert_eq!(refused.json()["violated-policies"][0], "caller");
    assert_eq!(server.get_as("staff", "/api/v1/things").status, 200, "another caller is not concerned");
    // C31: the peer is trusted by nobody, so what it writes makes it no other client.
    let spoofed = |i| {
        let from = format!("198.51.100.{i}");
        server.send("GET", "/api/v1/things", &[("x-forwarded-for", &from)], "").status
    };
    let statuses: Vec<u16> = (0..3).map(spoofed).collect();
    assert_eq!(statuses, [200, 200, 429]);
    assert_eq!(server.get("/healthz").status, 200);
}
