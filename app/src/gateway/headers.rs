//! Security headers: helmet 8's standard list, each at its value or stricter.

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};

/// On every answer. Stricter than helmet where an API can be: nothing may be loaded from it, nothing framed.
/// `Strict-Transport-Security` means nothing over plain HTTP and is right behind a proxy that speaks TLS.
pub(crate) const API: [(&str, &str); 13] = [
    (
        "content-security-policy",
        "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("origin-agent-cluster", "?1"),
    ("referrer-policy", "no-referrer"),
    ("strict-transport-security", "max-age=31536000; includeSubDomains"),
    ("x-content-type-options", "nosniff"),
    ("x-dns-prefetch-control", "off"),
    ("x-download-options", "noopen"),
    ("x-frame-options", "DENY"),
    ("x-permitted-cross-domain-policies", "none"),
    ("x-xss-protection", "0"),
    ("cache-control", "no-store"),
];

/// Of the documentation page: its own scripts and styles, and calls to this server.
pub(crate) const DOCS_POLICY: &str = "default-src 'none'; base-uri 'none'; connect-src 'self'; font-src 'self'; \
     form-action 'none'; frame-ancestors 'none'; img-src 'self' data:; script-src 'self'; \
     style-src 'self' 'unsafe-inline'";

/// Adds what the answer does not say itself: a page may have its own policy.
pub(crate) fn secure(headers: &mut HeaderMap) {
    for (name, value) in API {
        let name = HeaderName::from_static(name);
        if !headers.contains_key(&name) {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
}
