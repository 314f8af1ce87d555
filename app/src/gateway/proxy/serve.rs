//! A request for an upstream, from the gateway's pipeline to the answer that is passed on.

use super::{
    Proxy,
    answer::{Terms, relay},
    download::Held,
    failure::Failure,
    forward::Forward,
    headers::{self, Outgoing},
    pool::Pool,
    routes::Taken,
    upload::{Length, Upload},
};
use crate::gateway::{
    Shared,
    admission::Admitted,
    arrival::Arrival,
    pipeline::{self, Findings},
    wire::Link,
};
use actix_http::RequestHead;
use actix_web::{
    HttpRequest, HttpResponse, ResponseError as _,
    body::BoxBody,
    dev::{Payload, ServiceRequest},
};
use bus::Caller;
use edge::Problem;
use std::{cell::RefCell, sync::Arc};

/// Serves a request that an upstream is to answer.
pub(crate) async fn serve(
    request: ServiceRequest,
    taken: &Taken,
    shared: &Shared,
    arrival: &Arrival,
    findings: &RefCell<Findings>,
    admitted: Option<Admitted>,
) -> (HttpRequest, HttpResponse<BoxBody>) {
    let (request, payload) = request.into_parts();
    let outcome = pass_on(&request, payload, taken, shared, arrival, findings, admitted).await;
    let response = outcome.unwrap_or_else(|problem| problem.error_response());
    (request, response)
}

async fn pass_on(
    request: &HttpRequest,
    payload: Payload,
    taken: &Taken,
    shared: &Shared,
    arrival: &Arrival,
    findings: &RefCell<Findings>,
    admitted: Option<Admitted>,
) -> Result<HttpResponse<BoxBody>, Problem> {
    let route = &*taken.route;
    let head = request.head();
    let caller = admit(head, taken, shared, arrival, findings).await?;
    let most = route.max_body.unwrap_or(shared.settings.body_limit as u64);
    let refuse = |failure: Failure| refusal(failure, taken, most);
    let length = Length::of(&head.headers);
    if matches!(length, Length::Known(length) if length > most) {
        return Err(refuse(Failure::TooLarge));
    }
    let place = Arc::clone(&route.places).try_acquire_owned().map_err(|_| refuse(Failure::Busy))?;
    let link = request.conn_data::<Link>().cloned().unwrap_or_default();
    if length != Length::None {
        link.give_body_until(arrival.deadline);
    }
    let pool = request.app_data::<Pool>().cloned().unwrap_or_default();
    let name = shared.proxy.name();
    let outgoing = outgoing(head, taken, arrival, caller, &shared.proxy);
    let forward =
        Forward { route, outgoing, path: &taken.path, length, deadline: arrival.deadline, left: link.left() };
    let (upload, progress) = Upload::new(payload, length, most);
    let (answer, lease) = forward.send(&pool, upload, &progress).await.map_err(refuse)?;
    let held = Held { admitted, place };
    let terms = Terms { deadline: arrival.deadline, idle: route.idle_timeout, left: link.left().clone() };
    Ok(relay(answer, lease, held, head, terms, name))
}

/// Finds out whether the caller may use the route, and that often.
pub(crate) async fn admit(
    head: &RequestHead,
    taken: &Taken,
    shared: &Shared,
    arrival: &Arrival,
    findings: &RefCell<Findings>,
) -> Result<Option<Caller>, Problem> {
    let route = &*taken.route;
    if headers::is_loop(&head.headers, shared.proxy.name()) {
        return Err(refusal(Failure::Loop, taken, 0));
    }
    pipeline::limit_address(shared, arrival, findings)?;
    let caller = match route.auth.role() {
        None => None,
        Some(role) => {
            let caller = pipeline::authenticate(&head.headers, shared, findings).await?;
            let caller = caller.ok_or_else(Problem::unauthenticated)?;
            if caller.role < role {
                return Err(Problem::forbidden());
            }
            Some(caller)
        }
    };
    if let Some(limits) = &route.limits {
        let standing = match (caller, arrival.ip) {
            (Some(caller), _) => limits.caller(caller.user),
            (None, Some(ip)) => limits.ip(ip),
            (None, None) => None,
        };
        pipeline::within(standing, findings)?;
    }
    Ok(caller)
}

/// What the headers of a request to the upstream are made of.
pub(crate) fn outgoing<'a>(
    head: &'a RequestHead,
    taken: &'a Taken,
    arrival: &'a Arrival,
    caller: Option<Caller>,
    proxy: &'a Proxy,
) -> Outgoing<'a> {
    let route = &*taken.route;
    Outgoing {
        head,
        arrival,
        caller,
        authenticated: route.auth.role().is_some(),
        preserve_host: route.section.preserve_host,
        name: proxy.name(),
    }
}

/// A failure as a problem, counted.
pub(crate) fn refusal(failure: Failure, taken: &Taken, max_body: u64) -> Problem {
    let route = taken.route.pattern.text();
    let labels = [("route", route.to_owned()), ("failure", failure.label().to_owned())];
    metrics::counter!("proxy_failures_total", &labels).increment(1);
    failure.problem(route, max_body)
}
