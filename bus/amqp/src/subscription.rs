//! A queue that is consumed, whatever becomes of the connection or of the queue.

use crate::{
    backoff::Backoff,
    link::Link,
    publisher::close,
    session::{Failure, Session},
};
use async_trait::async_trait;
use lapin::{
    Channel, Consumer,
    options::{BasicConsumeOptions, BasicQosOptions},
    types::{FieldTable, ShortString},
};
use tokio::{sync::watch, task::JoinHandle};
use tokio_util::sync::{CancellationToken, DropGuard};

/// What is consumed, and how.
#[async_trait]
pub(crate) trait Source: Send + Sync + 'static {
    fn queue(&self) -> ShortString;

    /// How many messages are handed over before they are acknowledged.
    fn prefetch(&self) -> u16;

    async fn declare(&self, channel: &Channel) -> lapin::Result<()>;

    /// Takes messages until it is told to stop, which is `Ok`, or no more come.
    async fn take(&self, consumer: &mut Consumer, stop: &CancellationToken) -> Result<(), Failure>;

    /// Finishes what was taken, when nothing more is.
    async fn finish(&self, link: &Link);
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
        tracing::warn!(queue = %source.queue(), %error, "a queue is not consumed");
        if stop.run_until_cancelled(backoff.pause()).await.is_none() {
            break;
        }
    }
    source.finish(&link).await;
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
        session.patiently(channel.basic_qos(source.prefetch(), BasicQosOptions::default())).await?;
        session.patiently(source.declare(&channel)).await?;
        // A tag that was never used before: brokers and clients have torn siblings down over one that was (C18).
        let tag = format!("{}.{:016x}", source.queue(), rand::random::<u64>());
        let options = BasicConsumeOptions::default();
        let consumer = channel.basic_consume(source.queue(), tag.into(), options, FieldTable::default());
        let mut consumer = session.patiently(consumer).await?;
        consuming.send_replace(true);
        let taken = source.take(&mut consumer, stop).await;
        consuming.send_replace(false);
        // In this order: see `close`.
        close(session, &channel).await;
        drop(consumer);
        taken
    };
    let taken = taken.await;
    close(session, &channel).await;
    taken
}
