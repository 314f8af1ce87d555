//! Where the modules are, and how this process talks with the others of the shop.

use super::{MODULES, SettingsError, Span};
use serde::Deserialize;
use std::{collections::BTreeMap, net::IpAddr, path::PathBuf};

/// `[placement.inventory]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "config/default.toml says what each is")]
pub struct PlacementSection {
    pub at: Option<At>,
    pub addresses: Vec<String>,
    pub discover: Option<String>,
    pub balance: Balance,
}

/// Where a module is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum At {
    /// In this process.
    Local,
    /// Nowhere yet: this process takes it over when it is moved here.
    Standby,
    /// In another process, called over HTTP.
    Http,
    /// In another process, called over NATS.
    Nats,
    /// In another process, called over RabbitMQ.
    Amqp,
    /// This process neither serves nor calls it.
    Absent,
}

/// Which of several instances takes a call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "config/default.toml says what each is")]
pub enum Balance {
    RoundRobin,
    #[default]
    LeastInFlight,
    ByKey,
}

/// `[wire]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "config/default.toml says what each is")]
pub struct WireSection {
    pub name: String,
    pub namespace: String,
    pub listen: Option<String>,
    pub nats: Option<String>,
    pub amqp: Option<String>,
    pub key_file: Option<PathBuf>,
    #[serde(default)]
    pub peers: BTreeMap<String, PeerSection>,
    pub clock_tolerance: Span,
    pub connections: usize,
    pub move_timeout: Span,
    pub patience: Span,
    pub etcd: Option<String>,
    pub advertise: Option<String>,
}

/// `[wire.peers.orders]`: another process, and what it may do here.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "config/default.toml says what each is")]
pub struct PeerSection {
    pub keys: Vec<String>,
    pub modules: Vec<String>,
    pub calls: Vec<String>,
    pub control: bool,
}

impl PlacementSection {
    pub(crate) fn check(&self, module: &str) -> Result<(), SettingsError> {
        let invalid = |text: String| Err(SettingsError::Invalid(text));
        if !MODULES.contains(&module) {
            return invalid(format!("placement.{module}: the modules are {}", MODULES.join(", ")));
        }
        let is_reached = !self.addresses.is_empty() || self.discover.is_some();
        match self.at {
            Some(At::Http) if !is_reached => invalid(format!(
                "placement.{module}.addresses or .discover is needed where it is at \"http\""
            )),
            Some(At::Http) if !self.addresses.is_empty() && self.discover.is_some() => {
                invalid(format!("placement.{module} has addresses and discover: one of them"))
            }
            Some(At::Http) => match self.addresses.iter().find(|address| !is_base_url(address)) {
                Some(address) => invalid(format!(
                    "placement.{module}.addresses: {address} is not http://host:port or https://host:port"
                )),
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }
}

impl WireSection {
    pub(crate) fn check(&self) -> Result<(), SettingsError> {
        let invalid = |text: String| Err(SettingsError::Invalid(text));
        for (key, name) in [("name", &self.name), ("namespace", &self.namespace)] {
            if !is_name(name) {
                return invalid(format!(
                    "wire.{key}: {name:?} is not a name of a to z, 0 to 9, - and _, up to 63 characters"
                ));
            }
        }
        if self.connections == 0 {
            return invalid("wire.connections must be more than zero".into());
        }
        for (name, peer) in &self.peers {
            for module in peer.modules.iter().chain(&peer.calls) {
                if !MODULES.contains(&module.as_str()) {
                    return invalid(format!(
                        "wire.peers.{name}: {module} is no module; they are {}",
                        MODULES.join(", ")
                    ));
                }
            }
            if peer.keys.is_empty() {
                return invalid(format!("wire.peers.{name}.keys must have the key of that process"));
            }
        }
        if self.key_file.is_none()
            && let Some(key) = self.reachable_from_elsewhere()
        {
            return invalid(format!(
                "{key} can be reached from other machines, and without wire.key_file and wire.peers anybody could \
                 call in the name of anybody; use an address of this machine, or make keys with `cleave keygen`"
            ));
        }
        Ok(())
    }

    /// The setting by which other machines could talk to this process.
    fn reachable_from_elsewhere(&self) -> Option<&'static str> {
        let url_host = |url: &String| {
            let rest = url.split_once("://").map_or(url.as_str(), |(_, rest)| rest);
            let authority = rest.split(['/', '?']).next().unwrap_or_default();
            host(authority.rsplit('@').next().unwrap_or_default()).to_owned()
        };
        let listen = self.listen.as_ref().map(|listen| host(listen).to_owned());
        let (nats, amqp) = (self.nats.as_ref().map(url_host), self.amqp.as_ref().map(url_host));
        [("wire.listen", listen), ("wire.nats", nats), ("wire.amqp", amqp)]
            .into_iter()
            .find_map(|(key, host)| host.filter(|host| !is_loopback(host)).map(|_| key))
    }
}

fn host(authority: &str) -> &str {
    match authority.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => authority.rsplit_once(':').map_or(authority, |(host, _)| host),
    }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

pub(crate) fn is_name(text: &str) -> bool {
    let sound = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
    (1..=63).contains(&text.len()) && text.bytes().all(sound)
}

/// Whether this is a scheme and an authority, and no more.
pub(crate) fn is_base_url(text: &str) -> bool {
    let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    let authority = rest.map(|rest| rest.trim_end_matches('/')).unwrap_or_default();
    !host(authority).is_empty() && !authority.contains(['/', '?', '#', '@', ' '])
}

#[cfg(test)]
mod tests {
    use crate::settings::{Settings, SettingsError};

    fn read(variables: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        let owned = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Settings::read(None, owned)
    }

    #[test]
    fn wrong_placements_are_named() {
        for (name, value, said) in [
            ("CLEAVE__PLACEMENT__SHIPPING__AT", "local", "placement.shipping"),
            ("CLEAVE__PLACEMENT__INVENTORY__AT", "moon", "placement"),
            ("CLEAVE__PLACEMENT__INVENTORY__AT", "http", "placement.inventory.addresses"),
            ("CLEAVE__WIRE__NAME", "No Name", "wire.name"),
            ("CLEAVE__WIRE__CONNECTIONS", "0", "wire.connections"),
            ("CLEAVE__WIRE__LISTN", "x", "wire.listen"),
            ("CLEAVE__WIRE__PEERS__SHOP__MODULES", "orders", "wire.peers.shop.keys"),
        ] {
            let refused = read(&[(name, value)]).expect_err(name).to_string();
            assert!(refused.contains(said), "{name}={value}: {refused}");
        }
        let at = ("CLEAVE__PLACEMENT__INVENTORY__AT", "http");
        for address in ["127.0.0.1:1", "ftp://x", "http://", "http://a/b", "http://user@host:1"] {
            let refused = read(&[at, ("CLEAVE__PLACEMENT__INVENTORY__ADDRESSES", address)]);
            assert!(refused.expect_err(address).to_string().contains(address));
        }
        assert!(
            read(&[at, ("CLEAVE__PLACEMENT__INVENTORY__ADDRESSES", "http://[::1]:1, https://b")]).is_ok()
        );
    }

    /// Section 5.11: nobody but this machine is talked to without knowing who it is.
    #[test]
    fn what_other_machines_can_reach_needs_keys() {
        for (name, value) in [
            ("CLEAVE__WIRE__LISTEN", "0.0.0.0:9080"),
            ("CLEAVE__WIRE__LISTEN", "[::]:9080"),
            ("CLEAVE__WIRE__LISTEN", "10.0.0.7:9080"),
            ("CLEAVE__WIRE__NATS", "nats://user:secret@nats.example:4222"),
            ("CLEAVE__WIRE__AMQP", "amqp://mq/vhost"),
        ] {
            let refused = read(&[(name, value)]).expect_err(value).to_string();
            assert!(refused.contains("wire.key_file") && !refused.contains("secret"), "{refused}");
            let keys = ("CLEAVE__WIRE__KEY_FILE", "/run/secrets/key");
            assert!(read(&[(name, value), keys]).is_ok(), "{value} with keys");
        }
        for (name, value) in [
            ("CLEAVE__WIRE__LISTEN", "127.0.0.1:9080"),
            ("CLEAVE__WIRE__LISTEN", "[::1]:0"),
            ("CLEAVE__WIRE__NATS", "nats://localhost:4222"),
            ("CLEAVE__WIRE__AMQP", "amqp://guest:guest@127.0.0.1:5672/%2f"),
        ] {
            assert!(read(&[(name, value)]).is_ok(), "{value}");
        }
    }
}
