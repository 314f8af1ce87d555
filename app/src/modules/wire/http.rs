//! Over HTTP: one address, or instances that are found and balanced.

use super::Way;
use crate::{
    modules::StartError,
    settings::{Balance as Setting, PlacementSection, Settings, WireSection},
};
use bus::{Listener, Transport};
use bus_discovery::{
    Balance, Balanced, Discovery, Dns, DnsSettings, Etcd, EtcdSettings, Instance, InstanceStatus,
    Registration, StaticList, Strategy,
};
use bus_http::{HttpListener, HttpSettings, HttpTransport, ListenerSettings};
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The calling half, and where instances are found.
pub(super) struct Http {
    settings: HttpSettings,
    etcd: Option<(EtcdSettings, reqwest::Client)>,
    advertise: Option<String>,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    balanced: BTreeMap<String, Arc<Balanced>>,
    registered: BTreeMap<String, Registration>,
}

impl Http {
    pub(super) fn new(settings: &Settings) -> Result<Self, StartError> {
        let section = &settings.wire;
        let http = HttpSettings { connections: section.connections, ..HttpSettings::default() };
        let etcd = section.etcd.as_ref().map(|endpoints| etcd(section, endpoints)).transpose()?;
        Ok(Self { settings: http, etcd, advertise: section.advertise.clone(), kept: Mutex::default() })
    }

    /// The way to one address.
    pub(super) fn transport(&self, url: &str) -> Result<Arc<dyn Transport>, StartError> {
        transport(url, &self.settings).map(|transport| transport as _)
    }

    /// The way to whichever instance takes a call, and where that is, for people.
    pub(super) fn balanced(
        &self,
        module: &str,
        section: &PlacementSection,
        seal: impl Fn(Arc<dyn Transport>, &str) -> Arc<dyn Transport> + Send + Sync + 'static,
    ) -> Result<(Way, String), StartError> {
        let wrong = |error: &dyn std::fmt::Display| StartError::Wire(format!("placement.{module}: {error}"));
        let (discovery, target, place): (Box<dyn Discovery>, String, String) = match &section.discover {
            None => {
                for address in &section.addresses {
                    transport(address, &self.settings)?;
                }
                let instances =
                    section.addresses.iter().map(|address| Instance::new(address, address)).collect();
                let list = StaticList::new().with(module, instances);
                (Box::new(list), module.to_owned(), section.addresses.join(", "))
            }
            Some(found) => {
                let (discovery, target) = self.discovery(module, found)?;
                (discovery, target, found.clone())
            }
        };
        let watch = discovery.watch(&target).map_err(|error| wrong(&error))?;
        let strategy = match section.balance {
            Setting::RoundRobin => Strategy::RoundRobin,
            Setting::LeastInFlight => Strategy::LeastInFlight,
            Setting::ByKey => Strategy::ByKey,
        };
        let settings = self.settings.clone();
        let connect = move |instance: &Instance| match transport(&instance.address, &settings) {
            Ok(transport) => transport as Arc<dyn Transport>,
            Err(error) => {
                tracing::error!(%error, "an instance cannot be called");
                Arc::new(Nowhere)
            }
        };
        let balance = Balance { strategy, ..Balance::default() };
        let balanced = Arc::new(Balanced::new(module, "http", watch, balance, connect));
        self.kept().balanced.insert(module.to_owned(), Arc::clone(&balanced));
        // What is looked at goes on being looked at as long as there is somebody to tell.
        let way: Way = Box::new(move |port| {
            let _looking = &discovery;
            seal(Arc::clone(&balanced) as Arc<dyn Transport>, port)
        });
        Ok((way, place))
    }

    fn discovery(&self, module: &str, found: &str) -> Result<(Box<dyn Discovery>, String), StartError> {
        let wrong =
            |error: &dyn std::fmt::Display| StartError::Wire(format!("placement.{module}.discover: {error}"));
        match found.split_once(':') {
            Some(("dns" | "srv", target)) => {
                let dns = Dns::new(DnsSettings::default()).map_err(|error| wrong(&error))?;
                Ok((Box::new(dns), target.to_owned()))
            }
            None if found == "etcd" => {
                let etcd = self.registry().ok_or_else(|| wrong(&"wire.etcd is not set"))?;
                Ok((Box::new(etcd), module.to_owned()))
            }
            _ => Err(wrong(&format_args!("{found:?} is neither dns:host:port, srv:name nor etcd"))),
        }
    }

    fn registry(&self) -> Option<Etcd> {
        self.etcd.as_ref().map(|(settings, client)| Etcd::new(settings.clone(), client.clone()))
    }

    pub(super) fn instances(&self, module: &str) -> Vec<InstanceStatus> {
        self.kept().balanced.get(module).map(|balanced| balanced.instances()).unwrap_or_default()
    }

    /// Lists this process as one that serves a module, where there is a registry.
    pub(super) fn register(&self, module: &str, listens: Option<SocketAddr>) {
        let (Some(etcd), Some(listens)) = (self.registry(), listens) else { return };
        let address = self.advertise.clone().unwrap_or_else(|| format!("http://{listens}"));
        let id = format!("{}-{:08x}", std::process::id(), rand::random::<u32>());
        match etcd.register(module, Instance::new(id, address)) {
            Ok(registration) => drop(self.kept().registered.insert(module.to_owned(), registration)),
            Err(error) => tracing::error!(module, %error, "not listed"),
        }
    }

    /// Takes this process from the list of those that serve a module.
    pub(super) async fn leave(&self, module: &str) {
        let registered = self.kept().registered.remove(module);
        if let Some(registration) = registered {
            registration.close(PATIENCE).await;
        }
    }

    pub(super) async fn leave_all(&self) {
        let registered = std::mem::take(&mut self.kept().registered);
        futures::future::join_all(registered.into_values().map(|registration| registration.close(PATIENCE)))
            .await;
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long a registry may take to hear of a leave.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(2);

fn etcd(section: &WireSection, endpoints: &str) -> Result<(EtcdSettings, reqwest::Client), StartError> {
    let client = reqwest::Client::builder().no_proxy().build();
    let client = client.map_err(|error| StartError::Wire(format!("wire.etcd: {error}")))?;
    let endpoints = endpoints.split(',').map(|one| one.trim().to_owned()).collect();
    let settings = EtcdSettings { endpoints, prefix: section.namespace.clone(), ..EtcdSettings::default() };
    Ok((settings, client))
}

fn transport(url: &str, settings: &HttpSettings) -> Result<Arc<HttpTransport>, StartError> {
    let transport = HttpTransport::new(url, settings.clone());
    transport.map(Arc::new).map_err(|error| StartError::Wire(format!("{url}: {error}")))
}

/// Listens for other processes.
pub(super) async fn listen(
    address: &str,
    answers: Arc<dyn Transport>,
) -> Result<(Arc<dyn Listener>, SocketAddr), StartError> {
    let failed = |error: &dyn std::fmt::Display| StartError::Wire(format!("wire.listen {address}: {error}"));
    let found = tokio::net::lookup_host(address).await.map_err(|error| failed(&error))?.next();
    let found = found.ok_or_else(|| failed(&"it is no address"))?;
    let listener = HttpListener::bind(found, answers, ListenerSettings::default()).await;
    let listener = listener.map_err(|error| failed(&error))?;
    let address = listener.address();
    Ok((Arc::new(listener), address))
}

/// An instance that is listed under an address that is none.
struct Nowhere;

#[async_trait::async_trait]
impl Transport for Nowhere {
    async fn request(
        &self,
        name: &str,
        _: bus::Headers,
        _: bytes::Bytes,
    ) -> Result<bytes::Bytes, bus::BusError> {
        let port = name.split('.').next().unwrap_or(name).to_owned();
        Err(bus::BusError::Unavailable { port })
    }

    fn kind(&self) -> &'static str {
        "http"
    }
}
