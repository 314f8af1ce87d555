//! What is on every answer: security headers, tags, compression, CORS.

use crate::fixture::Server;

/// npm `helmet` 8.1, the standard list.
const HELMET: [(&str, &str); 12] = [
    ("content-security-policy", "default-src 'self';…"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("origin-agent-cluster", "?1"),
    ("referrer-policy", "no-referrer"),
    ("strict-transport-security", "max-age=31536000; includeSubDomains"),
    ("x-content-type-options", "nosniff"),
    ("x-dns-prefetch-control", "off"),
    ("x-download-options", "noopen"),
    ("x-frame-options", "SAMEORIGIN"),
    ("x-permitted-cross-domain-policies", "none"),
    ("x-xss-protection", "0"),
];

/// Section 5.8: helmet's list on every answer, errors included; two values are stricter, on purpose.
#[test]
fn security_headers_are_helmets() {
    let server = Server::start();
    let bad_wire = server.raw(b"GET / HTTP/1.1\nHost: a\n\n").remove(0);
    let answers = [
        server.get("/api/v1/things"),
        server.get("/nowhere"),
        server.get("/api/v1/panics"),
        server.get("/healthz"),
        server.post_json("/api/v1/things", "{"),
        server.send("OPTIONS", "/api/v1/things", &[], ""),
        bad_wire,
    ];
    for answer in answers {
        for (name, value) in HELMET {
            let got = answer.header(name).unwrap_or_else(|| panic!("{name} on {}", answer.status));
            match name {
                // Stricter: nothing may be loaded or framed at all.
                "content-security-policy" => {
                    assert!(got.starts_with("default-src 'none'") && got.contains("frame-ancestors 'none'"));
                }
                "x-frame-options" => assert_eq!(got, "DENY"),
                _ => assert_eq!(got, value, "{name}"),
            }
        }
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(answer.header("server"), None);
        assert_eq!(answer.header("x-powered-by"), None);
    }
}

/// F22: a version is a tag; who has it is told so, who has another may not change.
#[test]
fn versions_are_entity_tags() {
    let server = Server::start();
    let one = "/api/v1/things/018f3b2c-0000-7000-8000-000000000001";
    assert_eq!(server.get(one).header("etag"), Some("\"7\""));
    for tag in ["\"7\"", "W/\"7\"", "\"1\", \"7\"", "*"] {
        for method in ["GET", "HEAD"] {
            let answer = server.send(method, one, &[("if-none-match", tag)], "");
            assert_eq!((answer.status, answer.body.len()), (304, 0), "{method} {tag}");
            assert_eq!(answer.header("etag"), Some("\"7\""));
            assert_eq!(answer.header("content-type"), None);
        }
    }
    assert_eq!(server.send("GET", one, &[("if-none-match", "\"6\"")], "").status, 200);
    assert_eq!(server.send("PATCH", one, &[("if-match", "\"7\"")], "").status, 200);
    assert_eq!(server.send("PATCH", one, &[("if-match", "W/\"7\"")], "").status, 200);
    assert_eq!(server.send("PATCH", one, &[("if-match", "\"6\"")], "").code(), "version_mismatch");
    let answer = server.send("PATCH", one, &[("if-none-match", "\"8\"")], "");
    assert_eq!(answer.status, 200, "304 is for reads");
}

/// D9 turned round: answers are compressed for who asks, requests never.
#[test]
fn large_answers_are_compressed_for_who_asks() {
    use std::io::Read as _;
    let server = Server::start();
    let plain = server.get("/api/v1/big");
    assert_eq!((plain.header("content-encoding"), plain.header("etag")), (None, Some("\"3\"")));
    let packed = server.send("GET", "/api/v1/big", &[("accept-encoding", "br, gzip")], "");
    assert_eq!(packed.header("content-encoding"), Some("gzip"));
    assert_eq!(packed.header("etag"), Some("W/\"3\""));
    assert!(packed.header("vary").is_some_and(|vary| vary.contains("Accept-Encoding")));
    assert!(packed.body.len() < plain.body.len() / 10);
    let mut text = Vec::new();
    flate2::read::GzDecoder::new(&packed.body[..]).read_to_end(&mut text).expect("gzip");
    assert_eq!(text, plain.body);
    let small = server.send("GET", "/api/v1/things", &[("accept-encoding", "gzip")], "");
    assert_eq!(small.header("content-encoding"), None);
    let known = [("accept-encoding", "gzip"), ("if-none-match", "W/\"3\"")];
    assert_eq!(server.send("GET", "/api/v1/big", &known, "").status, 304);
}

/// Section 5.1 (API8): an origin that is not listed gets nothing; nothing is ever allowed with credentials.
#[test]
fn pages_may_call_from_listed_origins_only() {
    let ask = |server: &Server, origin: &str| {
        let preflight = [
            ("origin", origin),
            ("access-control-request-method", "POST"),
            ("access-control-request-headers", "authorization,idempotency-key"),
        ];
        let preflight = server.send("OPTIONS", "/api/v1/things", &preflight, "");
        assert_eq!(preflight.status, 204);
        assert_eq!(preflight.header("access-control-allow-credentials"), None);
        let actual = server.send("GET", "/nowhere", &[("origin", origin)], "");
        let allowed =
            |answer: &crate::client::Answer| answer.header("access-control-allow-origin").map(str::to_owned);
        assert_eq!(allowed(&preflight), allowed(&actual), "errors are readable too");
        if allowed(&preflight).is_some() {
            let headers = preflight.header("access-control-allow-headers").expect("told");
            assert!(headers.contains("idempotency-key") && headers.contains("authorization"));
            assert!(preflight.header("access-control-allow-methods").expect("told").contains("PATCH"));
            assert!(actual.header("access-control-expose-headers").expect("told").contains("etag"));
        }
        allowed(&preflight)
    };
    let closed = Server::start();
    assert_eq!(ask(&closed, "https://shop.example"), None);
    let listed = Server::with(|settings| settings.cors_origins = vec!["https://shop.example".into()]);
    assert_eq!(ask(&listed, "https://shop.example").as_deref(), Some("https://shop.example"));
    assert_eq!(ask(&listed, "https://evil.example"), None);
    assert_eq!(ask(&listed, "null"), None);
    assert_eq!(listed.get("/api/v1/things").header("vary"), Some("Origin"));
    let open = Server::with(|settings| settings.cors_origins = vec!["*".into()]);
    assert_eq!(ask(&open, "https://any.example").as_deref(), Some("*"));
}
