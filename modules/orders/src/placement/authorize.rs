//! Second step: the money is held. May wait for the buyer (3-D Secure) or for the provider.

use super::PlacementState;
use crate::store;
use async_trait::async_trait;
use bus::{BusError, Timestamp};
use bus_durable::{
    Database,
    saga::{Acted, Step},
};
use orders_ports::{OrderPaymentStatus, OrderStatus, OrdersError};
use payments_ports::{AuthorizePayment, Payment, PaymentStatus, PaymentsError, PaymentsPort, VoidPayment};
use std::{sync::Arc, time::Duration};

pub(crate) struct Authorize {
    pub(crate) database: Database,
    pub(crate) payments: Arc<dyn PaymentsPort>,
    pub(crate) window: Duration,
}

#[async_trait]
impl Step<PlacementState> for Authorize {
    fn name(&self) -> &'static str {
        "authorize"
    }

    async fn act(&self, state: &mut PlacementState) -> Acted {
        if state.order.status == OrderStatus::RequiresAction
            && let Some(refused) = self.cancelled(state).await
        {
            return refused;
        }
        let request = AuthorizePayment {
            payment_id: state.order.payment_id,
            order_id: state.order.id,
            user_id: state.order.user_id,
            amount: state.order.total,
            token: state.token.clone(),
            capture_next: true,
        };
        match self.payments.authorize(request).await {
            Ok(payment) => self.take_note(state, payment),
            Err(error) => refused(state, error),
        }
    }

    async fn undo(&self, state: &mut PlacementState) -> Result<(), BusError> {
        void(&*self.payments, state).await
    }
}

impl Authorize {
    fn take_note(&self, state: &mut PlacementState, payment: Payment) -> Acted {
        match payment.status {
            PaymentStatus::Authorized | PaymentStatus::Captured => {
                state.order.payment_status = OrderPaymentStatus::Authorized;
                Acted::Done
            }
            PaymentStatus::RequiresAction => {
                state.order.status = OrderStatus::RequiresAction;
                state.order.action_url = payment.action_url;
                self.wait(state)
            }
            PaymentStatus::Processing => self.wait(state),
            _ => {
                let decline_code = payment.decline_code.unwrap_or_else(|| "declined".into());
                let order_id = state.order.id;
                state.refuse(OrdersError::PaymentDeclined { order_id, decline_code })
            }
        }
    }

    /// Waits for the buyer or the provider, while the stock is held.
    fn wait(&self, state: &mut PlacementState) -> Acted {
        let now = self.database.sources().now();
        let until = last_moment(state).min(state.order.created_at.after(self.window));
        if now >= until {
            let status = OrderStatus::Expired;
            return state.refuse(OrdersError::InvalidTransition { status, allowed: Vec::new() });
        }
        Acted::Wait(until)
    }

    async fn cancelled(&self, state: &mut PlacementState) -> Option<Acted> {
        let row = store::row(&self.database, state.order.id).await;
        match row {
            Ok(Some(row)) if row.cancellation_id.is_some() => {
                let status = OrderStatus::Cancelled;
                Some(state.refuse(OrdersError::InvalidTransition { status, allowed: Vec::new() }))
            }
            Ok(_) => None,
            Err(error) => Some(Acted::Unknown(BusError::to_string(&error))),
        }
    }
}

/// The last moment at which money may still be taken: the reservation must outlive the placing.
pub(crate) fn last_moment(state: &PlacementState) -> Timestamp {
    const MARGIN: Duration = Duration::from_secs(2);
    state.reserved_until.map_or(state.order.created_at, |until| until.before(MARGIN))
}

/// Sees to it that no money is held or taken, whatever is known.
pub(crate) async fn void(payments: &dyn PaymentsPort, state: &mut PlacementState) -> Result<(), BusError> {
    match payments.void(VoidPayment { payment_id: state.order.payment_id }).await {
        Ok(payment) => {
            // Money that came after all, and went back, is told as what it was.
            if payment.captured.amount > 0 {
                state.order.payment_status = OrderPaymentStatus::Paid;
            }
            Ok(())
        }
        Err(PaymentsError::NotFound) => Ok(()),
        Err(PaymentsError::Unavailable(error)) => Err(error),
        Err(other) => Err(BusError::failed(&other)),
    }
}

/// What a refusal of the payments module means for the order.
pub(crate) fn refused(state: &mut PlacementState, error: PaymentsError) -> Acted {
    let order_id = state.order.id;
    match error {
        PaymentsError::Declined { code, .. } => {
            state.refuse(OrdersError::PaymentDeclined { order_id, decline_code: code })
        }
        PaymentsError::Unavailable(error) => {
            state.refusal = Some(OrdersError::NotPlaced { order_id, dependency: "payments".into() });
            Acted::Unknown(error.to_string())
        }
        other => {
            tracing::warn!(%order_id, error = %other, "the payment cannot go on");
            state.refuse(OrdersError::NotPlaced { order_id, dependency: "payments".into() })
        }
    }
}
