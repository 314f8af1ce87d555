//! What is known of a request before anything is done with it.

use super::{Shared, observe, proxy::Destination, settings::GatewaySettings};
use actix_http::RequestHead;
use actix_web::http::{
    Method,
    header::{self, HeaderMap, HeaderValue},
};
use bus::{Context, TraceContext};
use std::{net::IpAddr, sync::Arc, time::Duration};
use tokio::time::Instant;

pub(crate) struct Arrival {
    pub(crate) started: Instant,
    pub(crate) deadline: Instant,
    pub(crate) request_id: Arc<str>,
    pub(crate) trace: TraceContext,
    pub(crate) method: &'static str,
    pub(crate) path: String,
    /// Where it goes.
    pub(crate) destination: Destination,
    /// The client's address.
    pub(crate) ip: Option<IpAddr>,
    /// Whose connection it came on.
    pub(crate) peer: Option<IpAddr>,
    /// Whether that is a proxy that is believed.
    pub(crate) behind_proxy: bool,
    /// The origin that is allowed to see the answer.
    pub(crate) origin: Option<HeaderValue>,
    pub(crate) gzip: bool,
}

impl Arrival {
    pub(crate) fn of(head: &RequestHead, shared: &Shared) -> Self {
        let headers = &head.headers;
        let settings = &shared.settings;
        let started = Instant::now();
        let path = head.uri.path();
        let destination = shared.proxy.find(path, &head.method);
        let most = match &destination {
            Destination::Route(taken) => taken.route.timeout,
            _ => settings.request_deadline,
        };
        let peer = head.peer_addr.map(|peer| peer.ip());
        Self {
            started,
            deadline: started + patience(headers, most),
            destination,
            request_id: request_id(headers)
                .unwrap_or_else(|| shared.sources.id::<uuid::Uuid>().to_string())
                .into(),
            trace: trace(headers),
            method: observe::method_label(&head.method),
            path: path.to_owned(),
            ip: client_ip(peer, headers, settings),
            peer,
            behind_proxy: peer.is_some_and(|peer| is_trusted(&peer, settings)),
            origin: super::cors::allowed(headers.get(header::ORIGIN), &settings.cors_origins),
            gzip: super::compression::accepted(headers),
        }
    }

    /// The context of everything that is done for the request.
    pub(crate) fn context(&self) -> Context {
        let mut context = Context::default().with_deadline(self.deadline);
        context.trace = self.trace;
        context.request_id = Some(Arc::clone(&self.request_id));
        context
    }

    /// Health and metrics are asked by machines that must get an answer when nobody else does.
    pub(crate) fn operational(&self) -> bool {
        matches!(self.path.as_str(), "/healthz" | "/readyz" | "/metrics")
    }

    pub(crate) fn reads(&self) -> bool {
        matches!(self.method, "GET" | "HEAD")
    }
}

/// Whether this asks what a page may send.
pub(crate) fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
    *method == Method::OPTIONS
        && headers.contains_key(header::ORIGIN)
        && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// The client's own id for the request, if it is one that can stand in a log.
fn request_id(headers: &HeaderMap) -> Option<String> {
    let text = headers.get("x-request-id")?.to_str().ok()?;
    let sane = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    ((1..=64).contains(&text.len()) && text.bytes().all(sane)).then(|| text.to_owned())
}

/// The client's trace with a span of ours; a new one where the client has none, or two.
fn trace(headers: &HeaderMap) -> TraceContext {
    let fresh = TraceContext::fresh();
    let mut parents = headers.get_all("traceparent");
    match (parents.next(), parents.next()) {
        (Some(parent), None) => {
            let parent = parent.to_str().ok().and_then(TraceContext::parse);
            parent.map_or(fresh, |parent| TraceContext { trace_id: parent.trace_id, ..fresh })
        }
        _ => fresh,
    }
}

fn patience(headers: &HeaderMap, most: Duration) -> Duration {
    let asked = headers.get("x-request-deadline").and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    asked.map_or(most, |millis| most.min(Duration::from_millis(millis)))
}

/// The client behind the trusted proxies: the last address that none of them has. What the client itself
/// wrote into the header stands further left and is never reached (C31).
fn client_ip(peer: Option<IpAddr>, headers: &HeaderMap, settings: &GatewaySettings) -> Option<IpAddr> {
    let trusted = |ip: &IpAddr| is_trusted(ip, settings);
    let mut client = peer?;
    if !trusted(&client) {
        return Some(client);
    }
    let hops: Vec<&str> = headers
        .get_all("x-forwarded-for")
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .collect();
    for hop in hops.into_iter().rev() {
        let Ok(ip) = hop.trim().parse::<IpAddr>() else { break };
        client = ip;
        if !trusted(&client) {
            break;
        }
    }
    Some(client)
}

fn is_trusted(ip: &IpAddr, settings: &GatewaySettings) -> bool {
    settings.trusted_proxies.iter().any(|network| network.contains(ip))
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let request = pairs.iter().fold(TestRequest::get(), |request, pair| request.append_header(*pair));
        request.to_http_request().headers().clone()
    }

    /// C31: a header that anybody can write counts only where a trusted proxy wrote it.
    #[test]
    fn a_forwarded_address_counts_from_trusted_proxies_only() {
        let settings = GatewaySettings {
            trusted_proxies: vec!["10.0.0.0/8".parse().expect("a network")],
            ..GatewaySettings::default()
        };
        let of = |peer: &str, forwarded: &[&str]| {
            let pairs: Vec<_> = forwarded.iter().map(|value| ("x-forwarded-for", *value)).collect();
            let ip = client_ip(peer.parse().ok(), &headers(&pairs), &settings);
            ip.expect("known").to_string()
        };
        assert_eq!(of("203.0.113.9", &["1.1.1.1"]), "203.0.113.9");
        assert_eq!(of("10.0.0.1", &["1.1.1.1"]), "1.1.1.1");
        assert_eq!(of("10.0.0.1", &["6.6.6.6, 1.1.1.1, 10.0.0.2"]), "1.1.1.1");
        assert_eq!(of("10.0.0.1", &["6.6.6.6", "1.1.1.1"]), "1.1.1.1");
        assert_eq!(of("10.0.0.1", &["garbage"]), "10.0.0.1");
        assert_eq!(of("10.0.0.1", &[]), "10.0.0.1");
    }

    /// Section 5.6: a good parent is continued with a span of our own, everything else begins anew.
    #[test]
    fn a_trace_is_continued() {
        let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let ours = trace(&headers(&[("traceparent", parent)]));
        assert_eq!(ours.trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_ne!(ours.traceparent(), parent);
        for bad in [&[("traceparent", "00-zz")][..], &[("traceparent", parent), ("traceparent", parent)], &[]]
        {
            assert_ne!(trace(&headers(bad)).trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
        }
    }

    /// Section 5.12: an id that could not stand in a log is not taken.
    #[test]
    fn a_request_id_is_taken_if_it_is_sane() {
        let of = |text: &str| request_id(&headers(&[("x-request-id", text)]));
        let long = "x".repeat(65);
        assert_eq!(of("abc-1.2_3").as_deref(), Some("abc-1.2_3"));
        for bad in ["", "a b", "a\u{e9}", "<script>", "{\"level\":\"error\"}", long.as_str()] {
            assert_eq!(of(bad), None, "{bad}");
        }
    }
}
