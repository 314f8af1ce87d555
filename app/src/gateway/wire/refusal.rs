//! What a client is told whose request never became one.

use super::Refused;
use crate::gateway::{headers, observe};
use actix_web::http::StatusCode;
use bytes::Bytes;
use edge::Problem;
use std::fmt::Write as _;

/// The bytes of the answer. Noted in the log and the metrics like any other.
pub(super) fn answer(refused: Refused, sources: &bus::Sources) -> Bytes {
    let problem = problem(refused);
    let request_id = sources.id::<uuid::Uuid>().to_string();
    observe::refused(&problem, &request_id);
    let status = problem.status();
    let body = problem.document().to_string();
    let mut head = format!(
        "HTTP/1.1 {} {}\r\ncontent-type: application/problem+json\r\ncontent-length: {}\r\nconnection: close\r\nx-request-id: {request_id}\r\n",
        status.as_u16(),
        status.canonical_reason().unwrap_or("Error"),
        body.len(),
    );
    for (name, value) in headers::API {
        // Writing to a String does not fail.
        let _ = write!(head, "{name}: {value}\r\n");
    }
    if refused == Refused::Method {
        let _ = write!(head, "allow: {}\r\n", crate::gateway::table::ALL_METHODS);
    }
    head.push_str("\r\n");
    head.push_str(&body);
    head.into()
}

fn problem(refused: Refused) -> Problem {
    match refused {
        Refused::Malformed(what) => Problem::bad_request(
            "malformed_request",
            format!("The request is not HTTP/1.1 as it should be: {what}."),
        ),
        Refused::HeadTooLarge => Problem::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "head_too_large")
            .detail("The request's head is too large."),
        Refused::TargetTooLong => {
            Problem::new(StatusCode::URI_TOO_LONG, "uri_too_long").detail("The request's target is too long.")
        }
        Refused::Method => Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed")
            .detail("There is nothing to connect to."),
        Refused::TooSlow => Problem::new(StatusCode::REQUEST_TIMEOUT, "request_timeout")
            .detail("The request's head did not arrive in time."),
    }
}
