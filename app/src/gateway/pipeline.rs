//! One request from its head to its answer: admitted, limited, authenticated, served within its deadline.

use super::{
    AuthFailure, Shared, answer,
    arrival::{Arrival, is_preflight},
    body, cors,
    proxy::{self, Destination},
    rate_limit::Standing,
    table::ALL_METHODS,
};
use actix_web::{
    Error, HttpMessage as _, HttpRequest, HttpResponse, ResponseError as _,
    body::BoxBody,
    dev::{ServiceRequest, ServiceResponse},
    error::InternalError,
    http::{
        Method, StatusCode,
        header::{self, HeaderMap, HeaderValue},
    },
    middleware::Next,
    web::Data,
};
use bus::{Caller, Context, Incident};
use edge::{ClientIp, Problem};
use futures::FutureExt as _;
use std::{any::Any, cell::RefCell, panic::AssertUnwindSafe};
use tokio::time::timeout_at;

/// What was found out on the way, and is told although the request may be lost by a panic or its deadline.
#[derive(Default)]
pub(crate) struct Findings {
    pub(crate) caller: Option<Caller>,
    pub(crate) standings: Vec<Standing>,
}

/// The middleware around every route.
pub(crate) async fn handle(
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let Some(shared) = request.app_data::<Data<Shared>>().cloned() else {
        return next.call(request).await;
    };
    let arrival = Arrival::of(request.head(), &shared);
    let findings = RefCell::new(Findings::default());
    let context = arrival.context();
    context
        .scope(async {
            let served = serve(request, next, &shared, &arrival, &findings);
            let outcome = AssertUnwindSafe(timeout_at(arrival.deadline, served)).catch_unwind().await;
            let (request, response) = match outcome {
                Ok(Ok((request, response))) => (Some(request), response),
                Ok(Err(_)) => (None, too_late().error_response()),
                Err(panic) => {
                    let incident = Incident::log(&panic_text(&*panic));
                    (None, Problem::internal(incident).error_response())
                }
            };
            let findings = findings.into_inner();
            let response = answer::finish(request.as_ref(), response, &shared, &arrival, &findings);
            match request {
                Some(request) => Ok(ServiceResponse::new(request, response)),
                // The request went down with its handler; actix takes the whole answer from the error.
                None => Err(InternalError::from_response("the request was lost", response).into()),
            }
        })
        .await
}

async fn serve(
    mut request: ServiceRequest,
    next: Next<BoxBody>,
    shared: &Shared,
    arrival: &Arrival,
    findings: &RefCell<Findings>,
) -> (HttpRequest, HttpResponse<BoxBody>) {
    let admitted = if arrival.operational() { None } else { Some(shared.admission.enter()) };
    if matches!(admitted, Some(None)) {
        return refuse(request, &overloaded(arrival));
    }
    match &arrival.destination {
        Destination::Ours => {}
        Destination::Route(taken) => {
            return proxy::serve(request, taken, shared, arrival, findings, admitted.flatten()).await;
        }
        Destination::OtherMethods(allow) => {
            let response = other_methods(&request, arrival, allow);
            return (request.into_parts().0, response);
        }
        Destination::Unclear => return refuse(request, &unclear()),
    }
    if let Some(response) = without_a_route(&request, shared, arrival) {
        return (request.into_parts().0, response);
    }
    if !arrival.operational()
        && let Err(problem) = identify(&request, shared, arrival, findings).await
    {
        return refuse(request, &problem);
    }
    if *request.method() == Method::HEAD {
        // The connection remembers that it was HEAD and leaves the body out.
        request.head_mut().method = Method::GET;
    }
    body::limit_time(&mut request, arrival.started + shared.settings.body_timeout);
    let mut context = Context::current();
    context.caller = findings.borrow().caller;
    match context.scope(next.call(request)).await {
        Ok(response) => response.into_parts(),
        // Only a service below that is not a route could do this: the routes' errors are answers by now.
        Err(error) => std::panic::panic_any(error.to_string()),
    }
}

/// Answers what needs no route: methods that nothing has, encodings that are not undone, CORS questions.
fn without_a_route(request: &ServiceRequest, shared: &Shared, arrival: &Arrival) -> Option<HttpResponse> {
    let headers = request.headers();
    if arrival.method == "other" {
        let allow = shared.table.allow(&arrival.path).unwrap_or_else(|| ALL_METHODS.into());
        return Some(answer::method_not_allowed(&allow).error_response());
    }
    let encoded = |value: &HeaderValue| !value.as_bytes().trim_ascii().eq_ignore_ascii_case(b"identity");
    if headers.get_all(header::CONTENT_ENCODING).any(encoded) {
        // D9: a decompressed body has no bound.
        let problem = Problem::unsupported_media_type("Bodies are taken as they are, not compressed.")
            .header(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        return Some(problem.error_response());
    }
    if is_preflight(request.method(), headers) {
        return Some(preflight(arrival));
    }
    if *request.method() == Method::OPTIONS {
        let allow = match arrival.path.as_str() {
            "*" => Some(ALL_METHODS.to_owned()),
            path => shared.table.allow(path),
        };
        return Some(match allow {
            Some(allow) => HttpResponse::NoContent().insert_header((header::ALLOW, allow)).finish(),
            None => Problem::not_found().error_response(),
        });
    }
    None
}

/// Answers what an upstream's path is not passed on for.
fn other_methods(request: &ServiceRequest, arrival: &Arrival, allow: &str) -> HttpResponse {
    if is_preflight(request.method(), request.headers()) {
        return preflight(arrival);
    }
    if *request.method() == Method::OPTIONS {
        return HttpResponse::NoContent().insert_header((header::ALLOW, allow)).finish();
    }
    answer::method_not_allowed(allow).error_response()
}

fn preflight(arrival: &Arrival) -> HttpResponse {
    let mut response = HttpResponse::NoContent().finish();
    cors::answer(response.headers_mut(), arrival.origin.as_ref(), true);
    response
}

/// Finds out who is calling and whether they may call that often.
async fn identify(
    request: &ServiceRequest,
    shared: &Shared,
    arrival: &Arrival,
    findings: &RefCell<Findings>,
) -> Result<(), Problem> {
    if let Some(ip) = arrival.ip {
        request.extensions_mut().insert(ClientIp(ip));
    }
    limit_address(shared, arrival, findings)?;
    if let Some(caller) = authenticate(request.headers(), shared, findings).await? {
        request.extensions_mut().insert(caller);
    }
    Ok(())
}

/// Whether the client's address may call that often.
pub(crate) fn limit_address(
    shared: &Shared,
    arrival: &Arrival,
    findings: &RefCell<Findings>,
) -> Result<(), Problem> {
    within(arrival.ip.and_then(|ip| shared.limits.ip(ip)), findings)
}

/// Who is calling, if they may call that often.
pub(crate) async fn authenticate(
    headers: &HeaderMap,
    shared: &Shared,
    findings: &RefCell<Findings>,
) -> Result<Option<Caller>, Problem> {
    let Some(token) = bearer(headers)? else { return Ok(None) };
    let caller = shared.authenticator.authenticate(token).await.map_err(|failure| match failure {
        AuthFailure::Invalid => Problem::invalid_token(),
        AuthFailure::Unavailable(error) => error.into(),
    })?;
    findings.borrow_mut().caller = Some(caller);
    within(shared.limits.caller(caller.user), findings)?;
    Ok(Some(caller))
}

/// Notes how the client stands with a limit; a problem where it is exceeded.
pub(crate) fn within(standing: Option<Standing>, findings: &RefCell<Findings>) -> Result<(), Problem> {
    let Some(standing) = standing else { return Ok(()) };
    findings.borrow_mut().standings.push(standing);
    standing.exceeded().map_or(Ok(()), Err)
}

/// The bearer token (RFC 6750), from the one place where tokens are taken. Two headers are two identities.
fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let mut values = headers.get_all(header::AUTHORIZATION);
    let Some(value) = values.next() else { return Ok(None) };
    let text = value.to_str().ok().filter(|_| values.next().is_none());
    let (scheme, token) = text.and_then(|text| text.split_once(' ')).ok_or_else(Problem::invalid_token)?;
    let token = token.trim_matches(' ');
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    let sound = scheme.eq_ignore_ascii_case("bearer")
        && (1..=8192).contains(&token.len())
        && token.bytes().all(allowed);
    if sound { Ok(Some(token)) } else { Err(Problem::invalid_token()) }
}

fn refuse(request: ServiceRequest, problem: &Problem) -> (HttpRequest, HttpResponse) {
    (request.into_parts().0, problem.error_response())
}

pub(crate) fn overloaded(arrival: &Arrival) -> Problem {
    // Not all at once: one to five seconds, by the trace's own randomness.
    let seconds = 1 + u64::try_from(arrival.trace.trace_id % 5).unwrap_or(0);
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "overloaded")
        .detail("Too much to do. Nothing was done for this request.")
        .retry_after(seconds)
}

fn unclear() -> Problem {
    Problem::bad_request("ambiguous_path", "The path can be read in two ways. Send it in its plain spelling.")
}

fn too_late() -> Problem {
    Problem::new(StatusCode::GATEWAY_TIMEOUT, "deadline_exceeded")
        .detail("No answer came in time. The request may still be carried out.")
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("a panic").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    /// Section 5.3: what an Authorization header may look like.
    #[test]
    fn one_bearer_token_is_taken() {
        let of = |values: &[&str]| {
            let request = values.iter().fold(TestRequest::get(), |request, value| {
                request.append_header((header::AUTHORIZATION, *value))
            });
            let request = request.to_http_request();
            bearer(request.headers())
                .map(|token| token.map(str::to_owned))
                .map_err(|problem| problem.status().as_u16())
        };
        assert_eq!(of(&[]), Ok(None));
        assert_eq!(of(&["Bearer a.b.c"]), Ok(Some("a.b.c".into())));
        assert_eq!(of(&["bearer a.b.c"]), Ok(Some("a.b.c".into())));
        let long = format!("Bearer {}", "x".repeat(9000));
        for bad in [
            &["Bearer a", "Bearer a"][..],
            &["Bearer"],
            &["Bearer "],
            &["Basic abc"],
            &["a.b.c"],
            &["Bearer a b"],
            &["Bearer a,b"],
            &[""],
            &[long.as_str()],
        ] {
            assert_eq!(of(bad), Err(401), "{bad:?}");
        }
    }
}
