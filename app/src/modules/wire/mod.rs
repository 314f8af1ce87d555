//! How this process talks with the others of the shop: the ways out to them, and what listens for them.

mod amqp;
mod http;
mod nats;
mod trust;

pub(crate) use trust::PROCESS;

use super::{
    Background, Module, ProcessPort, Stage, StartError,
    record::{Moved, Record},
    target::Target,
};
use crate::settings::{At, PlacementSection, Settings};
use async_trait::async_trait;
use bus::{Bus, BusError, Headers, Listener, Patient, Policies, Policy, Sources, Transport};
use bytes::Bytes;
use futures::future::join_all;
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use trust::Trust;

/// The kind of listener that others call by its address, not by what it serves.
const HTTP: &str = "http";

/// Makes the way to one of a module's ports.
pub(super) type Way = Box<dyn Fn(&str) -> Arc<dyn Transport> + Send + Sync>;

/// The ways to other processes.
pub(crate) struct Wire {
    name: String,
    sources: Sources,
    trust: Option<Trust>,
    http: http::Http,
    nats: Option<nats::Nats>,
    amqp: Option<amqp::Amqp>,
    listeners: Vec<Arc<dyn Listener>>,
    address: Option<SocketAddr>,
    /// Where each module that is elsewhere is said to be, for people.
    places: Mutex<BTreeMap<String, String>>,
    /// How long a call waits for somebody to listen.
    patience: Duration,
}

impl Wire {
    /// Connects to the brokers and listens; takes nobody's calls yet.
    ///
    /// # Errors
    /// [`StartError`] naming the key.
    pub(super) async fn connect(
        settings: &Settings,
        stage: &Stage,
        background: Background,
    ) -> Result<Self, StartError> {
        let section = &settings.wire;
        let trust = Trust::from(section)?;
        let answers = stage.bus.answers();
        let answers = match &trust {
            Some(trust) => trust.guard(answers, settings, &stage.sources),
            None => answers,
        };
        let mut wire = Self {
            name: section.name.clone(),
            sources: stage.sources.clone(),
            trust,
            http: http::Http::new(settings)?,
            nats: nats::connect(section).await?,
            amqp: amqp::connect(section).await?,
            listeners: Vec::new(),
            address: None,
            places: Mutex::default(),
            patience: section.patience.0,
        };
        if background == Background::Rests {
            return Ok(wire);
        }
        if let Some(address) = &section.listen {
            let (listener, address) = http::listen(address, Arc::clone(&answers)).await?;
            wire.address = Some(address);
            wire.listeners.push(listener);
        }
        wire.listeners.extend(wire.nats.as_ref().map(|nats| nats.listener(Arc::clone(&answers))));
        wire.listeners.extend(wire.amqp.as_ref().map(|amqp| amqp.listener(answers)));
        Ok(wire)
    }

    /// What this process is called.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Where other processes call this one over HTTP.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// Takes other processes' calls for a module's ports.
    pub(super) async fn open(&self, module: &Module) -> Result<(), BusError> {
        for port in module.ports() {
            self.open_name(port).await?;
        }
        self.http.register(module.name, self.address);
        Ok(())
    }

    /// Takes other processes' calls for one name.
    pub(super) async fn open_name(&self, name: &str) -> Result<(), BusError> {
        for listener in &self.listeners {
            listener.open(name).await?;
        }
        Ok(())
    }

    /// Takes no more calls from a broker for a name: they are for whoever serves it next. Those that were taken are
    /// answered first. Whoever still calls over HTTP means this process, and is passed on to where the module is then.
    pub(super) async fn close(&self, name: &str) {
        self.http.leave(name).await;
        let brokers = self.listeners.iter().filter(|listener| listener.kind() != HTTP);
        join_all(brokers.map(|listener| listener.close(name))).await;
    }

    /// Takes calls over HTTP for a module that has moved away from here.
    pub(super) async fn pass_on(&self, module: &Module) -> Result<(), BusError> {
        for listener in self.listeners.iter().filter(|listener| listener.kind() == HTTP) {
            for port in module.ports() {
                listener.open(port).await?;
            }
        }
        Ok(())
    }

    /// Whether everything that listens can be reached.
    pub(crate) fn is_ready(&self) -> bool {
        self.listeners.iter().all(|listener| listener.is_ready())
    }

    /// The way to a module as the settings and what has become of them since say; `None` where it is not elsewhere.
    pub(super) fn placed(
        &self,
        module: &str,
        section: &PlacementSection,
        record: &Record,
    ) -> Result<Option<Way>, StartError> {
        match record.of(module) {
            Some(Moved::There { to } | Moved::Leaving { to, .. } | Moved::Returning { from: to }) => {
                return self.way(module, &to).map(Some);
            }
            Some(Moved::Here) => return Ok(None),
            Some(Moved::GivenBack | Moved::Arriving | Moved::CalledOff { .. }) | None => {}
        }
        match section.at {
            Some(At::Http) => {
                let (balanced, place) = self.http.balanced(module, section, self.sealing())?;
                self.note(module, place);
                Ok(Some(balanced))
            }
            Some(At::Nats) => self.way(module, &Target::Nats(module.to_owned())).map(Some),
            Some(At::Amqp) => self.way(module, &Target::Amqp(module.to_owned())).map(Some),
            Some(At::Local | At::Standby | At::Absent) | None => Ok(None),
        }
    }

    /// The way to a module in this other process.
    ///
    /// # Errors
    /// [`StartError`] where this process has no such way out.
    pub(super) fn way(&self, module: &str, to: &Target) -> Result<Way, StartError> {
        let (transport, seal) = (self.transport(to)?, self.sealing());
        self.note(module, to.to_string());
        Ok(Box::new(move |port| seal(Arc::clone(&transport), port)))
    }

    fn transport(&self, to: &Target) -> Result<Arc<dyn Transport>, StartError> {
        let missing = |key: &str| StartError::Wire(format!("{to} cannot be reached without wire.{key}"));
        match to {
            Target::Http(url) => self.http.transport(url),
            Target::Nats(_) => Ok(self.nats.as_ref().ok_or_else(|| missing("nats"))?.transport()),
            Target::Amqp(_) => Ok(self.amqp.as_ref().ok_or_else(|| missing("amqp"))?.transport()),
        }
    }

    /// Another process itself, by its name where that is known: on a broker it is, and over HTTP it is whoever answers.
    pub(super) fn process(&self, at: &Target, name: Option<&str>) -> Result<Bus, StartError> {
        let called = match (at, name) {
            (Target::Nats(name) | Target::Amqp(name), _) => name,
            (Target::Http(_), Some(name)) => name,
            (Target::Http(_), None) => PROCESS,
        };
        let way = (self.sealing())(self.transport(at)?, called);
        // It may have to finish what runs, to copy a file and to migrate a database.
        let policy = Policy { deadline: Duration::from_secs(60), ..Policy::default() };
        let bus = Bus::new(Policies::new(policy).map_err(|error| StartError::Wire(error.to_string()))?);
        bus.connect(PROCESS, Arc::new(Renamed { inner: way, to: called.to_owned() }));
        Ok(bus)
    }

    /// Lets this process be asked by its own name, and by everybody's over HTTP.
    pub(super) async fn open_process(&self, bus: &Bus) -> Result<(), BusError> {
        let answers: Arc<dyn Transport> = Arc::new(Renamed { inner: bus.answers(), to: PROCESS.to_owned() });
        for request in <dyn ProcessPort as bus::Port>::REQUESTS {
            let method = request.name.split_once('.').map_or(request.name, |(_, method)| method);
            bus.answer(&format!("{}.{method}", self.name), &answers);
        }
        for listener in self.listeners.iter().filter(|listener| listener.kind() == HTTP) {
            listener.open(PROCESS).await?;
        }
        self.open_name(&self.name).await
    }

    /// What makes a way to a port fit for calls: whoever is not there yet is waited for, and each try is signed where
    /// calls are signed.
    fn sealing(&self) -> impl Fn(Arc<dyn Transport>, &str) -> Arc<dyn Transport> + Send + Sync + use<> {
        let (trust, sources, patience) = (self.trust.clone(), self.sources.clone(), self.patience);
        move |transport, port| {
            let way = match &trust {
                Some(trust) => trust.seal(transport, port, &sources),
                None => transport,
            };
            Arc::new(Patient::new(way, patience))
        }
    }

    fn note(&self, module: &str, place: String) {
        self.places.lock().unwrap_or_else(PoisonError::into_inner).insert(module.to_owned(), place);
    }

    /// Where a module that is elsewhere is said to be.
    pub(crate) fn place(&self, module: &str) -> Option<String> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner).get(module).cloned()
    }

    /// The instances of a module that is called over HTTP, and how they stand.
    pub(crate) fn instances(&self, module: &str) -> Vec<bus_discovery::InstanceStatus> {
        self.http.instances(module)
    }

    /// Takes nothing more from anybody; what was taken is answered first.
    pub(super) async fn stop_listening(&self) {
        self.http.leave_all().await;
        for name in crate::settings::MODULES.into_iter().chain(["sandbox", PROCESS, self.name.as_str()]) {
            join_all(self.listeners.iter().map(|listener| listener.close(name))).await;
        }
    }
}

/// Calls one port by another name.
struct Renamed {
    inner: Arc<dyn Transport>,
    to: String,
}

#[async_trait]
impl Transport for Renamed {
    async fn request(&self, name: &str, headers: Headers, bytes: Bytes) -> Result<Bytes, BusError> {
        let method = name.split_once('.').map_or(name, |(_, method)| method);
        self.inner.request(&format!("{}.{method}", self.to), headers, bytes).await
    }

    fn kind(&self) -> &'static str {
        self.inner.kind()
    }
}
