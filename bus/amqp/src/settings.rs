//! What an operator says about the broker, checked before anything connects.

use crate::names::is_name;
use lapin::uri::AMQPUri;
use std::fmt;

/// The heartbeat that is asked for, in seconds: a peer that is silent for twice as long is gone.
const HEARTBEAT: u16 = 10;

/// Where the broker is, and how it is used.
#[derive(Clone)]
pub struct AmqpSettings {
    /// `amqp://user:password@host:5672/vhost`, or `amqps://` for TLS; the vhost `/` is written `%2f`. Never logged.
    pub url: String,
    /// What the names of all queues and exchanges begin with: two systems on one broker have two.
    pub namespace: String,
    /// What the broker's own tools call the connection.
    pub connection_name: String,
    /// An authority, as PEM, that may have signed the broker's certificate, beside those of the web.
    pub certificate_authority: Option<String>,
    /// The longest body that is sent, in bytes. A broker closes the channel on one that is too long for it, so this
    /// is no more than its `max_message_size`: 16 MiB since RabbitMQ 4.0, 128 MiB before.
    pub max_body: usize,
    /// How many calls of a module are handed over before they are begun.
    pub prefetch: u16,
    /// How many calls of a module run here at once; the broker keeps the rest for whoever is free, until their
    /// deadline. More than a port admits, so that it is the port that says `Overloaded`.
    pub concurrency: u32,
}

impl AmqpSettings {
    /// The defaults for this broker and namespace.
    #[must_use]
    pub fn new(url: impl Into<String>, namespace: impl Into<String>) -> Self {
        let namespace = namespace.into();
        Self {
            url: url.into(),
            connection_name: namespace.clone(),
            namespace,
            certificate_authority: None,
            max_body: 16 * 1024 * 1024,
            prefetch: 64,
            concurrency: 2048,
        }
    }

    /// The broker's address.
    pub(crate) fn parse(&self) -> Result<AMQPUri, InvalidSettings> {
        if !is_name(&self.namespace) {
            return Err(InvalidSettings::Namespace(self.namespace.clone()));
        }
        if self.max_body == 0 || self.prefetch == 0 || self.concurrency == 0 {
            return Err(InvalidSettings::Zero);
        }
        // The parser's own error repeats the URL, and with it the password.
        let mut uri: AMQPUri = self.url.parse().map_err(|_| InvalidSettings::Url)?;
        uri.query.heartbeat.get_or_insert(HEARTBEAT);
        Ok(uri)
    }
}

impl fmt::Debug for AmqpSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AmqpSettings")
            .field("url", &"***")
            .field("namespace", &self.namespace)
            .field("connection_name", &self.connection_name)
            .finish_non_exhaustive()
    }
}

/// Settings that nothing can be done with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSettings {
    /// Not an AMQP URL.
    #[error("the broker's URL is not of the form amqp://user:password@host:port/vhost")]
    Url,
    /// Not a name that queues can begin with.
    #[error("a namespace is 1 to 100 letters, digits, '-' and '_', not {0:?}")]
    Namespace(String),
    /// A limit that lets nothing through.
    #[error("max_body, prefetch and concurrency must be at least 1")]
    Zero,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_neither_in_errors_nor_in_debug_output() {
        for url in ["amqp://ann:s3cret@broker/%2f", "amqp:s3cret", "s3cret@", "http://ann:s3cret@broker"] {
            let settings = AmqpSettings::new(url, "shop");
            let said = format!("{settings:?} {:?}", settings.parse().map(|_| ()));
            assert!(!said.contains("s3cret"), "{said}");
        }
    }

    #[test]
    fn settings_that_let_nothing_through_are_refused() {
        let good = AmqpSettings::new("amqp://broker", "shop");
        assert_eq!(good.parse().map(|uri| uri.query.heartbeat), Ok(Some(HEARTBEAT)));
        let unnamed = AmqpSettings { namespace: "a.b".into(), ..good.clone() };
        assert_eq!(unnamed.parse(), Err(InvalidSettings::Namespace("a.b".into())));
        let closed = AmqpSettings { prefetch: 0, ..good };
        assert_eq!(closed.parse(), Err(InvalidSettings::Zero));
    }
}
