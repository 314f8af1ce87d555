//! Where one request ends and the next begins, strictly by RFC 9112: what two readers could read in two ways
//! is refused, so that nothing can be smuggled past this one.
//!
//! actix's parser takes bare line feeds and other old spellings, and answers what it refuses without a body.
//! This one stands before it and lets through only what both read alike.

use super::head;
use bytes::{Buf as _, BytesMut};
use std::sync::Arc;

/// How large a request's head may be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HeadLimits {
    /// Bytes of the whole head.
    pub(crate) head: usize,
    /// Bytes of the request's target.
    pub(crate) target: usize,
    /// Header lines.
    pub(crate) headers: usize,
}

/// Says whether an offer to change the protocol is passed on: for the path of a target, to this protocol.
pub(crate) type Offers = Arc<dyn Fn(&str, &str) -> bool + Send + Sync>;

/// Why a connection is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    Malformed(&'static str),
    HeadTooLarge,
    TargetTooLong,
    /// CONNECT: there is nothing to tunnel to.
    Method,
    /// The head did not arrive in time.
    TooSlow,
}

/// What a head says about what follows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Announced {
    pub(crate) body: Body,
    /// The protocol that is offered, where the offer has been passed on.
    pub(crate) upgrade: Option<String>,
    /// Whether the connection ends with this request.
    pub(crate) last: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Body {
    None,
    Length(u64),
    Chunked,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Head,
    Length(u64),
    /// The digits of a chunk's size so far.
    Size {
        digits: u8,
        size: u64,
    },
    Extension {
        length: u16,
        size: u64,
    },
    SizeLf {
        size: u64,
    },
    Data {
        left: u64,
    },
    DataCr,
    DataLf,
    EndCr,
    EndLf,
    /// Behind an offer to change the protocol nothing is passed on before the offer is taken: it could be read as
    /// a request by whoever does not take it.
    Held,
    /// Another protocol is spoken.
    Tunnel,
    /// The client said that it sends no more.
    Done,
}

/// The state of one connection's requests.
pub(crate) struct Framing {
    limits: HeadLimits,
    offers: Option<Offers>,
    state: State,
    last: bool,
    upgrade: Option<String>,
    /// How much of an unfinished head has been looked at.
    scanned: usize,
    first_line_ended: bool,
}

impl Framing {
    pub(crate) fn new(limits: HeadLimits, offers: Option<Offers>) -> Self {
        Self {
            limits,
            offers,
            state: State::Head,
            last: false,
            upgrade: None,
            scanned: 0,
            first_line_ended: false,
        }
    }

    /// Whether a head is what comes next or is coming.
    pub(crate) fn in_head(&self) -> bool {
        self.state == State::Head
    }

    /// Whether a body has begun and not ended.
    pub(crate) fn in_body(&self) -> bool {
        !matches!(self.state, State::Head | State::Held | State::Tunnel | State::Done)
    }

    /// Whether what follows waits for an offer to be taken.
    pub(crate) fn is_held(&self) -> bool {
        self.state == State::Held
    }

    /// The protocol that was offered last.
    pub(crate) fn offered(&self) -> Option<&str> {
        self.upgrade.as_deref()
    }

    /// From here another protocol is spoken, of which nothing is checked.
    pub(crate) fn open(&mut self) {
        self.state = State::Tunnel;
    }

    /// Moves what has been checked from `inbox` to `outbox`; what is left in `inbox` is an unfinished head.
    pub(crate) fn advance(&mut self, inbox: &mut BytesMut, outbox: &mut BytesMut) -> Result<(), Refused> {
        while !inbox.is_empty() {
            match self.state {
                State::Head => {
                    if !self.head(inbox, outbox)? {
                        return Ok(());
                    }
                }
                State::Length(left) => {
                    let left = pass(left, inbox, outbox);
                    self.state = if left == 0 { self.next() } else { State::Length(left) };
                }
                State::Data { left } => {
                    let left = pass(left, inbox, outbox);
                    self.state = if left == 0 { State::DataCr } else { State::Data { left } };
                }
                State::Held => return Ok(()),
                State::Tunnel => {
                    pass(u64::MAX, inbox, outbox);
                }
                State::Done => inbox.clear(),
                _ => {
                    let byte = inbox.get_u8();
                    self.state = self.chunked(byte)?;
                    outbox.extend_from_slice(&[byte]);
                }
            }
        }
        Ok(())
    }

    /// What follows a message.
    fn next(&self) -> State {
        if self.last { State::Done } else { State::Head }
    }

    /// One byte of a chunked body's framing.
    fn chunked(&self, byte: u8) -> Result<State, Refused> {
        let bad = Err(Refused::Malformed("chunked body"));
        match (self.state, byte) {
            (State::Size { digits, size }, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') if digits < 15 => {
                let digit = char::from(byte).to_digit(16).unwrap_or(0);
                Ok(State::Size { digits: digits + 1, size: size * 16 + u64::from(digit) })
            }
            (State::Size { digits: 1.., size }, b'\r') => Ok(State::SizeLf { size }),
            (State::Size { digits: 1.., size }, b';') => Ok(State::Extension { length: 0, size }),
            (State::Extension { size, .. }, b'\r') => Ok(State::SizeLf { size }),
            (State::Extension { length: 0..256, size }, b'\t' | b' '..=b'~') => {
                let State::Extension { length, .. } = self.state else { return bad };
                Ok(State::Extension { length: length + 1, size })
            }
            (State::SizeLf { size: 0 }, b'\n') => Ok(State::EndCr),
            (State::SizeLf { size }, b'\n') => Ok(State::Data { left: size }),
            (State::DataCr, b'\r') => Ok(State::DataLf),
            (State::DataLf, b'\n') => Ok(State::Size { digits: 0, size: 0 }),
            // Trailers are not taken: nothing here reads them, and readers differ on them.
            (State::EndCr, b'\r') => Ok(State::EndLf),
            (State::EndLf, b'\n') => Ok(self.next()),
            _ => bad,
        }
    }

    /// Looks for the end of a head and judges it there; `false` where there is more to come.
    fn head(&mut self, inbox: &mut BytesMut, outbox: &mut BytesMut) -> Result<bool, Refused> {
        if self.scanned == 0 {
            // RFC 9112, section 2.2: empty lines before a request line are skipped.
            while inbox.starts_with(b"\r\n") {
                inbox.advance(2);
            }
            if inbox.len() < 2 {
                return Ok(false);
            }
        }
        let mut end = None;
        for i in self.scanned..inbox.len() {
            let before = if i == 0 { 0 } else { inbox[i - 1] };
            match inbox[i] {
                b'\n' if before != b'\r' => return Err(Refused::Malformed("a bare line feed")),
                b'\n' => {
                    self.first_line_ended = true;
                    if i >= 3 && inbox[i - 3..i] == *b"\r\n\r" {
                        end = Some(i + 1);
                        break;
                    }
                }
                _ if before == b'\r' => return Err(Refused::Malformed("a bare carriage return")),
                0 => return Err(Refused::Malformed("a NUL")),
                _ => {}
            }
        }
        let length = end.unwrap_or(inbox.len());
        if !self.first_line_ended && length > self.limits.target + 64 {
            return Err(Refused::TargetTooLong);
        }
        if length > self.limits.head {
            return Err(Refused::HeadTooLarge);
        }
        let Some(end) = end else {
            self.scanned = inbox.len();
            return Ok(false);
        };
        let bytes = inbox.split_to(end);
        (self.scanned, self.first_line_ended) = (0, false);
        let announced = head::check(&bytes, &self.limits, self.offers.as_ref(), outbox)?;
        self.last = announced.last;
        self.upgrade = announced.upgrade;
        self.state = match announced.body {
            Body::None if self.upgrade.is_some() => State::Held,
            Body::None => self.next(),
            Body::Length(length) => State::Length(length),
            Body::Chunked => State::Size { digits: 0, size: 0 },
        };
        Ok(true)
    }
}

/// Moves up to `left` bytes; how many are left then.
fn pass(left: u64, inbox: &mut BytesMut, outbox: &mut BytesMut) -> u64 {
    let here = usize::try_from(left).unwrap_or(usize::MAX).min(inbox.len());
    if outbox.is_empty() && here == inbox.len() {
        std::mem::swap(inbox, outbox);
    } else {
        outbox.extend_from_slice(&inbox[..here]);
        inbox.advance(here);
    }
    left - here as u64
}

#[cfg(test)]
mod tests;
