//! What is passed on of a message's headers, and what is added (RFC 9110, sections 7.6 and 7.8; RFC 7239).

use super::upstream::Instance;
use crate::gateway::arrival::Arrival;
use actix_http::RequestHead;
use actix_web::http::header::HeaderMap as ActixHeaders;
use bus::{Caller, Role};
use hyper::{
    HeaderMap,
    header::{self, HeaderName, HeaderValue},
};
use std::{borrow::Cow, fmt::Write as _, net::IpAddr};

/// Concern one connection and nobody behind it, whether or not `Connection` names them. Lengths and encodings are
/// among them, since each connection frames its messages itself, and so are trailers, which are not passed on.
const HOP_BY_HOP: [&str; 14] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "trailers",
    "transfer-encoding",
    "upgrade",
];

/// What only we may say, or what would undo a decision that was made here: who calls (the first three), another
/// path or method than the request line's, a proxy for whatever the upstream calls (CVE-2016-5385).
const OURS: [&str; 11] = [
    "x-user-id",
    "x-user-role",
    "x-real-ip",
    "x-original-url",
    "x-rewrite-url",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "proxy",
    "traceparent",
    "x-request-id",
];

fn is_hop_by_hop(name: &str) -> bool {
    HOP_BY_HOP.contains(&name)
}

/// Whether a client's header of this name is left out. Some servers take `X_User_Id` for `X-User-Id`.
fn is_ours(name: &str) -> bool {
    let name = if name.contains('_') { Cow::Owned(name.replace('_', "-")) } else { Cow::Borrowed(name) };
    let belongs = |prefix: &str| name.starts_with(prefix);
    OURS.contains(&&*name)
        || belongs("x-user-")
        || belongs("x-internal-")
        || belongs("x-cleave-")
        || belongs("cleave-")
        || belongs("x-forwarded-")
        || name == "forwarded"
}

/// What `Connection` names, in small letters.
fn named_by_connection<'a>(values: impl Iterator<Item = &'a [u8]>) -> Vec<String> {
    let options = values.flat_map(|value| value.split(|byte| *byte == b','));
    options.map(|option| String::from_utf8_lossy(option.trim_ascii()).to_ascii_lowercase()).collect()
}

/// What the headers of one request are made of.
pub(crate) struct Outgoing<'a> {
    pub(crate) head: &'a RequestHead,
    pub(crate) arrival: &'a Arrival,
    pub(crate) caller: Option<Caller>,
    /// Whether `Authorization` was ours to read, and is nobody else's.
    pub(crate) authenticated: bool,
    pub(crate) preserve_host: bool,
    /// How we call ourselves in `Via`.
    pub(crate) name: &'a str,
}

impl Outgoing<'_> {
    /// The headers for this instance, but for those that frame the body.
    pub(crate) fn headers(&self, instance: &Instance) -> HeaderMap {
        let given = &self.head.headers;
        let named = named_by_connection(given.get_all("connection").map(|value| value.as_bytes()));
        let mut headers = HeaderMap::with_capacity(given.len() + 12);
        for (name, value) in given {
            let text = name.as_str();
            let left_out = is_hop_by_hop(text)
                || is_ours(text)
                || text == "via"
                || (self.authenticated && text == "authorization")
                || named.iter().any(|named| named == text);
            if !left_out
                && let (Ok(name), Ok(value)) =
                    (HeaderName::from_bytes(text.as_bytes()), HeaderValue::from_bytes(value.as_bytes()))
            {
                headers.append(name, value);
            }
        }
        let asked = text(given, "host");
        let host = asked.filter(|_| self.preserve_host).and_then(|host| HeaderValue::from_str(host).ok());
        headers.insert(header::HOST, host.unwrap_or_else(|| instance.host.clone()));
        self.forwarded(&mut headers, asked);
        let mut say = |name: &'static str, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        };
        say("via", &via(given.get_all("via").map(|value| value.as_bytes()), self.name));
        say("x-request-id", &self.arrival.request_id);
        say("traceparent", &self.arrival.trace.traceparent());
        if let Some(caller) = self.caller {
            say("x-user-id", caller.user.hyphenated().encode_lower(&mut [0; 36]));
            say("x-user-role", role(caller.role));
        }
        headers
    }

    /// Who asked, and how: what a trusted proxy says is continued, what anybody else says is not repeated (C31).
    fn forwarded(&self, headers: &mut HeaderMap, host: Option<&str>) {
        let Some(peer) = self.arrival.peer else { return };
        let given = &self.head.headers;
        let trusted = |name: &str| text(given, name).filter(|_| self.arrival.behind_proxy);
        let chain = |name: &str| {
            let values = given.get_all(name).filter_map(|value| value.to_str().ok());
            let mut chain =
                values.filter(|_| self.arrival.behind_proxy).fold(String::new(), |mut chain, value| {
                    chain.push_str(value);
                    chain.push_str(", ");
                    chain
                });
            chain.reserve(64);
            chain
        };
        let scheme = trusted("x-forwarded-proto").filter(|scheme| matches!(*scheme, "http" | "https"));
        let scheme = scheme.unwrap_or("http");
        let host = trusted("x-forwarded-host").or(host);
        let mut addresses = chain("x-forwarded-for");
        // Writing to a String does not fail.
        let _ = write!(addresses, "{peer}");
        let mut elements = chain("forwarded");
        let _ = match peer {
            IpAddr::V4(peer) => write!(elements, "for={peer};proto={scheme}"),
            IpAddr::V6(peer) => write!(elements, "for=\"[{peer}]\";proto={scheme}"),
        };
        let plain = |host: &&str| !host.contains(['"', '\\']);
        if let Some(host) = host.filter(plain) {
            let _ = write!(elements, ";host=\"{host}\"");
        }
        let mut say = |name: &'static str, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        };
        say("x-forwarded-for", &addresses);
        say("x-forwarded-proto", scheme);
        say("forwarded", &elements);
        if let Some(host) = host {
            say("x-forwarded-host", host);
        }
    }
}

/// Whether the request has come through us before.
pub(crate) fn is_loop(given: &ActixHeaders, name: &str) -> bool {
    let values = given.get_all("via").filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|hop| hop.split_whitespace().nth(1) == Some(name))
}

/// The headers of an upstream's answer that are passed on. Who frames the body says how long it is.
pub(crate) fn answered(given: &HeaderMap, name: &str, into: &mut ActixHeaders) {
    let named = named_by_connection(given.get_all(header::CONNECTION).iter().map(HeaderValue::as_bytes));
    for (header, value) in given {
        let text = header.as_str();
        if is_hop_by_hop(text) || text == "via" || named.iter().any(|named| named == text) {
            continue;
        }
        append(into, text, value.as_bytes());
    }
    append(into, "via", via(given.get_all(header::VIA).iter().map(HeaderValue::as_bytes), name).as_bytes());
}

fn append(into: &mut ActixHeaders, name: &str, value: &[u8]) {
    use actix_web::http::header::{HeaderName, HeaderValue};
    if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_bytes(value)) {
        into.append(name, value);
    }
}

fn via<'a>(given: impl Iterator<Item = &'a [u8]>, name: &str) -> String {
    let mut via = String::with_capacity(32);
    for hop in given.filter_map(|value| std::str::from_utf8(value).ok()) {
        via.push_str(hop);
        via.push_str(", ");
    }
    via.push_str("1.1 ");
    via.push_str(name);
    via
}

fn text<'a>(headers: &'a ActixHeaders, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn role(role: Role) -> &'static str {
    match role {
        Role::Customer => "customer",
        Role::Staff => "staff",
        Role::Admin => "admin",
    }
}
