//! Sends answers, by whichever channel there is: one that is taken at the end of a long call may be another one than at
//! its beginning.

use crate::{
    link::Link,
    message::{ReplyTo, write_answer},
};
use bus::BusError;
use bytes::Bytes;
use lapin::{Channel, options::BasicPublishOptions};
use tokio::sync::Mutex;

pub(crate) struct Replies {
    link: Link,
    max_body: usize,
    channel: Mutex<Option<Channel>>,
}

impl Replies {
    pub(crate) fn new(link: Link, max_body: usize) -> Self {
        Self { link, max_body, channel: Mutex::new(None) }
    }

    /// Sends an answer. Whoever asked may have gone; whether anybody heard it is not known.
    pub(crate) async fn send(&self, to: ReplyTo, name: &str, outcome: Result<Bytes, BusError>) {
        let Some(channel) = self.channel().await else {
            tracing::debug!(name, "there is no connection to answer by");
            return;
        };
        let (properties, body) = write_answer(name, outcome, self.max_body);
        let properties = properties.with_correlation_id(to.number);
        let options = BasicPublishOptions::default();
        let sent = channel.basic_publish("".into(), to.address, options, &body, properties).await;
        if let Err(error) = sent {
            tracing::debug!(name, %error, "an answer could not be sent");
        }
    }

    async fn channel(&self) -> Option<Channel> {
        let mut channel = self.channel.lock().await;
        if let Some(open) = channel.as_ref().filter(|channel| channel.status().connected()) {
            return Some(open.clone());
        }
        let session = self.link.session_now()?;
        let opened = session.channel().await.ok()?;
        Some(channel.insert(opened).clone())
    }
}
