//! What orders hears of payments and inventory.

use crate::{placement::Placement, refunds};
use async_trait::async_trait;
use bus::BusError;
use bus_durable::{Subscriber, Subscribers, Tx, saga::Engine};
use inventory_ports::ReservationExpired;
use orders_ports::SUBSCRIPTIONS;
use payments_ports::{PaymentRefunded, PaymentSettled};

/// What handles each subscription.
pub(crate) fn subscribers(placements: &Engine<Placement>) -> Subscribers {
    let [settled, refunded, expired] = SUBSCRIPTIONS else { return Subscribers::default() };
    Subscribers::default()
        .with(*settled, Settled(placements.clone()))
        .with(*refunded, Refunded)
        .with(*expired, Expired(placements.clone()))
}

/// An outcome came to be known: the order that waits for it goes on.
struct Settled(Engine<Placement>);

#[async_trait]
impl Subscriber for Settled {
    type Event = PaymentSettled;
    type Prepared = PaymentSettled;

    async fn prepare(&self, event: PaymentSettled) -> Result<PaymentSettled, BusError> {
        Ok(event)
    }

    async fn apply(&self, event: &PaymentSettled, tx: &Tx<'_>) -> Result<(), BusError> {
        self.0.wake(&event.payment.order_id.to_string(), tx).await?;
        // Heard before the commit it finds nothing, and the next look is a poll away.
        self.0.ring();
        Ok(())
    }
}

/// Money went back: noted once, whoever asked for it.
struct Refunded;

#[async_trait]
impl Subscriber for Refunded {
    type Event = PaymentRefunded;
    type Prepared = PaymentRefunded;

    async fn prepare(&self, event: PaymentRefunded) -> Result<PaymentRefunded, BusError> {
        Ok(event)
    }

    async fn apply(&self, event: &PaymentRefunded, tx: &Tx<'_>) -> Result<(), BusError> {
        let order =
            tx.row("SELECT 1 AS one FROM orders WHERE id = $1", [event.refund.order_id.0.into()]).await?;
        if order.is_some() {
            refunds::note(tx, &event.refund).await?;
        }
        Ok(())
    }
}

/// The stock is not held any more: an order that still waits finds that its time has passed.
struct Expired(Engine<Placement>);

#[async_trait]
impl Subscriber for Expired {
    type Event = ReservationExpired;
    type Prepared = ReservationExpired;

    async fn prepare(&self, event: ReservationExpired) -> Result<ReservationExpired, BusError> {
        Ok(event)
    }

    async fn apply(&self, event: &ReservationExpired, tx: &Tx<'_>) -> Result<(), BusError> {
        self.0.wake(&event.order_id.to_string(), tx).await?;
        self.0.ring();
        Ok(())
    }
}
