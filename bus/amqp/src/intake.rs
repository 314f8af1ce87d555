//! What a consumer is handed, watched: a broker may forget a consumer without a word.
//!
//! A quorum queue of RabbitMQ 3.10.8 that is deleted and declared again within milliseconds keeps its consumers neither
//! served nor cancelled, and any broker can lose one in a restart or a failover (B12).

use crate::session::{Failure, patiently};
use futures::{FutureExt, StreamExt};
use lapin::{
    Channel, Consumer, message::Delivery, options::QueueDeclareOptions, types::FieldTable, types::ShortString,
};
use std::time::Duration;
use tokio::time::timeout;

/// How long nothing comes before the queue is looked at.
const IDLE: Duration = Duration::from_secs(2);

/// At how many looks in a row messages may be waiting that are not handed over: once is a message on its way.
const PASSED_OVER: u32 = 2;

/// A consumer on its channel.
pub(crate) struct Intake {
    channel: Channel,
    queue: ShortString,
    consumer: Consumer,
    ended: Option<Failure>,
}

impl Intake {
    pub(crate) fn new(channel: Channel, queue: ShortString, consumer: Consumer) -> Self {
        Self { channel, queue, consumer, ended: None }
    }

    /// The next message.
    pub(crate) async fn next(&mut self) -> Result<Delivery, Failure> {
        let mut passed_over = 0;
        loop {
            if let Some(ended) = self.ended.take() {
                return Err(ended);
            }
            if let Ok(next) = timeout(IDLE, self.consumer.next()).await {
                return next.ok_or(Failure::Cancelled)?.map_err(Failure::from);
            }
            // A queue that is not there ends the channel, and so the wait.
            let look = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
            let looking = self.channel.queue_declare(self.queue.clone(), look, FieldTable::default());
            let seen = patiently(looking).await?;
            passed_over = if seen.message_count() == 0 { 0 } else { passed_over + 1 };
            if seen.consumer_count() == 0 || passed_over >= PASSED_OVER {
                return Err(Failure::Forgotten);
            }
        }
    }

    /// The next message, if it is here.
    pub(crate) fn next_now(&mut self) -> Option<Delivery> {
        let next = self.consumer.next().now_or_never()?;
        let next = next.ok_or(Failure::Cancelled).and_then(|delivery| delivery.map_err(Failure::from));
        // Whoever waits for the one after it hears of the end.
        next.map_err(|ended| self.ended = Some(ended)).ok()
    }
}
