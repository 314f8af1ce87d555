//! Which pages may call (the Fetch standard's CORS protocol). Tokens travel in a header, so no credentials.

use super::table::ALL_METHODS;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};

/// What scripts may send beside the always allowed.
const REQUEST_HEADERS: &str = "authorization, content-type, idempotency-key, if-match, if-none-match, prefer, traceparent, x-request-deadline, x-request-id";
/// What scripts may read beside the always readable.
const ANSWER_HEADERS: &str =
    "etag, idempotent-replayed, location, ratelimit, ratelimit-policy, retry-after, x-request-id";

/// The origin to name in the answer, if the request has one that is allowed.
pub(crate) fn allowed(origin: Option<&HeaderValue>, origins: &[String]) -> Option<HeaderValue> {
    let origin = origin?;
    if origins.iter().any(|known| known == "*") {
        return Some(HeaderValue::from_static("*"));
    }
    origins.iter().any(|known| origin == known.as_str()).then(|| origin.clone())
}

/// Adds what the page's browser needs to hand over the answer.
pub(crate) fn answer(headers: &mut HeaderMap, allowed: Option<&HeaderValue>, preflight: bool) {
    // Whatever the answer: another origin may get another.
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    let Some(origin) = allowed else { return };
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    let mut say =
        |name: HeaderName, value: &'static str| headers.insert(name, HeaderValue::from_static(value));
    if preflight {
        say(header::ACCESS_CONTROL_ALLOW_METHODS, ALL_METHODS);
        say(header::ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS);
        say(header::ACCESS_CONTROL_MAX_AGE, "600");
    } else {
        say(header::ACCESS_CONTROL_EXPOSE_HEADERS, ANSWER_HEADERS);
    }
}
