//! Serves a module's calls.

use crate::{
    delays::Delays,
    intake::Intake,
    message::{ReplyTo, left, number, read, sent},
    names::{Names, module_of},
    replies::Replies,
    running::Running,
    session::Failure,
    subscription::Source,
    topology::declare_calls,
};
use async_trait::async_trait;
use bus::{BusError, Headers, Transport};
use bytes::Bytes;
use futures::{
    FutureExt,
    future::{Abortable, Aborted},
};
use lapin::{Channel, message::Delivery, options::BasicAckOptions, types::ShortString};
use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

/// How many calls are acknowledged together at most.
const TOGETHER: usize = 32;

/// A module's calls.
pub(crate) struct Calls {
    pub(crate) module: String,
    pub(crate) names: Names,
    pub(crate) prefetch: u16,
    pub(crate) answers: Arc<dyn Transport>,
    pub(crate) replies: Arc<Replies>,
    pub(crate) running: Arc<Running>,
    pub(crate) delays: Delays,
    /// Room for calls that run; taken before a call is, so that the broker keeps what cannot be begun.
    pub(crate) room: Arc<Semaphore>,
    pub(crate) concurrency: u32,
}

#[async_trait]
impl Source for Calls {
    fn what(&self) -> String {
        format!("calls of {}", self.module)
    }

    fn prefetch(&self) -> Option<u16> {
        Some(self.prefetch)
    }

    async fn declare(&self, channel: &Channel) -> lapin::Result<ShortString> {
        declare_calls(channel, &self.names, &self.module).await
    }

    async fn take(&self, intake: &mut Intake, stop: &CancellationToken) -> Result<(), Failure> {
        while let Some(first) = stop.run_until_cancelled(self.next(intake)).await {
            let mut taken = vec![first?];
            while taken.len() < TOGETHER
                && let Ok(room) = Arc::clone(&self.room).try_acquire_owned()
                && let Some(delivery) = intake.next_now()
            {
                taken.push((room, delivery));
            }
            // Acknowledged before it is begun: a call that was lost fails at its deadline, and one that another process
            // is handed as well would be carried out twice.
            let all = BasicAckOptions { multiple: true };
            if let Some((_, last)) = taken.last()
                && !last.ack(all).await?
            {
                return Err(Failure::Ended);
            }
            for (room, delivery) in taken {
                self.begin(delivery, room);
            }
        }
        Ok(())
    }

    /// The queue is left to expire. Deleted here it took along, once in some hundred times, a call that the broker was just
    /// about to put into it, and the caller waited for nothing.
    async fn finish(&self) {
        // All the room there is: the last call has ended.
        drop(self.room.acquire_many(self.concurrency).await);
        self.replies.flush().await;
    }
}

impl Calls {
    async fn next(&self, intake: &mut Intake) -> Result<(OwnedSemaphorePermit, Delivery), Failure> {
        let room = Arc::clone(&self.room).acquire_owned().await.map_err(|_| Failure::Ended)?;
        Ok((room, intake.next().await?))
    }

    /// Begins a call, which from here runs to its end. What nobody waits for an answer to was sent by none of us.
    fn begin(&self, delivery: Delivery, room: OwnedSemaphorePermit) {
        let (Some((name, headers)), Some(to), Some(number)) =
            (read(&delivery.properties), ReplyTo::read(&delivery.properties), number(&delivery.properties))
        else {
            tracing::warn!(module = self.module, "an unreadable message among the calls is dropped");
            metrics::counter!("amqp_unreadable_total", "module" => self.module.clone()).increment(1);
            return;
        };
        let known = module_of(&name) == self.module;
        let waited = sent(&delivery.properties).map(|sent| self.delays.wait(&to.address, sent));
        let patience = patience(&headers, waited.unwrap_or_default());
        let (answers, replies) = (Arc::clone(&self.answers), Arc::clone(&self.replies));
        let Some((entry, called_off)) = Running::enter(&self.running, number) else { return };
        drop(bus::spawn(async move {
            let _room_and_entry = (room, entry);
            let outcome = if known {
                let answering = isolated(answers.request(&name, headers, delivery.data.into()));
                match Abortable::new(timeout(patience, answering), called_off).await {
                    Ok(answered) => {
                        answered.unwrap_or_else(|_| Err(BusError::DeadlineExceeded { name: name.clone() }))
                    }
                    // Whoever asked has left.
                    Err(Aborted) => return,
                }
            } else {
                Err(BusError::UnknownName { name: name.clone() })
            };
            replies.send(to, &name, outcome).await;
        }));
    }
}

/// How long an answer is waited for here: what its caller's patience is by now, less a way back. A call that still waits
/// for its turn by then is given up before its caller has gone, and so is never begun for nobody.
fn patience(headers: &Headers, waited: Duration) -> Duration {
    const LONGEST: Duration = Duration::from_secs(60 * 60);
    const WAY_BACK: Duration = Duration::from_millis(25);
    let left = left(headers).map_or(LONGEST, Duration::from_millis).min(LONGEST);
    left.saturating_sub((left / 8).min(WAY_BACK)).saturating_sub(waited)
}

/// A panic fails what panicked, and nothing else.
pub(crate) async fn isolated(
    answering: impl Future<Output = Result<Bytes, BusError>>,
) -> Result<Bytes, BusError> {
    let answered = AssertUnwindSafe(answering).catch_unwind().await;
    answered.unwrap_or_else(|_| Err(BusError::failed(&"what answers has panicked")))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// M3: what a call waited for is gone from its deadline, and the answer needs its way back.
    #[test]
    fn patience_is_what_the_caller_has_left_less_a_way_back() {
        let after = |left: &str, waited: u64| {
            let headers = Headers::from([("timeout-ms".to_owned(), left.to_owned())]);
            patience(&headers, Duration::from_millis(waited)).as_millis()
        };
        assert_eq!(after("80", 0), 70);
        assert_eq!(after("10000", 0), 9975);
        assert_eq!(after("10000", 9000), 975);
        assert_eq!(after("80", 90), 0);
        assert_eq!(after("soon", 0), after("99999999999", 0), "an hour at most");
    }
}
