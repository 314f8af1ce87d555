//! What inventory does when an order is placed: its stock leaves the shelf.

use crate::{
    reservations::{self, SHIPPED},
    rows, valid,
};
use async_trait::async_trait;
use bus::BusError;
use bus_durable::{Subscriber, Tx, Update};
use inventory_ports::{MovementKind, StockLine};
use kernel::OrderId;
use orders_ports::OrderPlaced;

/// The subscriber of `inventory.ship_stock`.
pub(crate) struct ShipStock;

/// A placed order as the shelf sees it.
pub(crate) struct Shipment {
    order_id: OrderId,
    reason: String,
    lines: Vec<StockLine>,
}

#[async_trait]
impl Subscriber for ShipStock {
    type Event = OrderPlaced;
    type Prepared = Shipment;

    async fn prepare(&self, event: OrderPlaced) -> Result<Shipment, BusError> {
        let lines: Vec<StockLine> = event
            .lines
            .iter()
            .map(|line| StockLine { sku: line.sku.clone(), quantity: line.quantity })
            .collect();
        let lines = valid::summed(&lines).map_err(|error| BusError::failed(&error))?;
        Ok(Shipment { order_id: event.order_id, reason: format!("order {}", event.number), lines })
    }

    fn locks(&self, shipment: &Shipment) -> Vec<String> {
        reservations::locks(shipment.order_id, &shipment.lines)
    }

    async fn apply(&self, shipment: &Shipment, tx: &Tx<'_>) -> Result<(), BusError> {
        let order = shipment.order_id;
        if tx.is_optimistic() {
            let written = reservations::written(&shipment.lines)?;
            tx.update_later(&SHIP, vec![order.0.into(), written.into()]);
            for line in &shipment.lines {
                let quantity = i64::from(line.quantity);
                tx.add_later(&TAKE, line.sku.as_str(), &[quantity]);
                reservations::moved(order, line, MovementKind::Sale, -quantity, shipment.reason.clone(), tx);
            }
            return Ok(());
        }
        let sql =
            "UPDATE reservation SET state = 'shipped' WHERE order_id = $1 AND state = 'held' RETURNING lines";
        match tx.returning(sql, [order.0.into()]).await?.first() {
            Some(held) => take(order, &rows::lines(held)?, Source::Held, &shipment.reason, tx).await,
            None => ship_unheld(shipment, tx).await,
        }
    }
}

/// The reservations of many orders, held as they were placed.
static SHIP: Update = Update {
    sql: "UPDATE reservation SET state = 'shipped' FROM {values} WHERE reservation.order_id = v.column1 \
          AND reservation.lines = v.column2 AND reservation.state IS NOT DISTINCT FROM 'held'",
    must_match: true,
};

/// What they held leaves the shelf, a sum for each SKU.
static TAKE: Update = Update {
    sql: "UPDATE variant SET on_hand = variant.on_hand - v.column2, reserved = variant.reserved - v.column2, \
          version = variant.version + 1 FROM {values} \
          WHERE variant.sku = v.column1 AND variant.reserved >= v.column2",
    must_match: true,
};

/// Nothing is held: it was shipped or released before, or its time had passed when the order was placed after all.
async fn ship_unheld(shipment: &Shipment, tx: &Tx<'_>) -> Result<(), BusError> {
    let Shipment { order_id, reason, lines } = shipment;
    let sql = "SELECT state FROM reservation WHERE order_id = $1";
    let state: Option<String> = match tx.row(sql, [order_id.0.into()]).await? {
        Some(row) => Some(row.get("state")?),
        None => None,
    };
    match state.as_deref() {
        // A cancelled order's stock stays on the shelf; what has left does not leave twice.
        Some("shipped" | "released") => return Ok(()),
        Some(_) => {
            let sql = "UPDATE reservation SET state = 'shipped', lines = $1 WHERE order_id = $2";
            tx.execute(sql, [reservations::written(lines)?.into(), order_id.0.into()]).await?;
        }
        None => tx.insert_later(reservations::row(*order_id, lines, SHIPPED, tx.now(), tx.now())?),
    }
    tracing::warn!(order = %order_id, "placed without a reservation: the shelf decides");
    take(*order_id, lines, Source::Shelf, reason, tx).await
}

/// Where the units come from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    /// They were held for the order.
    Held,
    /// They are among those that nobody holds.
    Shelf,
}

/// Takes stock from the shelf. Where it is not there, the message is tried again and then a dead letter:
/// the order is paid, and a person has to find the goods.
async fn take(
    order: OrderId,
    lines: &[StockLine],
    source: Source,
    reason: &str,
    tx: &Tx<'_>,
) -> Result<(), BusError> {
    let sql = match source {
        Source::Held => {
            "UPDATE variant SET on_hand = on_hand - $1, reserved = reserved - $1, version = version + 1 \
             WHERE sku = $2 AND reserved >= $1"
        }
        Source::Shelf => {
            "UPDATE variant SET on_hand = on_hand - $1, version = version + 1 \
             WHERE sku = $2 AND on_hand - reserved >= $1"
        }
    };
    for line in lines {
        let quantity = i64::from(line.quantity);
        if tx.execute(sql, [quantity.into(), line.sku.as_str().into()]).await? == 0 {
            let text = format!("order {order} is placed, but {quantity} of {} are not there", line.sku);
            return Err(BusError::failed(&text));
        }
        reservations::moved(order, line, MovementKind::Sale, -quantity, reason.into(), tx);
    }
    Ok(())
}
