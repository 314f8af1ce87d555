//! The calling half.

use crate::{
    HttpSettings, InvalidTarget,
    answer::{self, BATCH, JSON},
    connector::Target,
    headers,
    pool::{Lost, Pool},
};
use async_trait::async_trait;
use bus::{BusError, Headers, Transport};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Request,
    header::{CONTENT_TYPE, HOST, HeaderValue},
};
use std::{
    fmt,
    sync::atomic::{AtomicUsize, Ordering},
};

/// Calls an [`HttpListener`](crate::HttpListener). Connects at the first call and whenever it has to; a call that
/// is given up takes its connection along. Deadlines are the bus's: whoever calls stops waiting.
pub struct HttpTransport {
    pool: Pool,
    authority: HeaderValue,
    prefix: String,
    body: usize,
    pending: AtomicUsize,
}

impl HttpTransport {
    /// Calls whoever listens at this address, which need not be there yet: `http://10.0.0.7:9000`.
    ///
    /// # Errors
    /// [`InvalidTarget`] where that can never be called.
    pub fn new(base_url: &str, settings: HttpSettings) -> Result<Self, InvalidTarget> {
        let Target { connector, authority, prefix } = Target::parse(base_url, &settings)?;
        let pool = Pool::new(connector, settings.connections, settings.idle);
        Ok(Self { pool, authority, prefix, body: settings.body, pending: AtomicUsize::new(0) })
    }

    /// How many calls run or wait for a connection.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.pending.load(Ordering::Relaxed)
    }

    async fn exchange(
        &self,
        content: HeaderValue,
        name: &str,
        headers: &Headers,
        bytes: Bytes,
    ) -> Result<Bytes, BusError> {
        let _waiting = Waiting::enter(&self.pending);
        let request = self.write(content, name, headers, bytes).ok_or_else(|| {
            tracing::error!(name, "a request that HTTP cannot carry, or too large for it");
            BusError::Codec { name: name.to_owned() }
        })?;
        let lost = |cause: &dyn fmt::Display| {
            tracing::warn!(name, target = %self.pool.target(), %cause, "no answer of the bus");
            BusError::Unavailable { port: port(name) }
        };
        let (response, lease) = self.pool.send(request).await.map_err(|cause| match cause {
            Lost::Connect(_) => BusError::Unheard { port: port(name) },
            cause => lost(&cause),
        })?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, self.body).collect().await.map_err(|cause| lost(&cause))?;
        lease.give_back();
        answer::read(&head, body.to_bytes()).map_err(|why| lost(&format_args!("{}, {why}", head.status)))?
    }

    fn write(
        &self,
        content: HeaderValue,
        name: &str,
        headers: &Headers,
        bytes: Bytes,
    ) -> Option<Request<Full<Bytes>>> {
        if bytes.len() > self.body {
            return None;
        }
        let path = format!("{}/bus/{}", self.prefix, headers::write_segment(name));
        let mut request = Request::post(path).body(Full::new(bytes)).ok()?;
        let to = request.headers_mut();
        to.insert(HOST, self.authority.clone());
        to.insert(CONTENT_TYPE, content);
        headers::write(headers, to)?;
        Some(request)
    }
}

fn port(name: &str) -> String {
    name.split('.').next().unwrap_or(name).to_owned()
}

#[async_trait]
impl Transport for HttpTransport {
    async fn request(&self, name: &str, headers: Headers, bytes: Bytes) -> Result<Bytes, BusError> {
        self.exchange(JSON, name, &headers, bytes).await
    }

    async fn deliver(&self, name: &str, headers: Headers, bytes: Bytes) -> Result<Bytes, BusError> {
        self.exchange(BATCH, name, &headers, bytes).await
    }

    fn kind(&self) -> &'static str {
        "http"
    }
}

/// A call that is counted, until it is dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn enter(pending: &'a AtomicUsize) -> Self {
        pending.fetch_add(1, Ordering::Relaxed);
        Self(pending)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
