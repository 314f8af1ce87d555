//! Events become notifications: one subscriber for all of them, since they differ in the occasion only.

use crate::{
    address::{self, Addressee},
    journal::Entry,
    occasion::Told,
    service::Service,
    store::{self, Draft},
};
use async_trait::async_trait;
use bus::{BusError, Event};
use bus_durable::{Subscriber, Subscribers, Tx};
use kernel::NotificationId;
use notifications_ports::{
    Channel, NotificationStatus, ORDER_CANCELLED, ORDER_EXPIRED, ORDER_PLACED, PAYMENT_REFUNDED, Recipient,
    USER_REGISTERED,
};
use orders_ports::{OrderCancelled, OrderExpired, OrderPlaced};
use payments_ports::PaymentRefunded;
use std::{marker::PhantomData, sync::Arc};
use users_ports::UserRegistered;

/// What handles the module's subscriptions.
pub(crate) fn all(service: &Arc<Service>) -> Subscribers {
    Subscribers::default()
        .with(ORDER_PLACED, Tell::<OrderPlaced>::by(service))
        .with(ORDER_CANCELLED, Tell::<OrderCancelled>::by(service))
        .with(ORDER_EXPIRED, Tell::<OrderExpired>::by(service))
        .with(PAYMENT_REFUNDED, Tell::<PaymentRefunded>::by(service))
        .with(USER_REGISTERED, Tell::<UserRegistered>::by(service))
}

struct Tell<E> {
    service: Arc<Service>,
    event: PhantomData<fn(E)>,
}

impl<E> Tell<E> {
    fn by(service: &Arc<Service>) -> Self {
        Self { service: Arc::clone(service), event: PhantomData }
    }
}

#[async_trait]
impl<E: Event + Told> Subscriber for Tell<E> {
    type Event = E;
    type Prepared = Draft;

    /// Asks for the address and renders the text. Where users cannot be asked the notification waits for its
    /// address by itself: an outage of theirs must not turn confirmations into dead letters.
    async fn prepare(&self, event: E) -> Result<Draft, BusError> {
        let service = &self.service;
        let occasion = event.occasion();
        let id: NotificationId = service.database().sources().id();
        let channel = service.post().channel();
        let patience = service.settings().address_timeout;
        let (status, recipient, rendered) = match address::ask(service.users(), occasion.user, patience).await
        {
            Addressee::Known { email, name } => {
                let rendered = service.templates().render(occasion.template, &occasion.facts, &name)?;
                let status = match channel {
                    Channel::Log => NotificationStatus::Sent,
                    Channel::Smtp => NotificationStatus::Pending,
                };
                (status, Some(Recipient(email)), Some(rendered))
            }
            Addressee::Gone => (NotificationStatus::Skipped, None, None),
            Addressee::Unknown(reason) => {
                tracing::warn!(notification = %id, reason, "a notification waits for its address");
                (NotificationStatus::Pending, None, None)
            }
        };
        let message_id = service.message_id(id);
        Ok(Draft { id, occasion, message_id, channel, status, recipient, rendered })
    }

    async fn apply(&self, draft: &Draft, tx: &Tx<'_>) -> Result<(), BusError> {
        if store::insert(draft, tx).await? {
            match draft.status {
                NotificationStatus::Pending => self.service.bell().notify_one(),
                _ => self.service.journal().note(Entry::of(draft)),
            }
        }
        Ok(())
    }
}
