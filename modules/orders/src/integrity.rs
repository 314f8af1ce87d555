//! What orders says of its own invariants, and what it believes of money and stock.

use crate::{entities::order, store};
use bus::BusError;
use bus_durable::{
    Database,
    sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect},
};
use kernel::IntegrityCheck;
use orders_ports::{ListSettlements, Settlement};
use std::collections::BTreeSet;
use uuid::Uuid;

/// Each invariant and the query that finds its violations.
const INVARIANTS: &[(&str, &str)] = &[
    (
        "order numbers are gap-free",
        "SELECT CAST(c.value AS TEXT) AS id FROM counter c WHERE c.name = 'order_number' \
         AND c.value <> (SELECT COUNT(*) FROM orders WHERE number IS NOT NULL)",
    ),
    (
        "an order on its way has a saga that runs",
        "SELECT CAST(o.id AS TEXT) AS id FROM orders o WHERE o.status IN ('processing', 'requires_action') \
         AND NOT EXISTS (SELECT 1 FROM saga s WHERE s.key = {KEY} AND s.kind = 'orders.placement' \
         AND s.phase IN ('running', 'waiting', 'unwinding', 'needs_attention')) LIMIT 100",
    ),
    (
        "a placed order is paid",
        "SELECT CAST(o.id AS TEXT) AS id FROM orders o WHERE o.status IN ('placed', 'fulfilled') \
         AND o.payment_status NOT IN ('paid', 'partially_refunded', 'refunded') LIMIT 100",
    ),
    (
        "every saga has ended or runs",
        "SELECT CAST(s.id AS TEXT) AS id FROM saga s WHERE s.phase = 'needs_attention' LIMIT 100",
    ),
];

/// Counts the violations; what is seen once is looked at again, since a unit of work may have been between two rows.
pub(crate) async fn check(database: &Database) -> Result<Vec<IntegrityCheck>, BusError> {
    let mut checks = Vec::new();
    for (invariant, sql) in INVARIANTS {
        let first = violations(database, sql).await?;
        let violations: BTreeSet<String> = if first.is_empty() {
            first
        } else {
            violations(database, sql).await?.intersection(&first).cloned().collect()
        };
        checks.push(IntegrityCheck {
            invariant: (*invariant).to_owned(),
            violations: u64::try_from(violations.len()).unwrap_or(u64::MAX),
            sample: violations.into_iter().take(10).collect(),
        });
    }
    Ok(checks)
}

async fn violations(database: &Database, sql: &str) -> Result<BTreeSet<String>, BusError> {
    // A saga's key is the id as text; SQLite keeps ids as bytes.
    let key = match database.backend() {
        bus_durable::sea_orm::DatabaseBackend::Postgres => "CAST(o.id AS TEXT)",
        _ => {
            "lower(substr(hex(o.id), 1, 8) || '-' || substr(hex(o.id), 9, 4) || '-' || substr(hex(o.id), 13, 4) \
             || '-' || substr(hex(o.id), 17, 4) || '-' || substr(hex(o.id), 21))"
        }
    };
    let sql = sql.replace("{KEY}", key).replace("CAST(o.id AS TEXT)", key);
    let sql = match database.backend() {
        bus_durable::sea_orm::DatabaseBackend::Postgres => sql,
        _ => sql.replace("CAST(s.id AS TEXT)", "hex(s.id)"),
    };
    database.reader().rows(&sql, []).await?.iter().map(|row| row.get("id")).collect()
}

/// A page of what orders believes, newest first.
pub(crate) async fn settlements(
    database: &Database,
    request: &ListSettlements,
) -> Result<Vec<Settlement>, BusError> {
    let mut select = order::Entity::find().order_by_desc(order::Column::Id).limit(u64::from(request.limit));
    if let Some(before) = request.before {
        select = select.filter(order::Column::Id.lt(before.0));
    }
    let rows = database.reader().all(select).await?;
    let busy = busy(database, rows.iter().map(|row| row.id)).await?;
    let settlement = |row: order::Model| {
        let in_progress = busy.contains(&row.id.to_string());
        let order = store::order(row)?;
        Ok(Settlement {
            order_id: order.id,
            status: order.status,
            payment_status: order.payment_status,
            payment_id: order.payment_id,
            total: order.total,
            refunded: order.refunded,
            in_progress,
        })
    };
    rows.into_iter().map(settlement).collect()
}

/// The orders among these on which a saga works.
async fn busy(database: &Database, ids: impl Iterator<Item = Uuid>) -> Result<BTreeSet<String>, BusError> {
    let keys: Vec<String> = ids.map(|id| id.to_string()).collect();
    let list = match database.backend() {
        bus_durable::sea_orm::DatabaseBackend::Postgres => {
            "SELECT value FROM json_array_elements_text($1::json)"
        }
        _ => "SELECT value FROM json_each($1)",
    };
    let sql = format!(
        "SELECT DISTINCT key FROM saga WHERE key IN ({list}) \
         AND phase IN ('running', 'waiting', 'unwinding', 'needs_attention')"
    );
    let keys = serde_json::to_string(&keys).map_err(|error| BusError::failed(&error))?;
    database.reader().rows(&sql, [keys.into()]).await?.iter().map(|row| row.get("key")).collect()
}
