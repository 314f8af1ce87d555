//! One request at the serving half: what is taken, what is refused, and how it is answered.

use crate::{
    ListenerSettings,
    answer::{self, BATCH, JSON},
    doors::Doors,
    headers,
};
use bus::{BusError, Headers, Transport};
use bytes::Bytes;
use futures::FutureExt;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Body, Incoming},
    header::{ALLOW, CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue},
};
use std::{panic::AssertUnwindSafe, sync::Arc};
use tokio::time::timeout;

/// What answers, for whom, and within which limits.
pub(crate) struct Service {
    pub(crate) answers: Arc<dyn Transport>,
    pub(crate) doors: Doors,
    pub(crate) settings: ListenerSettings,
    /// Says when an idle connection is closed, so that no request meets that half-way.
    keep_alive: HeaderValue,
}

/// Whose request is not one of the bus at all is told so in plain HTTP.
enum Refusal {
    Http(StatusCode),
    TooLarge(BusError),
    Bus(BusError),
}

impl From<BusError> for Refusal {
    fn from(error: BusError) -> Self {
        Self::Bus(error)
    }
}

impl Service {
    pub(crate) fn new(answers: Arc<dyn Transport>, settings: ListenerSettings) -> Self {
        let keep_alive = format!("timeout={}", settings.idle.as_secs());
        let keep_alive = HeaderValue::try_from(keep_alive).expect("digits and letters");
        Self { answers, doors: Doors::default(), settings, keep_alive }
    }

    /// Dropped when the peer goes away. What has begun behind it runs to its end all the same.
    pub(crate) async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let mut response = match self.take(request).await {
            Ok(bytes) => answer::write(Ok(bytes)),
            Err(Refusal::Bus(error)) => answer::write(Err(error)),
            Err(Refusal::TooLarge(error)) => too_large(error),
            Err(Refusal::Http(status)) => plain(status),
        };
        let headers = response.headers_mut();
        headers.entry(HeaderName::from_static("keep-alive")).or_insert_with(|| self.keep_alive.clone());
        response
    }

    async fn take(&self, request: Request<Incoming>) -> Result<Bytes, Refusal> {
        let (head, body) = request.into_parts();
        let name = head.uri.path().strip_prefix("/bus/").and_then(headers::read_segment);
        let name = name.ok_or(Refusal::Http(StatusCode::NOT_FOUND))?;
        if head.method != Method::POST {
            return Err(Refusal::Http(StatusCode::METHOD_NOT_ALLOWED));
        }
        let is_batch = match head.headers.get(CONTENT_TYPE) {
            Some(content) if content == JSON => false,
            Some(content) if content == BATCH => true,
            _ => return Err(Refusal::Http(StatusCode::UNSUPPORTED_MEDIA_TYPE)),
        };
        let headers = headers::read(&head.headers).ok_or(Refusal::Http(StatusCode::BAD_REQUEST))?;
        let module = name.split('.').next().unwrap_or(&name);
        let inside = self.doors.enter(module);
        let _inside = inside.ok_or_else(|| BusError::Unheard { port: module.to_owned() })?;
        let bytes = self.body(&name, body).await?;
        Ok(self.dispatch(&name, headers, bytes, is_batch).await?)
    }

    async fn body(&self, name: &str, body: Incoming) -> Result<Bytes, Refusal> {
        let limit = self.settings.body;
        let too_large = || {
            tracing::warn!(name, limit, "a request's body is too large");
            Refusal::TooLarge(BusError::Codec { name: name.to_owned() })
        };
        if body.size_hint().lower() > limit as u64 {
            return Err(too_large());
        }
        match timeout(self.settings.body_timeout, Limited::new(body, limit).collect()).await {
            Ok(Ok(body)) => Ok(body.to_bytes()),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
            Ok(Err(_)) => Err(Refusal::Http(StatusCode::BAD_REQUEST)),
            Err(_) => Err(Refusal::Http(StatusCode::REQUEST_TIMEOUT)),
        }
    }

    async fn dispatch(
        &self,
        name: &str,
        headers: Headers,
        bytes: Bytes,
        is_batch: bool,
    ) -> Result<Bytes, BusError> {
        let answers = if is_batch {
            self.answers.deliver(name, headers, bytes)
        } else {
            self.answers.request(name, headers, bytes)
        };
        let answer = AssertUnwindSafe(answers).catch_unwind().await;
        answer.unwrap_or_else(|_| Err(BusError::failed(&format_args!("what answers {name} panicked"))))
    }
}

/// An error of the bus, so that nobody sends it again.
fn too_large(error: BusError) -> Response<Full<Bytes>> {
    let mut response = answer::write(Err(error));
    *response.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
    close(&mut response);
    response
}

fn plain(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    match status {
        StatusCode::METHOD_NOT_ALLOWED => {
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
        }
        StatusCode::REQUEST_TIMEOUT => close(&mut response),
        _ => {}
    }
    response
}

/// The rest of the body is still to come, and nobody is going to read it.
fn close(response: &mut Response<Full<Bytes>>) {
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
}
