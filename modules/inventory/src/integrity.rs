//! Does everything add up? And if not, what is right? (F15)
//!
//! One statement sees one state of the database, so traffic is no violation; each is confirmed by a second
//! look all the same.

use crate::rows;
use bus::BusError;
use bus_durable::{Database, Reader};
use inventory_ports::{RepairedInventory, RepairedStock};
use kernel::{IntegrityCheck, Sku};
use sea_orm::DatabaseBackend;
use std::{collections::BTreeSet, time::Duration};

/// How many violations are named.
const SAMPLE: usize = 10;
/// How long a sweep may take, beside the pause before it.
const SWEEP_TAKES: Duration = Duration::from_secs(5);
/// How often a repair tries a SKU that is being sold meanwhile.
const PATIENCE: usize = 20;

/// A stock row that does not add up.
struct Drift {
    sku: Sku,
    on_hand: i64,
    reserved: i64,
    version: i64,
    /// What the ledger says is on hand.
    ledger: i64,
    /// What the reservations say is reserved.
    live: i64,
}

/// The stock rows that do not add up; of one SKU, or of all.
async fn drift(database: &Database, only: Option<&Sku>) -> Result<Vec<Drift>, BusError> {
    let lines = match database.backend() {
        DatabaseBackend::Postgres => "jsonb_array_elements(r.lines::jsonb) AS l(value)",
        _ => "json_each(r.lines) AS l",
    };
    let one = if only.is_some() { " AND v.sku = $1" } else { "" };
    let sql = format!(
        "SELECT v.sku, v.on_hand, v.reserved, v.version, COALESCE(m.total, 0) AS ledger, COALESCE(h.total, 0) AS live \
         FROM variant v \
         LEFT JOIN (SELECT sku, CAST(SUM(delta) AS BIGINT) AS total FROM movement GROUP BY sku) m ON m.sku = v.sku \
         LEFT JOIN (SELECT l.value ->> 'sku' AS sku, CAST(SUM(CAST(l.value ->> 'quantity' AS BIGINT)) AS BIGINT) AS total \
                    FROM reservation r, {lines} WHERE r.state = 'held' GROUP BY 1) h ON h.sku = v.sku \
         WHERE (v.on_hand <> COALESCE(m.total, 0) OR v.reserved <> COALESCE(h.total, 0) \
                OR v.reserved < 0 OR v.on_hand < v.reserved){one} ORDER BY v.sku"
    );
    let found = database.reader().rows(&sql, only.map(|sku| sku.as_str().into())).await?;
    found
        .iter()
        .map(|row| {
            Ok(Drift {
                sku: rows::sku(row)?,
                on_hand: row.get("on_hand")?,
                reserved: row.get("reserved")?,
                version: row.get("version")?,
                ledger: row.get("ledger")?,
                live: row.get("live")?,
            })
        })
        .collect()
}

/// Reservations that should have expired by now.
async fn overdue(reader: &Reader, by: i64) -> Result<BTreeSet<String>, BusError> {
    let sql = "SELECT order_id FROM reservation WHERE state = 'held' AND expires_at < $1";
    let found = reader.rows(sql, [by.into()]).await?;
    found.iter().map(|row| Ok(row.get::<uuid::Uuid>("order_id")?.to_string())).collect()
}

/// Every invariant, with what violates it at two looks.
pub(crate) async fn check(
    database: &Database,
    sweep_every: Duration,
) -> Result<Vec<IntegrityCheck>, BusError> {
    let first = look(database, sweep_every).await?;
    if first.iter().all(|(_, found)| found.is_empty()) {
        return Ok(first.into_iter().map(|(invariant, found)| report(invariant, &found)).collect());
    }
    let second = look(database, sweep_every).await?;
    let both = first.into_iter().zip(second);
    Ok(both.map(|((invariant, first), (_, second))| report(invariant, &(&first & &second))).collect())
}

type Look = [(&'static str, BTreeSet<String>); 4];

async fn look(database: &Database, sweep_every: Duration) -> Result<Look, BusError> {
    let drift = drift(database, None).await?;
    let skus = |wrong: fn(&Drift) -> bool| -> BTreeSet<String> {
        drift.iter().filter(|row| wrong(row)).map(|row| row.sku.to_string()).collect()
    };
    let by = database.sources().now().before(sweep_every).before(SWEEP_TAKES).micros();
    Ok([
        ("stock on hand = ledger", skus(|row| row.on_hand != row.ledger)),
        ("reserved = live reservations", skus(|row| row.reserved != row.live)),
        ("0 <= reserved <= on hand", skus(|row| row.reserved < 0 || row.on_hand < row.reserved)),
        ("no reservation is held past its time", overdue(database.reader(), by).await?),
    ])
}

fn report(invariant: &str, found: &BTreeSet<String>) -> IntegrityCheck {
    IntegrityCheck {
        invariant: invariant.into(),
        violations: u64::try_from(found.len()).unwrap_or(u64::MAX),
        sample: found.iter().take(SAMPLE).cloned().collect(),
    }
}

/// Puts every stock row right that does not add up, where ledger and reservations agree with each other.
pub(crate) async fn repair(database: &Database) -> Result<RepairedInventory, BusError> {
    let mut outcome = RepairedInventory { repaired: Vec::new(), contradictory: Vec::new() };
    for found in drift(database, None).await? {
        let sku = found.sku.clone();
        match repair_one(database, found).await? {
            Outcome::Right => {}
            Outcome::Repaired(repaired) => outcome.repaired.push(repaired),
            Outcome::Contradictory => outcome.contradictory.push(sku),
        }
    }
    Ok(outcome)
}

enum Outcome {
    Right,
    Repaired(RepairedStock),
    Contradictory,
}

/// Every change of a stock row changes its version: what was read together is right as long as it is the same.
async fn repair_one(database: &Database, mut found: Drift) -> Result<Outcome, BusError> {
    for _ in 0..PATIENCE {
        if found.live > found.ledger {
            return Ok(Outcome::Contradictory);
        }
        let sku = found.sku.clone();
        let repaired = RepairedStock {
            sku: sku.clone(),
            on_hand_was: found.on_hand,
            on_hand: found.ledger,
            reserved_was: found.reserved,
            reserved: found.live,
        };
        let locks = vec![format!("sku:{sku}")];
        let changed = database.write_locking(locks, found, |found, tx| {
            Box::pin(async move {
                let sql = "UPDATE variant SET on_hand = $1, reserved = $2, version = version + 1 \
                           WHERE sku = $3 AND version = $4";
                let (sku, version) = (found.sku.as_str().into(), found.version.into());
                Ok::<_, BusError>(
                    tx.execute(sql, [found.ledger.into(), found.live.into(), sku, version]).await? > 0,
                )
            })
        });
        if changed.await? {
            tracing::warn!(%sku, ?repaired, "a stock row was put right");
            return Ok(Outcome::Repaired(repaired));
        }
        match drift(database, Some(&sku)).await?.pop() {
            Some(again) => found = again,
            None => return Ok(Outcome::Right),
        }
    }
    Err(BusError::failed(&format_args!("{} is sold too fast to be put right", found.sku)))
}
