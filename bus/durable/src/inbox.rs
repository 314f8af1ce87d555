//! The inbox: a received message is a row before it is acknowledged, handled once, in the order of its key.

use crate::{
    Database, Decision, RetryPolicy, Tx, batch::Piece, bell::Bell, later::Mark, query::Row, relay::message,
    unit::panic_text,
};
use async_trait::async_trait;
use bus::{
    BusError, Context, Delivery, Event, Message, OnDeadLetter, Receipt, Receive, Subscription, Timestamp,
    TraceContext,
};
use futures::{FutureExt, future::BoxFuture};
use sea_orm::{DatabaseBackend, Value};
use std::{any::Any, collections::BTreeMap, panic::AssertUnwindSafe, sync::Arc, time::Duration};

/// Handles one event. [`Subscriber::prepare`] may ask other modules; [`Subscriber::apply`] writes the effect, in
/// one transaction with the mark that the message is handled.
#[async_trait]
pub trait Subscriber: Send + Sync + 'static {
    /// What is subscribed to.
    type Event: Event;
    /// What [`Subscriber::apply`] needs beside the transaction.
    type Prepared: Send + Sync + 'static;

    /// Gathers what the effect needs, outside of any transaction. May run again.
    ///
    /// # Errors
    /// [`BusError`]: the message is tried again later, then becomes a dead letter.
    async fn prepare(&self, event: Self::Event) -> Result<Self::Prepared, BusError>;

    /// The keys beside the message's own whose rows the effect writes and another process may write too: see
    /// [`Database::write_locking`].
    fn locks(&self, _prepared: &Self::Prepared) -> Vec<String> {
        Vec::new()
    }

    /// Writes the effect. May run again if it is not committed.
    ///
    /// # Errors
    /// As [`Subscriber::prepare`].
    async fn apply(&self, prepared: &Self::Prepared, tx: &Tx<'_>) -> Result<(), BusError>;
}

/// What [`Subscriber::prepare`] gave, its type erased.
pub type Prepared = Arc<dyn Any + Send + Sync>;

/// A subscriber, its types erased.
#[async_trait]
trait Handle: Send + Sync {
    fn event(&self) -> &'static str;
    fn prepare(&self, data: &str) -> Result<BoxFuture<'_, Result<Prepared, BusError>>, serde_json::Error>;
    fn locks(&self, prepared: &Prepared) -> Vec<String>;
    async fn apply(&self, prepared: &Prepared, tx: &Tx<'_>) -> Result<(), BusError>;
}

struct Typed<S>(S);

#[async_trait]
impl<S: Subscriber> Handle for Typed<S> {
    fn event(&self) -> &'static str {
        S::Event::NAME
    }

    fn prepare(&self, data: &str) -> Result<BoxFuture<'_, Result<Prepared, BusError>>, serde_json::Error> {
        let event: S::Event = serde_json::from_str(data)?;
        Ok(async move { self.0.prepare(event).await.map(|prepared| Arc::new(prepared) as Prepared) }.boxed())
    }

    fn locks(&self, prepared: &Prepared) -> Vec<String> {
        prepared.downcast_ref::<S::Prepared>().map_or_else(Vec::new, |prepared| self.0.locks(prepared))
    }

    async fn apply(&self, prepared: &Prepared, tx: &Tx<'_>) -> Result<(), BusError> {
        let prepared = prepared
            .downcast_ref::<S::Prepared>()
            .ok_or_else(|| BusError::failed(&"prepared by another subscriber"))?;
        self.0.apply(prepared, tx).await
    }
}

/// A module's subscribers by the id of their subscription.
#[derive(Default, Clone)]
pub struct Subscribers(BTreeMap<&'static str, (Subscription, Arc<dyn Handle>)>);

impl Subscribers {
    /// Adds what handles a subscription.
    #[must_use]
    pub fn with<S: Subscriber>(mut self, subscription: Subscription, subscriber: S) -> Self {
        debug_assert_eq!(subscription.event, S::Event::NAME, "{} handles another event", subscription.id);
        self.0.insert(subscription.id, (subscription, Arc::new(Typed(subscriber))));
        self
    }

    /// The subscriptions that are handled here.
    pub fn subscriptions(&self) -> impl Iterator<Item = &Subscription> {
        self.0.values().map(|(subscription, _)| subscription)
    }
}

/// A module's inbox.
#[derive(Clone)]
pub(crate) struct Inbox {
    database: Database,
    subscribers: Subscribers,
    retry: RetryPolicy,
    patience: Duration,
    arrived: Arc<Bell>,
}

#[async_trait]
impl Receive for Inbox {
    async fn receive(&self, deliveries: Vec<Delivery>) -> Result<Vec<Receipt>, BusError> {
        let known = |delivery: &Delivery| self.subscribers.0.contains_key(delivery.subscription.as_str());
        let receipts = deliveries
            .iter()
            .map(|delivery| if known(delivery) { Receipt::Stored } else { Receipt::UnknownSubscription })
            .collect();
        let stored: Vec<Delivery> = deliveries.into_iter().filter(known).collect();
        if !stored.is_empty() {
            let unit = self.database.write(stored, |deliveries, tx| {
                store(deliveries, tx);
                Box::pin(std::future::ready(Ok::<(), BusError>(())))
            });
            unit.await?;
            self.arrived.ring();
        }
        Ok(receipts)
    }
}

/// Stores messages once per subscription, however often they come.
fn store(deliveries: &[Delivery], tx: &Tx<'_>) {
    let now = tx.now().micros();
    let row = |Delivery { subscription, message }: &Delivery| {
        vec![
            Value::from(message.id),
            subscription.as_str().into(),
            message.name.as_str().into(),
            message.source.as_str().into(),
            message.key.as_str().into(),
            message.sequence.into(),
            message.at.micros().into(),
            message.trace.as_deref().unwrap_or_default().into(),
            message.data.as_str().into(),
            now.into(),
            // At once, whatever other processes' clocks say.
            0_i64.into(),
        ]
    };
    let rows = deliveries.iter().map(row).collect();
    // What has come before is rare, and is met where each unit looks for itself.
    let conflict = if tx.is_optimistic() {
        ""
    } else {
        // SQLite needs the condition to tell the conflict's clause from a join's.
        " WHERE true ON CONFLICT (message_id, subscription) DO NOTHING"
    };
    let sql = format!("{STORE}{conflict}");
    tx.write_later(Piece { sql: sql.into(), rows, must_match: tx.is_optimistic() });
}

const STORE: &str = "\
    INSERT INTO inbox (message_id, subscription, name, source, key, sequence, at, trace, data, received_at, due_at) \
    SELECT * FROM {values}";

/// Marks messages as handled; each must have been pending.
pub(crate) fn handled(marks: &[Mark]) -> Piece {
    let rows = marks.iter().map(|mark| vec![mark.position.into(), mark.at.micros().into()]).collect();
    let sql = "UPDATE inbox SET state = 'done', done_at = v.column2 FROM {values} \
               WHERE inbox.position = v.column1 AND inbox.state IS NOT DISTINCT FROM 'pending'";
    Piece { sql: sql.into(), rows, must_match: true }
}

/// A message that waits to be handled.
pub(crate) struct Pending {
    pub(crate) position: i64,
    pub(crate) message: Message,
    received_at: Timestamp,
    attempts: u32,
}

/// What became of one message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Handled {
    /// Its effect and its mark are committed.
    Done,
    /// It is tried again later, or is a dead letter: later messages of its key see to that themselves.
    NotYet,
}

impl Inbox {
    pub(crate) fn new(
        database: Database,
        subscribers: Subscribers,
        retry: RetryPolicy,
        patience: Duration,
    ) -> Self {
        Self { database, subscribers, retry, patience, arrived: Arc::default() }
    }

    pub(crate) fn subscriptions(&self) -> Vec<Subscription> {
        self.subscribers.subscriptions().copied().collect()
    }

    /// Told when messages were stored.
    pub(crate) fn arrived(&self) -> &Arc<Bell> {
        &self.arrived
    }

    /// The messages of a subscription that may be handled now: none whose key waits for an earlier one, and
    /// none of the keys in `busy`.
    pub(crate) async fn ready(
        &self,
        subscription: &Subscription,
        busy: &[&str],
        limit: i64,
    ) -> Result<Vec<Pending>, BusError> {
        let sql = ready(self.database.backend(), subscription.on_dead_letter);
        let busy = serde_json::to_string(busy).map_err(|error| BusError::failed(&error))?;
        let now = self.database.sources().now().micros();
        let values = [subscription.id.into(), now.into(), busy.into(), limit.into()];
        let rows = self.database.reader().rows(&sql, values).await?;
        rows.iter().map(pending).collect()
    }

    /// Handles one message, to its effect, its retry or its dead letter.
    pub(crate) async fn handle(&self, subscription: &Subscription, pending: Pending) -> Handled {
        let Some((_, handler)) = self.subscribers.0.get(subscription.id) else { return Handled::NotYet };
        let trace = pending.message.trace.as_deref().and_then(TraceContext::parse);
        let mut context = Context::default();
        context.trace = trace.unwrap_or(context.trace);
        context.attempt = pending.attempts + 1;
        let context = context.with_deadline(tokio::time::Instant::now() + self.patience);
        let work = context.scope(self.carry_out(Arc::clone(handler), &pending));
        let tried = pending.attempts + 1;
        let again = || self.retry.decide(tried, rand::random());
        let (error, attempts, decision) = match AssertUnwindSafe(work).catch_unwind().await {
            Ok(Ok(())) => return Handled::Done,
            Ok(Err(Failure::Unreadable(text))) => (text, tried, Decision::GiveUp),
            // A message is to blame for what it does to its handler, not for what is away: an outage, however
            // long, makes no dead letters.
            Ok(Err(Failure::Refused(
                error @ (BusError::Unavailable { .. } | BusError::Overloaded { .. }),
            ))) => {
                let age = pending.received_at.until(self.database.sources().now());
                let pause = self.retry.outage(age, rand::random());
                (error.to_string(), pending.attempts, Decision::Again(pause))
            }
            Ok(Err(Failure::Refused(error))) => (error.to_string(), tried, again()),
            Err(panic) => (format!("the handler panicked: {}", panic_text(&*panic)), tried, again()),
        };
        if let Err(error) = self.failed(subscription, &pending, &error, attempts, decision).await {
            tracing::warn!(%error, "a failed message could not be marked; it is tried again");
            // The database takes no writes: without a pause this would turn as fast as it reads.
            tokio::time::sleep(self.retry.outage(Duration::ZERO, rand::random())).await;
        }
        Handled::NotYet
    }

    async fn carry_out(&self, handler: Arc<dyn Handle>, pending: &Pending) -> Result<(), Failure> {
        if handler.event() != pending.message.name {
            return Err(Failure::Unreadable(format!("the handler reads {}", handler.event())));
        }
        let preparing =
            handler.prepare(&pending.message.data).map_err(|error| Failure::Unreadable(error.to_string()))?;
        let prepared = tokio::time::timeout(self.patience, preparing)
            .await
            .map_err(|_| BusError::DeadlineExceeded { name: pending.message.name.clone() })
            .flatten()
            .map_err(Failure::Refused)?;
        let state = (Arc::clone(&handler), prepared, pending.position);
        let mut locks = state.0.locks(&state.1);
        locks.push(pending.message.key.clone());
        self.database
            .write_locking(locks, state, |(handler, prepared, position), tx| {
                Box::pin(async move {
                    handler.apply(prepared, tx).await?;
                    tx.handled(*position);
                    Ok::<(), BusError>(())
                })
            })
            .await
            .map_err(Failure::Refused)
    }

    /// Records a failure: one row for each message, however often it was tried.
    async fn failed(
        &self,
        subscription: &Subscription,
        pending: &Pending,
        error: &str,
        attempts: u32,
        decision: Decision,
    ) -> Result<(), BusError> {
        let (state, pause) = match decision {
            Decision::Again(pause) => ("pending", pause),
            Decision::GiveUp => ("dead", Duration::ZERO),
        };
        let text: String = error.chars().filter(|c| *c != '\0').take(2000).collect();
        let change = (pending.position, state, pause, text, i64::from(attempts));
        let marked = self
            .database
            .write(change, |(position, state, pause, error, attempts), tx| {
                Box::pin(async move {
                    let due = tx.now().after(*pause).micros();
                    let sql = "UPDATE inbox SET state = $1, due_at = $2, error = $3, attempts = $4 \
                               WHERE position = $5 AND state = 'pending'";
                    let error = error.as_str().into();
                    let values = [(*state).into(), due.into(), error, (*attempts).into(), (*position).into()];
                    tx.execute(sql, values).await
                })
            })
            .await?;
        if state == "dead" && marked == 1 {
            tracing::error!(subscription = subscription.id, message = %pending.message.id, error, "dead letter");
            metrics::counter!("dead_letters_total", "subscription" => subscription.id).increment(1);
        }
        Ok(())
    }
}

/// The messages of a subscription that may be handled now.
pub(crate) fn ready(backend: DatabaseBackend, on_dead_letter: OnDeadLetter) -> String {
    let blocks = match on_dead_letter {
        OnDeadLetter::Block => "(e.state = 'dead' OR (e.state = 'pending' AND e.due_at > $2))",
        // Not with `=`: the index of what is pending would seem to do, which has all messages before this one, not its key's.
        OnDeadLetter::Skip => "(e.state IS NOT DISTINCT FROM 'pending' AND e.due_at > $2)",
    };
    let is_busy = match backend {
        DatabaseBackend::Postgres => "(SELECT value FROM json_array_elements_text($3::json))",
        _ => "(SELECT value FROM json_each($3))",
    };
    // The offset keeps PostgreSQL from making a join of it, which while the table was small did without the key.
    format!(
        "SELECT i.position, i.message_id, i.name, i.source, i.key, i.sequence, i.at, i.trace, i.data, i.attempts, \
         i.received_at \
         FROM inbox i WHERE i.subscription = $1 AND i.state = 'pending' AND i.due_at <= $2 \
         AND i.key NOT IN {is_busy} AND NOT EXISTS (SELECT 1 FROM inbox e WHERE e.subscription = i.subscription \
         AND e.key = i.key AND e.position < i.position AND e.state IN ('pending', 'dead') AND {blocks} \
         LIMIT 1 OFFSET 0) \
         ORDER BY i.position LIMIT $4"
    )
}

enum Failure {
    /// Trying again cannot help.
    Unreadable(String),
    Refused(BusError),
}

fn pending(row: &Row) -> Result<Pending, BusError> {
    Ok(Pending {
        position: row.get("position")?,
        received_at: Timestamp::from_micros(row.get("received_at")?),
        message: message(row, "message_id")?,
        attempts: u32::try_from(row.get::<i64>("attempts")?).unwrap_or(0),
    })
}
