//! The head of one request: its line and its headers, each in its one allowed spelling.

use super::framing::{Announced, Body, HeadLimits, Offers, Refused};
use actix_web::http::Uri;
use bytes::BytesMut;

/// Judges a complete head and passes it on, without the offers to change the protocol that nobody wants.
pub(crate) fn check(
    bytes: &[u8],
    limits: &HeadLimits,
    offers: Option<&Offers>,
    outbox: &mut BytesMut,
) -> Result<Announced, Refused> {
    let mut lines = Lines(bytes);
    let line = lines.next().ok_or(Refused::Malformed("no request line"))?;
    let request = request_line(line, limits)?;
    let mut seen = Seen::default();
    let mut count = 0;
    for line in lines {
        count += 1;
        if count > limits.headers {
            return Err(Refused::HeadTooLarge);
        }
        let (name, value) = header(line)?;
        seen.header(name, value, request.http_10)?;
    }
    request.check_host(seen.host)?;
    let body = match (seen.chunked, seen.length) {
        (true, Some(_)) => return Err(Refused::Malformed("both a length and a transfer encoding")),
        (true, None) => Body::Chunked,
        (false, Some(0)) => Body::None,
        (false, Some(length)) => Body::Length(length),
        (false, None) if request.http_10 && request.method == b"POST" => {
            return Err(Refused::Malformed("a body without a length"));
        }
        (false, None) => Body::None,
    };
    let last = seen.close || (request.http_10 && !seen.keep_alive);
    let plain = !last && body == Body::None && request.method == b"GET" && !request.http_10;
    let upgrade = seen
        .offer()
        .filter(|protocol| plain && offers.is_some_and(|offers| offers(request.uri.path(), protocol)));
    if seen.upgrade {
        without_upgrade(bytes, upgrade.is_some(), outbox);
    } else {
        outbox.extend_from_slice(bytes);
    }
    Ok(Announced { body, last, upgrade })
}

/// The lines of a head whose line ends are known to be CRLF.
struct Lines<'a>(&'a [u8]);

impl<'a> Iterator for Lines<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let end = self.0.iter().position(|byte| *byte == b'\r')?;
        let (line, rest) = self.0.split_at(end);
        self.0 = rest.get(2..).unwrap_or_default();
        (!line.is_empty()).then_some(line)
    }
}

struct RequestLine<'a> {
    method: &'a [u8],
    http_10: bool,
    uri: Uri,
    /// Of an absolute-form target.
    authority: Option<String>,
}

fn request_line<'a>(line: &'a [u8], limits: &HeadLimits) -> Result<RequestLine<'a>, Refused> {
    let bad = Refused::Malformed("the request line");
    let mut parts = line.split(|byte| *byte == b' ');
    let (Some(method), Some(target), Some(version), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(bad);
    };
    if !(1..=32).contains(&method.len()) || !method.iter().all(|byte| is_token(*byte)) {
        return Err(bad);
    }
    let http_10 = match version {
        b"HTTP/1.1" => false,
        b"HTTP/1.0" => true,
        _ => return Err(bad),
    };
    if target.len() > limits.target {
        return Err(Refused::TargetTooLong);
    }
    if method == b"CONNECT" {
        return Err(Refused::Method);
    }
    if target.iter().any(|byte| !byte.is_ascii_graphic() || *byte == b'#') {
        return Err(bad);
    }
    let uri = Uri::try_from(target).map_err(|_| bad)?;
    let authority = match target {
        [b'/', ..] => None,
        b"*" if method == b"OPTIONS" => None,
        _ if uri.scheme().is_some() => uri.authority().map(ToString::to_string),
        _ => return Err(bad),
    };
    Ok(RequestLine { method, http_10, uri, authority })
}

impl RequestLine<'_> {
    fn check_host(&self, host: Option<&[u8]>) -> Result<(), Refused> {
        match (host, &self.authority) {
            (None, _) if !self.http_10 => Err(Refused::Malformed("no Host")),
            (Some(host), Some(authority)) if !host.eq_ignore_ascii_case(authority.as_bytes()) => {
                Err(Refused::Malformed("a Host that is not the target's"))
            }
            (None, Some(_)) => Err(Refused::Malformed("no Host")),
            _ => Ok(()),
        }
    }
}

/// What the headers said that decides the framing.
#[derive(Default)]
struct Seen<'a> {
    host: Option<&'a [u8]>,
    length: Option<u64>,
    chunked: bool,
    close: bool,
    keep_alive: bool,
    /// Something about a change of protocol was said.
    upgrade: bool,
    /// Connection names it, without which it is no offer.
    connection_upgrade: bool,
    protocol: Option<&'a [u8]>,
    protocols: usize,
}

impl<'a> Seen<'a> {
    fn header(&mut self, name: &[u8], value: &'a [u8], http_10: bool) -> Result<(), Refused> {
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        if is("host") {
            let value = value.trim_ascii();
            let plain =
                |byte: &u8| byte.is_ascii_graphic() && !matches!(byte, b',' | b'/' | b'@' | b'#' | b'?');
            if self.host.is_some() || !value.iter().all(plain) {
                return Err(Refused::Malformed("Host"));
            }
            self.host = Some(value);
        } else if is("content-length") {
            let length = length(framing_value(value)).ok_or(Refused::Malformed("Content-Length"))?;
            if self.length.replace(length).is_some() {
                return Err(Refused::Malformed("two Content-Lengths"));
            }
        } else if is("transfer-encoding") {
            if self.chunked || http_10 || !framing_value(value).eq_ignore_ascii_case(b"chunked") {
                return Err(Refused::Malformed("Transfer-Encoding"));
            }
            self.chunked = true;
        } else if is("connection") {
            for option in value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
                self.close |= option.eq_ignore_ascii_case(b"close");
                self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
                self.connection_upgrade |= option.eq_ignore_ascii_case(b"upgrade");
            }
            self.upgrade |= self.connection_upgrade;
        } else if is("upgrade") {
            self.upgrade = true;
            self.protocol = Some(value.trim_ascii());
            self.protocols += 1;
        }
        Ok(())
    }

    /// The one protocol that is offered, in small letters. Of several, nobody could tell which was taken.
    fn offer(&self) -> Option<String> {
        let protocol = self.protocol.filter(|_| self.connection_upgrade && self.protocols == 1)?;
        let sound = !protocol.is_empty() && protocol.iter().all(|byte| is_token(*byte) || *byte == b'/');
        sound.then(|| String::from_utf8_lossy(protocol).to_ascii_lowercase())
    }
}

fn header(line: &[u8]) -> Result<(&[u8], &[u8]), Refused> {
    let bad = Refused::Malformed("a header");
    // A line that begins with white space would be a fold: its name is no token.
    let colon = line.iter().position(|byte| *byte == b':').ok_or(bad)?;
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    let control = |byte: &u8| (*byte < b' ' && *byte != b'\t') || *byte == 0x7f;
    if name.is_empty() || !name.iter().all(|byte| is_token(*byte)) || value.iter().any(control) {
        return Err(bad);
    }
    Ok((name, value))
}

/// The value of a header that decides the framing: at most one space before it, nothing behind.
fn framing_value(value: &[u8]) -> &[u8] {
    value.strip_prefix(b" ").unwrap_or(value)
}

fn length(value: &[u8]) -> Option<u64> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(value).ok()?.parse().ok()
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Passes a head on without its offer to change the protocol, or with the one under which actix hands over the
/// connection: it does that for `websocket` alone.
fn without_upgrade(bytes: &[u8], offered: bool, outbox: &mut BytesMut) {
    let mut options: Vec<&[u8]> = if offered { vec![b"upgrade"] } else { Vec::new() };
    for (i, line) in Lines(bytes).enumerate() {
        let colon = line.iter().position(|byte| *byte == b':').unwrap_or(0);
        let name = if i == 0 { &[][..] } else { &line[..colon] };
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        if is("upgrade") || is("http2-settings") {
            continue;
        }
        if is("connection") {
            let keeps = |option: &&[u8]| {
                !option.eq_ignore_ascii_case(b"upgrade") && !option.eq_ignore_ascii_case(b"http2-settings")
            };
            let named = line[colon + 1..].split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
            options.extend(named.filter(keeps));
            continue;
        }
        outbox.extend_from_slice(line);
        outbox.extend_from_slice(b"\r\n");
    }
    if !options.is_empty() {
        outbox.extend_from_slice(b"Connection: ");
        outbox.extend_from_slice(&options.join(&b", "[..]));
        outbox.extend_from_slice(b"\r\n");
    }
    outbox.extend_from_slice(if offered { b"Upgrade: websocket\r\n\r\n" } else { b"\r\n" });
}
