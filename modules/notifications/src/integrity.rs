//! What notifications promise, counted.

use bus::BusError;
use bus_durable::{Database, Row, sea_orm::Value};
use kernel::IntegrityCheck;
use std::time::Duration;
use uuid::Uuid;

/// How many violations are named.
const SAMPLE: usize = 10;

/// Every invariant with its violations.
pub(crate) async fn checks(
    database: &Database,
    waiting_at_most: Duration,
) -> Result<Vec<IntegrityCheck>, BusError> {
    let since = database.sources().now().before(waiting_at_most).micros();
    let twice = "SELECT order_id AS id FROM notification WHERE order_id IS NOT NULL \
                 AND template = 'order_confirmation' GROUP BY order_id HAVING COUNT(*) > 1";
    let waiting = "SELECT id FROM notification WHERE status = 'pending' AND queued_at < $1";
    Ok(vec![
        check(database, "no order has more than one confirmation", twice, &[]).await?,
        check(database, "no notification waits longer than it may", waiting, &[since.into()]).await?,
    ])
}

/// Counts what a query of ids finds, and names the first of it. Counted in the database: the answer stays small.
async fn check(
    database: &Database,
    invariant: &str,
    sql: &str,
    values: &[Value],
) -> Result<IntegrityCheck, BusError> {
    let count = format!("SELECT COUNT(*) AS violations FROM ({sql}) AS violating");
    let count = database.reader().row(&count, values.to_vec()).await?;
    let violations = count.map_or(Ok(0), |row| row.get::<i64>("violations"))?;
    let sample = if violations == 0 {
        Vec::new()
    } else {
        let rows = database.reader().rows(&format!("{sql} LIMIT {SAMPLE}"), values.to_vec()).await?;
        rows.iter()
            .map(|row: &Row| row.get::<Uuid>("id").map(|id| id.to_string()))
            .collect::<Result<_, _>>()?
    };
    Ok(IntegrityCheck {
        invariant: invariant.into(),
        violations: u64::try_from(violations).unwrap_or(0),
        sample,
    })
}
