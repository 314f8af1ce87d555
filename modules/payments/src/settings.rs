//! What can be set, with defaults that are safe.

use serde::Deserialize;
use std::{fmt, time::Duration};

/// A secret that logs never show.
#[derive(Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// This text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for whoever needs it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// How payments runs.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Whose provider takes the money: `sandbox`.
    pub provider: String,
    /// How long one request to the provider may take before its outcome is `processing`.
    #[serde(with = "kernel::duration")]
    pub provider_timeout: Duration,
    /// How often, at most, one open payment is looked after.
    #[serde(with = "kernel::duration")]
    pub reconcile_every: Duration,
    /// How long a request that the provider never heard of is sent again (under its key) before the payment
    /// has failed.
    #[serde(with = "kernel::duration")]
    pub give_up_after: Duration,
    /// How long the provider is asked now and then whether a request that was given up has arrived after all.
    #[serde(with = "kernel::duration")]
    pub watch_for: Duration,
    /// How often the provider is asked about a buyer who has to approve. Its webhook is faster.
    #[serde(with = "kernel::duration")]
    pub challenge_every: Duration,
    /// After how many attempts a payment or refund that does not settle needs a person's attention.
    pub attention_after: u32,
    /// What the provider signs its webhooks with: `whsec_` and base64. Empty takes no webhook.
    pub webhook_secret: Secret,
    /// The secret before, while the provider changes over.
    pub webhook_secret_before: Secret,
    /// How far a webhook's time may be from ours.
    #[serde(with = "kernel::duration")]
    pub webhook_tolerance: Duration,
    /// How long handled webhooks are kept.
    #[serde(with = "kernel::duration")]
    pub webhook_retention: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            provider: "sandbox".into(),
            provider_timeout: Duration::from_secs(5),
            reconcile_every: Duration::from_secs(10),
            give_up_after: Duration::from_secs(30),
            watch_for: Duration::from_secs(24 * 3600),
            challenge_every: Duration::from_secs(30),
            attention_after: 10,
            webhook_secret: Secret::default(),
            webhook_secret_before: Secret::default(),
            webhook_tolerance: Duration::from_secs(300),
            webhook_retention: Duration::from_secs(30 * 24 * 3600),
        }
    }
}

impl Settings {
    /// How long whoever works on a payment has it for itself: longer than all the requests that one piece of
    /// work makes.
    pub(crate) fn lease(&self) -> Duration {
        self.provider_timeout * 4 + Duration::from_secs(1)
    }

    /// How long a caller waits for one request at most, with what writing it down takes.
    pub(crate) fn caller_waits(&self) -> Duration {
        self.provider_timeout + self.provider_timeout / 2 + Duration::from_millis(500)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_never_shown() {
        let settings = Settings { webhook_secret: Secret::new("whsec_abc"), ..Settings::default() };
        assert!(!format!("{settings:?}").contains("abc"));
        assert_eq!(settings.webhook_secret.reveal(), "whsec_abc");
    }

    #[test]
    fn settings_are_read_as_people_write_them() {
        let settings: Settings =
            serde_json::from_str(r#"{"provider_timeout":"2s","webhook_secret":"whsec_x"}"#).expect("reads");
        assert_eq!(settings.provider_timeout, Duration::from_secs(2));
        assert!(serde_json::from_str::<Settings>(r#"{"provider_timout":"2s"}"#).is_err());
    }
}
