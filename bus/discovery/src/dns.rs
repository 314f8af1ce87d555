//! Instances by name in the DNS: what every cluster has, and Kubernetes fills for a headless service.
//!
//! A target is `inventory.shop.svc.cluster.local.:8081` (each of the name's A and AAAA records is an instance) or
//! `_bus._tcp.inventory.shop.svc.cluster.local.` (each of its SRV records is, with port, priority and weight). The dot
//! at the end spares the search list of `resolv.conf`. An answer is asked for again when its time to live has passed,
//! within bounds. No answer, or a refusal, changes nothing; that there is no such name is an answer.

use crate::{
    Discovery, DiscoveryError, Instance, Watch,
    polling::{self, Listing, Patience, Silence, Source},
};
use async_trait::async_trait;
use futures::future::try_join_all;
use hickory_resolver::{
    Resolver, TokioResolver,
    config::{ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolverConfig, ResolverOpts},
    lookup::Lookup,
    net::{NetError, runtime::TokioRuntimeProvider},
    proto::rr::{RData, Record, rdata::SRV},
};
use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

const KIND: &str = "dns";

/// How the DNS is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DnsSettings {
    /// The servers; empty for those of `/etc/resolv.conf`.
    pub servers: Vec<SocketAddr>,
    /// What instances are spoken to with: `http`, `https`.
    pub scheme: String,
    /// How long one question may take, all servers together.
    pub timeout: Duration,
    /// The shortest time between two questions, where an answer may be kept for less.
    pub shortest: Duration,
    /// The longest, where it may be kept for more.
    pub longest: Duration,
    /// How long an instance is missed before it is given up.
    pub dead_after: Duration,
}

impl Default for DnsSettings {
    fn default() -> Self {
        Self {
            servers: Vec::new(),
            scheme: "http".into(),
            timeout: Duration::from_secs(5),
            shortest: Duration::from_secs(1),
            longest: Duration::from_secs(30),
            dead_after: Duration::from_secs(30),
        }
    }
}

/// Finds instances by name.
pub struct Dns {
    resolver: TokioResolver,
    settings: DnsSettings,
}

impl Dns {
    /// A discovery that asks these servers.
    ///
    /// # Errors
    /// [`DiscoveryError::Setup`] where `/etc/resolv.conf` is asked for and cannot be read.
    pub fn new(settings: DnsSettings) -> Result<Self, DiscoveryError> {
        let setup = |error: NetError| DiscoveryError::Setup { kind: KIND, why: error.to_string() };
        let mut builder = if settings.servers.is_empty() {
            TokioResolver::builder_tokio().map_err(setup)?
        } else {
            let servers = settings.servers.iter().map(|server| name_server(*server)).collect();
            let config = ResolverConfig::from_name_servers(servers);
            Resolver::builder_with_config(config, TokioRuntimeProvider::default())
        };
        asked_afresh(builder.options_mut(), settings.timeout);
        Ok(Self { resolver: builder.build().map_err(setup)?, settings })
    }
}

fn name_server(at: SocketAddr) -> NameServerConfig {
    let on_port = |mut connection: ConnectionConfig| {
        connection.port = at.port();
        connection
    };
    NameServerConfig::new(
        at.ip(),
        true,
        vec![on_port(ConnectionConfig::udp()), on_port(ConnectionConfig::tcp())],
    )
}

/// When to ask again is decided here, so nothing else may keep answers; and an instance has one address of each
/// family that it is reached by.
fn asked_afresh(options: &mut ResolverOpts, timeout: Duration) {
    options.cache_size = 0;
    // A datagram that got lost is sent again in time.
    options.timeout = timeout / 4;
    options.attempts = 2;
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
}

impl Discovery for Dns {
    fn watch(&self, target: &str) -> Result<Watch, DiscoveryError> {
        let names = Names {
            resolver: self.resolver.clone(),
            settings: self.settings.clone(),
            question: Question::parse(target)?,
        };
        let patience = Patience {
            answer: self.settings.timeout,
            retry: self.settings.shortest,
            dead_after: self.settings.dead_after,
        };
        Ok(polling::watch(KIND, target, names, patience))
    }

    fn kind(&self) -> &'static str {
        KIND
    }
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Question {
    Addresses { host: String, port: u16 },
    Services { name: String },
}

impl Question {
    fn parse(target: &str) -> Result<Self, DiscoveryError> {
        let bad = |why| DiscoveryError::BadTarget { target: target.to_owned(), kind: KIND, why };
        if target.starts_with('_') {
            return match target.split('.').nth(1) {
                Some("_tcp") => Ok(Self::Services { name: target.to_owned() }),
                _ => Err(bad("an SRV name reads _bus._tcp.inventory.example.")),
            };
        }
        let (host, port) =
            target.rsplit_once(':').ok_or_else(|| bad("a name needs a port: inventory.example.:8081"))?;
        match port.parse() {
            Ok(port) if port != 0 && !host.is_empty() => Ok(Self::Addresses { host: host.to_owned(), port }),
            _ => Err(bad("a name needs a port: inventory.example.:8081")),
        }
    }
}

/// The names of one target, as a source to ask.
struct Names {
    resolver: TokioResolver,
    settings: DnsSettings,
    question: Question,
}

#[async_trait]
impl Source for Names {
    async fn list(&self) -> Result<Listing, Silence> {
        let (instances, time_to_live) = match &self.question {
            Question::Addresses { host, port } => self.addresses(host, *port, &Instance::new("", "")).await?,
            Question::Services { name } => self.services(name).await?,
        };
        let ask_again = time_to_live.clamp(self.settings.shortest, self.settings.longest);
        Ok(Listing { instances, ask_again })
    }
}

type Found = (Vec<Instance>, Duration);

impl Names {
    /// An instance like this for each address of a name.
    async fn addresses(&self, host: &str, port: u16, like: &Instance) -> Result<Found, Silence> {
        let answer = self.resolver.lookup_ip(host).await.map(Lookup::from);
        let Some(answer) = existing(answer)? else { return Ok((Vec::new(), Duration::ZERO)) };
        let instance = |record: &Record| {
            let address = SocketAddr::new(record.data.ip_addr()?, port);
            Some(Instance {
                id: address.to_string(),
                address: format!("{}://{address}", self.settings.scheme),
                host: host.parse::<IpAddr>().is_err().then(|| host.trim_end_matches('.').to_owned()),
                ..like.clone()
            })
        };
        Ok((answer.answers().iter().filter_map(instance).collect(), time_to_live(&answer)))
    }

    /// An instance for each address of each service's target.
    async fn services(&self, name: &str) -> Result<Found, Silence> {
        let Some(answer) = existing(self.resolver.srv_lookup(name).await)? else {
            return Ok((Vec::new(), Duration::ZERO));
        };
        let service = |record: &Record| match &record.data {
            // A target of "." says that there is no such service (RFC 2782).
            RData::SRV(service) if !service.target.is_root() => Some(service.clone()),
            _ => None,
        };
        let services: Vec<SRV> = answer.answers().iter().filter_map(service).collect();
        let found = services.iter().map(async |service| {
            let like = Instance {
                weight: service.weight.into(),
                priority: service.priority,
                ..Instance::new("", "")
            };
            self.addresses(&service.target.to_ascii(), service.port, &like).await
        });
        let found = try_join_all(found).await?;
        let time_to_live =
            found.iter().map(|(_, time)| *time).chain([time_to_live(&answer)]).min().unwrap_or_default();
        Ok((found.into_iter().flat_map(|(instances, _)| instances).collect(), time_to_live))
    }
}

/// The answer; `None` where the answer is that there is nothing of that name.
fn existing(answer: Result<Lookup, NetError>) -> Result<Option<Lookup>, Silence> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.is_no_records_found() => Ok(None),
        Err(error) => Err(Silence(error.to_string())),
    }
}

fn time_to_live(answer: &Lookup) -> Duration {
    let shortest = answer.answers().iter().map(|record| record.ttl).min();
    Duration::from_secs(shortest.unwrap_or_default().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_a_name_with_a_port_or_the_name_of_a_service() {
        let addresses = |host: &str| Some(Question::Addresses { host: host.into(), port: 8081 });
        let services = |name: &str| Some(Question::Services { name: name.into() });
        let table = [
            ("inventory.shop.svc.cluster.local.:8081", addresses("inventory.shop.svc.cluster.local.")),
            ("inventory:8081", addresses("inventory")),
            ("_bus._tcp.inventory.example.", services("_bus._tcp.inventory.example.")),
            ("_bus._udp.inventory.example.", None),
            ("_bus", None),
            ("inventory", None),
            ("inventory:", None),
            ("inventory:0", None),
            ("inventory:70000", None),
            (":8081", None),
            ("", None),
        ];
        for (target, expected) in table {
            assert_eq!(Question::parse(target).ok(), expected, "{target}");
        }
    }
}
