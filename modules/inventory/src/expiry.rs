//! Lets reservations go whose time has passed. The instant was stored when they were made, so a clock that jumps
//! back expires nothing early (B23); the pause between two looks is measured by the monotonic clock.

use crate::{NAME, reservations, rows};
use bus::BusError;
use bus_durable::Database;
use kernel::OrderId;
use std::time::Duration;
use tokio::sync::watch;

/// How many are let go at once: they share one commit, and nobody waits long behind them.
const BATCH: i64 = 32;

/// Looks now and then, until told to stop.
pub(crate) async fn run(database: Database, every: Duration, mut stop: watch::Receiver<bool>) {
    loop {
        let pause = match sweep(&database).await {
            Ok(more) if more => Duration::ZERO,
            Ok(_) => every,
            Err(error) => {
                tracing::warn!(module = NAME, %error, "expired reservations could not be looked for");
                every
            }
        };
        // A sender that is gone says stop as well.
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Lets one batch go; whether there may be more.
async fn sweep(database: &Database) -> Result<bool, BusError> {
    let sql = "SELECT order_id, lines FROM reservation WHERE state = 'held' AND expires_at <= $1 \
               ORDER BY expires_at LIMIT $2";
    let now = database.sources().now().micros();
    let due = database.reader().rows(sql, [now.into(), BATCH.into()]).await?;
    let mut units = Vec::new();
    for row in &due {
        let order = OrderId(row.get("order_id")?);
        let locks = reservations::locks(order, &rows::lines(row)?);
        units.push(database.write_locking(locks, order, |order, tx| {
            Box::pin(async move { reservations::expire(*order, tx).await })
        }));
    }
    let mut ended = 0;
    for outcome in futures::future::join_all(units).await {
        ended += usize::from(outcome?);
    }
    if ended > 0 {
        tracing::info!(module = NAME, ended, "reservations have expired");
    }
    Ok(ended > 0 && i64::try_from(due.len()).is_ok_and(|due| due == BATCH))
}
