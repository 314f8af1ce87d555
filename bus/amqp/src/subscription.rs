//! A queue that is consumed, whatever becomes of the connection or of the queue.

use crate::{
    backoff::Backoff,
    intake::Intake,
    link::Link,
    session::{Failure, Session, close, patiently},
};
use async_trait::async_trait;
use lapin::{
    Channel,
    options::{BasicConsumeOptions, BasicQosOptions},
    types::{FieldTable, ShortString},
};
use tokio::{sync::watch, task::JoinHandle};
use tokio_util::sync::{CancellationToken, DropGuard};

/// What is consumed, and how.
#[async_trait]
pub(crate) trait Source: Send + Sync + 'static {
    /// For the log.
    fn what(&self) -> String;

    /// How many messages are handed over before they are acknowledged; `None` where they need not be.
    fn prefetch(&self) -> Option<u16>;

    /// Makes sure of the queue, and says which it is.
    async fn declare(&self, channel: &Channel) -> lapin::Result<ShortString>;

    /// Takes messages until it is told to stop, which is `Ok`, or no more come.
    async fn take(&self, intake: &mut Intake, stop: &CancellationToken) -> Result<(), Failure>;

    /// Finishes what was taken, when nothing more is.
    async fn finish(&self) {}
}

/// A channel and a consumer of their own, so that nobody else's end is theirs; dropped, it takes nothing more.
pub(crate) struct Subscription {
    consuming: watch::Receiver<bool>,
    task: JoinHandle<()>,
    stop: DropGuard,
}

impl Subscription {
    pub(crate) fn start(link: Link, source: impl Source) -> Self {
        let (consuming, seen) = watch::channel(false);
        let stop = CancellationToken::new();
        let task = bus::spawn(keep(link, source, consuming, stop.clone()));
        Self { consuming: seen, task, stop: stop.drop_guard() }
    }

    pub(crate) fn is_consuming(&self) -> bool {
        *self.consuming.borrow()
    }

    pub(crate) async fn until_consuming(&self) {
        // It always comes to it, unless the runtime ends.
        let _ = self.consuming.clone().wait_for(|consuming| *consuming).await;
    }

    /// Takes nothing more and returns when what was taken is finished.
    pub(crate) async fn close(self) {
        drop(self.stop);
        if let Err(error) = self.task.await {
            tracing::error!(%error, "a subscription did not end as it should");
        }
    }
}

async fn keep(link: Link, source: impl Source, consuming: watch::Sender<bool>, stop: CancellationToken) {
    let mut backoff = Backoff::new();
    while let Some(session) = stop.run_until_cancelled(link.session()).await {
        let ended = consume(&session, &source, &consuming, &stop).await;
        consuming.send_replace(false);
        drop(session);
        let Err(error) = ended else { break };
        tracing::warn!(what = source.what(), %error, "a queue is not consumed");
        if stop.run_until_cancelled(backoff.pause()).await.is_none() {
            break;
        }
    }
    source.finish().await;
}

/// Consumes on a channel of its own, which is closed at the end: the broker hands what was not acknowledged to whoever
/// consumes the queue next. Nothing is sent back by hand, which would be a storm, or a dead letter (C17).
async fn consume(
    session: &Session,
    source: &impl Source,
    consuming: &watch::Sender<bool>,
    stop: &CancellationToken,
) -> Result<(), Failure> {
    let channel = session.channel().await?;
    let taken = async {
        let qos = BasicQosOptions::default();
        patiently(channel.basic_qos(source.prefetch().unwrap_or_default(), qos)).await?;
        let queue = patiently(source.declare(&channel)).await?;
        // A tag that was never used before: brokers and clients have torn siblings down over one that was (C18).
        let tag = format!("bus.{:016x}", rand::random::<u64>());
        let options =
            BasicConsumeOptions { no_ack: source.prefetch().is_none(), ..BasicConsumeOptions::default() };
        let consumer = channel.basic_consume(queue.clone(), tag.into(), options, FieldTable::default());
        let consumer = patiently(consumer).await?;
        let mut intake = Intake::new(channel.clone(), queue, consumer);
        consuming.send_replace(true);
        let taken = source.take(&mut intake, stop).await;
        consuming.send_replace(false);
        // In this order: see `close`.
        close(&channel).await;
        drop(intake);
        taken
    };
    let taken = taken.await;
    close(&channel).await;
    taken
}
