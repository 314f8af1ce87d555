//! Takes a module's batches of events out of its stream, one after the other, and answers each with the receipts.
//!
//! A batch is acknowledged whatever the inbox said: an error goes to the sender, whose outbox sends all of it again. One
//! side repeats, not two. With the broker repeating as well, a batch that cannot be taken would come back for ever, ahead
//! of newer ones, and each failure would be multiplied.

use crate::{
    connection::Connection,
    headers,
    listener::{Module, RETRY},
    streams,
};
use async_nats::{
    Error,
    jetstream::{AckKind, Message},
    message::OutboundMessage,
};
use bus::BusError;
use futures::{FutureExt, StreamExt};
use std::{panic::AssertUnwindSafe, pin::pin, time::Duration};
use tokio::time::{Instant, interval_at};

/// How long a pull waits at the broker, and how often the broker says that it does. A pull that the broker has
/// forgotten is noticed by its silence.
const PULL: Duration = Duration::from_secs(30);
const HEARTBEAT: Duration = Duration::from_secs(2);

pub(crate) struct Events(pub(crate) Module);

impl Events {
    /// Serves until the module is closed and the batch in hand is done.
    pub(crate) async fn serve(self) {
        while let Some(connection) = self.0.connection().await {
            let pulled = self.pull(&connection).await;
            self.0.live.send_modify(|live| live.events = false);
            if let Err(error) = pulled {
                tracing::warn!(module = &*self.0.name, %error, "events are pulled anew");
            }
            self.0.pause(RETRY).await;
        }
    }

    async fn pull(&self, connection: &Connection) -> Result<(), Error> {
        let consumer = tokio::select! {
            () = self.0.closing.cancelled() => return Ok(()),
            made = streams::consumer(connection, &self.0.shared, &self.0.name) => made?,
        };
        // One at a time, so that nothing is held here that is not begun: another process may have it.
        let pulls = consumer.stream().max_messages_per_batch(1).expires(PULL).heartbeat(HEARTBEAT);
        let mut batches = pulls.messages().await?;
        self.0.live.send_modify(|live| live.events = true);
        loop {
            let batch = tokio::select! {
                biased;
                () = self.0.closing.cancelled() => return Ok(()),
                () = connection.ended() => return Ok(()),
                batch = batches.next() => batch,
            };
            match batch {
                Some(batch) => self.take(connection, batch?).await,
                None => return Ok(()),
            }
        }
    }

    async fn take(&self, connection: &Connection, batch: Message) {
        let Module { shared, name: module, answers, .. } = &self.0;
        let name = format!("{module}.inbox");
        // As they came, since a signature may cover them. Their sender may have given up long ago: a batch is worth having
        // all the same, and the repetition then costs nothing.
        let headers = headers::read(batch.headers.as_ref());
        let taken = answers.deliver(&name, headers, batch.payload.clone());
        let taken = AssertUnwindSafe(taken)
            .catch_unwind()
            .map(|taken| taken.unwrap_or_else(|_| Err(BusError::failed(&format_args!("{name} panicked")))));
        let receipts = in_hand(&batch, shared.settings.ack_wait / 3, taken).await;
        match headers::receipts_to(batch.headers.as_ref()).filter(|to| shared.subjects.is_reply(to)) {
            Some(to) => shared.answer(&name, to, receipts).await,
            None => {
                metrics::counter!("nats_messages_ignored_total", "module" => module.to_string()).increment(1);
                tracing::warn!(
                    module = &**module,
                    "a batch without a subject for its receipts is not answered"
                );
            }
        }
        // Behind the receipts. Not sent, the batch comes again.
        if let Some(subject) = batch.reply.clone() {
            let (payload, headers) = (AckKind::Ack.into(), None);
            let _ = connection.send(&name, OutboundMessage { subject, reply: None, payload, headers }).await;
        }
    }
}

/// Tells the broker now and then that a batch is being worked on, so that it does not go to somebody else.
async fn in_hand<T>(batch: &Message, each: Duration, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    let mut tick = interval_at(Instant::now() + each, each);
    loop {
        tokio::select! {
            done = &mut work => return done,
            _ = tick.tick() => drop(batch.ack_with(AckKind::Progress).now_or_never()),
        }
    }
}
