//! One request to an upstream and its answer's head: whose turn it is, what may be tried again, how long all of it may
//! take.

use super::{
    failure::Failure,
    headers::Outgoing,
    pool::{Lease, Pool},
    route::Route,
    upload::{Length, Progress, State, Upload},
    upstream::Instance,
};
use actix_web::http::Method;
use hyper::{
    HeaderMap, Request, Response, Uri, Version,
    body::Incoming,
    header::{self, HeaderValue},
};
use std::{pin::pin, sync::Arc};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

/// A request on its way.
pub(crate) struct Forward<'a> {
    pub(crate) route: &'a Route,
    pub(crate) outgoing: Outgoing<'a>,
    /// The path that the upstream sees, behind its base.
    pub(crate) path: &'a str,
    pub(crate) length: Length,
    pub(crate) deadline: Instant,
    pub(crate) left: &'a CancellationToken,
}

/// Why an attempt came to nothing.
enum Miss {
    /// Nothing of the request has left, so anybody may be asked next.
    Unsent(Upload),
    /// The connection was lost without an answer.
    Lost,
    /// There is nothing to be tried again.
    Final(Failure),
}

impl Forward<'_> {
    /// Sends the request and waits for the head of its answer.
    ///
    /// What may be sent again (C12, CALL-14): a request that has not left, and one without a body whose method is
    /// idempotent. Of a body not a byte is sent twice, since none is kept (C23).
    pub(crate) async fn send(
        &self,
        pool: &Pool,
        upload: Upload,
        progress: &Progress,
    ) -> Result<(Response<Incoming>, Lease), Failure> {
        let repeatable = self.length == Length::None && is_idempotent(&self.outgoing.head.method);
        let mut upload = Some(upload);
        let mut tried: Vec<Arc<Instance>> = Vec::new();
        let mut retries = self.route.retries;
        let mut closed = false;
        loop {
            let instance = self.route.upstream.pick(&tried).ok_or(Failure::Unreachable)?;
            let idle = if closed { None } else { pool.take(&instance, !repeatable) };
            let used = idle.is_some();
            let body = upload.take().unwrap_or_else(Upload::none);
            let missed = match self.attempt(pool, &instance, idle, body, progress).await {
                Ok(answer) => return Ok(answer),
                Err(missed) => missed,
            };
            match missed {
                Miss::Final(failure) => return Err(failure),
                // An idle connection that the upstream closed meanwhile is no attempt of ours. Only once: it may be
                // this request that makes it close.
                Miss::Unsent(body) if used => upload = Some(body),
                Miss::Lost if used && repeatable && !closed => closed = true,
                Miss::Unsent(body) if retries > 0 => {
                    retries -= 1;
                    upload = Some(body);
                    tried.push(instance);
                }
                Miss::Lost if repeatable && retries > 0 => {
                    retries -= 1;
                    tried.push(instance);
                }
                Miss::Unsent(_) => return Err(Failure::Unreachable),
                Miss::Lost => return Err(Failure::Lost),
            }
            if Instant::now() >= self.deadline {
                return Err(Failure::TimedOut);
            }
        }
    }

    async fn attempt(
        &self,
        pool: &Pool,
        instance: &Instance,
        idle: Option<Lease>,
        upload: Upload,
        progress: &Progress,
    ) -> Result<(Response<Incoming>, Lease), Miss> {
        let mut lease = match idle {
            Some(lease) => lease,
            None => match self.until_left(pool.connect(instance, self.patience())).await {
                Ok(Ok(lease)) => lease,
                Ok(Err(_)) if Instant::now() >= self.deadline => return Err(Miss::Final(Failure::TimedOut)),
                Ok(Err(_)) => return Err(Miss::Unsent(upload)),
                Err(failure) => return Err(Miss::Final(failure)),
            },
        };
        let request = self.request(instance, upload).map_err(Miss::Final)?;
        let sending = lease.sender.try_send_request(request);
        match self.wait(sending, progress).await.map_err(Miss::Final)? {
            Ok(response) if response.status().is_informational() => Err(Miss::Final(Failure::Garbage)),
            Ok(response) => Ok((response, lease)),
            Err(mut error) => {
                if let Some(request) = error.take_message() {
                    return Err(Miss::Unsent(request.into_body()));
                }
                Err(self.why(&error.into_error(), progress))
            }
        }
    }

    /// What became of a request that has left.
    fn why(&self, error: &hyper::Error, progress: &Progress) -> Miss {
        match progress.state() {
            State::TooLarge => Miss::Final(Failure::TooLarge),
            State::Broken => Miss::Final(Failure::BrokenBody),
            _ if error.is_parse() => {
                tracing::warn!(%error, route = self.route.pattern.text(), "an upstream's answer is no HTTP");
                Miss::Final(Failure::Garbage)
            }
            _ => {
                tracing::warn!(%error, route = self.route.pattern.text(), "an upstream was lost before its answer");
                Miss::Lost
            }
        }
    }

    /// The time that there is for connecting.
    fn patience(&self) -> std::time::Duration {
        self.route.connect_timeout.min(self.deadline.saturating_duration_since(Instant::now()))
    }

    async fn until_left<T>(&self, work: impl Future<Output = T>) -> Result<T, Failure> {
        tokio::select! {
            biased;
            done = work => Ok(done),
            () = self.left.cancelled() => Err(Failure::ClientLeft),
        }
    }

    /// Waits while there is time and something moves.
    async fn wait<T>(&self, work: impl Future<Output = T>, progress: &Progress) -> Result<T, Failure> {
        let mut work = pin!(work);
        loop {
            let until = || self.deadline.min(progress.moved() + self.route.idle_timeout);
            tokio::select! {
                biased;
                done = &mut work => return Ok(done),
                () = self.left.cancelled() => return Err(Failure::ClientLeft),
                () = sleep_until(until()) => if until() <= Instant::now() {
                    return Err(match progress.state() {
                        State::WaitsForClient => Failure::SlowBody,
                        _ => Failure::TimedOut,
                    });
                },
            }
        }
    }

    fn request(&self, instance: &Instance, upload: Upload) -> Result<Request<Upload>, Failure> {
        let mut headers = self.outgoing.headers(instance);
        frame(&mut headers, self.length, &self.outgoing.head.method);
        request(self.outgoing.head, instance, self.path, headers, upload)
    }
}

/// A request for an instance.
pub(crate) fn request<B>(
    head: &actix_http::RequestHead,
    instance: &Instance,
    path: &str,
    headers: HeaderMap,
    body: B,
) -> Result<Request<B>, Failure> {
    let query = head.uri.query();
    let target = match query {
        None if instance.base.is_empty() => path.to_owned(),
        None => format!("{}{path}", instance.base),
        Some(query) => format!("{}{path}?{query}", instance.base),
    };
    let mut request = Request::new(body);
    // Both have been read as HTTP before; if hyper reads more strictly, nothing is sent.
    *request.uri_mut() = Uri::try_from(target).map_err(|_| Failure::BrokenBody)?;
    *request.method_mut() = head.method.as_str().parse().map_err(|_| Failure::BrokenBody)?;
    *request.version_mut() = Version::HTTP_11;
    *request.headers_mut() = headers;
    Ok(request)
}

/// Says how the body is framed on this connection: never what the client's connection said.
fn frame(headers: &mut HeaderMap, length: Length, method: &Method) {
    match length {
        Length::Known(length) => {
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        }
        Length::Unknown => {
            headers.insert(header::TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        }
        // RFC 9110, section 8.6: with these methods "no body" is said.
        Length::None if matches!(*method, Method::POST | Method::PUT | Method::PATCH) => {
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(0));
        }
        Length::None => {}
    }
}

/// RFC 9110, section 9.2.2.
fn is_idempotent(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS | Method::PUT | Method::DELETE)
}
