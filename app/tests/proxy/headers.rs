//! Headers: what ends here, what goes on, what is added, and what nobody but us may say.

use crate::{
    fixture::{Server, route, text},
    upstream::Upstream,
};
use serde_json::json;

/// RFC 9110, section 7.6.1: what concerns one connection ends here, whoever names it, in both directions.
#[test]
fn what_concerns_one_connection_ends_here() {
    let upstream = Upstream::saying(
        "HTTP/1.1 200 OK\r\nConnection: keep-alive, X-Theirs\r\nKeep-Alive: timeout=5\r\nProxy-Connection: x\r\nX-Theirs: 1\r\n\
         Proxy-Authenticate: Basic\r\nUpgrade: h2c\r\nTrailer: X\r\nX-End: 2\r\nContent-Length: 0\r\n\r\n",
    );
    let server = Server::to(&upstream.url(), json!({}));
    let mut client = server.connect();
    let answer = client.ask(text(
        "GET",
        "/up/x",
        &[
            ("Connection", "keep-alive, X-Mine"),
            ("Connection", "close-not, x-other"),
            ("X-Mine", "1"),
            ("X-Other", "1"),
            ("Keep-Alive", "timeout=5"),
            ("Proxy-Connection", "keep-alive"),
            ("Proxy-Authorization", "Basic x"),
            ("TE", "trailers, gzip"),
            ("Trailer", "X-Sum"),
            ("Upgrade", "h2c"),
            ("HTTP2-Settings", "AAA"),
            ("X-End", "2"),
        ],
        "",
    ));
    assert_eq!(answer.status, 200);
    for name in [
        "connection",
        "keep-alive",
        "proxy-connection",
        "x-theirs",
        "proxy-authenticate",
        "upgrade",
        "trailer",
    ] {
        assert_eq!(answer.header(name), None, "{name}");
    }
    assert_eq!(answer.header("x-end").as_deref(), Some("2"));
    let asked = upstream.last();
    for name in [
        "connection",
        "x-mine",
        "x-other",
        "keep-alive",
        "proxy-connection",
        "proxy-authorization",
        "te",
        "trailer",
        "upgrade",
        "http2-settings",
        "transfer-encoding",
        "content-length",
    ] {
        assert_eq!(asked.header(name), None, "{name}: {}", asked.head);
    }
    assert_eq!(asked.header("x-end").as_deref(), Some("2"));
}

/// Section 5.9: who calls is said by us alone; a client neither says it, nor spells it otherwise, nor strips it.
#[test]
fn a_client_cannot_say_who_it_is() {
    let upstream = Upstream::text("x");
    let server = Server::with(
        json!([
            route("/open/{*rest}", &upstream.url(), json!({})),
            route("/users/{*rest}", &upstream.url(), json!({"auth": "user"})),
        ]),
        |_| {},
    );
    let forged = [
        ("X-User-Id", "00000000-0000-0000-0000-000000000009"),
        ("x-user-role", "admin"),
        ("X_User_Role", "admin"),
        ("X-User_Id", "1"),
        ("X-User-Anything", "1"),
        ("X-Internal-Call", "1"),
        ("Cleave-Caller", "1"),
        ("X-Real-IP", "1.1.1.1"),
        ("X-Forwarded-User", "root"),
        ("X-Original-URL", "/admin"),
        ("X-Rewrite-Url", "/admin"),
        ("X-HTTP-Method-Override", "DELETE"),
        ("Proxy", "http://evil"),
        ("Connection", "X-User-Id, X-User-Role, X-Forwarded-For, Via, Host, X-Request-Id"),
    ];
    assert_eq!(server.send("GET", "/open/x", &forged, "").status, 200);
    let asked = upstream.last();
    for (name, _) in forged {
        assert_eq!(asked.header(name), None, "{name}: {}", asked.head);
    }
    let mut signed_in = forged.to_vec();
    signed_in.push(("Authorization", "Bearer staff"));
    assert_eq!(server.send("GET", "/users/x", &signed_in, "").status, 200);
    let asked = upstream.last();
    assert_eq!(asked.header("x-user-id").as_deref(), Some("00000000-0000-0000-0000-000000000002"));
    assert_eq!(asked.header("x-user-role").as_deref(), Some("staff"));
    assert_eq!(asked.header("authorization"), None, "our token is nobody else's");
    assert_eq!(asked.header("x-forwarded-for").as_deref(), Some("127.0.0.1"));
    assert!(
        asked.header("via").is_some()
            && asked.header("host").is_some()
            && asked.header("x-request-id").is_some()
    );
    let theirs = [("Authorization", "Basic dTpw"), ("Cookie", "a=b")];
    assert_eq!(server.send("GET", "/open/x", &theirs, "").status, 200);
    assert_eq!(upstream.last().header("authorization").as_deref(), Some("Basic dTpw"));
    assert_eq!(upstream.last().header("cookie").as_deref(), Some("a=b"));
}

/// C31: where a request came from is said anew for whom nobody trusts, and continued for whom somebody does.
#[test]
fn where_a_request_came_from_is_told() {
    let upstream = Upstream::text("x");
    let start = |trusted: &[&str]| {
        Server::with(json!([route("/up/{*rest}", &upstream.url(), json!({}))]), |settings| {
            settings.trusted_proxies =
                trusted.iter().map(|network| network.parse().expect("a network")).collect();
        })
    };
    let said = [
        ("X-Forwarded-For", "6.6.6.6, 1.1.1.1"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Host", "shop.example"),
        ("Forwarded", "for=1.1.1.1;proto=https"),
    ];
    let server = start(&[]);
    assert_eq!(server.send("GET", "/up/x", &said, "").status, 200);
    let told = |name: &str| upstream.last().header(name).expect("told");
    assert_eq!(told("x-forwarded-for"), "127.0.0.1");
    assert_eq!((told("x-forwarded-proto"), told("x-forwarded-host")), ("http".into(), "shop.test".into()));
    assert_eq!(told("forwarded"), "for=127.0.0.1;proto=http;host=\"shop.test\"");
    assert_eq!(told("host"), upstream.address.to_string(), "the upstream's own");
    assert_eq!(told("via"), "1.1 cleave-test");
    drop(server);
    let server = start(&["127.0.0.0/8"]);
    assert_eq!(server.send("GET", "/up/x", &said, "").status, 200);
    assert_eq!(told("x-forwarded-for"), "6.6.6.6, 1.1.1.1, 127.0.0.1");
    assert_eq!(
        (told("x-forwarded-proto"), told("x-forwarded-host")),
        ("https".into(), "shop.example".into())
    );
    assert_eq!(told("forwarded"), "for=1.1.1.1;proto=https, for=127.0.0.1;proto=https;host=\"shop.example\"");
}

/// A route may keep the client's Host.
#[test]
fn a_route_may_keep_the_clients_host() {
    let upstream = Upstream::text("x");
    let server = Server::to(&upstream.url(), json!({"preserve_host": true}));
    assert_eq!(server.get("/up/x").status, 200);
    assert_eq!(upstream.last().header("host").as_deref(), Some("shop.test"));
}

/// Section 5.9: `Via` grows by each hop, and a request that comes back is known by it.
#[test]
fn a_request_that_comes_back_is_refused() {
    let upstream = Upstream::saying("HTTP/1.1 200 OK\r\nVia: 1.0 inner\r\nContent-Length: 0\r\n\r\n");
    let server = Server::to(&upstream.url(), json!({}));
    let answer = server.send("GET", "/up/x", &[("Via", "1.1 outer"), ("Via", "HTTP/2 edge")], "");
    assert_eq!((answer.status, answer.header("via").as_deref()), (200, Some("1.0 inner, 1.1 cleave-test")));
    assert_eq!(upstream.last().header("via").as_deref(), Some("1.1 outer, HTTP/2 edge, 1.1 cleave-test"));
    let answer = server.send("GET", "/up/x", &[("Via", "1.1 outer, 1.1 cleave-test, 1.1 x")], "");
    assert_eq!(answer.problem(), (508, "loop_detected".into()));
    assert_eq!(upstream.asked().len(), 1);
}

/// One trace and one request id from the client through to the upstream and back.
#[test]
fn trace_and_request_id_go_along() {
    let upstream = Upstream::saying("HTTP/1.1 200 OK\r\nX-Request-Id: theirs\r\nContent-Length: 0\r\n\r\n");
    let server = Server::to(&upstream.url(), json!({}));
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let headers = [("traceparent", trace), ("tracestate", "a=b"), ("X-Request-Id", "mine-1")];
    let answer = server.send("GET", "/up/x", &headers, "");
    assert_eq!(answer.header("x-request-id").as_deref(), Some("mine-1"));
    let asked = upstream.last();
    assert_eq!(asked.header("x-request-id").as_deref(), Some("mine-1"));
    assert_eq!(asked.header("tracestate").as_deref(), Some("a=b"));
    let ours = asked.header("traceparent").expect("there");
    assert!(ours.starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-") && ours != trace, "{ours}");
    let answer = server.get("/up/x");
    assert_eq!(answer.header("x-request-id"), upstream.last().header("x-request-id"));
    assert!(upstream.last().header("traceparent").is_some());
}
