//! Names, headers and answers as AMQP properties, and back.

use bus::{BusError, Headers};
use bytes::Bytes;
use lapin::{
    BasicProperties,
    types::{AMQPValue, FieldTable, LongString, ShortString},
};

/// The bus's headers are a table of their own: a broker adds headers, too (`x-death`, `x-delivery-count`).
const TABLE: &str = "bus";

/// When a message was sent, by its sender's [`Stopwatch`](crate::delays::Stopwatch).
const SENT: &str = "sent";

/// What an answer's type says where its body is a [`BusError`].
const ERROR: &str = "error";
const ANSWER: &str = "answer";

/// All properties go in one frame, and a frame holds 128 KiB as a broker is delivered.
const MAX_HEADERS: usize = 64 * 1024;

/// Delivery modes of the protocol.
pub(crate) const TRANSIENT: u8 = 1;
pub(crate) const PERSISTENT: u8 = 2;

/// The pseudo-queue by which a broker sends answers straight to the channel that asked.
pub(crate) const REPLY_TO: &str = "amq.rabbitmq.reply-to";

/// How long a notice that a call is called off waits for who is not listening.
const NOTICE_EXPIRES: &str = "10000";

/// The properties of a notice; the number that it is sent under says which call.
pub(crate) fn notice() -> BasicProperties {
    BasicProperties::default().with_delivery_mode(TRANSIENT).with_expiration(NOTICE_EXPIRES.into())
}

/// The properties of a message of this name.
///
/// # Errors
/// [`BusError::Failed`] for what no broker would take: it would close the channel on it, under all who use that.
pub(crate) fn write(
    name: &str,
    headers: &Headers,
    body: usize,
    max_body: usize,
    sent: i64,
) -> Result<BasicProperties, BusError> {
    check(name, body, max_body)?;
    let kind = ShortString::try_new(name).map_err(|_| BusError::UnknownName { name: name.to_owned() })?;
    let mut table = FieldTable::default();
    let mut size = 0;
    for (key, value) in headers {
        size += key.len() + value.len() + 6;
        let key = ShortString::try_new(key.as_str()).map_err(|error| BusError::failed(&error))?;
        table.insert(key, AMQPValue::LongString(LongString::from(value.as_bytes())));
    }
    if size > MAX_HEADERS {
        return Err(BusError::failed(&format_args!("{name} has {size} bytes of headers")));
    }
    let mut outer = FieldTable::default();
    outer.insert(TABLE.into(), AMQPValue::FieldTable(table));
    outer.insert(SENT.into(), AMQPValue::LongLongInt(sent));
    Ok(BasicProperties::default().with_type(kind).with_headers(outer).with_reply_to(REPLY_TO.into()))
}

fn check(name: &str, body: usize, max_body: usize) -> Result<(), BusError> {
    if body > max_body {
        return Err(BusError::failed(&format_args!("{name} has {body} bytes, and {max_body} may be sent")));
    }
    Ok(())
}

/// The name and headers of a message; `None` where it is none of ours.
pub(crate) fn read(properties: &BasicProperties) -> Option<(String, Headers)> {
    let name = properties.kind().as_ref()?.to_string();
    let AMQPValue::FieldTable(table) = properties.headers().as_ref()?.inner().get(TABLE)? else {
        return None;
    };
    let mut headers = Headers::new();
    for (key, value) in table.inner() {
        let AMQPValue::LongString(value) = value else { return None };
        headers.insert(key.to_string(), String::from_utf8(value.as_bytes().to_vec()).ok()?);
    }
    Some((name, headers))
}

/// When a message was sent.
pub(crate) fn sent(properties: &BasicProperties) -> Option<i64> {
    match properties.headers().as_ref()?.inner().get(SENT)? {
        AMQPValue::LongLongInt(sent) => Some(*sent),
        _ => None,
    }
}

/// What is left of a call's deadline, in milliseconds.
pub(crate) fn left(headers: &Headers) -> Option<u64> {
    headers.get("timeout-ms")?.parse().ok()
}

/// How long a call may wait in a queue, in the broker's words: what is left of its deadline.
pub(crate) fn expiration(headers: &Headers) -> Option<ShortString> {
    let left = left(headers)?;
    // A broker closes the channel on a number of more than 32 bits.
    Some(left.min(u64::from(u32::MAX)).to_string().into())
}

/// Where an answer goes, and which question it answers.
#[derive(Debug, Clone)]
pub(crate) struct ReplyTo {
    pub(crate) address: ShortString,
    pub(crate) number: ShortString,
}

impl ReplyTo {
    /// `None` where there is none, and where it is no direct one: who forges the name of a queue would have us fill it.
    pub(crate) fn read(properties: &BasicProperties) -> Option<Self> {
        let address = properties.reply_to().clone()?;
        let made_by_the_broker = address.as_str().strip_prefix(REPLY_TO)?.starts_with('.');
        let number = properties.correlation_id().clone()?;
        made_by_the_broker.then_some(Self { address, number })
    }
}

/// A question's number as the broker carries it.
pub(crate) fn correlation(number: u64) -> ShortString {
    format!("{number:x}").into()
}

/// The number of the question that this answers, or that came back.
pub(crate) fn number(properties: &BasicProperties) -> Option<u64> {
    u64::from_str_radix(properties.correlation_id().as_ref()?.as_str(), 16).ok()
}

/// An answer's properties and body.
pub(crate) fn write_answer(
    name: &str,
    outcome: Result<Bytes, BusError>,
    max_body: usize,
) -> (BasicProperties, Bytes) {
    let outcome = outcome.and_then(|body| check(name, body.len(), max_body).map(|()| body));
    let (kind, body) = match outcome {
        Ok(body) => (ANSWER, body),
        Err(error) => (ERROR, serde_json::to_vec(&error).unwrap_or_default().into()),
    };
    (BasicProperties::default().with_type(kind.into()).with_delivery_mode(TRANSIENT), body)
}

/// What an answer says.
pub(crate) fn read_answer(properties: &BasicProperties, body: Vec<u8>) -> Result<Bytes, BusError> {
    match properties.kind().as_ref().map(ShortString::as_str) {
        Some(ANSWER) => Ok(body.into()),
        Some(ERROR) => Err(serde_json::from_slice(&body).unwrap_or_else(|error| BusError::failed(&error))),
        _ => Err(BusError::failed(&"an answer that is neither an answer nor an error")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(key: &str, value: &str) -> Headers {
        Headers::from([(key.to_owned(), value.to_owned())])
    }

    #[test]
    fn a_name_and_any_headers_survive_the_properties() {
        let headers = headers("żółć\0 key", "va\r\nlue 🦀");
        let properties = write("probe.echo", &headers, 10, 10, 7).expect("they fit");
        assert_eq!((read(&properties), sent(&properties)), (Some(("probe.echo".into(), headers)), Some(7)));
    }

    #[test]
    fn what_a_broker_would_not_take_is_refused_before_it_is_sent() {
        let long = "x".repeat(MAX_HEADERS);
        assert!(matches!(write("a.b", &Headers::new(), 11, 10, 0), Err(BusError::Failed { .. })));
        assert!(matches!(write("a.b", &headers("k", &long), 0, 10, 0), Err(BusError::Failed { .. })));
        assert!(matches!(write("a.b", &headers(&long, ""), 0, 10, 0), Err(BusError::Failed { .. })));
        assert!(matches!(write(&long, &Headers::new(), 0, 10, 0), Err(BusError::UnknownName { .. })));
        let (properties, body) = write_answer("a.b", Ok(Bytes::from(vec![0; 11])), 10);
        assert!(matches!(read_answer(&properties, body.to_vec()), Err(BusError::Failed { .. })));
    }

    /// B13: whatever stands in the properties, nothing of it is believed.
    #[test]
    fn garbage_in_the_properties_is_no_message() {
        let with = |value: AMQPValue| {
            let mut table = FieldTable::default();
            table.insert(TABLE.into(), value);
            BasicProperties::default().with_type("a.b".into()).with_headers(table)
        };
        let mut numbers = FieldTable::default();
        numbers.insert("k".into(), AMQPValue::LongInt(1));
        let mut bytes = FieldTable::default();
        bytes.insert("k".into(), AMQPValue::LongString(LongString::from(vec![0xff])));
        for garbage in [
            BasicProperties::default(),
            BasicProperties::default().with_type("a.b".into()),
            with(AMQPValue::Boolean(true)),
            with(AMQPValue::FieldTable(numbers)),
            with(AMQPValue::FieldTable(bytes)),
        ] {
            assert_eq!(read(&garbage), None, "{garbage:?}");
        }
    }

    #[test]
    fn only_the_brokers_own_reply_addresses_are_answered() {
        let to = |address: &str| {
            let asked = BasicProperties::default().with_correlation_id("1".into());
            ReplyTo::read(&asked.with_reply_to(address.into())).is_some()
        };
        assert!(to("amq.rabbitmq.reply-to.g1h2"));
        for forged in ["", "shop.events.orders", "amq.rabbitmq.reply-to", "amq.rabbitmq.reply-tox"] {
            assert!(!to(forged), "{forged}");
        }
        assert!(ReplyTo::read(&BasicProperties::default()).is_none());
    }

    #[test]
    fn a_deadline_is_an_expiration_that_a_broker_takes() {
        let after = |text: &str| expiration(&headers("timeout-ms", text)).map(|text| text.to_string());
        assert_eq!(after("250"), Some("250".into()));
        assert_eq!(after("99999999999999"), Some(u32::MAX.to_string()));
        assert_eq!(after("soon"), None);
        assert_eq!(after("-1"), None);
    }
}
