//! A connection whose protocol is changed: WebSocket, or another that the route lets through.
//!
//! Nothing that the client sends behind its offer reaches the upstream before that has taken the offer (`wire` holds
//! it back): an upstream that declines would read it as requests that nobody has looked at.

use super::{
    download::Held,
    failure::Failure,
    pool::{self, Lease, Socket},
    routes::{Destination, Taken},
    serve::{admit, outgoing, refusal},
    upload::Upload,
};
use crate::gateway::{
    Shared, answer,
    arrival::Arrival,
    pipeline::{self, Findings},
    wire::Connection,
};
use actix_codec::Framed;
use actix_http::{
    Request, Response,
    body::{BodySize, BoxBody, MessageBody as _},
    h1::{Codec, Message},
};
use actix_web::{HttpResponse, ResponseError as _};
use bytes::Bytes;
use edge::Problem;
use futures::SinkExt as _;
use hyper::{
    header::{self, HeaderValue},
    upgrade::Upgraded,
};
use hyper_util::rt::TokioIo;
use std::{cell::RefCell, future::poll_fn, io, pin::pin, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional_with_sizes},
    time::{sleep_until, timeout_at},
};

mod watched;

/// The pieces in which bytes are copied.
const PIECE: usize = 16 << 10;

type Client = Framed<Connection, Codec>;

/// Serves a connection whose client offers to change the protocol. `wire` lets such offers through for routes that
/// want them; `stopping` resolves when the server is about to end.
pub(crate) async fn serve(
    request: Request,
    client: Client,
    shared: &Shared,
    stopping: impl Future<Output = ()>,
) {
    let arrival = Arrival::of(request.head(), shared);
    let context = arrival.context();
    let outcome = context.scope(converse(&request, client, shared, &arrival, stopping)).await;
    if let Err(error) = outcome {
        tracing::debug!(%error, "an upgraded connection was lost");
    }
}

/// What an upstream made of the offer.
enum Answer {
    Taken(HttpResponse<BoxBody>, Upgraded),
    Declined(HttpResponse<BoxBody>),
}

async fn converse(
    request: &Request,
    mut client: Client,
    shared: &Shared,
    arrival: &Arrival,
    stopping: impl Future<Output = ()>,
) -> io::Result<()> {
    let findings = RefCell::new(Findings::default());
    let offered = client.io_ref().offered().unwrap_or_default().to_owned();
    let wanted = |taken: &&Taken| taken.route.upgrades.contains(&offered);
    let taken = match &arrival.destination {
        Destination::Route(taken) => Some(taken).filter(wanted),
        _ => None,
    };
    let Some(taken) = taken else {
        // The routes were changed at this very moment.
        let response = Problem::not_found().error_response();
        return decline(client, answer::finish(None, response, shared, arrival, &findings.into_inner()))
            .await;
    };
    let place = Arc::clone(&taken.route.upgrade_places).try_acquire_owned();
    let outcome = if place.is_ok() {
        let offering = offer(request, &offered, taken, shared, arrival, &findings);
        let mut byte = [0];
        tokio::select! {
            answer = timeout_at(arrival.deadline, offering) => {
                answer.unwrap_or_else(|_| Err(refusal(Failure::TimedOut, taken, 0)))
            }
            // While the offer is not taken, only the end of what the client sends can be read.
            _ = client.io_mut().read(&mut byte) => Err(refusal(Failure::ClientLeft, taken, 0)),
        }
    } else {
        Err(refusal(Failure::Busy, taken, 0))
    };
    let outcome = outcome.unwrap_or_else(|problem| Answer::Declined(problem.error_response()));
    let findings = findings.into_inner();
    match outcome {
        Answer::Declined(response) => {
            decline(client, answer::finish(None, response, shared, arrival, &findings)).await
        }
        Answer::Taken(response, upstream) => {
            let response = answer::finish(None, response, shared, arrival, &findings);
            let response = Response::from(response).into_parts().0;
            client.send(Message::Item((response, BodySize::None))).await?;
            let parts = client.into_parts();
            let mut client = parts.io;
            client.open();
            let _counted = Counted::new();
            join(&mut client, upstream, taken.route.idle_timeout, stopping).await
        }
    }
}

/// An upgraded connection in the gauge, for as long as this lives.
struct Counted;

impl Counted {
    fn new() -> Self {
        metrics::gauge!("proxy_upgraded").increment(1);
        Self
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        metrics::gauge!("proxy_upgraded").decrement(1);
    }
}

/// Offers the change to the upstream.
async fn offer(
    request: &Request,
    offered: &str,
    taken: &Taken,
    shared: &Shared,
    arrival: &Arrival,
    findings: &RefCell<Findings>,
) -> Result<Answer, Problem> {
    let head = request.head();
    let Some(admitted) = shared.admission.enter() else { return Err(pipeline::overloaded(arrival)) };
    let caller = admit(head, taken, shared, arrival, findings).await?;
    let refuse = |failure: Failure| refusal(failure, taken, 0);
    let route = &*taken.route;
    let place = Arc::clone(&route.places).try_acquire_owned().map_err(|_| refuse(Failure::Busy))?;
    let (instance, socket) = connect(taken).await.map_err(refuse)?;
    let (mut sender, connection) = pool::client()
        .handshake::<_, Upload>(TokioIo::new(socket))
        .await
        .map_err(|_| refuse(Failure::Unreachable))?;
    actix_rt::spawn(async move {
        if let Err(error) = connection.with_upgrades().await {
            tracing::debug!(%error, "a connection to an upstream ended");
        }
    });
    let mut headers = outgoing(head, taken, arrival, caller, &shared.proxy).headers(&instance);
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_str(offered).map_err(|_| refuse(Failure::BrokenBody))?);
    let request =
        super::forward::request(head, &instance, &taken.path, headers, Upload::none()).map_err(refuse)?;
    let mut answer = sender.send_request(request).await.map_err(|error| {
        tracing::warn!(%error, route = route.pattern.text(), "an upstream did not answer an offer");
        refuse(if error.is_parse() { Failure::Garbage } else { Failure::Lost })
    })?;
    if answer.status() != hyper::StatusCode::SWITCHING_PROTOCOLS {
        if answer.status().is_informational() {
            return Err(refuse(Failure::Garbage));
        }
        let terms = super::answer::Terms {
            deadline: arrival.deadline,
            idle: route.idle_timeout,
            left: tokio_util::sync::CancellationToken::new(),
        };
        let held = Held { admitted: Some(admitted), place };
        let lease = Lease::alone(sender);
        let response = super::answer::relay(answer, lease, held, head, terms, shared.proxy.name());
        return Ok(Answer::Declined(response));
    }
    let chosen = answer.headers().get(header::UPGRADE).map(HeaderValue::as_bytes).unwrap_or_default();
    if !chosen.eq_ignore_ascii_case(offered.as_bytes()) {
        return Err(refuse(Failure::Garbage));
    }
    let upgraded = hyper::upgrade::on(&mut answer).await.map_err(|_| refuse(Failure::Lost))?;
    Ok(Answer::Taken(super::answer::switch(&answer, offered, shared.proxy.name()), upgraded))
}

/// Connects to one instance after the other, as often as the route says.
async fn connect(taken: &Taken) -> Result<(Arc<super::upstream::Instance>, Socket), Failure> {
    let route = &*taken.route;
    let mut tried = Vec::new();
    for _ in 0..=route.retries {
        let instance = route.upstream.pick(&tried).ok_or(Failure::Unreachable)?;
        match pool::connect(&instance, route.connect_timeout).await {
            Ok(socket) => return Ok((instance, socket)),
            Err(_) => tried.push(instance),
        }
    }
    Err(Failure::Unreachable)
}

/// Answers with what is no change of protocol, and closes.
async fn decline(client: Client, response: HttpResponse<BoxBody>) -> io::Result<()> {
    // The connection's own codec takes it for granted that the protocol changes.
    let mut client = client.replace_codec(Codec::default());
    let (mut response, body) = Response::from(response).into_parts();
    response.head_mut().set_connection_type(actix_http::ConnectionType::Close);
    client.send(Message::Item((response, body.size()))).await?;
    let mut body = pin!(body);
    while let Some(piece) = poll_fn(|cx| body.as_mut().poll_next(cx)).await {
        let piece = piece.map_err(|error| io::Error::other(error.to_string()))?;
        client.send(Message::Chunk(Some(piece))).await?;
    }
    client.send(Message::Chunk(None)).await?;
    futures::SinkExt::<Message<(Response<()>, BodySize)>>::close(&mut client).await
}

/// Passes bytes both ways until both sides have ended theirs, nothing moves any more, or the server stops. One side's
/// end is passed on as that.
async fn join(
    client: &mut Connection,
    upstream: Upgraded,
    idle: Duration,
    stopping: impl Future<Output = ()>,
) -> io::Result<()> {
    let parts = upstream.downcast::<TokioIo<Socket>>().map_err(|_| io::Error::other("not a socket"))?;
    let (mut upstream, early): (_, Bytes) = (parts.io.into_inner(), parts.read_buf);
    let activity = watched::Activity::default();
    let mut client = activity.watch(client);
    let copying = async {
        client.write_all(&early).await?;
        copy_bidirectional_with_sizes(&mut client, &mut upstream, PIECE, PIECE).await
    };
    let silence = async {
        loop {
            let until = activity.last() + idle;
            if until <= tokio::time::Instant::now() {
                return;
            }
            sleep_until(until).await;
        }
    };
    tokio::select! {
        copied = copying => copied.map(drop),
        () = silence => Err(io::ErrorKind::TimedOut.into()),
        () = stopping => Ok(()),
    }
}
