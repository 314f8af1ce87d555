//! Nothing is smuggled through the forwarder: a canary behind it counts what it is asked.

use crate::{fixture::Server, upstream::Upstream};
use serde_json::json;
use std::io::Write as _;

/// Section 5.9: what two readers could frame in two ways is refused and the connection closed; the canary sees nothing.
#[test]
fn what_can_be_framed_in_two_ways_reaches_nobody() {
    let canary = Upstream::text("x");
    let server = Server::to(&canary.url(), json!({}));
    let smuggled = "GET /up/smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
    let post = |lines: &str, rest: &str| format!("POST /up/x HTTP/1.1\r\nHost: a\r\n{lines}\r\n\r\n{rest}");
    let mut cases: Vec<String> = [
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "Content-Length: 4\r\nContent-Length: 4",
        "Content-Length: 4\r\nContent-Length: 5",
        "Content-Length: +4",
        "Content-Length: 4,4",
        "Content-Length: 0x4",
        "Content-Length: -1",
        "Content-Length: 18446744073709551616",
        "Content-Length : 4",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: identity, chunked",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: chunked\t",
        "Transfer-Encoding : chunked",
        "Transfer-Encoding: \x0bchunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "X: a\r\n folded: b",
        "X: a\0b",
        "X: a\rb",
        "Host: b",
    ]
    .iter()
    .map(|lines| post(lines, &format!("0\r\n\r\n{smuggled}")))
    .collect();
    cases.push(format!(
        "POST /up/x HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{smuggled}"
    ));
    cases.push(format!("GET /up/x HTTP/1.1\nHost: a\n\n{smuggled}"));
    cases.push(format!("GET /up/x HTTP/1.1\r\n\r\n{smuggled}"));
    cases.push(format!("GET http://internal/up/x HTTP/1.1\r\nHost: a\r\n\r\n{smuggled}"));
    cases.push(format!("GET /up/x y HTTP/1.1\r\nHost: a\r\n\r\n{smuggled}"));
    for text in &cases {
        let mut client = server.connect();
        client.say(text);
        let answers = client.read_all();
        assert_eq!(answers.len(), 1, "{text:?}: {answers:?}");
        assert_eq!(answers[0].problem(), (400, "malformed_request".into()), "{text:?}");
    }
    assert_eq!(canary.asked().len(), 0);
}

/// Section 5.9: a body that turns out badly framed on its way is cut off, and what follows it is no request.
#[test]
fn a_badly_framed_body_is_cut_off() {
    let canary = Upstream::text("x");
    let server = Server::to(&canary.url(), json!({}));
    let smuggled = "GET /up/smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
    for chunks in [
        "5\r\nabcdef\r\n0\r\n\r\n",
        "0x5\r\nabcde\r\n0\r\n\r\n",
        "3\r\nabc\r\n5;ext\nabcde\r\n0\r\n\r\n",
        "0\r\nX: y\r\n\r\n",
    ] {
        let mut client = server.connect();
        client.say(format!(
            "POST /up/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}{smuggled}"
        ));
        let answers = client.read_all();
        assert!(answers.len() <= 1, "{chunks:?}: {answers:?}");
        assert!(answers.iter().all(|answer| matches!(answer.status, 400 | 499)), "{chunks:?}: {answers:?}");
    }
    assert_eq!(canary.asked().len(), 0, "a body without its end is no request");
}

/// Section 5.9: requests in one packet stay requests of their own, each framed by us.
#[test]
fn pipelined_requests_stay_apart() {
    let canary = Upstream::text("x");
    let server = Server::to(&canary.url(), json!({}));
    let mut client = server.connect();
    client.say(
        "POST /up/1 HTTP/1.1\r\nHost: a\r\nContent-Length: 38\r\n\r\nGET /up/no HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n\
         GET /up/2 HTTP/1.1\r\nHost: a\r\n\r\nGET /up/3 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n\
         GET /up/never HTTP/1.1\r\nHost: a\r\n\r\n",
    );
    let answers = client.read_all();
    assert_eq!(answers.iter().map(|answer| answer.status).collect::<Vec<_>>(), [200, 200, 200]);
    let asked = canary.asked();
    assert_eq!(asked.iter().map(|asked| asked.path()).collect::<Vec<_>>(), ["/up/1", "/up/2", "/up/3"]);
    assert_eq!(asked[0].body.len(), 38);
}

/// Section 5.9: the limits of a head hold here too.
#[test]
fn a_head_that_is_too_large_reaches_nobody() {
    let canary = Upstream::text("x");
    let server = Server::to(&canary.url(), json!({}));
    let many: String = (0..100).map(|i| format!("X-{i}: y\r\n")).collect();
    for (text, problem) in [
        (format!("GET /up/{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(9000)), (414, "uri_too_long")),
        (
            format!("GET /up/x HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "a".repeat(17_000)),
            (431, "head_too_large"),
        ),
        (format!("GET /up/x HTTP/1.1\r\nHost: a\r\n{many}\r\n"), (431, "head_too_large")),
    ] {
        let mut client = server.connect();
        client.say(&text);
        let answers = client.read_all();
        assert_eq!(
            (answers.len(), answers[0].problem()),
            (1, (problem.0, problem.1.to_owned())),
            "{text:.40}"
        );
    }
    assert_eq!(canary.asked().len(), 0);
}

/// An upstream that says more than one answer does not answer the next request by it.
#[test]
fn an_answer_too_many_answers_nobody() {
    let upstream = Upstream::answering(|asked, socket| {
        let text = asked.path().len();
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{text:02}");
        let extra = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil";
        socket.write_all((answer + extra).as_bytes()).is_ok()
    });
    let server = Server::to(&upstream.url(), json!({}));
    let mut client = server.connect();
    for i in 1..20 {
        let path = format!("/up/{}", "x".repeat(i));
        let answer = client.ask(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert_eq!(answer.text(), format!("{:02}", path.len()));
    }
}
