//! The last touches on every answer: problems for all errors, 304, headers, compression, log and metrics.

use super::{
    Shared,
    arrival::Arrival,
    compression, cors, headers, observe,
    pipeline::Findings,
    proxy::{Destination, Relayed},
    rate_limit,
};
use actix_web::{
    HttpRequest, HttpResponse, ResponseError as _,
    body::{self, BodySize, BoxBody, MessageBody as _},
    http::{
        ConnectionType, StatusCode,
        header::{self, HeaderName, HeaderValue},
    },
};
use edge::Problem;

pub(crate) fn finish(
    request: Option<&HttpRequest>,
    response: HttpResponse<BoxBody>,
    shared: &Shared,
    arrival: &Arrival,
    findings: &Findings,
) -> HttpResponse<BoxBody> {
    // What another service answers is left as it is: its errors, its policies, its encoding.
    let relayed = response.extensions().contains::<Relayed>();
    let mut response = if relayed {
        response
    } else {
        not_modified(request, as_problem(response, shared, arrival), arrival)
    };
    let headers = response.headers_mut();
    if !relayed && !shared.settings.cors_origins.is_empty() && arrival.method != "OPTIONS" {
        cors::answer(headers, arrival.origin.as_ref(), false);
    }
    for (name, value) in rate_limit::headers(&findings.standings) {
        headers.insert(name, value);
    }
    if let Ok(id) = HeaderValue::from_str(&arrival.request_id) {
        headers.insert(HeaderName::from_static("x-request-id"), id);
    }
    if !relayed {
        headers::secure(headers);
    }
    if matches!(response.status(), StatusCode::REQUEST_TIMEOUT | StatusCode::PAYLOAD_TOO_LARGE) {
        // The rest of the body is not wanted.
        response.head_mut().set_connection_type(ConnectionType::Close);
    }
    let response = if relayed { response } else { compression::gzip(response, arrival.gzip) };
    let theirs = match &arrival.destination {
        Destination::Route(taken) => Some(taken.route.pattern.text()),
        _ => None,
    };
    let matched = if theirs.is_none() { request.and_then(HttpRequest::match_pattern) } else { None };
    let route = theirs.or(matched.as_deref()).or_else(|| shared.table.pattern(&arrival.path));
    observe::Served {
        route: route.unwrap_or(observe::UNMATCHED),
        method: arrival.method,
        status: response.status().as_u16(),
        took: arrival.started.elapsed(),
        request_id: &arrival.request_id,
        trace_id: &arrival.trace.trace_id(),
        user: findings.caller.map(|caller| caller.user),
    }
    .note();
    response
}

/// An error is a problem document that names the path, whoever made it.
fn as_problem(response: HttpResponse<BoxBody>, shared: &Shared, arrival: &Arrival) -> HttpResponse<BoxBody> {
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return response;
    }
    let made = response.extensions().get::<Problem>().cloned();
    let problem = match made {
        Some(problem) => problem,
        None if is_plain(&response) => of_actix(&response, shared, arrival),
        // A page or a report that is an answer of its own.
        None => return response,
    };
    problem.instance(&arrival.path).error_response()
}

/// What actix itself answers: an empty body, or a text for developers.
fn is_plain(response: &HttpResponse<BoxBody>) -> bool {
    let kind = response.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    matches!(response.body().size(), BodySize::None | BodySize::Sized(0))
        || kind.is_none_or(|kind| kind.starts_with("text/plain"))
}

fn of_actix(response: &HttpResponse<BoxBody>, shared: &Shared, arrival: &Arrival) -> Problem {
    let known = shared.table.allow(&arrival.path);
    let told = response.headers().get(header::ALLOW).and_then(|value| value.to_str().ok());
    match response.status() {
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => match known.as_deref().or(told) {
            // The path is there, so it is the method that is not.
            Some(allow) if !allow.split(", ").any(|method| method == arrival.method) => {
                method_not_allowed(allow)
            }
            _ => Problem::not_found(),
        },
        StatusCode::BAD_REQUEST => Problem::bad_request("malformed_request", "The request cannot be read."),
        StatusCode::PAYLOAD_TOO_LARGE => Problem::body_too_large(shared.settings.body_limit),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => Problem::unsupported_media_type("The body is of another type."),
        status if status.is_server_error() => {
            Problem::internal(bus::Incident::log(&format_args!("{} answered {status}", arrival.path)))
        }
        status => Problem::new(status, "refused"),
    }
}

pub(crate) fn method_not_allowed(allow: &str) -> Problem {
    let problem = Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed")
        .detail("The resource does not have this method; Allow says which it has.");
    match HeaderValue::try_from(allow) {
        Ok(allow) => problem.header(header::ALLOW, allow),
        Err(_) => problem,
    }
}

/// 304 where the client has this representation already.
fn not_modified(
    request: Option<&HttpRequest>,
    response: HttpResponse<BoxBody>,
    arrival: &Arrival,
) -> HttpResponse<BoxBody> {
    let known = match (request, response.headers().get(header::ETAG)) {
        (Some(request), Some(tag)) if arrival.reads() && response.status() == StatusCode::OK => {
            edge::none_match(request.headers(), tag)
        }
        _ => false,
    };
    if !known {
        return response;
    }
    let mut response = response.set_body(body::None::new()).map_into_boxed_body();
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    response.headers_mut().remove(header::CONTENT_TYPE);
    response.headers_mut().remove(header::CONTENT_LENGTH);
    response
}
