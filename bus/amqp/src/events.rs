//! Hands a module's batches of events to its inbox.

use crate::{
    calls::isolated,
    intake::Intake,
    message::{ReplyTo, read},
    names::{Names, module_of},
    replies::Replies,
    session::Failure,
    subscription::Source,
    topology::declare_events,
};
use async_trait::async_trait;
use bus::Transport;
use lapin::{
    Channel,
    message::Delivery,
    options::{BasicAckOptions, BasicRejectOptions},
    types::ShortString,
};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// How many batches are handed over at once: the next one is here while the broker writes down that the last is done,
/// and no process takes many along when it dies.
const PREFETCH: u16 = 4;

/// A module's events.
pub(crate) struct Events {
    pub(crate) module: String,
    pub(crate) names: Names,
    pub(crate) answers: Arc<dyn Transport>,
    pub(crate) replies: Arc<Replies>,
}

#[async_trait]
impl Source for Events {
    fn what(&self) -> String {
        format!("events of {}", self.module)
    }

    fn prefetch(&self) -> Option<u16> {
        Some(PREFETCH)
    }

    async fn declare(&self, channel: &Channel) -> lapin::Result<ShortString> {
        declare_events(channel, &self.names, &self.module).await
    }

    async fn take(&self, intake: &mut Intake, stop: &CancellationToken) -> Result<(), Failure> {
        // One after the other: a batch that its sender repeats never overtakes the one after it.
        while let Some(next) = stop.run_until_cancelled(intake.next()).await {
            self.receive(next?).await?;
        }
        Ok(())
    }
}

impl Events {
    /// Has a batch stored, tells the sender, and only then the broker. Its sender may have gone: it is stored all the
    /// same. What the inbox says against it is an answer as well; the sender repeats, not the broker (C19).
    async fn receive(&self, delivery: Delivery) -> Result<(), Failure> {
        let ours = read(&delivery.properties).filter(|(name, _)| module_of(name) == self.module);
        let done = if let Some((name, headers)) = ours {
            let to = ReplyTo::read(&delivery.properties);
            let acker = delivery.acker;
            let outcome = isolated(self.answers.deliver(&name, headers, delivery.data.into())).await;
            if let Some(to) = to {
                self.replies.send(to, &name, outcome).await;
            }
            acker.ack(BasicAckOptions::default()).await?
        } else {
            tracing::error!(module = self.module, "an unreadable message among the events goes aside");
            metrics::counter!("amqp_unreadable_total", "module" => self.module.clone()).increment(1);
            // Not to be handed over again: it goes where the dead ones are, with its bytes.
            delivery.reject(BasicRejectOptions { requeue: false }).await?
        };
        if done { Ok(()) } else { Err(Failure::Ended) }
    }
}
