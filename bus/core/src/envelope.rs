//! Events on a wire: CloudEvents 1.0 in JSON, as a batch
//! (<https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md>).
//!
//! One entry is one delivery: an event that two subscriptions of a module wait for is in the batch twice, with the same
//! `id` and another `subscription`. The extension attributes are `subscription`, `sequence` and `traceparent`.

use crate::{BusError, Delivery, Message, Receipt, Timestamp};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::borrow::Cow;
use uuid::Uuid;

/// A batch grows no larger than this: NATS takes 1 MiB a message unless told otherwise.
const MOST_BYTES: usize = 256 * 1024;

#[derive(Serialize, Deserialize)]
struct CloudEvent<'a> {
    specversion: Cow<'a, str>,
    id: Uuid,
    source: Cow<'a, str>,
    #[serde(rename = "type")]
    name: Cow<'a, str>,
    subject: Cow<'a, str>,
    time: Timestamp,
    subscription: Cow<'a, str>,
    /// A string, as the specification has no integer of 64 bits.
    sequence: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    traceparent: Option<Cow<'a, str>>,
    datacontenttype: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    data: Option<Box<RawValue>>,
    /// What is not JSON as it stands, byte for byte.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    data_base64: Option<Cow<'a, str>>,
}

/// The deliveries as batches of a bearable size, each with how many there are in it, in order.
pub(crate) fn batches(name: &str, deliveries: &[Delivery]) -> Result<Vec<(Bytes, usize)>, BusError> {
    let mut batches = Vec::new();
    let mut batch = Vec::new();
    let mut count = 0;
    for delivery in deliveries {
        let event = serde_json::to_vec(&event(delivery)).map_err(|error| {
            tracing::error!(name, %error, "an event could not be encoded");
            BusError::Codec { name: name.into() }
        })?;
        if count > 0 && batch.len() + event.len() > MOST_BYTES {
            batch.push(b']');
            batches.push((Bytes::from(std::mem::take(&mut batch)), std::mem::take(&mut count)));
        }
        batch.push(if count == 0 { b'[' } else { b',' });
        batch.extend_from_slice(&event);
        count += 1;
    }
    if count > 0 {
        batch.push(b']');
        batches.push((Bytes::from(batch), count));
    }
    Ok(batches)
}

/// The deliveries in a batch.
pub(crate) fn read(name: &str, bytes: &[u8]) -> Result<Vec<Delivery>, BusError> {
    let refused = |reason: &dyn std::fmt::Display| {
        tracing::error!(name, %reason, "what came is no batch of CloudEvents of ours");
        BusError::Codec { name: name.into() }
    };
    let events: Vec<CloudEvent<'_>> = serde_json::from_slice(bytes).map_err(|error| refused(&error))?;
    events.into_iter().map(|event| delivery(event).map_err(|reason| refused(&reason))).collect()
}

/// What the inbox said of all batches, in order.
pub(crate) fn receipts(name: &str, bytes: &[u8], count: usize) -> Result<Vec<Receipt>, BusError> {
    let receipts: Vec<Receipt> = crate::serve::decode(name, bytes)?;
    if receipts.len() == count { Ok(receipts) } else { Err(BusError::Codec { name: name.into() }) }
}

fn event(delivery: &Delivery) -> CloudEvent<'_> {
    let message = &delivery.message;
    // Only what comes back as it was is sent as it is.
    let json = serde_json::from_str::<Box<RawValue>>(&message.data).ok();
    let json = json.filter(|json| json.get() == message.data);
    let base64 = json.is_none().then(|| STANDARD.encode(&message.data).into());
    CloudEvent {
        specversion: "1.0".into(),
        id: message.id,
        source: format!("/{}", message.source).into(),
        name: message.name.as_str().into(),
        subject: message.key.as_str().into(),
        time: message.at,
        subscription: delivery.subscription.as_str().into(),
        sequence: message.sequence.to_string().into(),
        traceparent: message.trace.as_deref().map(Cow::Borrowed),
        datacontenttype: if json.is_some() { "application/json" } else { "application/octet-stream" }.into(),
        data: json,
        data_base64: base64,
    }
}

fn delivery(event: CloudEvent<'_>) -> Result<Delivery, String> {
    if event.specversion != "1.0" {
        return Err(format!("specversion {} is not 1.0", event.specversion));
    }
    let source = event.source.trim_start_matches('/');
    if source.is_empty() || event.name.is_empty() || event.subscription.is_empty() {
        return Err("source, type and subscription must not be empty".into());
    }
    let data = match (event.data, event.data_base64) {
        (Some(json), None) => json.get().to_owned(),
        (None, Some(base64)) => STANDARD
            .decode(base64.as_bytes())
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .ok_or("data_base64 is not the base64 of a text")?,
        (Some(_), Some(_)) => return Err("an event has data or data_base64, not both".into()),
        // What JSON's null reads as.
        (None, None) => "null".into(),
    };
    let message = Message {
        id: event.id,
        name: event.name.into_owned(),
        source: source.to_owned(),
        key: event.subject.into_owned(),
        sequence: event.sequence.parse().map_err(|_| "sequence is not a number")?,
        at: event.time,
        trace: event.traceparent.map(Cow::into_owned),
        data,
    };
    Ok(Delivery { subscription: event.subscription.into_owned(), message })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn sent(data: &str) -> Delivery {
        let message = Message {
            id: Uuid::from_u128(7),
            name: "orders.order_placed.v1".into(),
            source: "orders".into(),
            key: "order-1".into(),
            sequence: i64::MAX,
            at: Timestamp::from_micros(1_764_000_000_123_456),
            trace: Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".into()),
            data: data.into(),
        };
        Delivery { subscription: "inventory.ship_stock".into(), message }
    }

    fn wire(deliveries: &[Delivery]) -> Vec<Value> {
        let batches = batches("inventory.inbox", deliveries).expect("encodes");
        batches.iter().map(|(bytes, _)| serde_json::from_slice(bytes).expect("JSON")).collect()
    }

    #[test]
    fn an_event_is_a_cloud_event() {
        let [batch] = wire(&[sent(r#"{"total": 5}"#)]).try_into().expect("one batch");
        let expected = json!([{
            "specversion": "1.0",
            "id": "00000000-0000-0000-0000-000000000007",
            "source": "/orders",
            "type": "orders.order_placed.v1",
            "subject": "order-1",
            "time": "2025-11-24T16:00:00.123456Z",
            "subscription": "inventory.ship_stock",
            "sequence": "9223372036854775807",
            "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "datacontenttype": "application/json",
            "data": {"total": 5}
        }]);
        assert_eq!(batch, expected);
    }

    /// C7: whatever is in a row arrives as it is, JSON or not.
    #[test]
    fn data_comes_back_byte_for_byte() {
        for data in [r#"{"total":  5.50}"#, "not json", "", " 1", "1 ", "\u{1F41F}\u{0}", "null", "{\"a\":1"]
        {
            let delivery = sent(data);
            let sent = batches("m.inbox", std::slice::from_ref(&delivery)).expect("encodes");
            assert_eq!(read("m.inbox", &sent[0].0).expect("reads"), [delivery], "{data:?}");
        }
    }

    #[test]
    fn batches_are_bounded_and_keep_their_order() {
        let data = json!("x".repeat(MOST_BYTES / 3)).to_string();
        let deliveries: Vec<_> = (0..7)
            .map(|sequence| {
                let mut delivery = sent(&data);
                delivery.message.sequence = sequence;
                delivery
            })
            .collect();
        let sent = batches("m.inbox", &deliveries).expect("encodes");
        assert!(sent.len() > 1 && sent.iter().all(|(bytes, _)| bytes.len() <= MOST_BYTES));
        let back: Vec<_> =
            sent.iter().flat_map(|(bytes, _)| read("m.inbox", bytes).expect("reads")).collect();
        assert_eq!(back, deliveries);
        assert!(batches("m.inbox", &[]).expect("encodes").is_empty());
    }

    /// Section 5.6: what is no event of ours is refused and never a panic; what is only more is taken.
    #[test]
    fn foreign_events_are_refused_and_unknown_attributes_taken() {
        let good = wire(&[sent("{}")])[0][0].clone();
        let with = |key: &str, value: Value| {
            let mut event = good.clone();
            event[key] = value;
            read("m.inbox", json!([event]).to_string().as_bytes())
        };
        assert!(with("anything", json!({"more": true})).is_ok());
        for (key, value) in [
            ("specversion", json!("0.3")),
            ("source", json!("")),
            ("id", json!("")),
            ("id", Value::Null),
            ("type", json!("")),
            ("sequence", json!("five")),
            ("time", json!("yesterday")),
            ("data_base64", json!("AAAA")),
        ] {
            assert!(with(key, value.clone()).is_err(), "{key} = {value}");
        }
        for bytes in ["", "{}", "[{}]", "null", "[1]", "\u{0}"] {
            assert!(read("m.inbox", bytes.as_bytes()).is_err(), "{bytes:?}");
        }
    }
}
