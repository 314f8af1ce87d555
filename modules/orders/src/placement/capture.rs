//! Third step: the money is taken. It is the last that can refuse, and the one that costs most to undo.

use super::{
    PlacementState,
    authorize::{last_moment, refused, void},
};
use async_trait::async_trait;
use bus::{BusError, Sources};
use bus_durable::saga::{Acted, Step};
use orders_ports::{OrderPaymentStatus, OrderStatus, OrdersError};
use payments_ports::{CapturePayment, PaymentStatus, PaymentsPort};
use std::sync::Arc;

pub(crate) struct Capture {
    pub(crate) payments: Arc<dyn PaymentsPort>,
    pub(crate) sources: Sources,
}

#[async_trait]
impl Step<PlacementState> for Capture {
    fn name(&self) -> &'static str {
        "capture"
    }

    async fn act(&self, state: &mut PlacementState) -> Acted {
        let until = last_moment(state);
        if self.sources.now() >= until {
            let status = OrderStatus::Expired;
            return state.refuse(OrdersError::InvalidTransition { status, allowed: Vec::new() });
        }
        match self.payments.capture(CapturePayment { payment_id: state.order.payment_id }).await {
            Ok(payment) => match payment.status {
                PaymentStatus::Captured => {
                    state.order.payment_status = OrderPaymentStatus::Paid;
                    Acted::Done
                }
                PaymentStatus::Authorized | PaymentStatus::Processing => Acted::Wait(until),
                _ => {
                    let decline_code = payment.decline_code.unwrap_or_else(|| "capture_refused".into());
                    let order_id = state.order.id;
                    state.refuse(OrdersError::PaymentDeclined { order_id, decline_code })
                }
            },
            Err(error) => refused(state, error),
        }
    }

    async fn undo(&self, state: &mut PlacementState) -> Result<(), BusError> {
        void(&*self.payments, state).await
    }
}
