//! Takes a module's calls and answers them, on one connection after the other.

use crate::{
    connection::Connection,
    headers,
    listener::{Module, RETRY},
    running::Running,
    waiters::Said,
};
use async_nats::{Error, Message, Subscriber};
use bus::BusError;
use futures::{FutureExt, StreamExt, stream::ReadyChunks};
use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};
use tokio::time::{Instant, sleep_until};

/// How many calls that have arrived are begun before anything else is looked at.
const AT_ONCE: usize = 64;

/// How many more calls are taken on the way out at least, and for how long: see [`Subscribed::leave`].
const LAST_CALLS: usize = 16;
const LAST_ORDERS: Duration = Duration::from_millis(250);

pub(crate) struct Calls(pub(crate) Module);

/// What a module hears on one connection.
struct Subscribed {
    calls: ReadyChunks<Subscriber>,
    control: Subscriber,
    taken: usize,
    /// As many arrived together the last time.
    together: usize,
    leaving: Option<Leaving>,
}

struct Leaving {
    /// When whoever waits for the last calls has waited long enough; then `None`.
    until: Option<Instant>,
    /// Nothing more comes.
    left: bool,
}

impl Calls {
    /// Serves until the module is closed and all calls have ended.
    pub(crate) async fn serve(self) {
        let running = Running::default();
        while let Some(connection) = self.0.connection().await {
            match self.subscribe(&connection).await {
                Ok(subscribed) => {
                    self.0.live.send_modify(|live| live.calls = true);
                    self.take(&connection, subscribed, &running).await;
                    self.0.live.send_modify(|live| live.calls = false);
                }
                Err(error) => {
                    tracing::warn!(module = &*self.0.name, %error, "calls cannot be subscribed to");
                }
            }
            self.0.pause(RETRY).await;
        }
        running.idle().await;
    }

    async fn subscribe(&self, connection: &Connection) -> Result<Subscribed, Error> {
        let (subjects, module) = (&self.0.shared.subjects, &self.0.name);
        let control = connection.client.subscribe(subjects.control(module)).await?;
        let calls = connection.client.queue_subscribe(subjects.calls(module), module.to_string()).await?;
        let taken_up = tokio::select! {
            () = self.0.closing.cancelled() => false,
            settled = connection.settled() => settled,
        };
        if !taken_up {
            return Err("the broker did not take it up".into());
        }
        let calls = calls.ready_chunks(AT_ONCE);
        Ok(Subscribed { calls, control, taken: 0, together: 0, leaving: None })
    }

    /// Takes calls until the connection is lost, or the module is closed and has ended them.
    async fn take(&self, connection: &Connection, mut from: Subscribed, running: &Running) {
        loop {
            let until = from.leaving.as_ref().and_then(|leaving| leaving.until);
            let left = from.leaving.as_ref().is_some_and(|leaving| leaving.left);
            tokio::select! {
                calls = from.calls.next(), if !left => match (calls, &mut from.leaving) {
                    (Some(calls), _) => {
                        from.together = calls.len();
                        from.taken += from.together;
                        for call in calls {
                            self.begin(call, running).await;
                        }
                    }
                    (None, Some(leaving)) => leaving.left = true,
                    (None, None) => return,
                },
                Some(notice) = from.control.next() => self.heed(connection, &notice, running).await,
                () = running.idle(), if left => return,
                () = self.0.closing.cancelled(), if from.leaving.is_none() => from.leave().await,
                () = sleep_until(until.unwrap_or_else(Instant::now)), if until.is_some() => from.hurry().await,
                () = connection.ended() => break,
            }
        }
        // What had arrived is answered by the next connection: whoever asked may still be there.
        while let Some(Some(calls)) = from.calls.next().now_or_never() {
            for call in calls {
                self.begin(call, running).await;
            }
        }
    }

    async fn begin(&self, call: Message, running: &Running) {
        let Module { shared, name: module, answers, .. } = &self.0;
        let name = shared.subjects.name(&call.subject).map(str::to_owned);
        let reply = call.reply.as_deref().filter(|reply| shared.subjects.is_reply(reply));
        let (Some(name), Some(reply)) = (name, reply) else {
            metrics::counter!("nats_messages_ignored_total", "module" => module.to_string()).increment(1);
            tracing::warn!(module = &**module, "a call without a subject for its answer is ignored");
            return;
        };
        if running.len() >= shared.settings.concurrency {
            let overloaded = BusError::Overloaded { port: module.to_string(), retry_after_ms: 1000 };
            return shared.answer(&name, reply, Err(overloaded)).await;
        }
        let reply = Arc::<str>::from(reply);
        let (shared, answers) = (Arc::clone(shared), Arc::clone(answers));
        let (map, payload) = (call.headers, call.payload);
        running.begin(Arc::clone(&reply), async move {
            let answered = answers.request(&name, headers::read(map.as_ref()), payload);
            let answer = AssertUnwindSafe(answered).catch_unwind().await;
            let answer = answer.unwrap_or_else(|_| Err(BusError::failed(&format_args!("{name} panicked"))));
            shared.answer(&name, &reply, answer).await;
        });
    }

    async fn heed(&self, connection: &Connection, notice: &Message, running: &Running) {
        match Said::parse(&notice.payload) {
            Some(Said::Cancel(reply)) => running.cancel(reply),
            Some(Said::Ask(reply)) if running.has(reply) => {
                // Lost, it is asked for again a second later.
                let _ = connection.send(&self.0.name, headers::write_running(reply)).await;
            }
            Some(Said::Ask(_)) | None => {}
        }
    }
}

impl Subscribed {
    /// Ends the subscription after so many more calls. The broker and the client library count alike, so no call falls
    /// between the two: where one only unsubscribes, the library forgets a subscription before the broker does, and
    /// what was on its way is dropped without a word. More than can be on its way now, and no more than come soon.
    async fn leave(&mut self) {
        let last = self.taken + LAST_CALLS + 8 * self.together;
        let _ = self.calls.get_mut().unsubscribe_after(last as u64).await;
        self.leaving = Some(Leaving { until: Some(Instant::now() + LAST_ORDERS), left: false });
    }

    /// Ends it now: so few calls come that one will hardly be on its way.
    async fn hurry(&mut self) {
        let drained = self.calls.get_mut().drain().await.is_ok();
        self.leaving = Some(Leaving { until: None, left: !drained });
    }
}
