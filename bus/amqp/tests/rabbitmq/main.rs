//! The adapter against a real RabbitMQ: every shared semantic, and what only this broker does.

mod calls;
mod encrypted;
mod events;
mod garbage;
mod leaving;
mod namespace;
mod node;
mod placement;
mod probe;
mod proxy;
mod recovery;
mod wiped;

use std::time::Duration;

/// Far longer than any state needs to come about, on a busy machine too.
const SOON: Duration = Duration::from_secs(30);

bus_testkit::conformance! {
    #[ignore = "needs RabbitMQ"]
    amqp: crate::placement::Broker,
}

mod wires {
    bus_testkit::wire! {
        #[ignore = "needs RabbitMQ"]
        amqp: crate::placement::Broker,
    }
}

mod listeners {
    bus_testkit::listener! {
        #[ignore = "needs RabbitMQ"]
        amqp: crate::placement::Broker,
    }
}
