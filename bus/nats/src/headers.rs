//! The bus's headers as a NATS header, and answers as messages.
//!
//! A NATS header is a line of text. All of the bus's share one, as `name=value` joined by `&`: each line more is parsed
//! and hashed at either end, and no name of ours is ever taken for one that the broker obeys. What would not survive in
//! a line is percent-encoded (RFC 3986).

use async_nats::{HeaderMap, HeaderName, Message, StatusCode, header::HeaderValue, message::OutboundMessage};
use bus::{BusError, Headers};
use bytes::Bytes;
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

const BUS: HeaderName = HeaderName::from_static("Bus");

/// What ends a line or is trimmed from its ends, and the signs of the encoding itself.
const UNSAFE: &AsciiSet = &CONTROLS.add(b' ').add(b'%').add(b'&').add(b'=');

/// Says what kind of answer a message is: absent, the bytes that were asked for.
const ANSWER: HeaderName = HeaderName::from_static("Answer");
const ERROR: &str = "error";
const RUNNING: &str = "running";

/// Where the receipts for a batch of events are waited for.
const RECEIPTS_TO: HeaderName = HeaderName::from_static("Receipts-To");

/// The headers of a call or a batch.
pub(crate) fn write(headers: &Headers) -> HeaderMap {
    let mut line = String::with_capacity(128);
    for (name, value) in headers {
        if !line.is_empty() {
            line.push('&');
        }
        line.extend(utf8_percent_encode(name, UNSAFE));
        line.push('=');
        line.extend(utf8_percent_encode(value, UNSAFE));
    }
    let mut map = HeaderMap::new();
    if !line.is_empty() {
        map.insert(BUS, HeaderValue::from(line));
    }
    map
}

/// The bus's headers of a message. What cannot be read is left out.
pub(crate) fn read(map: Option<&HeaderMap>) -> Headers {
    let line = map.and_then(|map| map.get(BUS)).map_or("", HeaderValue::as_str);
    let header =
        |part: &str| part.split_once('=').and_then(|(name, value)| Some((text(name)?, text(value)?)));
    // Collected, even these few would be put into a list and sorted first.
    let mut headers = Headers::new();
    for (name, value) in line.split('&').filter_map(header) {
        headers.insert(name, value);
    }
    headers
}

fn text(encoded: &str) -> Option<String> {
    Some(percent_decode_str(encoded).decode_utf8().ok()?.into_owned())
}

/// How long the headers of a message are.
pub(crate) fn length(map: Option<&HeaderMap>) -> usize {
    let line = |name: &HeaderName, value: &HeaderValue| {
        let name: &str = name.as_ref();
        name.len() + value.as_str().len() + ": \r\n".len()
    };
    let lines = |map: &HeaderMap| -> usize {
        map.iter().flat_map(|(name, values)| values.iter().map(move |value| line(name, value))).sum()
    };
    map.filter(|map| !map.is_empty()).map_or(0, |map| "NATS/1.0\r\n\r\n".len() + lines(map))
}

/// Adds where the receipts are waited for. The same text is the broker's id of the message: each sending has its own,
/// since a repeated one is acknowledged and never delivered.
pub(crate) fn add_receipts_to(map: &mut HeaderMap, reply: &str) {
    map.insert(RECEIPTS_TO, reply);
    map.insert(async_nats::header::NATS_MESSAGE_ID, reply);
}

pub(crate) fn receipts_to(map: Option<&HeaderMap>) -> Option<&str> {
    Some(map?.get(RECEIPTS_TO)?.as_str())
}

/// An answer as it is sent to this subject.
pub(crate) fn write_answer(reply: &str, answer: Result<Bytes, BusError>) -> OutboundMessage {
    let (headers, payload) = match answer {
        Ok(bytes) => (None, bytes),
        Err(error) => (Some(ERROR), serde_json::to_vec(&error).map(Bytes::from).unwrap_or_default()),
    };
    OutboundMessage { subject: reply.into(), reply: None, payload, headers: headers.map(kind_of_answer) }
}

/// Says that a call is being worked on.
pub(crate) fn write_running(reply: &str) -> OutboundMessage {
    let headers = Some(kind_of_answer(RUNNING));
    OutboundMessage { subject: reply.into(), reply: None, payload: Bytes::new(), headers }
}

fn kind_of_answer(kind: &str) -> HeaderMap {
    HeaderMap::from_iter([(ANSWER, HeaderValue::from(kind))])
}

/// An answer as it came, to the request of this name.
pub(crate) fn read_answer(message: Message, name: &str) -> Result<Bytes, BusError> {
    if is_from_nobody(&message) {
        return Err(crate::connection::unheard(name));
    }
    if kind(&message) != Some(ERROR) {
        return Ok(message.payload);
    }
    Err(serde_json::from_slice(&message.payload).unwrap_or_else(|error| {
        tracing::error!(name, %error, "an error could not be decoded");
        BusError::Codec { name: name.to_owned() }
    }))
}

pub(crate) fn is_running(message: &Message) -> bool {
    kind(message) == Some(RUNNING)
}

/// The broker's own answer where nobody listens.
pub(crate) fn is_from_nobody(message: &Message) -> bool {
    message.status == Some(StatusCode::NO_RESPONDERS)
}

fn kind(message: &Message) -> Option<&str> {
    Some(message.headers.as_ref()?.get(ANSWER)?.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_any_text_survive() {
        let sent = Headers::from(
            [
                ("caller", r#"{"name":"zażółć 🦀","quote":"\""}"#),
                ("line: break\r\n", "one\r\nPUB shop.call.payments.refund 0\r\n\ttwo\u{0}\u{7f}"),
                ("Nats-Msg-Id", " spaces around, 100% and %41 "),
                ("empty", ""),
                ("", "of no name"),
                ("a=b&c", "d=e&f"),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned())),
        );
        let map = write(&sent);
        assert_eq!(map.get(async_nats::header::NATS_MESSAGE_ID), None, "the broker would obey it");
        assert_eq!(read(Some(&map)), sent);
        for (name, values) in map.iter() {
            let line = format!("{name}: {}", values[0]);
            assert!(line.bytes().all(|byte| (b' '..0x7f).contains(&byte)), "{line:?}");
            assert_eq!(length(Some(&map)), line.len() + "NATS/1.0\r\n\r\n\r\n".len());
        }
        assert_eq!((read(Some(&write(&Headers::new()))), length(None)), (Headers::new(), 0));
    }

    #[test]
    fn what_is_no_header_of_ours_is_left_out() {
        for line in ["", "&", "attempt", "attempt=%ff", "%ff=1", "&&=%%%ff&"] {
            let map =
                HeaderMap::from_iter([(BUS, HeaderValue::from(line)), (ANSWER, HeaderValue::from("x"))]);
            assert_eq!(read(Some(&map)), Headers::new(), "{line}");
        }
        assert_eq!(read(None), Headers::new());
    }
}
