//! From rows to what the port answers with.

use bus::{BusError, Timestamp};
use bus_durable::Row;
use inventory_ports::{Movement, MovementKind, ProductStatus, Stock, StockLine};
use kernel::{Money, MovementId, OrderId, Sku};
use std::{fmt::Display, str::FromStr};
use uuid::Uuid;

/// The columns that [`movement`] reads.
pub(crate) const MOVEMENT: &str = "id, sku, kind, delta, reason, order_id, actor, at";

/// A column whose text is parsed: what does not parse was not written by this program.
pub(crate) fn parsed<T: FromStr<Err: Display>>(row: &Row, column: &str) -> Result<T, BusError> {
    row.get::<String>(column)?.parse().map_err(|error| BusError::failed(&error))
}

pub(crate) fn sku(row: &Row) -> Result<Sku, BusError> {
    parsed(row, "sku")
}

pub(crate) fn price(row: &Row) -> Result<Money, BusError> {
    Ok(Money::new(row.get("price")?, parsed(row, "currency")?))
}

pub(crate) fn status(row: &Row) -> Result<ProductStatus, BusError> {
    let text: String = row.get("status")?;
    let known = [ProductStatus::Draft, ProductStatus::Active, ProductStatus::Archived];
    let found = known.into_iter().find(|status| status.as_str() == text);
    found.ok_or_else(|| BusError::failed(&format_args!("{text} is no status of a product")))
}

pub(crate) fn lines(row: &Row) -> Result<Vec<StockLine>, BusError> {
    serde_json::from_str(&row.get::<String>("lines")?).map_err(|error| BusError::failed(&error))
}

pub(crate) fn stock(sku: &Sku, row: &Row) -> Result<Stock, BusError> {
    let (on_hand, reserved) = (row.get::<i64>("on_hand")?, row.get::<i64>("reserved")?);
    let available = on_hand - reserved;
    Ok(Stock { sku: sku.clone(), on_hand, reserved, available, version: row.get("version")? })
}

pub(crate) fn movement(row: &Row) -> Result<Movement, BusError> {
    let kind: String = row.get("kind")?;
    let known = [MovementKind::Initial, MovementKind::Adjustment, MovementKind::Sale, MovementKind::Return];
    let found = known.into_iter().find(|known| known.as_str() == kind);
    Ok(Movement {
        id: MovementId(row.get("id")?),
        sku: sku(row)?,
        kind: found.ok_or_else(|| BusError::failed(&format_args!("{kind} is no kind of movement")))?,
        delta: row.get("delta")?,
        reason: row.get("reason")?,
        order_id: row.get::<Option<Uuid>>("order_id")?.map(OrderId),
        actor: parsed(row, "actor")?,
        at: Timestamp::from_micros(row.get("at")?),
    })
}
