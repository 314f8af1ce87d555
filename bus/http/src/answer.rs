//! Answers on the wire, both directions of them next to each other.
//!
//! An answer is 200 with its bytes. An error of the bus is its JSON, marked by `cleave-error: bus`, under the status
//! that tells a person, a proxy or a load balancer most about it. Whatever else comes is no answer of ours.

use bus::BusError;
use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Response, StatusCode,
    header::{CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE},
    http::response::Parts,
};

/// Calls, operations and every answer.
pub(crate) const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// Deliveries.
pub(crate) const BATCH: HeaderValue = HeaderValue::from_static("application/cloudevents-batch+json");

const ERROR: HeaderName = HeaderName::from_static("cleave-error");
const BUS: HeaderValue = HeaderValue::from_static("bus");

pub(crate) fn write(answer: Result<Bytes, BusError>) -> Response<Full<Bytes>> {
    let mut response = match answer {
        Ok(bytes) => Response::new(Full::new(bytes)),
        Err(error) => refuse(&error),
    };
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response
}

fn refuse(error: &BusError) -> Response<Full<Bytes>> {
    // An error of the bus is made of texts and numbers, which JSON has words for.
    let body = serde_json::to_vec(error).unwrap_or_default();
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status(error);
    let headers = response.headers_mut();
    headers.insert(ERROR, BUS);
    match error {
        BusError::Overloaded { retry_after_ms, .. } => {
            headers.insert(RETRY_AFTER, retry_after_ms.div_ceil(1000).into());
        }
        BusError::Unavailable { .. } | BusError::Unheard { .. } => {
            headers.insert(RETRY_AFTER, 1.into());
        }
        BusError::NotTrusted { .. } => {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("cleave"));
        }
        _ => {}
    }
    response
}

fn status(error: &BusError) -> StatusCode {
    match error {
        BusError::Unavailable { .. } | BusError::Unheard { .. } | BusError::Overloaded { .. } => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        BusError::DeadlineExceeded { .. } => StatusCode::GATEWAY_TIMEOUT,
        BusError::UnknownName { .. } => StatusCode::NOT_FOUND,
        BusError::Codec { .. } => StatusCode::BAD_REQUEST,
        BusError::TooDeep { .. } => StatusCode::LOOP_DETECTED,
        BusError::NotTrusted { .. } => StatusCode::UNAUTHORIZED,
        BusError::KeyReused => StatusCode::UNPROCESSABLE_ENTITY,
        BusError::KeyInUse => StatusCode::CONFLICT,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// What an answer says, or why it is none of ours.
pub(crate) fn read(head: &Parts, body: Bytes) -> Result<Result<Bytes, BusError>, &'static str> {
    match (head.status, head.headers.get(ERROR)) {
        (_, Some(mark)) if mark == BUS => {
            serde_json::from_slice(&body).map(Err).map_err(|_| "its error is not one of the bus")
        }
        (_, Some(_)) => Err("its error is of a kind that is not known here"),
        (StatusCode::OK, None) if head.headers.get(CONTENT_TYPE) == Some(&JSON) => Ok(Ok(body)),
        (StatusCode::OK, None) => Err("its content type is another"),
        _ => Err("its status is another"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bus_testkit::conformance::bus_errors;

    /// C24: what a status says to whoever knows nothing of the bus.
    #[test]
    fn each_error_has_its_status() {
        let statuses: Vec<_> = bus_errors().iter().map(|error| status(error).as_u16()).collect();
        assert_eq!(statuses, [503, 503, 504, 500, 404, 400, 508, 500, 401, 422, 409]);
    }

    #[test]
    fn whoever_is_refused_for_now_is_told_when_to_ask_again() {
        let after = |error| write(Err(error)).headers().get(RETRY_AFTER).cloned();
        let port = || "inventory".to_owned();
        let overloaded = BusError::Overloaded { port: port(), retry_after_ms: 1001 };
        assert_eq!(after(overloaded), Some(HeaderValue::from_static("2")));
        assert_eq!(after(BusError::Unavailable { port: port() }), Some(HeaderValue::from_static("1")));
        assert_eq!(after(BusError::KeyReused), None);
    }
}
