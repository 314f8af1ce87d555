//! A request's body on its way to the upstream: piece by piece, as the upstream takes it, and not more than it may be.

use actix_web::{
    dev::Payload,
    http::header::{self, HeaderMap},
};
use bytes::Bytes;
use futures::Stream as _;
use hyper::body::{Body, Frame, SizeHint};
use std::{
    cell::Cell,
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
};
use tokio::time::Instant;

/// How long a body says that it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Length {
    None,
    Known(u64),
    Unknown,
}

impl Length {
    /// As the request's head says, which has been checked to say it once.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        if headers.contains_key(header::TRANSFER_ENCODING) {
            return Self::Unknown;
        }
        let length = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        length.filter(|length| *length > 0).map_or(Self::None, Self::Known)
    }
}

/// Where a body stands, for whoever waits for the answer.
#[derive(Debug)]
pub(crate) struct Progress {
    state: Cell<State>,
    moved: Cell<Instant>,
    most: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// The client has to send more.
    WaitsForClient,
    /// The upstream has to take more.
    WaitsForUpstream,
    Done,
    TooLarge,
    Broken,
}

impl Progress {
    pub(crate) fn state(&self) -> State {
        self.state.get()
    }

    /// When a piece was taken last.
    pub(crate) fn moved(&self) -> Instant {
        self.moved.get()
    }
}

/// The body.
pub(crate) struct Upload {
    payload: Option<Payload>,
    length: Length,
    taken: u64,
    progress: Rc<Progress>,
}

impl Upload {
    pub(crate) fn new(payload: Payload, length: Length, most: u64) -> (Self, Rc<Progress>) {
        let (payload, state) = match length {
            Length::None => (None, State::Done),
            _ => (Some(payload), State::WaitsForUpstream),
        };
        let progress = Rc::new(Progress { state: Cell::new(state), moved: Cell::new(Instant::now()), most });
        (Self { payload, length, taken: 0, progress: Rc::clone(&progress) }, progress)
    }

    /// A request without a body.
    pub(crate) fn none() -> Self {
        Self::new(Payload::None, Length::None, 0).0
    }

    fn end(&mut self, state: State) {
        self.payload = None;
        self.progress.state.set(state);
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let this = &mut *self;
        let Some(payload) = &mut this.payload else { return Poll::Ready(None) };
        match Pin::new(payload).poll_next(cx) {
            Poll::Pending => {
                this.progress.state.set(State::WaitsForClient);
                Poll::Pending
            }
            Poll::Ready(Some(Ok(piece))) => {
                this.taken += piece.len() as u64;
                this.progress.moved.set(Instant::now());
                this.progress.state.set(State::WaitsForUpstream);
                if this.taken > this.progress.most {
                    this.end(State::TooLarge);
                    return Poll::Ready(Some(Err(io::ErrorKind::FileTooLarge.into())));
                }
                Poll::Ready(Some(Ok(Frame::data(piece))))
            }
            Poll::Ready(Some(Err(error))) => {
                this.end(State::Broken);
                Poll::Ready(Some(Err(io::Error::other(error))))
            }
            Poll::Ready(None) => {
                this.end(State::Done);
                Poll::Ready(None)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.length == Length::None
    }

    fn size_hint(&self) -> SizeHint {
        match self.length {
            Length::None => SizeHint::with_exact(0),
            Length::Known(length) => SizeHint::with_exact(length.saturating_sub(self.taken)),
            Length::Unknown => SizeHint::default(),
        }
    }
}
