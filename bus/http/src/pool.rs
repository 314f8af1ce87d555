//! A bounded number of kept connections to one target, each of which carries one call at a time.

use crate::connector::{Connector, Sender};
use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, Response, body::Incoming, header::HeaderMap};
use std::{
    collections::VecDeque,
    io,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::{Instant, timeout},
};

/// A connection's task may be a step behind the answer that it has just given; one that takes longer is not worth
/// waiting for.
const A_STEP: Duration = Duration::from_millis(10);

pub(crate) struct Pool {
    connector: Connector,
    permits: Semaphore,
    /// The one that was used last is used next, so that those that are not needed get old.
    idle: Mutex<VecDeque<Idle>>,
    longest: Duration,
}

struct Idle {
    sender: Sender,
    until: Instant,
}

/// A connection that one call has for itself. Unless it is given back it is closed: HTTP/1.1 has no other way to
/// call off a request.
pub(crate) struct Lease<'a> {
    pool: &'a Pool,
    sender: Sender,
    keep: Duration,
    _permit: SemaphorePermit<'a>,
}

/// Why no answer has begun.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Lost {
    #[error("no connection: {0}")]
    Connect(#[from] io::Error),
    #[error("the connection broke: {0:?}")]
    Broken(hyper::Error),
    #[error("closed")]
    Closed,
}

impl Pool {
    pub(crate) fn new(connector: Connector, connections: usize, idle: Duration) -> Self {
        Self { connector, permits: Semaphore::new(connections), idle: Mutex::default(), longest: idle }
    }

    pub(crate) fn target(&self) -> &Connector {
        &self.connector
    }

    /// Sends a request on a connection that is idle, else on a new one, as soon as there may be one more.
    pub(crate) async fn send(
        &self,
        mut request: Request<Full<Bytes>>,
    ) -> Result<(Response<Incoming>, Lease<'_>), Lost> {
        let permit = self.permits.acquire().await.map_err(|_| Lost::Closed)?;
        loop {
            let kept = self.take().await;
            let was_kept = kept.is_some();
            let mut sender = match kept {
                Some(sender) => sender,
                None => self.connector.connect().await?,
            };
            match sender.try_send_request(request).await {
                Ok(response) => {
                    let keep = keep(response.headers(), self.longest);
                    return Ok((response, Lease { pool: self, sender, keep, _permit: permit }));
                }
                Err(mut lost) => match lost.take_message() {
                    // The target closed it while it was idle, and not a byte of the request was written. In any
                    // other case it may have been heard, and sending it again is not for a connection to decide.
                    Some(unsent) if was_kept => request = unsent,
                    _ => return Err(Lost::Broken(lost.into_error())),
                },
            }
        }
    }

    async fn take(&self) -> Option<Sender> {
        loop {
            let Idle { mut sender, until } = self.idle().pop_back()?;
            if until <= Instant::now() {
                continue;
            }
            if sender.is_ready() || matches!(timeout(A_STEP, sender.ready()).await, Ok(Ok(()))) {
                return Some(sender);
            }
        }
    }

    fn idle(&self) -> MutexGuard<'_, VecDeque<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lease<'_> {
    /// The answer was read to its end: the next call may have the connection.
    pub(crate) fn give_back(self) {
        if self.sender.is_closed() {
            return;
        }
        let now = Instant::now();
        let mut idle = self.pool.idle();
        while idle.front().is_some_and(|oldest| oldest.until <= now || oldest.sender.is_closed()) {
            idle.pop_front();
        }
        idle.push_back(Idle { sender: self.sender, until: now + self.keep });
    }
}

/// How long a connection may be idle: `Keep-Alive: timeout=75` (RFC 2068, section 19.7.1.1) says when the target
/// closes it, and half of that is far from it on any network.
fn keep(headers: &HeaderMap, longest: Duration) -> Duration {
    let said = headers.get("keep-alive").and_then(|value| value.to_str().ok());
    let seconds = said.and_then(|said| {
        said.split(',').find_map(|part| part.trim().strip_prefix("timeout=")?.parse::<u32>().ok())
    });
    seconds.map_or(longest, |seconds| longest.min(Duration::from_secs(seconds.into()) / 2))
}
