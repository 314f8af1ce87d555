//! Every error is a problem document, whoever makes it.

use crate::{client::Answer, fixture::Server};

const ID: &str = "018f3b2c-0000-7000-8000-000000000001";

fn assert_problem(answer: &Answer, status: u16, code: &str, what: &str) {
    assert_eq!(answer.status, status, "{what}: {}", String::from_utf8_lossy(&answer.body));
    assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{what}");
    let document = answer.json();
    assert_eq!(document["code"], code, "{what}");
    assert_eq!(document["status"], status, "{what}");
    assert_eq!(document["type"], format!("https://cleave.dev/problems/{code}"), "{what}");
    assert!(document["title"].as_str().is_some_and(|title| !title.is_empty()), "{what}");
    assert!(document["trace_id"].as_str().is_some_and(|id| id.len() == 32), "{what}");
    assert!(answer.header("x-request-id").is_some_and(|id| !id.is_empty()), "{what}");
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{what}");
    assert_eq!(answer.header("server"), None);
}

/// Sections 5.6 and 5.9: statuses, codes and pointers, in one shape.
#[test]
fn every_error_is_a_problem() {
    let server = Server::with(|settings| settings.body_limit = 2000);
    let one = format!("/api/v1/things/{ID}");
    let json = &[("content-type", "application/json")][..];
    let large = format!("{{\"name\":\"{}\"}}", "x".repeat(3000));
    let deep = "[".repeat(1500);
    for (method, path, headers, body, status, code, pointer) in [
        ("GET", "/nowhere", &[][..], "", 404, "not_found", None),
        ("GET", "/api/v1/things/1", &[], "", 404, "not_found", None),
        ("GET", "/api/v1/orders/../admin", &[], "", 404, "not_found", None),
        ("GET", "//api/v1/things", &[], "", 404, "not_found", None),
        ("GET", "/api/v1/things/%00", &[], "", 404, "not_found", None),
        ("DELETE", &one, &[], "", 405, "method_not_allowed", None),
        ("GET", "/api/v1/undocumented", &[], "", 405, "method_not_allowed", None),
        ("TRACE", "/", &[], "", 405, "method_not_allowed", None),
        ("BREW", &one, &[], "", 405, "method_not_allowed", None),
        ("GET", "/api/v1/things?limit=0", &[], "", 422, "invalid_value", Some("/limit")),
        ("GET", "/api/v1/things?x=1", &[], "", 422, "unknown_field", Some("/x")),
        ("POST", "/api/v1/things", &[], "{}", 415, "unsupported_media_type", None),
        ("POST", "/api/v1/things", json, "{", 400, "malformed_json", None),
        ("POST", "/api/v1/things", json, &deep, 400, "malformed_json", None),
        ("POST", "/api/v1/things", json, "{\"name\":1}", 422, "invalid_type", Some("/name")),
        ("POST", "/api/v1/things", json, "{}", 422, "missing_field", Some("/name")),
        ("POST", "/api/v1/things", json, "{\"name\":\"\",\"role\":1}", 422, "unknown_field", Some("/role")),
        (
            "POST",
            "/api/v1/things",
            json,
            "{\"name\":\"\",\"lines\":[{\"quantity\":1},{\"quantity\":-1}]}",
            422,
            "invalid_value",
            Some("/lines/1/quantity"),
        ),
        (
            "POST",
            "/api/v1/things",
            json,
            "{\"name\":\"4111-1111-1111-1111\"}",
            422,
            "pan_not_allowed",
            Some("/name"),
        ),
        ("POST", "/api/v1/things", json, &large, 413, "body_too_large", None),
        ("GET", "/api/v1/staff", &[], "", 401, "unauthenticated", None),
        ("GET", "/api/v1/staff", &[("authorization", "Bearer customer")], "", 403, "forbidden", None),
        (
            "GET",
            "/api/v1/staff",
            &[("authorization", "Bearer down")],
            "",
            503,
            "dependency_unavailable",
            None,
        ),
        ("GET", "/api/v1/panics", &[], "", 500, "internal", None),
        ("GET", "/api/v1/never", &[("x-request-deadline", "50")], "", 504, "deadline_exceeded", None),
        ("PATCH", &one, &[("if-match", "\"6\"")], "", 412, "version_mismatch", None),
        ("OPTIONS", "/nowhere", &[], "", 404, "not_found", None),
    ] {
        let answer = server.send(method, path, headers, body);
        let what = format!("{method} {path} {body:.60}");
        assert_problem(&answer, status, code, &what);
        let document = answer.json();
        assert_eq!(document["instance"], path.split('?').next().expect("a path"), "{what}");
        assert_eq!(document["errors"][0]["pointer"].as_str(), pointer, "{what}");
        let text = String::from_utf8_lossy(&answer.body);
        assert!(!text.contains("4111") && !text.contains("planted"), "{text}");
    }
}

/// Section 5.9 (API5): 405 says what is allowed; HEAD and OPTIONS come with GET.
#[test]
fn a_method_that_is_not_there_is_answered_with_those_that_are() {
    let server = Server::start();
    let one = format!("/api/v1/things/{ID}");
    assert_eq!(server.send("DELETE", &one, &[], "").header("allow"), Some("GET, PATCH, HEAD, OPTIONS"));
    assert_eq!(server.send("PUT", "/healthz", &[], "").header("allow"), Some("GET, HEAD, OPTIONS"));
    assert_eq!(server.send("GET", "/api/v1/undocumented", &[], "").header("allow"), Some("PUT"));
    let options = server.send("OPTIONS", &one, &[], "");
    assert_eq!((options.status, options.header("allow")), (204, Some("GET, PATCH, HEAD, OPTIONS")));
    let overridden = [("x-http-method-override", "DELETE")];
    assert_eq!(server.send("GET", &one, &overridden, "").status, 200);
}

/// Section 5.6: HEAD is GET without the body, for errors too.
#[test]
fn head_has_no_body() {
    use std::io::Write as _;
    let server = Server::start();
    for (path, status) in [("/api/v1/things", 200), ("/nowhere", 404), ("/api/v1/big", 200)] {
        let mut socket = server.connect();
        let text = format!("HEAD {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        socket.write_all(text.as_bytes()).expect("sent");
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut socket, &mut bytes).expect("closed");
        let text = String::from_utf8(bytes).expect("text");
        assert!(text.starts_with(&format!("HTTP/1.1 {status} ")), "{text}");
        assert!(text.ends_with("\r\n\r\n"), "{path} has a body: {text}");
        assert!(text.to_ascii_lowercase().contains("content-length: "), "{text}");
    }
}

/// Section 5.2 (16.5.4): a panic is an answer, and the worker that it happened on goes on.
#[test]
fn a_panic_is_answered_and_the_worker_lives() {
    let server = Server::start();
    for _ in 0..20 {
        assert_problem(&server.get("/api/v1/panics"), 500, "internal", "a panic");
    }
    assert_eq!(server.get("/api/v1/things").status, 200);
}

/// Section 5.9, D9: a compressed body is refused before it is read, whatever it would become.
#[test]
fn compressed_bodies_are_refused_unread() {
    let server = Server::start();
    for encoding in ["gzip", "br", "zstd", "deflate", "gzip, gzip", "identity, gzip", "x"] {
        let text = format!(
            "POST /api/v1/things HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Encoding: {encoding}\r\nContent-Length: 999999\r\n\r\n"
        );
        let answers = server.raw(text.as_bytes());
        assert_eq!(answers.len(), 1, "{encoding}");
        assert_problem(&answers[0], 415, "unsupported_media_type", encoding);
        assert_eq!(answers[0].header("accept-encoding"), Some("identity"));
    }
    let plain = [("content-type", "application/json"), ("content-encoding", "identity")];
    assert_eq!(server.send("POST", "/api/v1/things", &plain, "{\"name\":\"x\"}").status, 201);
}
