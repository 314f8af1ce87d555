//! The bus's headers as NATS headers, and answers as messages.
//!
//! A NATS header is a line of text. Names and values that would not survive that are percent-encoded (RFC 3986), and
//! the names have a prefix, so that no header of ours is ever taken for one that the broker obeys.

use async_nats::{HeaderMap, HeaderName, Message, StatusCode, header::HeaderValue};
use bus::{BusError, Headers};
use bytes::Bytes;
use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

const PREFIX: &str = "Bus-";

/// In a value: what ends a line, what readers trim, and the sign of the encoding itself.
const VALUE: &AsciiSet = &CONTROLS.add(b' ').add(b'%');

/// In a name: all but what names consist of.
const NAME: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

/// Says what kind of answer a message is: absent, the bytes that were asked for.
const ANSWER: HeaderName = HeaderName::from_static("Answer");
const ERROR: &str = "error";
const RUNNING: &str = "running";

/// Where the receipts for a batch of events are waited for.
const RECEIPTS_TO: HeaderName = HeaderName::from_static("Receipts-To");

/// The headers of a call or a batch.
pub(crate) fn write(headers: &Headers) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let name = format!("{PREFIX}{}", utf8_percent_encode(name, NAME));
        let value = utf8_percent_encode(value, VALUE).to_string();
        if let Ok(name) = HeaderName::try_from(name) {
            map.insert(name, HeaderValue::from(value));
        }
    }
    map
}

/// The bus's headers of a message. What is not one, or cannot be read, is left out.
pub(crate) fn read(map: Option<&HeaderMap>) -> Headers {
    let mut headers = Headers::new();
    for (name, values) in map.into_iter().flat_map(HeaderMap::iter) {
        let name: &str = name.as_ref();
        let (Some(name), Some(value)) = (name.strip_prefix(PREFIX), values.first()) else { continue };
        let text = |encoded| percent_decode_str(encoded).decode_utf8().ok().map(String::from);
        if let (Some(name), Some(value)) = (text(name), text(value.as_str())) {
            headers.insert(name, value);
        }
    }
    headers
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

/// An answer as it is sent.
pub(crate) fn write_answer(answer: Result<Bytes, BusError>) -> (Option<HeaderMap>, Bytes) {
    let error = match answer {
        Ok(bytes) => return (None, bytes),
        Err(error) => error,
    };
    let bytes = serde_json::to_vec(&error).map(Bytes::from).unwrap_or_default();
    (Some(HeaderMap::from_iter([(ANSWER, HeaderValue::from(ERROR))])), bytes)
}

/// An answer as it came, to the request of this name.
pub(crate) fn read_answer(message: Message, name: &str) -> Result<Bytes, BusError> {
    if is_from_nobody(&message) {
        return Err(BusError::Unavailable { port: crate::subjects::module(name).to_owned() });
    }
    if kind(&message) != Some(ERROR) {
        return Ok(message.payload);
    }
    Err(serde_json::from_slice(&message.payload).unwrap_or_else(|error| {
        tracing::error!(name, %error, "an error could not be decoded");
        BusError::Codec { name: name.to_owned() }
    }))
}

/// Says that a call is being worked on.
pub(crate) fn write_running() -> HeaderMap {
    HeaderMap::from_iter([(ANSWER, HeaderValue::from(RUNNING))])
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
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned())),
        );
        let map = write(&sent);
        assert_eq!(map.get(async_nats::header::NATS_MESSAGE_ID), None, "the broker would obey it");
        assert_eq!(read(Some(&map)), sent);
        for (name, values) in map.iter() {
            let line = format!("{name}: {}", values[0]);
            assert!(line.bytes().all(|byte| (b' '..0x7f).contains(&byte)), "{line:?}");
        }
    }

    #[test]
    fn what_is_no_header_of_ours_is_left_out() {
        let map: HeaderMap = [("Nats-Stream", "x"), ("Bus-trace", "%ff"), ("bus-attempt", "1")]
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from(value)))
            .into_iter()
            .collect();
        assert_eq!(read(Some(&map)), Headers::new());
        assert_eq!(read(None), Headers::new());
    }
}
