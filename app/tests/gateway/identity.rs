//! Who is calling, which request, which trace.

use crate::fixture::{Server, log};

/// Sections 5.1 (API2) and 5.3: a token is one good bearer token in the header, or a 401.
#[test]
fn tokens_are_taken_from_one_header_only() {
    let server = Server::start();
    let me = |headers: &[(&str, &str)]| server.send("GET", "/api/v1/context", headers, "");
    let good = me(&[("authorization", "Bearer customer")]);
    assert_eq!((good.status, good.json()["caller"].is_string()), (200, true));
    assert_eq!(good.json()["caller"], good.json()["signed_in"]);
    assert_eq!(me(&[("authorization", "bearer customer")]).status, 200);
    assert!(me(&[]).json()["caller"].is_null());
    let huge = format!("Bearer {}", "x".repeat(10_000));
    for headers in [
        &[("authorization", "Bearer nonsense")][..],
        &[("authorization", "Basic Y3VzdG9tZXI6")],
        &[("authorization", "Bearer customer"), ("authorization", "Bearer admin")],
        &[("authorization", "Bearer customer admin")],
        &[("authorization", "")],
        &[("authorization", huge.as_str())],
    ] {
        let answer = me(headers);
        assert_eq!((answer.status, answer.code().as_str()), (401, "unauthenticated"), "{headers:.100?}");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer error=\"invalid_token\""));
    }
    let missing = server.get("/api/v1/staff");
    assert_eq!((missing.status, missing.header("www-authenticate")), (401, Some("Bearer")));
    assert_eq!(server.get("/api/v1/staff?access_token=admin").status, 401, "a token in the query is none");
    assert_eq!(server.get_as("nonsense", "/nowhere").status, 401, "a bad token is a bad token on any route");
    assert_eq!(server.get_as("staff", "/api/v1/staff").status, 200);
}

/// Section 5.2 (4.1.3): nobody becomes somebody by a header.
#[test]
fn identity_headers_of_the_client_mean_nothing() {
    let server = Server::start();
    let headers = [
        ("x-user-id", "018f3b2c-0000-7000-8000-000000000001"),
        ("x-real-ip", "198.51.100.1"),
        ("x-forwarded-for", "198.51.100.1"),
        ("forwarded", "for=198.51.100.1"),
        ("caller", "{\"user\":\"018f3b2c-0000-7000-8000-000000000001\",\"role\":\"admin\"}"),
    ];
    let seen = server.send("GET", "/api/v1/context", &headers, "").json();
    assert!(seen["caller"].is_null());
    assert_eq!(seen["ip"], "127.0.0.1");
}

/// Section 5.6: the request's id and trace go through, if they can stand in a log.
#[test]
fn a_request_keeps_its_id_and_trace() {
    let server = Server::start();
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let answer =
        server.send("GET", "/api/v1/context", &[("x-request-id", "abc-1"), ("traceparent", parent)], "");
    assert_eq!(answer.header("x-request-id"), Some("abc-1"));
    assert_eq!(answer.json()["request_id"], "abc-1");
    assert_eq!(answer.json()["trace_id"], "4bf92f3577b34da6a3ce929d0e0e4736");
    for bad in ["00-00000000000000000000000000000000-00f067aa0ba902b7-01", "ff-x", "\u{e9}"] {
        let answer =
            server.send("GET", "/api/v1/context", &[("x-request-id", "a b{}"), ("traceparent", bad)], "");
        assert_eq!(answer.status, 200, "{bad}");
        assert_ne!(answer.header("x-request-id"), Some("a b{}"));
        assert_ne!(answer.json()["trace_id"], "4bf92f3577b34da6a3ce929d0e0e4736");
    }
    let lost = server.send("GET", "/nowhere", &[("traceparent", parent)], "").json();
    assert_eq!(lost["trace_id"], "4bf92f3577b34da6a3ce929d0e0e4736");
}

/// Sections 5.12 and 5.2 (16.4.1): one line a request, of patterns and ids; nothing that the client made up.
#[test]
fn the_access_log_holds_nothing_that_a_client_wrote() {
    let server = Server::start();
    let id = "018f3b2c-0000-7000-8000-00000000cafe";
    let path = format!("/api/v1/things/{id}?secret=hunter2");
    let headers = [
        ("authorization", "Bearer customer"),
        ("x-request-id", "log-test-1"),
        ("user-agent", "evil\u{1b}[2J {\"level\":\"ERROR\"} ${jndi:ldap://x}"),
        ("idempotency-key", "canary-key-7f3a"),
    ];
    assert_eq!(server.send("GET", &path, &headers, "").status, 400, "an escape is no header");
    let headers =
        [headers[0], headers[1], ("user-agent", "evil {\"level\":\"ERROR\"} ${jndi:ldap://x}"), headers[3]];
    assert_eq!(server.send("GET", &path, &headers, "").status, 200);
    server.get("/%0d%0aINFO%20forged?x=%0aforged");
    server.send("POST", "/api/v1/held/%1b[2J", &headers, "");
    let text = String::from_utf8(log().lock().expect("not poisoned").clone()).expect("text");
    for line in text.lines() {
        let event: serde_json::Value = serde_json::from_str(line).expect("every line is one event");
        if event["fields"]["request_id"] == "log-test-1" && event["fields"]["status"] == 200 {
            assert_eq!(event["target"], "access");
            assert_eq!(event["fields"]["route"], "/api/v1/things/{id}");
            assert_eq!(event["fields"]["method"], "GET");
            assert!(event["fields"]["user"].is_string() && event["fields"]["trace_id"].is_string());
        }
    }
    for secret in ["hunter2", "canary-key", "jndi", "forged", id, "Bearer"] {
        assert!(!text.contains(secret), "{secret} is in the log");
    }
    assert!(text.contains("log-test-1"));
}
