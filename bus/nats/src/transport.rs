//! The calling half: requests to whoever serves a module, batches of events to its stream.

use crate::{
    connection::{Connection, lost, unheard},
    headers,
    nats::Shared,
    streams::{self, Kept},
    subjects,
};
use async_nats::{HeaderMap, Message, message::OutboundMessage};
use async_trait::async_trait;
use bus::{BusError, Context, Headers, Transport};
use bytes::Bytes;
use std::sync::Arc;
use tokio::time::timeout_at;

/// How often a stream that is not there is made before the sender is told to try again later.
const TRIES: usize = 3;

pub(crate) struct NatsTransport(pub(crate) Arc<Shared>);

#[async_trait]
impl Transport for NatsTransport {
    async fn request(&self, name: &str, headers: Headers, bytes: Bytes) -> Result<Bytes, BusError> {
        let unknown = || BusError::UnknownName { name: name.to_owned() };
        let subject = self.0.subjects.call(name).ok_or_else(unknown)?;
        let connection = self.0.connection().ok_or_else(|| unheard(name))?;
        let mut waiter = connection.wait(Some(self.0.subjects.control(subjects::module(name))));
        let (reply, headers) = (Some(waiter.reply().into()), Some(headers::write(&headers)));
        connection.send(name, OutboundMessage { subject, reply, payload: bytes, headers }).await?;
        let answer = waiter.answer().await.ok_or_else(|| lost(name))?;
        headers::read_answer(answer, name)
    }

    async fn deliver(&self, name: &str, headers: Headers, bytes: Bytes) -> Result<Bytes, BusError> {
        let Some(module) = name.strip_suffix(".inbox").filter(|module| subjects::is_token(module)) else {
            return self.request(name, headers, bytes).await;
        };
        let connection = self.0.connection().ok_or_else(|| unheard(name))?;
        let sending = Sending { shared: &self.0, connection: &connection, name, module };
        let receipts = sending.carry_out(headers::write(&headers), bytes);
        match Context::from_headers(&headers).deadline() {
            Some(deadline) => timeout_at(deadline, receipts)
                .await
                .map_err(|_| BusError::DeadlineExceeded { name: name.to_owned() })?,
            None => receipts.await,
        }
    }

    fn kind(&self) -> &'static str {
        "nats"
    }
}

/// One sending of one batch.
struct Sending<'a> {
    shared: &'a Shared,
    connection: &'a Connection,
    name: &'a str,
    module: &'a str,
}

impl Sending<'_> {
    /// Puts the batch into the module's stream and waits for the receipts. What the broker says is only heard to know
    /// whether to wait.
    async fn carry_out(&self, mut headers: HeaderMap, bytes: Bytes) -> Result<Bytes, BusError> {
        let mut receipts = self.connection.wait(None);
        headers::add_receipts_to(&mut headers, &receipts.reply());
        for _ in 0..TRIES {
            let mut ack = self.connection.wait(None);
            let batch = OutboundMessage {
                subject: self.shared.subjects.events(self.module),
                reply: Some(ack.reply().into()),
                payload: bytes.clone(),
                headers: Some(headers.clone()),
            };
            self.connection.send(self.name, batch).await?;
            let kept = tokio::select! {
                answer = receipts.answer() => return self.read(answer),
                ack = ack.answer() => Kept::read(&ack.ok_or_else(|| lost(self.name))?),
            };
            match kept {
                Kept::Yes => {
                    let answer = receipts.answer().await;
                    return self.read(answer);
                }
                Kept::NoStream => self.make_stream().await?,
                Kept::Refused(reason) => {
                    tracing::warn!(module = self.module, reason, "events are not taken by the broker");
                    return Err(lost(self.name));
                }
            }
        }
        Err(lost(self.name))
    }

    fn read(&self, answer: Option<Message>) -> Result<Bytes, BusError> {
        headers::read_answer(answer.ok_or_else(|| lost(self.name))?, self.name)
    }

    async fn make_stream(&self) -> Result<(), BusError> {
        let made = streams::stream(self.connection, self.shared, self.module).await;
        made.map(drop).map_err(|error| {
            tracing::warn!(module = self.module, %error, "the stream of events cannot be made");
            lost(self.name)
        })
    }
}
