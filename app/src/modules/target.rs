//! The names of places that a module can be moved to.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// Another process, and how it is reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) enum Target {
    /// `http://host:port`, its `wire.listen`.
    Http(String),
    /// `nats:name`, its `wire.name`.
    Nats(String),
    /// `amqp:name`, its `wire.name`.
    Amqp(String),
}

/// A place that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no place: they are local, http://host:port, nats:name and amqp:name")]
pub(crate) struct NoPlace(String);

impl FromStr for Target {
    type Err = NoPlace;

    fn from_str(text: &str) -> Result<Self, NoPlace> {
        if crate::settings::is_base_url(text) {
            return Ok(Self::Http(text.trim_end_matches('/').to_owned()));
        }
        let name = |name: &str| crate::settings::is_name(name).then(|| name.to_owned());
        let named = match text.split_once(':') {
            Some(("nats", rest)) => name(rest).map(Self::Nats),
            Some(("amqp", rest)) => name(rest).map(Self::Amqp),
            _ => None,
        };
        named.ok_or_else(|| NoPlace(text.to_owned()))
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http(url) => f.write_str(url),
            Self::Nats(name) => write!(f, "nats:{name}"),
            Self::Amqp(name) => write!(f, "amqp:{name}"),
        }
    }
}

impl TryFrom<String> for Target {
    type Error = NoPlace;

    fn try_from(text: String) -> Result<Self, NoPlace> {
        text.parse()
    }
}

impl From<Target> for String {
    fn from(target: Target) -> Self {
        target.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_written_as_it_is_read() {
        for text in ["http://127.0.0.1:9080", "https://inventory.svc", "nats:inventory-1", "amqp:shop_2"] {
            assert_eq!(text.parse::<Target>().expect(text).to_string(), text);
        }
        for text in ["", "local", "nats:", "nats:Not A Name", "ftp://x", "http://", "kafka:x", "http://a/b"] {
            assert!(text.parse::<Target>().is_err(), "{text}");
        }
    }
}
