//! Which ports there are: each with the file of its schema, its requests and its events.

use crate::{
    document::{self, Document},
    exchange::{Call, Message, Operated, Told},
    visit::{EventList, Events, RequestList, Requests},
};
use bus::{Event, Port, Request};
use inventory_ports::{InventoryPort, ReservationExpired};
use notifications_ports::NotificationsPort;
use orders_ports::{OrderCancelled, OrderExpired, OrderPlaced, OrdersPort};
use payments_ports::{PaymentRefunded, PaymentSettled, PaymentsPort};
use schemars::JsonSchema;
use users_ports::{UserRegistered, UsersPort};

/// A module, as others see it; or the bus, whose own messages go over wires as well.
pub struct Module {
    /// Its name.
    pub name: &'static str,
    /// Where its schema is, from the workspace's root.
    pub path: &'static str,
    /// The requests that its port declares.
    pub requests: Vec<&'static str>,
    /// The events that it declares.
    pub events: &'static [&'static str],
    document: fn() -> Document,
    messages: fn() -> Vec<Box<dyn Message>>,
}

impl Module {
    /// Its schema, from its types.
    #[must_use]
    pub fn document(&self) -> Document {
        (self.document)()
    }

    /// Everything that it says and hears.
    #[must_use]
    pub fn messages(&self) -> Vec<Box<dyn Message>> {
        (self.messages)()
    }
}

/// All of them.
#[must_use]
pub fn modules() -> Vec<Module> {
    vec![
        Module {
            name: "bus",
            path: "bus/core/schema.json",
            requests: vec![document::OPERATIONS],
            events: &[],
            document: document::of_the_bus,
            messages: || vec![Box::new(Operated)],
        },
        module::<dyn InventoryPort, (ReservationExpired, ())>(
            "modules/inventory/ports/schema.json",
            inventory_ports::EVENTS,
        ),
        module::<dyn NotificationsPort, ()>(
            "modules/notifications/ports/schema.json",
            notifications_ports::EVENTS,
        ),
        module::<dyn OrdersPort, (OrderPlaced, (OrderCancelled, (OrderExpired, ())))>(
            "modules/orders/ports/schema.json",
            orders_ports::EVENTS,
        ),
        module::<dyn PaymentsPort, (PaymentSettled, (PaymentRefunded, ()))>(
            "modules/payments/ports/schema.json",
            payments_ports::EVENTS,
        ),
        module::<dyn UsersPort, (UserRegistered, ())>("modules/users/ports/schema.json", users_ports::EVENTS),
    ]
}

fn module<P, E>(path: &'static str, events: &'static [&'static str]) -> Module
where
    P: Port<Requests: RequestList> + ?Sized,
    E: EventList,
{
    Module {
        name: P::NAME,
        path,
        requests: P::REQUESTS.iter().map(|request| request.name).collect(),
        events,
        document: document::of::<P, E>,
        messages: messages::<P, E>,
    }
}

fn messages<P, E>() -> Vec<Box<dyn Message>>
where
    P: Port<Requests: RequestList> + ?Sized,
    E: EventList,
{
    struct List(Vec<Box<dyn Message>>);
    impl Requests for List {
        fn request<R>(&mut self)
        where
            R: Request + JsonSchema,
            R::Response: JsonSchema,
            R::Error: JsonSchema,
        {
            self.0.push(Box::new(Call::<R>::default()));
        }
    }
    impl Events for List {
        fn event<E: Event + JsonSchema>(&mut self) {
            self.0.push(Box::new(Told::<E>::default()));
        }
    }
    let mut list = List(Vec::new());
    P::Requests::each(&mut list);
    E::each(&mut list);
    list.0
}
