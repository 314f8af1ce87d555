//! The saga's state, its steps in order, and what is written when it waits and when it ends.

use super::{authorize::Authorize, capture::Capture, reserve::Reserve};
use crate::{Settings, store};
use async_trait::async_trait;
use bus::{BusError, Timestamp};
use bus_durable::{
    Counter, Database, Tx, Update, is_kept,
    saga::{Saga, Step},
};
use inventory_ports::InventoryPort;
use orders_ports::{Order, OrderExpired, OrderPaymentStatus, OrderPlaced, OrderStatus, OrdersError};
use payments_ports::PaymentsPort;
use serde::{Deserialize, Serialize};
use std::sync::{Arc, Mutex, PoisonError};

/// What the steps know and learn.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct PlacementState {
    /// The order as it was stored, brought up to date by the steps.
    pub(crate) order: Order,
    /// The payment provider's token.
    pub(crate) token: String,
    /// The public command's id, whose outcome is the saga's.
    pub(crate) command: Option<String>,
    /// When the reservation ends.
    pub(crate) reserved_until: Option<Timestamp>,
    /// Why it is undone.
    pub(crate) refusal: Option<OrdersError>,
    /// The order as the last save wrote it, for whoever waits for the answer.
    #[serde(skip)]
    written: Arc<Mutex<Option<Order>>>,
}

impl PlacementState {
    pub(crate) fn new(order: Order, token: String, command: Option<String>) -> Self {
        Self { order, token, command, reserved_until: None, refusal: None, written: Arc::default() }
    }

    /// Notes why everything is undone.
    pub(crate) fn refuse(&mut self, refusal: OrdersError) -> bus_durable::saga::Acted {
        let why = refusal.to_string();
        self.refusal = Some(refusal);
        bus_durable::saga::Acted::Refused(why)
    }

    /// The order as the last save wrote it.
    pub(crate) fn written(&self) -> Option<Order> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn write(&self, order: Order) {
        *self.written.lock().unwrap_or_else(PoisonError::into_inner) = Some(order);
    }
}

/// The placement saga: reserve, authorize, capture; placing is its good end.
pub(crate) struct Placement {
    steps: Vec<Box<dyn Step<PlacementState>>>,
}

impl Placement {
    pub(crate) fn new(
        database: Database,
        inventory: Arc<dyn InventoryPort>,
        payments: Arc<dyn PaymentsPort>,
        settings: &Settings,
    ) -> Self {
        let sources = database.sources().clone();
        let reserve = Reserve { inventory };
        let authorize =
            Authorize { database, payments: Arc::clone(&payments), window: settings.payment_window };
        let capture = Capture { payments, sources };
        Self { steps: vec![Box::new(reserve), Box::new(authorize), Box::new(capture)] }
    }
}

#[async_trait]
impl Saga for Placement {
    const KIND: &'static str = "orders.placement";
    type State = PlacementState;

    fn steps(&self) -> &[Box<dyn Step<PlacementState>>] {
        &self.steps
    }

    /// Placing: local, and refused for no business reason. The number is taken here and nowhere else, so that
    /// an order that comes to nothing leaves no gap.
    async fn completed(&self, state: &PlacementState, tx: &Tx<'_>) -> Result<(), BusError> {
        let number = tx.next_number(&ORDER_NUMBER).await?;
        let now = tx.now();
        let version = placed(&state.order, number, now, tx).await?;
        let order = Order {
            number: Some(number),
            status: OrderStatus::Placed,
            payment_status: OrderPaymentStatus::Paid,
            placed_at: Some(now),
            action_url: None,
            version,
            ..state.order.clone()
        };
        tx.publish(&OrderPlaced {
            order_id: order.id,
            number,
            user_id: order.user_id,
            lines: order.lines.clone(),
            total: order.total,
            placed_at: now,
            version: order.version,
        })?;
        settle(state, Ok(order), tx).await
    }

    async fn compensated(&self, state: &PlacementState, tx: &Tx<'_>) -> Result<(), BusError> {
        let row = store::row_in(tx, state.order.id).await?;
        let asked_to_cancel = row.as_ref().is_some_and(|row| row.cancellation_id.is_some());
        let refusal = state.refusal.clone().unwrap_or_else(|| OrdersError::NotPlaced {
            order_id: state.order.id,
            dependency: "inventory".into(),
        });
        let (status, reason) = match &refusal {
            _ if asked_to_cancel => (OrderStatus::Cancelled, "cancelled"),
            OrdersError::InsufficientStock { .. } => (OrderStatus::Rejected, "insufficient_stock"),
            OrdersError::PaymentDeclined { .. } => (OrderStatus::Rejected, "payment_declined"),
            OrdersError::UnknownSku { .. } => (OrderStatus::Rejected, "unknown_sku"),
            OrdersError::InvalidTransition { .. } => (OrderStatus::Expired, "expired"),
            _ => (OrderStatus::Rejected, "dependency_unavailable"),
        };
        let payment_status = match state.order.payment_status {
            OrderPaymentStatus::Authorized => OrderPaymentStatus::Voided,
            OrderPaymentStatus::Paid => OrderPaymentStatus::Refunded,
            _ => OrderPaymentStatus::Failed,
        };
        let sql = "UPDATE orders SET status = $1, reason = $2, payment_status = $3, action_url = NULL, \
                   version = version + 1 WHERE id = $4 AND status IN ('processing', 'requires_action') \
                   RETURNING version";
        let id = state.order.id;
        let values = [status.name().into(), reason.into(), payment_status.name().into(), id.0.into()];
        let rows = tx.returning(sql, values).await?;
        let Some(row) = rows.first() else {
            return Err(BusError::failed(&format_args!("order {id} is not on its way any more")));
        };
        let version = row.get("version")?;
        if status == OrderStatus::Expired {
            let (user_id, total) = (state.order.user_id, state.order.total);
            tx.publish(&OrderExpired { order_id: id, user_id, total, version })?;
        }
        settle(state, Err(refusal), tx).await
    }

    async fn waiting(&self, state: &PlacementState, tx: &Tx<'_>) -> Result<(), BusError> {
        let status = state.order.status.name();
        let sql = "UPDATE orders SET status = $1, action_url = $2, version = version + 1 \
                   WHERE id = $3 AND status IN ('processing', 'requires_action') RETURNING version";
        let values = [status.into(), state.order.action_url.clone().into(), state.order.id.0.into()];
        let rows = tx.returning(sql, values).await?;
        let Some(row) = rows.first() else {
            return Err(BusError::failed(&format_args!(
                "order {} is not on its way any more",
                state.order.id
            )));
        };
        let order = Order { version: row.get("version")?, ..state.order.clone() };
        settle(state, Ok(order), tx).await
    }
}

static ORDER_NUMBER: Counter = Counter { table: "counter", name: "order_number" };

/// Places an order that nobody has touched since it was stored.
static PLACE: Update = Update {
    sql: "UPDATE orders SET number = v.column3, status = 'placed', payment_status = 'paid', placed_at = v.column4, \
          action_url = NULL, version = orders.version + 1 FROM {values} \
          WHERE orders.id = v.column1 AND orders.version = v.column2 AND orders.status IS NOT DISTINCT FROM 'processing'",
    must_match: true,
};

/// Marks an order as placed; its version then.
async fn placed(order: &Order, number: i64, now: Timestamp, tx: &Tx<'_>) -> Result<i64, BusError> {
    if tx.is_optimistic() {
        let values = [order.id.0.into(), order.version.into(), number.into(), now.micros().into()];
        tx.update_later(&PLACE, values.into());
        return Ok(order.version + 1);
    }
    let sql = "UPDATE orders SET number = $1, status = 'placed', payment_status = 'paid', placed_at = $2, \
               action_url = NULL, version = version + 1 \
               WHERE id = $3 AND status IN ('processing', 'requires_action') RETURNING version";
    let rows = tx.returning(sql, [number.into(), now.micros().into(), order.id.0.into()]).await?;
    match rows.first() {
        Some(row) => row.get("version"),
        None => Err(BusError::failed(&format_args!("order {} is not on its way any more", order.id))),
    }
}

/// Stores the public command's outcome and keeps the order for whoever waits.
async fn settle(
    state: &PlacementState,
    outcome: Result<Order, OrdersError>,
    tx: &Tx<'_>,
) -> Result<(), BusError> {
    if let Some(command) = &state.command {
        if is_kept(&outcome) {
            tx.settle(command, &outcome)?;
        } else {
            tx.forget(command).await?;
        }
    }
    if let Ok(order) = outcome {
        state.write(order);
    }
    Ok(())
}
