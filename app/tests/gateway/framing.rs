//! Section 5.9 on the wire: what is refused is refused once, the connection closes, and nothing gets through.

use crate::fixture::Server;
use std::sync::atomic::Ordering;

/// Section 5.9: each of these is one 400 problem and a closed connection; the module behind sees nothing.
#[test]
fn ambiguous_requests_are_refused_once_and_the_connection_closes() {
    let server = Server::start();
    let smuggled = "POST /api/v1/raw HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx";
    let head = |lines: &str, body: &str| {
        format!("POST /api/v1/raw HTTP/1.1\r\nHost: a\r\n{lines}\r\n\r\n{body}{smuggled}")
    };
    let mut cases = vec![
        head("Content-Length: 5\r\nTransfer-Encoding: chunked", "0\r\n\r\n"),
        head("Transfer-Encoding: chunked\r\nContent-Length: 5", "0\r\n\r\n"),
        head("Content-Length: 5\r\nContent-Length: 5", "abcde"),
        head("Content-Length: 5\r\nContent-Length: 0", "abcde"),
        head("Content-Length: +5", "abcde"),
        head("Content-Length: 5,5", "abcde"),
        head("Content-Length: 0x5", "abcde"),
        head("Content-Length: -1", ""),
        head("Content-Length: 18446744073709551616", ""),
        head("Transfer-Encoding: chunked, identity", "0\r\n\r\n"),
        head("Transfer-Encoding: xchunked", "0\r\n\r\n"),
        head("Transfer-Encoding : chunked", "0\r\n\r\n"),
        head("Transfer-Encoding: \x0bchunked", "0\r\n\r\n"),
        head("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", "0\r\n\r\n"),
        head("X: a\r\n b", ""),
        head("X: a\0b", ""),
        head("X : a", ""),
        head("Host: b", ""),
        format!("GET / HTTP/1.1\nHost: a\n\n{smuggled}"),
        format!("GET / HTTP/1.1\r\n\r\n{smuggled}"),
        format!("GET http://internal/ HTTP/1.1\r\nHost: a\r\n\r\n{smuggled}"),
        format!("GET / HTTP/2.0\r\nHost: a\r\n\r\n{smuggled}"),
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
        "\x16\x03\x01\x00\x7f".to_owned(),
    ];
    cases.push(format!("POST /api/v1/raw HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{smuggled}"));
    for text in cases {
        let answers = server.raw(text.as_bytes());
        assert_eq!(answers.len(), 1, "{text:?}: {answers:?}");
        assert_eq!((answers[0].status, answers[0].code().as_str()), (400, "malformed_request"), "{text:?}");
        assert_eq!(answers[0].header("connection"), Some("close"), "{text:?}");
        assert_eq!(answers[0].header("content-type"), Some("application/problem+json"));
        assert!(answers[0].header("x-request-id").is_some());
    }
    assert_eq!(server.things.asked.load(Ordering::SeqCst), 0, "nothing got through");
}

/// Section 5.9: a body that is badly framed fails its own request, and what stands behind it is no request.
#[test]
fn a_badly_framed_body_ends_the_connection() {
    let server = Server::start();
    let smuggled = "POST /api/v1/raw HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx";
    for chunks in [
        "0x5\r\nabcde\r\n0\r\n\r\n",
        "5;ext\nabcde\r\n0\r\n\r\n",
        "5\nabcde\r\n0\r\n\r\n",
        "5\r\nabcdef\r\n0\r\n\r\n",
        "ffffffffffffffff1\r\n",
        "-1\r\n",
        "0\r\nContent-Length: 5\r\n\r\n",
    ] {
        let text = format!(
            "POST /api/v1/raw HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}{smuggled}"
        );
        let answers = server.raw(text.as_bytes());
        assert_eq!(answers.len(), 1, "{chunks:?}: {answers:?}");
        assert_eq!((answers[0].status, answers[0].code().as_str()), (400, "malformed_request"), "{chunks:?}");
    }
    assert_eq!(server.things.asked.load(Ordering::SeqCst), 0, "nothing got through");
}

/// Section 5.9: pipelined requests are answered in order, and a refused one behind them comes last.
#[test]
fn pipelined_requests_are_answered_in_order() {
    let server = Server::start();
    let text = "GET /api/v1/things?limit=1 HTTP/1.1\r\nHost: a\r\n\r\n\
                POST /api/v1/raw HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n\
                GET /api/v1/things?limit=2 HTTP/1.1\r\nHost: a\r\n\r\n\
                GET /bad HTTP/1.1\nHost: a\n\n";
    let answers = server.raw(text.as_bytes());
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses, [200, 200, 200, 400]);
    assert_eq!(answers[0].json()["data"][0], 1);
    assert_eq!(answers[1].json()["length"], 5);
    assert_eq!(answers[2].json()["data"][0], 2);
}

/// Section 5.9: CONNECT has nothing to connect to; an upgrade is not taken up but the request is served.
#[test]
fn tunnels_and_upgrades_are_not_opened() {
    let server = Server::start();
    let answers =
        server.raw(b"CONNECT internal:80 HTTP/1.1\r\nHost: internal:80\r\n\r\nGET / HTTP/1.1\r\n\r\n");
    assert_eq!(answers.len(), 1);
    assert_eq!((answers[0].status, answers[0].code().as_str()), (405, "method_not_allowed"));
    assert!(answers[0].header("allow").is_some_and(|allow| allow.contains("GET")));
    for upgrade in ["h2c", "websocket"] {
        let text = format!(
            "GET /api/v1/things HTTP/1.1\r\nHost: a\r\nConnection: close, Upgrade, HTTP2-Settings\r\nUpgrade: {upgrade}\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n"
        );
        let answers = server.raw(text.as_bytes());
        assert_eq!(answers.len(), 1, "{upgrade}");
        assert_eq!(answers[0].status, 200, "{upgrade}");
        assert_eq!(answers[0].header("upgrade"), None);
    }
}
