//! One log line and two metrics per request: patterns and ids, nothing that a client chose.

use actix_web::http::Method;
use edge::Problem;
use std::time::Duration;

/// The route of what has none: one label for all paths that nobody serves.
pub(crate) const UNMATCHED: &str = "unmatched";

/// A request that has been answered.
pub(crate) struct Served<'a> {
    pub(crate) route: &'a str,
    pub(crate) method: &'static str,
    pub(crate) status: u16,
    pub(crate) took: Duration,
    pub(crate) request_id: &'a str,
    pub(crate) trace_id: &'a str,
    pub(crate) user: Option<uuid::Uuid>,
}

impl Served<'_> {
    pub(crate) fn note(&self) {
        let labels = [
            ("route", self.route.to_owned()),
            ("method", self.method.to_owned()),
            ("status", self.status.to_string()),
        ];
        metrics::counter!("http_requests_total", &labels).increment(1);
        let (route, method) = (self.route.to_owned(), self.method);
        metrics::histogram!("http_request_seconds", "route" => route, "method" => method)
            .record(self.took.as_secs_f64());
        tracing::info!(
            target: "access",
            method = self.method,
            route = self.route,
            status = self.status,
            ms = u64::try_from(self.took.as_millis()).unwrap_or(u64::MAX),
            request_id = self.request_id,
            trace_id = self.trace_id,
            user = self.user.map(tracing::field::display),
            "answered",
        );
    }
}

/// Notes an answer to what never became a request.
pub(crate) fn refused(problem: &Problem, request_id: &str) {
    let status = problem.status().as_u16();
    let labels =
        [("route", UNMATCHED.to_owned()), ("method", "other".to_owned()), ("status", status.to_string())];
    metrics::counter!("http_requests_total", &labels).increment(1);
    tracing::info!(target: "access", code = problem.code(), status, request_id, "refused");
}

/// The method as a label: a client can make up methods, but not labels.
pub(crate) fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// What the metrics are, for whoever shows them.
pub(crate) fn describe() {
    metrics::describe_counter!("http_requests_total", "Requests answered");
    metrics::describe_histogram!(
        "http_request_seconds",
        metrics::Unit::Seconds,
        "Time until a request's answer began"
    );
    metrics::describe_gauge!("http_requests_in_flight", "Requests being served");
    metrics::describe_counter!(
        "proxy_failures_total",
        "Requests to other services that got no answer of theirs"
    );
    metrics::describe_gauge!("proxy_upgraded", "Connections to other services whose protocol was changed");
}
