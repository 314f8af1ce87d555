//! Sends answers, by whichever channel there is: one that is taken at the end of a long call may be another one than at
//! its beginning.
//!
//! A reply address comes out of a message, and a broker ends the whole connection on one that it cannot read (RabbitMQ
//! 3.10.8: `rabbit_direct_reply_to` crashes the channel). So the first answer to an address goes by a connection of its
//! own, one at a time; an address that survives it is answered by the same connection as all others from there on.

use crate::{
    link::Link,
    message::{ReplyTo, write_answer},
    session::close,
};
use bus::BusError;
use bytes::Bytes;
use lapin::{
    BasicProperties, Channel, Confirmation,
    options::{BasicPublishOptions, ConfirmSelectOptions},
    types::ShortString,
};
use std::{
    collections::HashSet,
    sync::{Mutex as Lock, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{sync::Mutex, time::timeout};

/// How many addresses are remembered: one for each process that calls. More are forgeries, and all are asked again.
const REMEMBERED: usize = 4096;

/// How long the first answer to an address may wait for the connection.
const PATIENCE: Duration = Duration::from_secs(5);

pub(crate) struct Replies {
    max_body: usize,
    link: Link,
    channel: Mutex<Option<Channel>>,
    /// Where strangers are answered.
    strangers: Link,
    probation: Mutex<Option<Channel>>,
    known: Lock<HashSet<ShortString>>,
}

impl Replies {
    pub(crate) fn new(link: Link, strangers: Link, max_body: usize) -> Self {
        Self {
            max_body,
            link,
            channel: Mutex::default(),
            strangers,
            probation: Mutex::default(),
            known: Lock::default(),
        }
    }

    /// Sends an answer. Whoever asked may have gone; whether anybody heard it is not known.
    pub(crate) async fn send(&self, to: ReplyTo, name: &str, outcome: Result<Bytes, BusError>) {
        let (properties, body) = write_answer(name, outcome, self.max_body);
        let answer = Answer { to: to.address, properties: properties.with_correlation_id(to.number), body };
        let sent = if self.known().contains(&answer.to) {
            self.send_known(&answer).await
        } else {
            self.send_unknown(&answer).await
        };
        if let Err(error) = sent {
            tracing::debug!(name, %error, "an answer could not be sent");
        }
    }

    /// Returns when the broker has the answers that were sent to known addresses: it takes what is said on one connection in
    /// its order. The others are confirmed.
    pub(crate) async fn flush(&self) {
        if let Some(session) = self.link.session_now()
            && let Ok(channel) = session.channel().await
        {
            close(&channel).await;
        }
    }

    fn known(&self) -> MutexGuard<'_, HashSet<ShortString>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn send_known(&self, answer: &Answer) -> Result<(), Unsent> {
        let channel = {
            let mut channel = self.channel.lock().await;
            match channel.as_ref().filter(|channel| channel.status().connected()) {
                Some(open) => open.clone(),
                None => {
                    let session = self.link.session_now().ok_or(Unsent::NoConnection)?;
                    channel.insert(session.channel().await.map_err(|_| Unsent::NoConnection)?).clone()
                }
            }
        };
        answer.publish(&channel).await?;
        Ok(())
    }

    /// Sends it while nobody else's is on the way, and remembers the address if the broker took it.
    async fn send_unknown(&self, answer: &Answer) -> Result<(), Unsent> {
        let mut probation = self.probation.lock().await;
        if self.known().contains(&answer.to) {
            drop(probation);
            return self.send_known(answer).await;
        }
        let channel = match probation.as_ref().filter(|channel| channel.status().connected()) {
            Some(open) => open.clone(),
            None => {
                let opened = timeout(PATIENCE, confirming(&self.strangers)).await;
                probation.insert(opened.map_err(|_| Unsent::NoConnection)??).clone()
            }
        };
        match answer.publish(&channel).await?.await? {
            Confirmation::Ack(_) => {
                let mut known = self.known();
                if known.len() >= REMEMBERED {
                    known.clear();
                }
                known.insert(answer.to.clone());
                Ok(())
            }
            Confirmation::Nack(_) | Confirmation::NotRequested => Err(Unsent::Refused),
        }
    }
}

async fn confirming(link: &Link) -> Result<Channel, Unsent> {
    let session = link.session().await;
    let channel = session.channel().await.map_err(|_| Unsent::NoConnection)?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    Ok(channel)
}

struct Answer {
    to: ShortString,
    properties: BasicProperties,
    body: Bytes,
}

impl Answer {
    async fn publish(&self, channel: &Channel) -> lapin::Result<lapin::PublisherConfirm> {
        let (to, properties) = (self.to.clone(), self.properties.clone());
        channel.basic_publish("".into(), to, BasicPublishOptions::default(), &self.body, properties).await
    }
}

/// Why an answer did not leave.
#[derive(Debug, thiserror::Error)]
enum Unsent {
    #[error("there is no connection")]
    NoConnection,
    #[error("the broker did not take it")]
    Refused,
    #[error(transparent)]
    Lost(#[from] lapin::Error),
}
