//! The stock of a SKU: read, corrected by hand, and its ledger.

use crate::{entities::movement, rows, store::Values, valid};
use bus::BusError;
use bus_durable::{Reader, Tx};
use inventory_ports::{
    AdjustStock, AdjustedStock, InventoryError, ListMovements, Movement, MovementKind, Shortage, Stock,
};
use kernel::{MovementId, OrderId, Page, Sku};
use sea_orm::{ActiveValue::Set, Value};

const STOCK: &str = "SELECT on_hand, reserved, version FROM variant WHERE sku = $1";

pub(crate) async fn stock(reader: &Reader, sku: &Sku) -> Result<Stock, InventoryError> {
    let row = reader.row(STOCK, [sku.as_str().into()]).await?;
    let row = row.ok_or(InventoryError::SkuNotFound)?;
    Ok(rows::stock(sku, &row)?)
}

/// Corrects the stock on hand, never to less than what is reserved.
pub(crate) async fn adjust(request: &AdjustStock, tx: &Tx<'_>) -> Result<AdjustedStock, InventoryError> {
    let AdjustStock { movement_id, sku, delta, reason, .. } = request;
    let row = tx.row(STOCK, [sku.as_str().into()]).await?.ok_or(InventoryError::SkuNotFound)?;
    let stock = rows::stock(sku, &row)?;
    let sql = format!("SELECT {} FROM movement WHERE id = $1", rows::MOVEMENT);
    if let Some(row) = tx.row(&sql, [movement_id.0.into()]).await? {
        return Ok(AdjustedStock { movement: rows::movement(&row)?, stock });
    }
    if request.expected_version.is_some_and(|version| version != stock.version) {
        return Err(InventoryError::VersionMismatch { current: stock.version });
    }
    if stock.on_hand.saturating_add(*delta) > valid::MOST_ON_HAND {
        let mut faults = valid::Faults::default();
        faults.add("/delta", "invalid_value", format!("more than {} would be on hand", valid::MOST_ON_HAND));
        faults.into_result()?;
    }
    if stock.available + delta < 0 {
        return Err(short(&stock, *delta));
    }
    let sql = "UPDATE variant SET on_hand = on_hand + $1, version = version + 1 \
               WHERE sku = $2 AND on_hand - reserved + $1 >= 0 RETURNING on_hand, reserved, version";
    let changed = tx.returning(sql, [(*delta).into(), sku.as_str().into()]).await?;
    let Some(row) = changed.first() else { return Err(short(&stock, *delta)) };
    let movement = Movement {
        id: *movement_id,
        sku: sku.clone(),
        kind: MovementKind::Adjustment,
        delta: *delta,
        reason: reason.clone(),
        order_id: None,
        actor: request.actor,
        at: tx.now(),
    };
    record(&movement, tx);
    Ok(AdjustedStock { movement, stock: rows::stock(sku, row)? })
}

fn short(stock: &Stock, delta: i64) -> InventoryError {
    let sku = stock.sku.clone();
    InventoryError::InsufficientStock {
        shortages: vec![Shortage { sku, requested: delta.saturating_neg(), available: stock.available }],
    }
}

/// Writes a line of the ledger.
pub(crate) fn record(movement: &Movement, tx: &Tx<'_>) {
    tx.insert_later(movement::ActiveModel {
        id: Set(movement.id.0),
        sku: Set(movement.sku.to_string()),
        kind: Set(movement.kind.as_str().into()),
        delta: Set(movement.delta),
        reason: Set(movement.reason.clone()),
        order_id: Set(movement.order_id.map(|order| order.0)),
        actor: Set(movement.actor.to_string()),
        at: Set(movement.at.micros()),
    });
}

pub(crate) async fn movements(
    reader: &Reader,
    request: &ListMovements,
) -> Result<Page<Movement>, InventoryError> {
    let mut values = Values::default();
    let sku = values.bind(request.sku.as_str());
    let mut after = String::new();
    if let Some(cursor) = &request.page.cursor {
        let last: MovementId = cursor.key().map_err(|_| InventoryError::InvalidCursor)?;
        after = format!(" AND id > {}", values.bind(last.0));
    }
    let limit = values.bind(i64::try_from(request.page.limit.probe()).unwrap_or(i64::MAX));
    let columns = rows::MOVEMENT;
    let sql = format!("SELECT {columns} FROM movement WHERE sku = {sku}{after} ORDER BY id LIMIT {limit}");
    let found = reader.rows(&sql, values.into_vec()).await?;
    if found.is_empty() {
        stock(reader, &request.sku).await?;
    }
    let found = found.iter().map(rows::movement).collect::<Result<_, BusError>>()?;
    Ok(Page::cut(found, request.page.limit, |movement: &Movement| movement.id))
}

pub(crate) async fn order_movements(reader: &Reader, order: OrderId) -> Result<Vec<Movement>, BusError> {
    let sql = format!("SELECT {} FROM movement WHERE order_id = $1 ORDER BY id", rows::MOVEMENT);
    let found = reader.rows(&sql, [Value::from(order.0)]).await?;
    found.iter().map(rows::movement).collect()
}
