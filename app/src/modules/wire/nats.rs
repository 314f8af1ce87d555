//! Over NATS, where that is compiled in.

use crate::{modules::StartError, settings::WireSection};
use bus::{Listener, Transport};
use std::sync::Arc;

/// The connection to the broker.
#[cfg(feature = "nats")]
pub(super) struct Nats(bus_nats::Nats);

/// There is none.
#[cfg(not(feature = "nats"))]
pub(super) enum Nats {}

/// Connects where the settings say so; the broker need not be there yet.
pub(super) async fn connect(section: &WireSection) -> Result<Option<Nats>, StartError> {
    let Some(url) = &section.nats else { return Ok(None) };
    open(url, section).await.map(Some)
}

#[cfg(feature = "nats")]
async fn open(url: &str, section: &WireSection) -> Result<Nats, StartError> {
    let servers = url.split(',').map(|server| server.trim().to_owned()).collect();
    let settings = bus_nats::NatsSettings {
        servers,
        process: section.name.clone(),
        ..bus_nats::NatsSettings::new("", &section.namespace)
    };
    let connected = bus_nats::Nats::connect(settings).await;
    connected.map(Nats).map_err(|error| StartError::Wire(format!("wire.nats: {}", crate::chain(&error))))
}

#[cfg(not(feature = "nats"))]
async fn open(_: &str, _: &WireSection) -> Result<Nats, StartError> {
    Err(StartError::Wire("wire.nats: this program is built without NATS".into()))
}

#[cfg(feature = "nats")]
impl Nats {
    pub(super) fn transport(&self) -> Arc<dyn Transport> {
        self.0.transport()
    }

    pub(super) fn listener(&self, answers: Arc<dyn Transport>) -> Arc<dyn Listener> {
        self.0.listener(answers)
    }
}

#[cfg(not(feature = "nats"))]
impl Nats {
    pub(super) fn transport(&self) -> Arc<dyn Transport> {
        match *self {}
    }

    pub(super) fn listener(&self, _: Arc<dyn Transport>) -> Arc<dyn Listener> {
        match *self {}
    }
}
