//! An answer's body on its way to the client: piece by piece, as the client takes it. One that is cut short is cut
//! short for the client too.

use super::{answer::Terms, pool::Lease};
use crate::gateway::admission::Admitted;
use actix_web::body::{BodySize, MessageBody};
use bytes::Bytes;
use hyper::body::{Body as _, Incoming};
use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    sync::OwnedSemaphorePermit,
    time::{Instant, Sleep, sleep_until},
};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// Marks an answer that is an upstream's and is left as it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Relayed;

/// What a request holds for as long as it runs.
#[expect(dead_code, reason = "held, and not looked at")]
pub(crate) struct Held {
    pub(crate) admitted: Option<Admitted>,
    pub(crate) place: OwnedSemaphorePermit,
}

/// The body.
pub(crate) struct Download {
    body: Incoming,
    size: BodySize,
    lease: Option<Lease>,
    _held: Held,
    deadline: Instant,
    idle: Duration,
    /// Since when the upstream has been waited for. Not while the client is: that has its own time.
    since: Option<Instant>,
    /// Made when there is something to wait for: most bodies are there with their head.
    alarm: Option<Alarm>,
    left: CancellationToken,
}

struct Alarm {
    timer: Pin<Box<Sleep>>,
    left: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl Download {
    pub(crate) fn new(body: Incoming, size: BodySize, lease: Lease, held: Held, terms: Terms) -> Self {
        let mut lease = Some(lease);
        if body.is_end_stream()
            && let Some(lease) = lease.take()
        {
            lease.give_back();
        }
        let Terms { deadline, idle, left } = terms;
        Self { body, size, lease, _held: held, deadline, idle, since: None, alarm: None, left }
    }

    /// Whether it is of no use to wait any longer.
    fn poll_given_up(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let until = self.deadline.min(*self.since.get_or_insert_with(Instant::now) + self.idle);
        let alarm = self.alarm.get_or_insert_with(|| Alarm {
            timer: Box::pin(sleep_until(until)),
            left: Box::pin(self.left.clone().cancelled_owned()),
        });
        if alarm.left.as_mut().poll(cx).is_ready() {
            return Poll::Ready(io::ErrorKind::ConnectionAborted.into());
        }
        loop {
            ready!(alarm.timer.as_mut().poll(cx));
            // It may have been set for an earlier wait.
            if until <= Instant::now() {
                return Poll::Ready(io::ErrorKind::TimedOut.into());
            }
            alarm.timer.as_mut().reset(until);
        }
    }
}

impl MessageBody for Download {
    type Error = io::Error;

    fn size(&self) -> BodySize {
        self.size
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, io::Error>>> {
        let this = &mut *self;
        loop {
            match Pin::new(&mut this.body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    this.since = None;
                    if Instant::now() >= this.deadline {
                        return Poll::Ready(Some(Err(io::ErrorKind::TimedOut.into())));
                    }
                    // Trailers are not passed on: few who receive them merge them rightly (RFC 9110, section 6.5.1).
                    if let Ok(piece) = frame.into_data() {
                        return Poll::Ready(Some(Ok(piece)));
                    }
                }
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(io::Error::other(error)))),
                Poll::Ready(None) => {
                    if let Some(lease) = this.lease.take() {
                        lease.give_back();
                    }
                    return Poll::Ready(None);
                }
                Poll::Pending => return this.poll_given_up(cx).map(|error| Some(Err(error))),
            }
        }
    }
}
