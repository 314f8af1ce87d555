//! What can be set, with defaults that need no mail server.

use bus_durable::RetryPolicy;
use serde::Deserialize;
use std::{fmt, time::Duration};

/// The module's settings.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// How the shop signs.
    pub shop: String,
    /// Whom notifications come from: `Shop <shop@example.com>`. Its domain is the one of every Message-ID.
    pub from: String,
    /// The mail server. Without one, the channel is `log`.
    pub smtp: Option<SmtpSettings>,
    /// How many notifications are claimed, sent and marked at once.
    pub batch: u32,
    /// How often the table is looked at without being told.
    #[serde(with = "kernel::duration")]
    pub poll: Duration,
    /// How long users may take to say an address before the notification waits without one.
    #[serde(with = "kernel::duration")]
    pub address_timeout: Duration,
    /// How often it is tried to send a notification before it has failed.
    pub max_attempts: u32,
    /// The longest pause after the first failure; it doubles with each.
    #[serde(with = "kernel::duration")]
    pub retry_after: Duration,
    /// The longest pause at all.
    #[serde(with = "kernel::duration")]
    pub retry_at_most: Duration,
    /// For how long a notification may wait before the integrity check calls it a violation.
    #[serde(with = "kernel::duration")]
    pub waiting_at_most: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            shop: "Cleave".into(),
            from: format!("Cleave <shop@{NO_DOMAIN}>"),
            smtp: None,
            batch: 128,
            poll: Duration::from_secs(1),
            address_timeout: Duration::from_secs(2),
            // Some nine hours: longer than a mail server is usually away.
            max_attempts: 64,
            retry_after: Duration::from_secs(2),
            retry_at_most: Duration::from_secs(600),
            waiting_at_most: Duration::from_secs(12 * 3600),
        }
    }
}

impl Settings {
    pub(crate) fn retry(&self) -> RetryPolicy {
        RetryPolicy {
            max_attempts: self.max_attempts.max(1),
            base: self.retry_after,
            cap: self.retry_at_most,
        }
    }
}

/// The domain of the default sender, which no mail server takes (RFC 6761).
pub(crate) const NO_DOMAIN: &str = "cleave.invalid";

/// The mail server that takes the shop's mail.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SmtpSettings {
    /// Its name, which its certificate must have.
    pub host: String,
    /// Its port; 465, 587 or 25 by the TLS mode unless told.
    #[serde(default)]
    pub port: Option<u16>,
    /// How the connection is protected.
    #[serde(default)]
    pub tls: TlsMode,
    /// Who signs in, if somebody has to.
    #[serde(default)]
    pub username: Option<String>,
    /// The password.
    #[serde(default)]
    pub password: Option<Secret>,
    /// How long the server may take for each step of a delivery; it has some eight.
    #[serde(default = "ten_seconds", with = "kernel::duration")]
    pub timeout: Duration,
    /// How many connections are used at once.
    #[serde(default = "eight")]
    pub connections: u32,
}

fn ten_seconds() -> Duration {
    Duration::from_secs(10)
}

fn eight() -> u32 {
    8
}

/// How the connection to a mail server is protected. There is no "if available": that protects from nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TlsMode {
    /// TLS from the first byte (RFC 8314).
    #[default]
    Implicit,
    /// STARTTLS, and nothing is sent without.
    Starttls,
    /// Not at all: for a relay on this machine. A password is sent to no other.
    None,
}

/// A text that does not show itself.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Keeps `text`.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_and_unknown_ones_refused() {
        let json = r#"{"shop":"A","poll":"5s","smtp":{"host":"mail.test","tls":"starttls","password":"Pw-CANARY-9c1e"}}"#;
        let settings: Settings = serde_json::from_str(json).expect("read");
        let smtp = settings.smtp.as_ref().expect("given");
        assert_eq!((settings.poll, settings.batch, smtp.connections), (Duration::from_secs(5), 128, 8));
        assert_eq!(smtp.tls, TlsMode::Starttls);
        assert!(serde_json::from_str::<Settings>(r#"{"smpt":null}"#).is_err());
        assert!(serde_json::from_str::<Settings>(r#"{"smtp":{"host":"a","tls":"opportunistic"}}"#).is_err());
        assert!(!format!("{settings:?}").contains("CANARY"), "5.12: a password does not show itself");
    }
}
