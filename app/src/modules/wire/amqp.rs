//! Over RabbitMQ, where that is compiled in.

use crate::{modules::StartError, settings::WireSection};
use bus::{Listener, Transport};
use std::sync::Arc;

/// The connection to the broker.
#[cfg(feature = "amqp")]
pub(super) struct Amqp(bus_amqp::Amqp);

/// There is none.
#[cfg(not(feature = "amqp"))]
pub(super) enum Amqp {}

/// Connects where the settings say so; the broker need not be there yet.
pub(super) async fn connect(section: &WireSection) -> Result<Option<Amqp>, StartError> {
    let Some(url) = &section.amqp else { return Ok(None) };
    open(url, section).await.map(Some)
}

#[cfg(feature = "amqp")]
async fn open(url: &str, section: &WireSection) -> Result<Amqp, StartError> {
    let settings = bus_amqp::AmqpSettings {
        connection_name: section.name.clone(),
        ..bus_amqp::AmqpSettings::new(url, &section.namespace)
    };
    let connected = bus_amqp::Amqp::connect(settings);
    connected.map(Amqp).map_err(|error| StartError::Wire(format!("wire.amqp: {}", crate::chain(&error))))
}

#[cfg(not(feature = "amqp"))]
async fn open(_: &str, _: &WireSection) -> Result<Amqp, StartError> {
    Err(StartError::Wire("wire.amqp: this program is built without RabbitMQ".into()))
}

#[cfg(feature = "amqp")]
impl Amqp {
    pub(super) fn transport(&self) -> Arc<dyn Transport> {
        self.0.transport()
    }

    pub(super) fn listener(&self, answers: Arc<dyn Transport>) -> Arc<dyn Listener> {
        self.0.listener(answers)
    }
}

#[cfg(not(feature = "amqp"))]
impl Amqp {
    pub(super) fn transport(&self) -> Arc<dyn Transport> {
        match *self {}
    }

    pub(super) fn listener(&self, _: Arc<dyn Transport>) -> Arc<dyn Listener> {
        match *self {}
    }
}
