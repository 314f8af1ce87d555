//! The relay: carries deliveries from the outbox to the subscribers' inboxes, one subscriber's trouble apart
//! from another's.

use crate::{Database, Tx, Update, query::Row, retry::RetryPolicy};
use bus::{Bus, BusError, Delivery, Message, Receipt, Timestamp};
use std::time::Duration;

/// How many deliveries are sent at once.
pub(crate) const BATCH: usize = 256;

/// A module's deliveries by their state and their place. Never by "after the last seen": a row with an earlier
/// place may be committed later.
pub(crate) const PENDING: &str = "\
    SELECT d.position, d.subscription, o.id, o.name, o.source, o.key, o.sequence, o.at, o.trace, o.data \
    FROM outbox_delivery d JOIN outbox o ON o.position = d.position \
    WHERE d.module = $1 AND d.state = 'pending' ORDER BY d.position LIMIT $2";

/// Sends one subscriber module's deliveries, in the order in which their events were written.
pub(crate) struct Relay {
    pub(crate) database: Database,
    pub(crate) bus: Bus,
    pub(crate) subscriber: &'static str,
    pub(crate) patience: Duration,
}

impl Relay {
    /// Sends what is pending; how many, which is [`BATCH`] where there may be more.
    ///
    /// # Errors
    /// [`BusError`] where the inbox did not answer: nothing is lost, all of it is sent again.
    pub(crate) async fn step(&self) -> Result<usize, BusError> {
        let limit = i64::try_from(BATCH).unwrap_or(i64::MAX);
        let rows = self.database.reader().rows(PENDING, [self.subscriber.into(), limit.into()]).await?;
        if rows.is_empty() {
            return Ok(0);
        }
        let deliveries = rows.iter().map(delivery).collect::<Result<Vec<_>, _>>()?;
        let receipts = self.bus.deliver(self.subscriber, deliveries.clone(), self.patience).await?;
        if receipts.len() != deliveries.len() {
            return Err(BusError::Codec { name: format!("{}.inbox", self.subscriber) });
        }
        let mut stored = Vec::new();
        let mut parked = Vec::new();
        for ((row, delivery), receipt) in rows.iter().zip(deliveries).zip(receipts) {
            let id = (row.get::<i64>("position")?, delivery.subscription);
            match receipt {
                Receipt::Stored => stored.push(id),
                Receipt::UnknownSubscription => parked.push(id),
            }
        }
        if !parked.is_empty() {
            tracing::error!(
                module = self.subscriber,
                count = parked.len(),
                "deliveries to unknown subscriptions are parked"
            );
            metrics::counter!("outbox_parked_total", "module" => self.subscriber)
                .increment(u64::try_from(parked.len()).unwrap_or(0));
        }
        let settled = (stored, parked);
        self.database
            .write(settled, |(stored, parked), tx| {
                mark(tx, "done", stored);
                mark(tx, "parked", parked);
                Box::pin(std::future::ready(Ok::<(), BusError>(())))
            })
            .await?;
        Ok(rows.len())
    }

    /// How long to wait after the `failures`-th failure in a row.
    pub(crate) fn pause(failures: u32, random: f64) -> Duration {
        let base = Duration::from_millis(50);
        RetryPolicy { max_attempts: u32::MAX, base, cap: Duration::from_secs(2) }.pause(failures, random)
    }
}

/// Marks deliveries that nobody has marked before.
pub(crate) static MARK: Update = Update {
    sql: "UPDATE outbox_delivery SET state = v.column3, done_at = v.column4 FROM {values} \
          WHERE outbox_delivery.position = v.column1 AND outbox_delivery.subscription = v.column2 \
          AND outbox_delivery.state IS NOT DISTINCT FROM 'pending'",
    must_match: false,
};

fn mark(tx: &Tx<'_>, state: &str, rows: &[(i64, String)]) {
    for (position, subscription) in rows {
        let at = tx.now().micros();
        tx.update_later(
            &MARK,
            vec![(*position).into(), subscription.as_str().into(), state.into(), at.into()],
        );
    }
}

fn delivery(row: &Row) -> Result<Delivery, BusError> {
    Ok(Delivery { subscription: row.get("subscription")?, message: message(row, "id")? })
}

/// The message in a row of the outbox or of an inbox.
pub(crate) fn message(row: &Row, id: &str) -> Result<Message, BusError> {
    Ok(Message {
        id: row.get(id)?,
        name: row.get("name")?,
        source: row.get("source")?,
        key: row.get("key")?,
        sequence: row.get("sequence")?,
        at: Timestamp::from_micros(row.get("at")?),
        trace: row.get("trace")?,
        data: row.get("data")?,
    })
}
