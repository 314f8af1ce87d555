//! An event, in the envelope that it travels in.

use super::{
    Entry, Message, Part,
    calls::typed,
    canned::{Inbox, Wire, lock},
    looser::loosen,
};
use crate::{document::Document, sample::samples};
use async_trait::async_trait;
use bus::{Bus, Delivery, Endpoints, Event, Policies, Timestamp};
use serde_json::{Value, json};
use std::{marker::PhantomData, sync::Arc, time::Duration};
use uuid::Uuid;

/// Who is told: any module will do.
const SUBSCRIBER: &str = "subscriber";
const PATIENCE: Duration = Duration::from_secs(20);

/// An event by its type.
pub struct Told<E>(PhantomData<fn() -> E>);

impl<E> Default for Told<E> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

#[async_trait]
impl<E: Event> Message for Told<E> {
    fn name(&self) -> String {
        E::NAME.into()
    }

    async fn write(&self, document: &Document) -> Result<Vec<Entry>, String> {
        let schema = document.part(&["events", E::NAME]).ok_or("the document does not know it")?;
        let mut entries = Vec::new();
        for sample in samples(schema, document.value()).map_err(|error| format!("{}: {error}", E::NAME))? {
            let at = |error: String| format!("{}, sample {:?}: {error}", E::NAME, sample.case);
            let event: E = typed(&sample.value).map_err(at)?;
            let message = bus::Message {
                id: Uuid::from_u128(7),
                name: E::NAME.into(),
                source: E::NAME.split('.').next().unwrap_or_default().into(),
                key: event.key(),
                sequence: event.sequence(),
                at: Timestamp::from_micros(1_767_225_600_123_456),
                trace: Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".into()),
                data: serde_json::to_string(&event).map_err(|error| error.to_string())?,
            };
            let delivery = Delivery { subscription: format!("{SUBSCRIBER}.subscription"), message };
            let value = spoken::<E>(&delivery)?;
            let wire = Arc::new(Wire { answer: Some(r#"["stored"]"#.into()), ..Wire::default() });
            let bus = Bus::new(Policies::default());
            bus.connect_inbox(SUBSCRIBER, Arc::clone(&wire) as Arc<dyn bus::Transport>);
            bus.deliver(SUBSCRIBER, vec![delivery], PATIENCE).await.map_err(|error| error.to_string())?;
            let (headers, bytes) = wire.sent()?;
            let (message, case) = (E::NAME.into(), sample.case);
            entries.push(Entry { message, part: Part::Event, case, value, headers, bytes });
        }
        Ok(entries)
    }

    async fn read(&self, entry: &Entry, _: &Document) -> Result<Value, String> {
        let inbox = Arc::new(Inbox::default());
        let endpoints =
            Endpoints::default().with_inbox(SUBSCRIBER, Arc::clone(&inbox) as Arc<dyn bus::Receive>);
        let (name, bytes) = (format!("{SUBSCRIBER}.inbox"), entry.bytes.clone().into());
        let receipts =
            endpoints.dispatch(&name, &entry.headers, bytes).await.map_err(|error| error.to_string())?;
        if receipts != r#"["stored"]"# {
            return Err(format!("the receipts are {receipts:?}"));
        }
        let delivery = lock(&inbox.0).pop().ok_or("nothing arrived")?;
        spoken::<E>(&delivery)
    }

    fn with_unknown_fields(&self, entry: &Entry, document: &Document) -> Entry {
        loosen(entry, document, &[("/0/data", &["events", E::NAME])])
    }
}

/// What a subscriber understands of a delivery.
fn spoken<E: Event>(delivery: &Delivery) -> Result<Value, String> {
    let message = &delivery.message;
    let event: E = serde_json::from_str(&message.data).map_err(|error| error.to_string())?;
    Ok(json!({
        "subscription": delivery.subscription,
        "id": message.id,
        "name": message.name,
        "source": message.source,
        "key": message.key,
        "sequence": message.sequence,
        "at": message.at,
        "trace": message.trace,
        "event": event,
    }))
}
