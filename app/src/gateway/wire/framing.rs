//! Where one request ends and the next begins, strictly by RFC 9112: what two readers could read in two ways
//! is refused, so that nothing can be smuggled past this one.
//!
//! actix's parser takes bare line feeds and other old spellings, and answers what it refuses without a body.
//! This one stands before it and lets through only what both read alike.

use super::head;
use bytes::{Buf as _, BytesMut};

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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Announced {
    pub(crate) body: Body,
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
    /// The client said that it sends no more.
    Done,
}

/// The state of one connection's requests.
#[derive(Debug)]
pub(crate) struct Framing {
    limits: HeadLimits,
    state: State,
    last: bool,
    /// How much of an unfinished head has been looked at.
    scanned: usize,
    first_line_ended: bool,
}

impl Framing {
    pub(crate) fn new(limits: HeadLimits) -> Self {
        Self { limits, state: State::Head, last: false, scanned: 0, first_line_ended: false }
    }

    /// Whether a head is what comes next or is coming.
    pub(crate) fn in_head(&self) -> bool {
        self.state == State::Head
    }

    /// Whether a body has begun and not ended.
    pub(crate) fn in_body(&self) -> bool {
        !matches!(self.state, State::Head | State::Done)
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
        let announced = head::check(&bytes, &self.limits, outbox)?;
        self.last = announced.last;
        self.state = match announced.body {
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
mod tests {
    use super::*;

    const LIMITS: HeadLimits = HeadLimits { head: 1024, target: 256, headers: 8 };

    /// What is let through, fed in pieces of `step` bytes.
    fn feed(text: &[u8], step: usize) -> Result<Vec<u8>, Refused> {
        let mut framing = Framing::new(LIMITS);
        let (mut inbox, mut outbox) = (BytesMut::new(), BytesMut::new());
        for piece in text.chunks(step) {
            inbox.extend_from_slice(piece);
            framing.advance(&mut inbox, &mut outbox)?;
        }
        Ok(outbox.to_vec())
    }

    fn same_in_any_pieces(text: &[u8]) -> Result<Vec<u8>, Refused> {
        let whole = feed(text, text.len());
        for step in [1, 2, 3, 7] {
            assert_eq!(feed(text, step), whole, "{}", String::from_utf8_lossy(text));
        }
        whole
    }

    /// Section 5.9: what is well formed passes unchanged, however it arrives.
    #[test]
    fn well_formed_requests_pass_unchanged() {
        for text in [
            "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /a?b=c%20d HTTP/1.1\r\nhost:a:80\r\nX: \t y \r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab\ncdGET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n3;x=y\r\na\nb\r\n00\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET http://a/x HTTP/1.1\r\nHost: a\r\n\r\n",
            "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.0\r\n\r\n",
        ] {
            assert_eq!(same_in_any_pieces(text.as_bytes()).expect("passes"), text.as_bytes());
        }
        assert_eq!(
            same_in_any_pieces(b"\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n").expect("passes"),
            b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
        );
    }

    /// Section 5.9: the smuggling table.
    #[test]
    fn what_can_be_read_in_two_ways_is_refused() {
        let head = |lines: &str| format!("POST / HTTP/1.1\r\nHost: a\r\n{lines}\r\n\r\n");
        let chunks = |text: &str| head("Transfer-Encoding: chunked") + text;
        for text in [
            head("Content-Length: 5\r\nTransfer-Encoding: chunked"),
            head("Transfer-Encoding: chunked\r\nContent-Length: 5"),
            head("Content-Length: 5\r\nContent-Length: 5"),
            head("Content-Length: 5\r\nContent-Length: 6"),
            head("Content-Length: +5"),
            head("Content-Length:  5"),
            head("Content-Length: 5,5"),
            head("Content-Length: 0x5"),
            head("Content-Length: -1"),
            head("Content-Length: 18446744073709551616"),
            head("Content-Length: "),
            head("Content-Length : 5"),
            head("Transfer-Encoding: chunked, identity"),
            head("Transfer-Encoding: identity"),
            head("Transfer-Encoding: xchunked"),
            head("Transfer-Encoding: chunked\t"),
            head("Transfer-Encoding : chunked"),
            head("Transfer-Encoding: \x0bchunked"),
            head("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"),
            head("X: a\r\n folded"),
            head("X: a\0b"),
            head("X: a\rb"),
            head("X: a\x7f"),
            head("no colon"),
            head(": no name"),
            head("Host: b"),
            "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n".into(),
            "POST / HTTP/1.0\r\n\r\n".into(),
            "GET / HTTP/1.1\r\n\r\n".into(),
            "GET / HTTP/1.1\nHost: a\n\n".into(),
            "GET / HTTP/1.1\r\nHost: a\n\r\n".into(),
            "GET  / HTTP/1.1\r\nHost: a\r\n\r\n".into(),
            "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n".into(),
            "GET /\u{e9} HTTP/1.1\r\nHost: a\r\n\r\n".into(),
            "GET /#x HTTP/1.1\r\nHost: a\r\n\r\n".into(),
            "GET / HTTP/2.0\r\nHost: a\r\n\r\n".into(),
            "GET / http/1.1\r\nHost: a\r\n\r\n".into(),
            "GET /\r\n\r\n".into(),
            "G@T / HTTP/1.1\r\nHost: a\r\n\r\n".into(),
            "GET http://internal/ HTTP/1.1\r\nHost: a\r\n\r\n".into(),
            "GET * HTTP/1.1\r\nHost: a\r\n\r\n".into(),
            "\x16\x03\x01\x02\0".into(),
            chunks("0x5\r\nabcde\r\n0\r\n\r\n"),
            chunks("5;ext\nabcde\r\n0\r\n\r\n"),
            chunks("5\nabcde\r\n0\r\n\r\n"),
            chunks(" 5\r\nabcde\r\n0\r\n\r\n"),
            chunks("5 \r\nabcde\r\n0\r\n\r\n"),
            chunks("-5\r\nabcde\r\n0\r\n\r\n"),
            chunks("\r\nabcde\r\n0\r\n\r\n"),
            chunks("ffffffffffffffff\r\n"),
            chunks("5\r\nabcdef\r\n0\r\n\r\n"),
            chunks("5\r\nabcde0\r\n\r\n"),
            chunks("0\r\nX: trailer\r\n\r\n"),
            chunks("0\r\n\n"),
        ] {
            let refused = same_in_any_pieces(text.as_bytes()).expect_err(&text);
            assert!(matches!(refused, Refused::Malformed(_)), "{refused:?} {text}");
        }
        let connect = b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n";
        assert_eq!(same_in_any_pieces(connect), Err(Refused::Method));
    }

    /// Section 5.9: limits, also where the end never comes.
    #[test]
    fn a_head_has_limits() {
        let long = "a".repeat(2000);
        let many = "X: y\r\n".repeat(9);
        for (text, refused) in [
            (format!("GET /{long}"), Refused::TargetTooLong),
            (format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", &long[..257]), Refused::TargetTooLong),
            (format!("GET / HTTP/1.1\r\nHost: a\r\nX: {long}"), Refused::HeadTooLarge),
            (format!("GET / HTTP/1.1\r\nHost: a\r\n{many}\r\n"), Refused::HeadTooLarge),
        ] {
            assert_eq!(same_in_any_pieces(text.as_bytes()), Err(refused), "{}", &text[..20]);
        }
    }

    /// Section 5.9: an upgrade is not taken up, so it is not passed on (RFC 9110, section 7.8).
    #[test]
    fn an_upgrade_is_ignored() {
        let text = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAA\r\nX: y\r\n\r\n";
        let passed = same_in_any_pieces(text).expect("passes");
        assert_eq!(passed, b"GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n");
        let text = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close, upgrade\r\nUpgrade: websocket\r\n\r\n";
        let passed = same_in_any_pieces(text).expect("passes");
        assert_eq!(passed, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    }

    /// Section 5.9: behind a request that closes the connection nothing is a request.
    #[test]
    fn nothing_follows_the_last_request() {
        let text = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
        let passed = same_in_any_pieces(text).expect("passes");
        assert!(!String::from_utf8_lossy(&passed).contains("smuggled"));
    }
}
