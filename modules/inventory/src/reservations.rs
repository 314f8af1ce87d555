//! The life of a reservation: held, then shipped, released or expired.
//!
//! An order has one row, whatever comes in whatever order. A release that comes before its reservation leaves a
//! tombstone, so that the late one holds nothing (B15).

use crate::{entities::reservation, rows, stock, store::Values, valid};
use bus::{BusError, Timestamp};
use bus_durable::{Row, Tx, Update};
use inventory_ports::{
    Actor, InventoryError, Movement, MovementKind, ProductStatus, ReleaseStock, ReleasedStock, Reservation,
    ReservationExpired, Shortage, StockLine,
};
use kernel::{OrderId, Sku};
use sea_orm::{ActiveValue::Set, Value};
use std::{collections::BTreeMap, time::Duration};

/// Stock counts as reserved.
const HELD: &str = "held";
/// The order was placed: the stock has left the shelf.
pub(crate) const SHIPPED: &str = "shipped";
/// The order asked for its release: nothing will be held or shipped for it.
const RELEASED: &str = "released";
/// Nobody placed the order in time.
const EXPIRED: &str = "expired";

/// The locks of a unit of work on an order and these SKUs.
pub(crate) fn locks(order: OrderId, lines: &[StockLine]) -> Vec<String> {
    let mut keys = vec![format!("order:{order}")];
    keys.extend(lines.iter().map(|line| format!("sku:{}", line.sku)));
    keys
}

/// A reservation to be made: one line for each SKU, sorted by it.
pub(crate) struct Hold {
    pub(crate) order_id: OrderId,
    pub(crate) lines: Vec<StockLine>,
    pub(crate) ttl: Duration,
}

/// Holds the stock of many orders at once, a sum for each SKU.
static HOLD: Update = Update {
    sql: "UPDATE variant SET reserved = variant.reserved + v.column2, version = variant.version + 1 FROM {values} \
          WHERE variant.sku = v.column1 AND variant.on_hand - variant.reserved >= v.column2 \
          AND EXISTS (SELECT 1 FROM product WHERE product.id = variant.product_id AND product.status = 'active')",
    must_match: true,
};

/// Holds stock. Where it is scarce: one read, and one conditional update for each SKU. The read finds every refusal
/// before anything is written; the updates are what decides.
pub(crate) async fn hold(hold: &Hold, tx: &Tx<'_>) -> Result<Reservation, InventoryError> {
    let Hold { order_id, lines, ttl } = hold;
    let now = tx.now();
    let expires_at = now.after(*ttl);
    let reservation = Reservation { order_id: *order_id, lines: lines.clone(), expires_at };
    if tx.is_optimistic() {
        for line in lines {
            tx.add_later(&HOLD, line.sku.as_str(), &[i64::from(line.quantity)]);
        }
        tx.insert_later(row(*order_id, lines, HELD, expires_at, now)?);
        return Ok(reservation);
    }
    let mut values = Values::default();
    let order = values.bind(order_id.0);
    let skus: Vec<&str> = lines.iter().map(|line| line.sku.as_str()).collect();
    let sql = format!(
        "SELECT v.sku, v.on_hand - v.reserved AS available, p.status, r.state, r.lines, r.expires_at \
         FROM variant v JOIN product p ON p.id = v.product_id LEFT JOIN reservation r ON r.order_id = {order} \
         WHERE v.sku IN ({})",
        values.list(&skus)
    );
    let found = tx.rows(&sql, values.into_vec()).await?;
    if let Some(before) = found.first().map(|row| earlier(*order_id, row)).transpose()?.flatten() {
        return before;
    }
    refuse_what_cannot_be_had(lines, &found)?;
    for line in lines {
        let sql = "UPDATE variant SET reserved = reserved + $1, version = version + 1 \
                   WHERE sku = $2 AND on_hand - reserved >= $1";
        if tx.execute(sql, [i64::from(line.quantity).into(), line.sku.as_str().into()]).await? == 0 {
            return Err(InventoryError::InsufficientStock { shortages: vec![shortage(line, tx).await?] });
        }
    }
    tx.insert_later(row(*order_id, lines, HELD, expires_at, now)?);
    Ok(reservation)
}

/// What an order that has been here before is answered.
fn earlier(order_id: OrderId, row: &Row) -> Result<Option<Result<Reservation, InventoryError>>, BusError> {
    let state = row.get::<Option<String>>("state")?;
    Ok(match state.as_deref() {
        None => None,
        Some(HELD | SHIPPED) => {
            let expires_at = Timestamp::from_micros(row.get("expires_at")?);
            Some(Ok(Reservation { order_id, lines: rows::lines(row)?, expires_at }))
        }
        Some(_) => Some(Err(InventoryError::ReservationClosed { order_id })),
    })
}

fn refuse_what_cannot_be_had(lines: &[StockLine], found: &[Row]) -> Result<(), InventoryError> {
    let mut available: BTreeMap<Sku, i64> = BTreeMap::new();
    for row in found {
        if rows::status(row)? == ProductStatus::Active {
            available.insert(rows::sku(row)?, row.get("available")?);
        }
    }
    let unknown = lines.iter().filter(|line| !available.contains_key(&line.sku));
    let skus: Vec<Sku> = unknown.map(|line| line.sku.clone()).collect();
    if !skus.is_empty() {
        return Err(InventoryError::UnknownSkus { skus });
    }
    let short = lines.iter().filter_map(|line| {
        let (available, requested) = (*available.get(&line.sku)?, i64::from(line.quantity));
        (available < requested).then(|| Shortage { sku: line.sku.clone(), requested, available })
    });
    let shortages: Vec<Shortage> = short.collect();
    if shortages.is_empty() { Ok(()) } else { Err(InventoryError::InsufficientStock { shortages }) }
}

async fn shortage(line: &StockLine, tx: &Tx<'_>) -> Result<Shortage, BusError> {
    let sql = "SELECT on_hand - reserved AS available FROM variant WHERE sku = $1";
    let row = tx.row(sql, [line.sku.as_str().into()]).await?;
    let available = row.map_or(Ok(0), |row| row.get("available"))?;
    Ok(Shortage { sku: line.sku.clone(), requested: i64::from(line.quantity), available })
}

/// A reservation's row; also a tombstone's.
pub(crate) fn row(
    order: OrderId,
    lines: &[StockLine],
    state: &str,
    expires_at: Timestamp,
    now: Timestamp,
) -> Result<reservation::ActiveModel, BusError> {
    Ok(reservation::ActiveModel {
        order_id: Set(order.0),
        lines: Set(written(lines)?),
        state: Set(state.into()),
        expires_at: Set(expires_at.micros()),
        created_at: Set(now.micros()),
    })
}

/// Lines as a row has them.
pub(crate) fn written(lines: &[StockLine]) -> Result<String, BusError> {
    serde_json::to_string(lines).map_err(|error| BusError::failed(&error))
}

/// Undoes whatever was done for an order.
pub(crate) async fn release(request: &ReleaseStock, tx: &Tx<'_>) -> Result<ReleasedStock, BusError> {
    let order = request.order_id;
    let sql = "SELECT state, lines FROM reservation WHERE order_id = $1";
    let Some(found) = tx.row(sql, [order.0.into()]).await? else {
        let now = tx.now();
        tx.insert_later(row(order, &[], RELEASED, now, now)?);
        return Ok(ReleasedStock { order_id: order });
    };
    let state: String = found.get("state")?;
    if state != RELEASED {
        let sql = "UPDATE reservation SET state = $1 WHERE order_id = $2";
        tx.execute(sql, [RELEASED.into(), order.0.into()]).await?;
        let lines = rows::lines(&found)?;
        match state.as_str() {
            HELD => let_go(&lines, tx).await?,
            SHIPPED => take_back(order, &lines, &request.reason, tx).await?,
            _ => {}
        }
    }
    Ok(ReleasedStock { order_id: order })
}

/// Ends a reservation whose time has passed, unless it has ended otherwise since it was found.
pub(crate) async fn expire(order: OrderId, tx: &Tx<'_>) -> Result<bool, BusError> {
    let sql = "UPDATE reservation SET state = $1 WHERE order_id = $2 AND state = 'held' AND expires_at <= $3 \
               RETURNING lines";
    let values: [Value; 3] = [EXPIRED.into(), order.0.into(), tx.now().micros().into()];
    let ended = tx.returning(sql, values).await?;
    let Some(row) = ended.first() else { return Ok(false) };
    let_go(&rows::lines(row)?, tx).await?;
    tx.publish(&ReservationExpired { order_id: order, at: tx.now() })?;
    Ok(true)
}

/// A release must go through at any stock value (F15): where the numbers have drifted it stops at zero, and the
/// repair puts them right.
async fn let_go(lines: &[StockLine], tx: &Tx<'_>) -> Result<(), BusError> {
    for line in lines {
        let sql = "UPDATE variant SET reserved = CASE WHEN reserved >= $1 THEN reserved - $1 ELSE 0 END, \
                   version = version + 1 WHERE sku = $2";
        tx.execute(sql, [i64::from(line.quantity).into(), line.sku.as_str().into()]).await?;
    }
    Ok(())
}

/// What was shipped goes back to the shelf.
async fn take_back(order: OrderId, lines: &[StockLine], reason: &str, tx: &Tx<'_>) -> Result<(), BusError> {
    for line in lines {
        let quantity = i64::from(line.quantity);
        let sql = "UPDATE variant SET on_hand = on_hand + $1, version = version + 1 WHERE sku = $2";
        tx.execute(sql, [quantity.into(), line.sku.as_str().into()]).await?;
        moved(order, line, MovementKind::Return, quantity, valid::reason(reason), tx);
    }
    Ok(())
}

/// Writes the ledger line of an order.
pub(crate) fn moved(
    order: OrderId,
    line: &StockLine,
    kind: MovementKind,
    delta: i64,
    reason: String,
    tx: &Tx<'_>,
) {
    let movement = Movement {
        id: tx.id(),
        sku: line.sku.clone(),
        kind,
        delta,
        reason,
        order_id: Some(order),
        actor: Actor::System,
        at: tx.now(),
    };
    stock::record(&movement, tx);
}
