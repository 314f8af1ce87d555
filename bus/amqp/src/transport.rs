//! The calling half.

use crate::{
    delays::Stopwatch,
    link::Link,
    message::{PERSISTENT, TRANSIENT, expiration, notice, write},
    names::{Names, is_name, module_of},
    publisher::{Open, Outgoing, Publisher},
    session::{Failure, close, patiently},
    settings::AmqpSettings,
    topology::{NOTICES, declare_events},
    waiters::Heard,
};
use async_trait::async_trait;
use bus::{BusError, Headers, Transport};
use bytes::Bytes;
use lapin::BasicProperties;
use std::{
    collections::HashSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Calls modules and hands them events over RabbitMQ.
pub struct AmqpTransport {
    names: Names,
    max_body: usize,
    clock: Stopwatch,
    calls: Publisher,
    events: Publisher,
    /// The modules whose queues of events are there, as far as this process knows.
    declared: Mutex<HashSet<String>>,
}

impl AmqpTransport {
    pub(crate) fn start(link: &Link, settings: &AmqpSettings) -> Self {
        Self {
            names: Names(settings.namespace.clone()),
            max_body: settings.max_body,
            clock: Stopwatch::start(),
            calls: Publisher::start(link.clone(), "calls"),
            events: Publisher::start(link.clone(), "events"),
            declared: Mutex::default(),
        }
    }

    /// How many answers are waited for.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.calls.pending() + self.events.pending()
    }

    fn write(&self, name: &str, headers: &Headers, bytes: &Bytes) -> Result<BasicProperties, BusError> {
        write(name, headers, bytes.len(), self.max_body, self.clock.micros())
    }

    fn declared(&self) -> MutexGuard<'_, HashSet<String>> {
        self.declared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a batch to a queue that is there: a module that has never run is sent to all the same.
    async fn send_batch(&self, open: &Open, module: &str, message: Outgoing) -> Option<Heard> {
        if !self.declared().contains(module) {
            if let Err(error) = self.declare(open, module).await {
                tracing::warn!(module, %error, "the queue of events cannot be declared");
                return None;
            }
            self.declared().insert(module.to_owned());
        }
        let heard = self.events.ask(open, message, None).await;
        if !matches!(heard, Some(Heard::Answered(_) | Heard::Refused | Heard::Unsent)) {
            // Whatever was there may be there no longer.
            self.declared().remove(module);
        }
        heard
    }

    /// On a channel of its own: one that is closed over what it declares takes nobody along.
    async fn declare(&self, open: &Open, module: &str) -> Result<(), Failure> {
        let channel = open.session.channel().await?;
        let declared = patiently(declare_events(&channel, &self.names, module)).await;
        close(&channel).await;
        declared.map(drop)
    }
}

#[async_trait]
impl Transport for AmqpTransport {
    async fn request(&self, name: &str, headers: Headers, bytes: Bytes) -> Result<Bytes, BusError> {
        let module = module_of(name);
        let properties = self.write(name, &headers, &bytes)?.with_delivery_mode(TRANSIENT);
        let properties = match expiration(&headers) {
            Some(left) => properties.with_expiration(left),
            None => properties,
        };
        if !is_name(module) {
            return Err(unheard(module));
        }
        let route = self.names.calls(module);
        let message = Outgoing { exchange: "".into(), route, properties, body: bytes, mandatory: true };
        let called_off = Outgoing {
            exchange: NOTICES.into(),
            route: self.names.notices(module),
            properties: notice(),
            body: Bytes::new(),
            mandatory: false,
        };
        let open = self.calls.open().await.ok_or_else(|| unheard(module))?;
        answer(module, self.calls.ask(&open, message, Some(called_off)).await)
    }

    async fn deliver(&self, name: &str, headers: Headers, bytes: Bytes) -> Result<Bytes, BusError> {
        let module = module_of(name);
        let properties = self.write(name, &headers, &bytes)?.with_delivery_mode(PERSISTENT);
        if !is_name(module) {
            return Err(unheard(module));
        }
        let message = || Outgoing {
            exchange: self.names.exchange(),
            route: module.into(),
            properties: properties.clone(),
            body: bytes.clone(),
            mandatory: true,
        };
        let open = self.events.open().await.ok_or_else(|| unheard(module))?;
        let mut heard = self.send_batch(&open, module, message()).await;
        if heard == Some(Heard::Unroutable) {
            // Queue or binding went away with the broker's store: once more, declared anew.
            heard = self.send_batch(&open, module, message()).await;
        }
        answer(module, heard)
    }

    fn kind(&self) -> &'static str {
        "amqp"
    }
}

fn answer(module: &str, heard: Option<Heard>) -> Result<Bytes, BusError> {
    match heard {
        Some(Heard::Answered(answer)) => answer,
        Some(Heard::Refused) => Err(BusError::Overloaded { port: module.to_owned(), retry_after_ms: 1000 }),
        Some(Heard::Unroutable | Heard::Unsent) => Err(unheard(module)),
        None => Err(BusError::Unavailable { port: module.to_owned() }),
    }
}

/// Nothing was sent, or the broker had nobody to give it to.
fn unheard(module: &str) -> BusError {
    BusError::Unheard { port: module.to_owned() }
}
