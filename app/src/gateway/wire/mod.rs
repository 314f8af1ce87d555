//! The connection as actix sees it: strictly framed requests only, none slower than allowed.
//!
//! actix times the first head of a connection only, and answers what it cannot parse without a body. Here
//! every head has its time, a reader that does not read is let go, and every refusal is a problem document.

mod framing;
mod head;
mod link;
mod refusal;

pub(crate) use framing::{HeadLimits, Offers, Refused};
pub(crate) use link::Link;

use bytes::{Buf as _, Bytes, BytesMut};
use framing::Framing;
use std::{
    future::Future as _,
    io,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Sleep, sleep},
};

/// How long a refused client has to take its answer before the connection is cut.
const LINGER: Duration = Duration::from_secs(1);
/// How much longer than its handler a connection waits for a body.
const BODY_GRACE: Duration = Duration::from_secs(1);
/// How much is read at once of a head, and of anything else.
const HEAD_PIECE: usize = 4 << 10;
const PIECE: usize = 32 << 10;
/// How much is kept of what follows an offer to change the protocol.
const HELD: usize = 64 << 10;

/// What connections are held to.
pub(crate) struct Rules {
    pub(crate) limits: HeadLimits,
    /// From the first byte of a head, or from the connection, to the head's end.
    pub(crate) head_timeout: Duration,
    /// How long a body may take. The handler is told earlier and answers; this is for bodies that nobody reads.
    pub(crate) body_timeout: Duration,
    /// How long a client may read nothing while there is something to read.
    pub(crate) write_timeout: Duration,
    /// Which offers to change the protocol are passed on.
    pub(crate) offers: Offers,
    pub(crate) sources: bus::Sources,
}

type Timer = Option<Pin<Box<Sleep>>>;

/// A TCP connection that lets through what [`Framing`] lets through.
pub(crate) struct Connection {
    io: TcpStream,
    rules: Arc<Rules>,
    link: Link,
    framing: Framing,
    inbox: BytesMut,
    outbox: BytesMut,
    head_timer: Timer,
    body_timer: Timer,
    write_timer: Timer,
    /// Nothing more is read.
    ended: bool,
    /// An answer has said that the connection closes: no other may follow.
    closing: bool,
    refusal: Option<Bytes>,
    linger: Timer,
}

impl Connection {
    pub(crate) fn new(io: TcpStream, rules: Arc<Rules>) -> Self {
        let head_timer = Some(Box::pin(sleep(rules.head_timeout)));
        let framing = Framing::new(rules.limits, Some(Arc::clone(&rules.offers)));
        let (inbox, outbox) = (BytesMut::new(), BytesMut::new());
        Self {
            io,
            rules,
            link: Link::default(),
            framing,
            inbox,
            outbox,
            head_timer,
            body_timer: None,
            write_timer: None,
            ended: false,
            closing: false,
            refusal: None,
            linger: None,
        }
    }

    /// What the handlers of its requests know of it.
    pub(crate) fn link(&self) -> &Link {
        &self.link
    }

    /// The protocol that the client offers to change to.
    pub(crate) fn offered(&self) -> Option<&str> {
        self.framing.offered()
    }

    /// Changes the protocol: from here everything passes.
    pub(crate) fn open(&mut self) {
        self.framing.open();
        self.advance();
    }

    /// Ends the reading. actix answers what it has and closes; the refusal goes out then.
    fn refuse(&mut self, refused: Refused) {
        self.ended = true;
        if !self.closing {
            self.refusal = Some(refusal::answer(refused, &self.rules.sources));
        }
    }

    /// Checks what has arrived.
    fn advance(&mut self) {
        if let Err(refused) = self.framing.advance(&mut self.inbox, &mut self.outbox) {
            if self.framing.in_head() {
                self.refuse(refused);
            } else {
                // The request is being served: its handler sees a broken body and answers.
                self.ended = true;
            }
        }
        if !self.framing.in_head() || self.inbox.is_empty() {
            self.head_timer = None;
        } else if self.head_timer.is_none() {
            self.head_timer = Some(Box::pin(sleep(self.rules.head_timeout)));
        }
        if !self.framing.in_body() {
            self.body_timer = None;
        } else if self.body_timer.is_none() {
            self.body_timer = Some(Box::pin(sleep(self.rules.body_timeout + BODY_GRACE)));
        }
    }

    /// Whether the body's time is over, which a handler may have prolonged.
    fn body_is_late(&mut self, cx: &mut Context<'_>) -> bool {
        while let Some(timer) = &mut self.body_timer {
            if timer.as_mut().poll(cx).is_pending() {
                return false;
            }
            match self.link.body_until() {
                Some(until) if until + BODY_GRACE > timer.deadline() => {
                    timer.as_mut().reset(until + BODY_GRACE)
                }
                _ => return true,
            }
        }
        false
    }

    fn end(&mut self) {
        self.ended = true;
        self.link.leave();
    }
}

fn is_over(timer: &mut Timer, cx: &mut Context<'_>) -> bool {
    timer.as_mut().is_some_and(|timer| timer.as_mut().poll(cx).is_ready())
}

impl AsyncRead for Connection {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            if !this.outbox.is_empty() {
                let length = buf.remaining().min(this.outbox.len());
                buf.put_slice(&this.outbox[..length]);
                this.outbox.advance(length);
                return Poll::Ready(Ok(()));
            }
            if this.ended {
                return Poll::Ready(Ok(()));
            }
            let unwanted = this.closing && this.framing.in_body();
            if unwanted || this.body_is_late(cx) {
                // actix would take the rest of a chunked body for ever, though nobody wants it.
                this.ended = true;
                continue;
            }
            if is_over(&mut this.head_timer, cx) {
                this.head_timer = None;
                if this.inbox.is_empty() {
                    // Connected and said nothing: nothing to answer.
                    this.ended = true;
                } else {
                    this.refuse(Refused::TooSlow);
                }
                continue;
            }
            if this.framing.is_held() && this.inbox.len() >= HELD {
                // Whoever takes the offer, or refuses it, looks again.
                return Poll::Pending;
            }
            this.inbox.reserve(if this.framing.in_head() { HEAD_PIECE } else { PIECE });
            match ready!(pin!(this.io.read_buf(&mut this.inbox)).poll(cx)) {
                Ok(0) => this.end(),
                Ok(_) => this.advance(),
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        match Pin::new(&mut this.io).poll_write(cx, buf) {
            Poll::Ready(written) => {
                this.write_timer = None;
                this.closing |= says_close(buf);
                Poll::Ready(written)
            }
            Poll::Pending => {
                let timeout = this.rules.write_timeout;
                let timer = this.write_timer.get_or_insert_with(|| Box::pin(sleep(timeout)));
                ready!(timer.as_mut().poll(cx));
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.closing {
            this.refusal = None;
        }
        while let Some(answer) = this.refusal.as_mut().filter(|answer| !answer.is_empty()) {
            match Pin::new(&mut this.io).poll_write(cx, answer) {
                Poll::Ready(Ok(written)) => answer.advance(written),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    let timer = this.linger.get_or_insert_with(|| Box::pin(sleep(LINGER)));
                    ready!(timer.as_mut().poll(cx));
                    return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
                }
            }
        }
        ready!(Pin::new(&mut this.io).poll_shutdown(cx))?;
        if this.refusal.is_none() && !this.framing.in_body() {
            return Poll::Ready(Ok(()));
        }
        // Closing a socket with unread bytes resets it, and the client may never see its answer: take what
        // it still sends, for a moment.
        let timer = this.linger.get_or_insert_with(|| Box::pin(sleep(LINGER)));
        loop {
            if timer.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Ok(()));
            }
            this.inbox.clear();
            this.inbox.reserve(HEAD_PIECE);
            match ready!(pin!(this.io.read_buf(&mut this.inbox)).poll(cx)) {
                Ok(0) | Err(_) => return Poll::Ready(Ok(())),
                Ok(_) => {}
            }
        }
    }
}

/// Whether these bytes begin with an answer that closes the connection. actix writes that header near the top.
fn says_close(buf: &[u8]) -> bool {
    const CLOSE: &[u8] = b"connection: close";
    buf.starts_with(b"HTTP/1.")
        && buf[..buf.len().min(256)].windows(CLOSE.len()).any(|window| window.eq_ignore_ascii_case(CLOSE))
}
