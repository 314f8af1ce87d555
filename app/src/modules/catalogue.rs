//! Who subscribes to what: the ports crates of all modules, compiled in or not, so that a lone producer knows its
//! deliveries.

use super::StartError;
use bus::Subscription;
use bus_durable::Catalogue;
use std::sync::Arc;

pub(super) fn of_all_modules() -> Result<Arc<Catalogue>, StartError> {
    let events = [
        users_ports::EVENTS,
        inventory_ports::EVENTS,
        orders_ports::EVENTS,
        payments_ports::EVENTS,
        notifications_ports::EVENTS,
    ];
    Catalogue::new(events.concat(), subscriptions())
        .map(Arc::new)
        .map_err(|error| StartError::Module { module: "bus", reason: error.to_string() })
}

/// Every subscription that there is.
pub(crate) fn subscriptions() -> Vec<Subscription> {
    let subscriptions = [
        inventory_ports::SUBSCRIPTIONS,
        orders_ports::SUBSCRIPTIONS,
        payments_ports::SUBSCRIPTIONS,
        notifications_ports::SUBSCRIPTIONS,
    ];
    subscriptions.concat()
}
