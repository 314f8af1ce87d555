//! What is passed on as it is: methods, paths, queries, bodies both ways, statuses.

use crate::{
    fixture::{Server, eventually, route, text},
    upstream::Upstream,
};
use serde_json::json;
use std::io::Write as _;

/// A request reaches the upstream and its answer the client, over connections that are kept.
#[test]
fn a_request_goes_there_and_an_answer_back() {
    let upstream = Upstream::saying(
        "HTTP/1.1 201 Made\r\nContent-Type: text/x\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nLocation: /there\r\nContent-Length: 4\r\n\r\nmade",
    );
    let server = Server::to(&upstream.url(), json!({}));
    let mut client = server.connect();
    for i in 0..3 {
        let answer = client.ask(text("POST", &format!("/up/a/{i}?x=%2F&y=a+b"), &[("X-Own", "v")], "a body"));
        assert_eq!((answer.status, answer.text().as_str()), (201, "made"));
        assert_eq!(answer.header("content-type").as_deref(), Some("text/x"));
        assert_eq!(answer.header("set-cookie").as_deref(), Some("a=1, b=2"));
        assert_eq!(answer.header("location").as_deref(), Some("/there"), "nobody follows it");
        let asked = upstream.last();
        assert_eq!(asked.line(), format!("POST /up/a/{i}?x=%2F&y=a+b HTTP/1.1"));
        assert_eq!((asked.body.as_slice(), asked.header("x-own").as_deref()), (&b"a body"[..], Some("v")));
        assert_eq!(asked.header("content-length").as_deref(), Some("6"));
    }
    assert_eq!(upstream.asked().len(), 3);
    // With a body it takes only one that was used a moment before.
    eventually("a connection is used again", || {
        let before = upstream.connections();
        let answer = client.ask(text("POST", "/up/again", &[], "a body"));
        answer.status == 201 && upstream.connections() == before
    });
}

/// A path is rewritten by its parameters, and the upstream's own base goes before it.
#[test]
fn paths_are_rewritten() {
    let upstream = Upstream::text("x");
    let base = format!("{}/base/", upstream.url());
    let server = Server::with(
        json!([
            route("/blog/{*rest}", &base, json!({"rewrite": "/v2/{rest}"})),
            route("/users/{id}/picture", &upstream.url(), json!({"rewrite": "/p/{id}.png"})),
            route("/plain", &upstream.url(), json!({})),
        ]),
        |_| {},
    );
    for (path, seen) in [
        ("/blog", "/base/v2/"),
        ("/blog/", "/base/v2/"),
        ("/blog/a/b/?q=1", "/base/v2/a/b/?q=1"),
        ("/blog/a%20b", "/base/v2/a%20b"),
        ("/users/7/picture", "/p/7.png"),
        ("/plain?", "/plain?"),
    ] {
        assert_eq!(server.get(path).status, 200, "{path}");
        assert_eq!(upstream.last().path(), seen, "{path}");
    }
    for path in ["/blogs", "/users/7", "/users//picture", "/plain/x"] {
        assert!(matches!(server.get(path).status, 400 | 404), "{path}");
    }
    assert_eq!(upstream.asked().len(), 6);
}

/// C23, section 5.9: a body is framed anew on each side: what came in chunks of the client goes in chunks of ours.
#[test]
fn bodies_are_framed_anew() {
    let upstream = Upstream::answering(|asked, socket| {
        let half = asked.body.len() / 2;
        let (one, other) = asked.body.split_at(half);
        let mut answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n".to_vec();
        for piece in [one, other].iter().filter(|piece| !piece.is_empty()) {
            answer.extend_from_slice(format!("{:x};e=1\r\n", piece.len()).as_bytes());
            answer.extend_from_slice(piece);
            answer.extend_from_slice(b"\r\n");
        }
        answer.extend_from_slice(b"0\r\nX-Sum: 1\r\n\r\n");
        socket.write_all(&answer).is_ok()
    });
    let server = Server::to(&upstream.url(), json!({}));
    let mut client = server.connect();
    let chunked = "PUT /up/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    let answer = client.ask(chunked);
    assert_eq!((answer.status, answer.text().as_str(), answer.whole), (200, "abcde", true));
    assert_eq!(answer.header("transfer-encoding").as_deref(), Some("chunked"));
    assert_eq!(
        (answer.header("trailer"), answer.header("x-sum")),
        (None, None),
        "trailers are not passed on"
    );
    let asked = upstream.last();
    assert_eq!((asked.body.as_slice(), asked.header("content-length")), (&b"abcde"[..], None));
    let answer = client.ask(text("POST", "/up/x", &[("Content-Length", "0")], ""));
    assert_eq!((answer.status, answer.body.len()), (200, 0));
    assert_eq!(upstream.last().header("content-length").as_deref(), Some("0"));
    client.ask(text("DELETE", "/up/x", &[], ""));
    let asked = upstream.last();
    assert_eq!((asked.header("content-length"), asked.header("transfer-encoding")), (None, None));
}

/// An old upstream ends its body with its connection; the client gets chunks, and the end of them.
#[test]
fn a_body_that_ends_with_its_connection_is_passed_on() {
    let upstream = Upstream::answering(|_, socket| {
        let _ = socket.write_all(b"HTTP/1.0 200 OK\r\n\r\nall of it");
        false
    });
    let server = Server::to(&upstream.url(), json!({}));
    let mut client = server.connect();
    for _ in 0..2 {
        let answer = client.ask(text("GET", "/up/x", &[], ""));
        assert_eq!((answer.status, answer.text().as_str(), answer.whole), (200, "all of it", true));
    }
    assert_eq!(upstream.connections(), 2);
}

/// RFC 9112, section 6.1: an old client gets no chunks; the end of its connection is the end of the body.
#[test]
fn an_old_client_gets_no_chunks() {
    let upstream = Upstream::saying(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
    );
    let server = Server::to(&upstream.url(), json!({}));
    let mut client = server.connect();
    let answer = client.ask("GET /up/x HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n");
    assert_eq!((answer.status, answer.text().as_str()), (200, "abc"));
    assert_eq!((answer.header("transfer-encoding"), answer.header("content-length")), (None, None));
    assert!(upstream.last().line().ends_with(" HTTP/1.1"));
}

/// HEAD is told how long the body would be; 204 and 304 have none, whatever the upstream says.
#[test]
fn answers_without_a_body_have_none() {
    let upstream = Upstream::answering(|asked, socket| {
        let answer = match asked.path() {
            "/up/head" => "HTTP/1.1 200 OK\r\nContent-Length: 12345\r\nETag: \"x\"\r\n\r\n",
            "/up/204" => "HTTP/1.1 204 No Content\r\nX-A: b\r\n\r\n",
            "/up/304" => "HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\nContent-Length: 99\r\n\r\n",
            "/up/hints" => {
                "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
            }
            _ => "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        };
        socket.write_all(answer.as_bytes()).is_ok()
    });
    let server = Server::to(&upstream.url(), json!({}));
    let mut client = server.connect();
    let answer = client.ask(text("HEAD", "/up/head", &[], ""));
    assert_eq!((answer.status, answer.header("content-length").as_deref()), (200, Some("12345")));
    assert_eq!(answer.header("etag").as_deref(), Some("\"x\""));
    assert!(upstream.last().line().starts_with("HEAD "));
    let answer = client.ask(text("GET", "/up/204", &[], ""));
    assert_eq!((answer.status, answer.header("x-a").as_deref()), (204, Some("b")));
    assert_eq!((answer.header("content-length"), answer.header("transfer-encoding")), (None, None));
    let answer = client.ask(text("GET", "/up/304", &[("If-None-Match", "\"x\"")], ""));
    assert_eq!((answer.status, answer.header("etag").as_deref()), (304, Some("\"x\"")));
    assert_eq!(upstream.last().header("if-none-match").as_deref(), Some("\"x\""));
    let answer = client.ask(text("GET", "/up/hints", &[], ""));
    assert_eq!((answer.status, answer.text().as_str()), (200, "ok"));
    let answer = client.ask(text("GET", "/up/empty", &[], ""));
    assert_eq!((answer.status, answer.header("content-length").as_deref()), (200, Some("0")));
    assert_eq!(upstream.connections(), 1);
}

/// C24: an upstream's errors are its own: neither status nor body nor policies are touched.
#[test]
fn an_upstreams_errors_are_left_as_they_are() {
    let upstream = Upstream::answering(|asked, socket| {
        let status = asked.path().rsplit('/').next().unwrap_or_default();
        let answer = format!(
            "HTTP/1.1 {status} Whatever\r\nContent-Type: text/plain\r\nETag: \"1\"\r\nContent-Length: 5\r\n\r\noops!"
        );
        socket.write_all(answer.as_bytes()).is_ok()
    });
    let server = Server::with(json!([route("/up/{*rest}", &upstream.url(), json!({}))]), |settings| {
        settings.cors_origins = vec!["*".into()];
    });
    let mut client = server.connect();
    for status in [200, 301, 400, 401, 404, 405, 409, 418, 429, 451, 500, 502, 503, 504, 599] {
        let request = text(
            "GET",
            &format!("/up/{status}"),
            &[("If-None-Match", "\"1\""), ("Accept-Encoding", "gzip"), ("Origin", "http://a")],
            "",
        );
        let answer = client.ask(request);
        assert_eq!((answer.status, answer.text().as_str()), (status, "oops!"));
        assert_eq!(answer.header("content-type").as_deref(), Some("text/plain"), "{status}");
        for added in [
            "content-security-policy",
            "cache-control",
            "access-control-allow-origin",
            "vary",
            "www-authenticate",
        ] {
            assert_eq!(answer.header(added), None, "{status}");
        }
        assert!(answer.header("x-request-id").is_some());
    }
}

/// Encodings are between client and upstream; so is what a page may send.
#[test]
fn encoded_bodies_and_preflights_are_passed_on() {
    let upstream =
        Upstream::saying("HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 3\r\n\r\n\x01\x02\x03");
    let server = Server::to(&upstream.url(), json!({}));
    let answer = server.send("POST", "/up/x", &[("Content-Encoding", "gzip")], "not really");
    assert_eq!((answer.status, &answer.body[..]), (200, &[1, 2, 3][..]));
    assert_eq!(answer.header("content-encoding").as_deref(), Some("br"));
    assert_eq!(upstream.last().header("content-encoding").as_deref(), Some("gzip"));
    let preflight = [("Origin", "http://a"), ("Access-Control-Request-Method", "PUT")];
    assert_eq!(server.send("OPTIONS", "/up/x", &preflight, "").status, 200);
    assert!(upstream.last().line().starts_with("OPTIONS "));
}

/// Methods that a route has not are answered here, with those that it has.
#[test]
fn a_route_has_its_methods() {
    let (reads, writes) = (Upstream::text("reads"), Upstream::text("writes"));
    let server = Server::with(
        json!([
            route("/up", &reads.url(), json!({"methods": ["GET"]})),
            route("/up", &writes.url(), json!({"methods": ["PUT", "PROPFIND"]})),
        ]),
        |_| {},
    );
    assert_eq!(server.get("/up").text(), "reads");
    assert_eq!(server.send("HEAD", "/up", &[], "").status, 200);
    assert_eq!(server.send("PUT", "/up", &[], "x").text(), "writes");
    assert_eq!(server.send("PROPFIND", "/up", &[], "x").text(), "writes");
    let answer = server.send("DELETE", "/up", &[], "");
    assert_eq!(answer.problem(), (405, "method_not_allowed".into()));
    assert_eq!(answer.header("allow").as_deref(), Some("GET, PUT, PROPFIND, HEAD, OPTIONS"));
    assert_eq!(server.send("get", "/up", &[], "").status, 405);
    let answer = server.send("OPTIONS", "/up", &[], "");
    assert_eq!((answer.status, answer.header("allow").is_some()), (204, true));
    assert_eq!((reads.asked().len(), writes.asked().len()), (2, 2));
}

/// Section 5.9: a body is asked for only where it may come.
#[test]
fn a_body_is_asked_for_before_it_comes() {
    let upstream = Upstream::text("ok");
    let server = Server::to(&upstream.url(), json!({"max_body": 2_000_000}));
    let mut client = server.connect();
    let head = |length: usize| {
        let length = length.to_string();
        text("POST", "/up/x", &[("Expect", "100-continue"), ("Content-Length", &length)], "")
    };
    assert_eq!(client.ask(head(1_500_000)).status, 100, "more than http.body_limit");
    let answer = client.ask("x".repeat(1_500_000));
    assert_eq!((answer.status, upstream.last().body.len()), (200, 1_500_000));
    assert_eq!(upstream.last().header("expect"), None, "asked for already");
    let answers = {
        client.say(head(2_000_001));
        client.read_all()
    };
    assert_eq!((answers.len(), answers[0].problem()), (1, (413, "body_too_large".into())));
    assert_eq!(upstream.asked().len(), 1);
}
