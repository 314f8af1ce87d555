//! What an operator sees of a module's messages: dead letters, replay, discard, lag; and what is swept away.

use crate::{Database, dispatch::Duty, later::chunks, outbox::binds, query::Row};
use bus::{BusError, DeadLetter, DeadLetterId, Phase, Timestamp};
use sea_orm::Value;
use std::time::Duration;

impl Database {
    /// The dead letters after a place, oldest first.
    ///
    /// # Errors
    /// What the database said.
    pub async fn dead_letters(
        &self,
        after: Option<&DeadLetterId>,
        limit: u64,
    ) -> Result<Vec<DeadLetter>, BusError> {
        let (in_inbox, after, subscription) =
            after.map_or((true, 0, ""), |id| (id.place == "inbox", id.position, id.subscription.as_str()));
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut letters = Vec::new();
        if in_inbox {
            let rows = self.reader().rows(DEAD, [after.into(), limit.into()]).await?;
            letters = rows.iter().map(|row| letter(row, "inbox")).collect::<Result<_, _>>()?;
        }
        let left = limit - i64::try_from(letters.len()).unwrap_or(limit);
        if left > 0 {
            // Several deliveries of one event can be parked.
            let (after, subscription) = if in_inbox { (0, "") } else { (after, subscription) };
            for row in self.reader().rows(PARKED, [after.into(), subscription.into(), left.into()]).await? {
                letters.push(letter(&row, "outbox")?);
            }
        }
        Ok(letters)
    }

    /// Puts a dead letter back in its queue; `false` where there is none.
    ///
    /// # Errors
    /// What the database said.
    pub async fn replay_dead_letter(&self, id: DeadLetterId) -> Result<bool, BusError> {
        let moved = self
            .write(id, |id, tx| {
                Box::pin(async move {
                    let now = tx.now().micros();
                    if id.place == "inbox" {
                        let sql = "UPDATE inbox SET state = 'pending', attempts = 0, due_at = $1 \
                                   WHERE position = $2 AND subscription = $3 AND state = 'dead'";
                        tx.execute(sql, [now.into(), id.position.into(), id.subscription.as_str().into()]).await
                    } else {
                        let sql = "UPDATE outbox_delivery SET state = 'pending', done_at = NULL \
                                   WHERE position = $1 AND subscription = $2 AND state = 'parked' AND module <> 'nobody'";
                        tx.execute(sql, [id.position.into(), id.subscription.as_str().into()]).await
                    }
                })
            })
            .await?;
        Ok(moved > 0)
    }

    /// Gives a dead letter up for good; `false` where there is none.
    ///
    /// # Errors
    /// What the database said.
    pub async fn discard_dead_letter(&self, id: DeadLetterId) -> Result<bool, BusError> {
        let discarded = self
            .write(id, |id, tx| {
                Box::pin(async move {
                    let now = tx.now().micros();
                    let sql = if id.place == "inbox" {
                        "UPDATE inbox SET state = 'discarded', done_at = $1 \
                         WHERE position = $2 AND subscription = $3 AND state = 'dead'"
                    } else {
                        "UPDATE outbox_delivery SET state = 'discarded', done_at = $1 \
                         WHERE position = $2 AND subscription = $3 AND state = 'parked'"
                    };
                    tx.execute(sql, [now.into(), id.position.into(), id.subscription.as_str().into()]).await
                })
            })
            .await?;
        Ok(discarded > 0)
    }

    /// How old the oldest undelivered and the oldest unhandled message are; zero where there is none.
    ///
    /// # Errors
    /// What the database said.
    pub async fn lag(&self) -> Result<(Duration, Duration), BusError> {
        let now = self.sources().now();
        let mut lag = [Duration::ZERO; 2];
        for (lag, sql) in lag.iter_mut().zip(oldest_pending()) {
            let oldest = match self.reader().row(&sql, []).await? {
                Some(row) => row.get::<Option<i64>>("oldest")?,
                None => None,
            };
            *lag = oldest.map_or(Duration::ZERO, |oldest| Timestamp::from_micros(oldest).until(now));
        }
        Ok((lag[0], lag[1]))
    }

    /// How long ago the oldest saga began that is being carried out or undone; zero where there is none. One that waits
    /// for somebody's word is not counted, nor one that needs attention, which is told when it does.
    ///
    /// # Errors
    /// What the database said.
    pub async fn oldest_open_saga(&self) -> Result<Duration, BusError> {
        let now = self.sources().now();
        let mut oldest = Duration::ZERO;
        for phase in [Phase::Running, Phase::Unwinding] {
            if let Some(row) = self.reader().row(OLDEST_SAGA, [phase.name().into()]).await? {
                oldest = oldest.max(Timestamp::from_micros(row.get("since")?).until(now));
            }
        }
        Ok(oldest)
    }
}

/// Ids are in the order of their making. That it is not completed is said in the text, or the partial index could not be
/// used.
pub(crate) const OLDEST_SAGA: &str =
    "SELECT created_at AS since FROM saga WHERE phase = $1 AND phase <> 'completed' ORDER BY id LIMIT 1";

pub(crate) const DEAD: &str = "\
    SELECT position, subscription, message_id, name, key, data, error, attempts, at \
    FROM inbox WHERE state = 'dead' AND position > $1 ORDER BY position LIMIT $2";

pub(crate) const PARKED: &str = "\
    SELECT d.position, d.subscription, o.id AS message_id, o.name, o.key, o.data, o.at, \
    CASE d.module WHEN 'nobody' THEN 'nobody subscribes to this event' \
    ELSE 'no such subscription' END AS error, CAST(1 AS BIGINT) AS attempts \
    FROM outbox_delivery d JOIN outbox o ON o.position = d.position \
    WHERE d.state = 'parked' AND (d.position, d.subscription) > ($1, $2) \
    ORDER BY d.position, d.subscription LIMIT $3";

/// The oldest of what is pending in the outbox and in the inbox.
pub(crate) fn oldest_pending() -> [String; 2] {
    [oldest("outbox_delivery", "module", "at"), oldest("inbox", "subscription", "received_at")]
}

/// The first of each owner's, who are found one after the other by their index.
fn oldest(table: &str, owner: &str, since: &str) -> String {
    let pending = format!("FROM {table} WHERE state = 'pending'");
    format!(
        "WITH RECURSIVE own (name) AS (SELECT MIN({owner}) {pending} UNION ALL \
         SELECT (SELECT MIN({owner}) {pending} AND {owner} > own.name) FROM own WHERE own.name IS NOT NULL) \
         SELECT MIN(since) AS oldest FROM (SELECT (SELECT {since} {pending} AND {owner} = own.name \
         ORDER BY position LIMIT 1) AS since FROM own) AS firsts"
    )
}

/// What has settled, oldest first: of as many as are deleted at once, those that are old enough. What is old lies at the
/// front of its table, where the condition on the place makes SQLite search by it. Two conditions where one would do, since each has an index of its own.
pub(crate) const SETTLED: [&str; 3] = [
    "SELECT position FROM (SELECT o.position, o.at FROM outbox o \
     WHERE o.position > 0 \
     AND NOT EXISTS (SELECT 1 FROM outbox_delivery d WHERE d.position = o.position AND d.state = 'pending') \
     AND NOT EXISTS (SELECT 1 FROM outbox_delivery d WHERE d.position = o.position AND d.state = 'parked') \
     ORDER BY o.position LIMIT $2) AS front WHERE at < $1",
    "SELECT position FROM (SELECT position, received_at FROM inbox \
     WHERE position > 0 AND state IN ('done', 'discarded') ORDER BY position LIMIT $2) AS front WHERE received_at < $1",
    "SELECT id FROM idempotency WHERE at < $1 AND outcome IS NOT NULL ORDER BY at LIMIT $2",
];

/// Where what has settled is deleted, in this order, and by which key.
const SWEPT: [(&[&str], &str); 3] =
    [(&["outbox_delivery", "outbox"], "position"), (&["inbox"], "position"), (&["idempotency"], "id")];

fn letter(row: &Row, place: &str) -> Result<DeadLetter, BusError> {
    Ok(DeadLetter {
        id: DeadLetterId {
            place: place.to_owned(),
            position: row.get("position")?,
            subscription: row.get("subscription")?,
        },
        message_id: row.get("message_id")?,
        event: row.get("name")?,
        key: row.get("key")?,
        data: row.get("data")?,
        error: row.get::<Option<String>>("error")?.unwrap_or_default(),
        attempts: row.get("attempts")?,
        at: Timestamp::from_micros(row.get("at")?),
    })
}

/// How long idempotency keys are kept: the contract promises 24 hours.
const KEYS_KEPT: Duration = Duration::from_secs(48 * 3600);

/// Settled rows are deleted in pieces of this size, so that no sweep holds the writer up; with little pause
/// between pieces, since thousands of rows can settle in a second.
const SWEEP: i64 = 500;
const BETWEEN_PIECES: Duration = Duration::from_millis(50);
const BETWEEN_SWEEPS: Duration = Duration::from_secs(10);

/// Sweeps settled messages away, oldest first, and reports the lag. Never touches what is pending or dead.
pub(crate) async fn keep_house(database: Database, retention: Duration, mut duty: Duty) {
    let mut full = true;
    while duty.wait(std::future::pending(), if full { BETWEEN_PIECES } else { BETWEEN_SWEEPS }).await {
        full = sweep(&database, retention).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "settled messages could not be swept");
            false
        });
        if full {
            continue;
        }
        if let Ok((outbox, inbox)) = database.lag().await {
            let module = database.module();
            metrics::gauge!("outbox_oldest_pending_seconds", "module" => module).set(outbox.as_secs_f64());
            metrics::gauge!("inbox_oldest_pending_seconds", "module" => module).set(inbox.as_secs_f64());
        }
        // An undo that never gets through is tried for ever: this is what an alarm rings on.
        if let Ok(oldest) = database.oldest_open_saga().await {
            metrics::gauge!("sagas_oldest_open_seconds", "module" => database.module())
                .set(oldest.as_secs_f64());
        }
    }
}

/// One piece of the sweep; whether there may be more. What has settled stays so: it can be looked for outside of
/// the writer, and is deleted by its keys.
pub(crate) async fn sweep(database: &Database, retention: Duration) -> Result<bool, BusError> {
    let now = database.sources().now();
    let (before, keys_before) = (now.before(retention).micros(), now.before(KEYS_KEPT).micros());
    let mut full = false;
    let kept = [before, before, keys_before];
    for ((settled, (tables, column)), before) in SETTLED.into_iter().zip(SWEPT).zip(kept) {
        let rows = database.reader().rows(settled, [before.into(), SWEEP.into()]).await?;
        full |= i64::try_from(rows.len()).is_ok_and(|found| found >= SWEEP);
        let key = |row: &Row| match column {
            "id" => row.get::<String>(column).map(Value::from),
            _ => row.get::<i64>(column).map(Value::from),
        };
        let keys = rows.iter().map(key).collect::<Result<_, _>>()?;
        delete(database, tables, column, keys).await?;
    }
    Ok(full)
}

async fn delete(
    database: &Database,
    tables: &'static [&'static str],
    column: &'static str,
    keys: Vec<Value>,
) -> Result<(), BusError> {
    if keys.is_empty() {
        return Ok(());
    }
    database
        .write(keys, move |keys, tx| {
            Box::pin(async move {
                let mut rest = keys.as_slice();
                for size in chunks(keys.len()) {
                    let (chunk, after) = rest.split_at(size);
                    rest = after;
                    for table in tables {
                        let sql = format!("DELETE FROM {table} WHERE {column} IN ({})", binds(0, size));
                        tx.execute(&sql, chunk.to_vec()).await?;
                    }
                }
                Ok(())
            })
        })
        .await
}
