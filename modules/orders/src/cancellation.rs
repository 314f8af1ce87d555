//! Cancellation of a placed order. The decision is one conditional UPDATE; what follows from it only goes forward:
//! money back, stock back, told to whoever listens, as often tried as it takes.

use crate::{Service, service::Cancelling, store};
use async_trait::async_trait;
use bus::{BusError, Context, Sources};
use bus_durable::{
    Claim, Tx,
    saga::{Acted, Begun, Saga, Step},
};
use inventory_ports::{InventoryPort, ReleaseStock};
use kernel::OrderId;
use orders_ports::{CancelOrder, Order, OrderCancelled, OrderStatus, OrdersError};
use payments_ports::{PaymentsError, PaymentsPort, VoidPayment};
use serde::{Deserialize, Serialize};
use std::{fmt::Display, sync::Arc, time::Duration};

/// How long a step that got no answer waits before it is tried again.
const PAUSE: Duration = Duration::from_secs(2);

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct CancellationState {
    /// The order as it was when it was cancelled.
    pub(crate) order: Order,
    /// The public command's id, whose outcome is the saga's.
    pub(crate) command: Option<String>,
}

pub(crate) struct Cancellation {
    steps: Vec<Box<dyn Step<CancellationState>>>,
}

impl Cancellation {
    pub(crate) fn new(
        inventory: Arc<dyn InventoryPort>,
        payments: Arc<dyn PaymentsPort>,
        sources: &Sources,
    ) -> Self {
        let money = MoneyBack { payments, sources: sources.clone() };
        let stock = StockBack { inventory, sources: sources.clone() };
        Self { steps: vec![Box::new(money), Box::new(stock)] }
    }
}

#[async_trait]
impl Saga for Cancellation {
    const KIND: &'static str = "orders.cancellation";
    type State = CancellationState;

    fn steps(&self) -> &[Box<dyn Step<CancellationState>>] {
        &self.steps
    }

    async fn completed(&self, state: &CancellationState, tx: &Tx<'_>) -> Result<(), BusError> {
        let sql = "UPDATE orders SET payment_status = 'refunded', refunded = total, version = version + 1 \
                   WHERE id = $1";
        tx.execute(sql, [state.order.id.0.into()]).await?;
        let Some(row) = store::row_in(tx, state.order.id).await? else {
            return Err(BusError::failed(&format_args!("order {} is gone", state.order.id)));
        };
        let order = store::order(row)?;
        tx.publish(&OrderCancelled {
            order_id: order.id,
            number: order.number,
            user_id: order.user_id,
            total: order.total,
            reason: order.reason.clone().unwrap_or_default(),
            version: order.version,
        })?;
        match &state.command {
            Some(command) => tx.settle(command, &Ok::<_, OrdersError>(order)),
            None => Ok(()),
        }
    }

    async fn compensated(&self, state: &CancellationState, _: &Tx<'_>) -> Result<(), BusError> {
        // No step ever refuses.
        Err(BusError::failed(&format_args!("the cancellation of {} cannot be undone", state.order.id)))
    }

    async fn waiting(&self, _: &CancellationState, _: &Tx<'_>) -> Result<(), BusError> {
        Ok(())
    }
}

struct MoneyBack {
    payments: Arc<dyn PaymentsPort>,
    sources: Sources,
}

#[async_trait]
impl Step<CancellationState> for MoneyBack {
    fn name(&self) -> &'static str {
        "refund"
    }

    async fn act(&self, state: &mut CancellationState) -> Acted {
        match self.payments.void(VoidPayment { payment_id: state.order.payment_id }).await {
            Ok(_) | Err(PaymentsError::NotFound) => Acted::Done,
            Err(error) => try_again(&self.sources, state, &error),
        }
    }

    async fn undo(&self, _: &mut CancellationState) -> Result<(), BusError> {
        Ok(())
    }
}

struct StockBack {
    inventory: Arc<dyn InventoryPort>,
    sources: Sources,
}

#[async_trait]
impl Step<CancellationState> for StockBack {
    fn name(&self) -> &'static str {
        "restock"
    }

    async fn act(&self, state: &mut CancellationState) -> Acted {
        let reason = "the order was cancelled".to_owned();
        match self.inventory.release(ReleaseStock { order_id: state.order.id, reason }).await {
            Ok(_) => Acted::Done,
            Err(error) => try_again(&self.sources, state, &error),
        }
    }

    async fn undo(&self, _: &mut CancellationState) -> Result<(), BusError> {
        Ok(())
    }
}

fn try_again(sources: &Sources, state: &CancellationState, error: &dyn Display) -> Acted {
    tracing::warn!(order = %state.order.id, %error, "the cancellation is tried again");
    Acted::Wait(sources.now().after(PAUSE))
}

impl Service {
    /// Decides on a cancellation, in one unit of work: a placed order is cancelled here and now, one that waits
    /// for its buyer is asked to undo itself.
    pub(crate) async fn begin_cancellation(
        &self,
        request: &CancelOrder,
        saga: Arc<Begun<Cancellation>>,
    ) -> Result<Cancelling, OrdersError> {
        let command = Context::current().command;
        let state = (self.cancellations.clone(), self.placements.clone(), request.clone(), saga, command);
        let locks = vec![request.order_id.to_string()];
        let begun = self.database.write_locking(locks, state, |state, tx| {
            Box::pin(async move {
                let (cancellations, placements, request, saga, command) = state;
                match tx.claim(command.as_deref()).await? {
                    Claim::Settled(outcome) => return Ok(Cancelling::Settled(outcome)),
                    Claim::Running => return Ok(Cancelling::Already),
                    Claim::New => {}
                }
                let Some(row) = store::row_in(tx, request.order_id).await? else {
                    return Err(OrdersError::NotFound);
                };
                if row.cancellation_id == Some(request.cancellation_id) {
                    return Ok(Cancelling::Already);
                }
                if let Some(expected) = request.expected_version
                    && expected != row.version
                {
                    return Err(OrdersError::VersionMismatch { current: row.version });
                }
                let order = store::order(row)?;
                let waits = match order.status {
                    OrderStatus::Placed => false,
                    OrderStatus::RequiresAction => true,
                    status => return Err(store::not_allowed(status)),
                };
                let (by, id) = (request.viewer.user(), request.order_id);
                let sql = if waits {
                    "UPDATE orders SET cancellation_id = $1, cancelled_by = $2, reason = $3, version = version + 1 \
                     WHERE id = $4 AND status = 'requires_action'"
                } else {
                    "UPDATE orders SET cancellation_id = $1, cancelled_by = $2, reason = $3, status = 'cancelled', \
                     version = version + 1 WHERE id = $4 AND status = 'placed'"
                };
                let reason = request.reason.as_str().into();
                let values = [request.cancellation_id.into(), by.0.into(), reason, id.0.into()];
                if tx.execute(sql, values).await? == 0 {
                    return Err(store::not_allowed(order.status));
                }
                store::note(tx, id, "order.cancel_requested", &request.reason, &by.to_string());
                if waits {
                    placements.wake(&id.to_string(), tx).await?;
                    return Ok(Cancelling::Asked);
                }
                cancellations.begin(saga, tx)?;
                Ok(Cancelling::Begun)
            })
        });
        let begun = begun.await?;
        if matches!(begun, Cancelling::Asked) {
            self.placements.ring();
        }
        Ok(begun)
    }

    /// Waits, as long as the call may last, for a placement that was asked to undo itself.
    pub(crate) async fn await_unwinding(&self, id: OrderId) -> Result<Order, OrdersError> {
        const LOOK: Duration = Duration::from_millis(50);
        let patience = Context::current().remaining().unwrap_or(PAUSE * 2).mul_f64(0.8);
        let look = async {
            loop {
                match store::find(&self.database, id).await? {
                    Some(order) if order.status == OrderStatus::RequiresAction => {
                        tokio::time::sleep(LOOK).await
                    }
                    Some(order) => return Ok(order),
                    None => return Err(OrdersError::NotFound),
                }
            }
        };
        let order = match tokio::time::timeout(patience, look).await {
            Ok(order) => order?,
            Err(_) => store::find(&self.database, id).await?.ok_or(OrdersError::NotFound)?,
        };
        if let Some(command) = Context::current().command {
            let state = (command, order.clone());
            self.database
                .write(state, |(command, order), tx| {
                    Box::pin(async move { tx.settle(&command.id, &Ok::<_, OrdersError>(order)) })
                })
                .await?;
        }
        Ok(order)
    }
}
