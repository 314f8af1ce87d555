//! Webhooks as the Standard Webhooks specification has them: what is sent, and the signature over it.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use serde::Serialize;
use sha2::Sha256;
use std::time::Duration;
use uuid::Uuid;

/// A webhook as it goes over the wire: three headers and a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedWebhook {
    /// `webhook-id`: the same however often the event is sent.
    pub id: String,
    /// `webhook-timestamp`: unix seconds of this attempt.
    pub timestamp: i64,
    /// `webhook-signature`: `v1,` and the base64 of the HMAC-SHA256 over `id.timestamp.body`.
    pub signature: String,
    /// JSON: `{id, type, reference, charge, amount: {amount, currency}, status, code?, at, idempotency_key}`,
    /// `at` in microseconds since the epoch.
    pub body: Vec<u8>,
}

/// Where webhooks are posted.
#[async_trait::async_trait]
pub trait WebhookSink: Send + Sync {
    /// Posts one webhook and gives the HTTP status of the answer. Anything but a 2xx is tried again.
    async fn post(&self, webhook: SignedWebhook) -> Result<u16, String>;
}

/// The signature of the Standard Webhooks specification, `v1,<base64>`.
///
/// `secret` is `whsec_` and base64; one that is not is used as the bytes that it is.
#[must_use]
pub fn sign(secret: &str, id: &str, timestamp: i64, body: &[u8]) -> String {
    let key = secret_bytes(secret).unwrap_or_else(|| secret.as_bytes().to_vec());
    // HMAC takes keys of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&key) else { return String::new() };
    mac.update(id.as_bytes());
    mac.update(format!(".{timestamp}.").as_bytes());
    mac.update(body);
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

/// The key inside `whsec_…`, if it is one.
pub(crate) fn secret_bytes(secret: &str) -> Option<Vec<u8>> {
    STANDARD.decode(secret.strip_prefix("whsec_")?).ok()
}

/// How long to wait after the `attempts`th attempt: half a second, doubled each time, at most 30 s.
#[must_use]
pub fn backoff(attempts: u32) -> Duration {
    let doublings = attempts.saturating_sub(1).min(6);
    Duration::from_millis(500 << doublings).min(Duration::from_secs(30))
}

/// The id of the event that a row of the ledger caused.
pub(crate) fn event_id(transaction: Uuid) -> String {
    format!("evt_{transaction}")
}

/// What a webhook says.
pub(crate) struct EventBody<'a> {
    pub(crate) id: String,
    pub(crate) r#type: &'static str,
    pub(crate) reference: &'a str,
    pub(crate) charge: Uuid,
    pub(crate) amount: i64,
    pub(crate) currency: &'a str,
    pub(crate) status: &'static str,
    pub(crate) code: &'a str,
    pub(crate) at: i64,
    pub(crate) idempotency_key: &'a str,
}

impl EventBody<'_> {
    pub(crate) fn to_json(&self) -> String {
        #[derive(Serialize)]
        struct Amount<'a> {
            amount: i64,
            currency: &'a str,
        }
        #[derive(Serialize)]
        struct Body<'a> {
            id: &'a str,
            r#type: &'static str,
            reference: &'a str,
            charge: Uuid,
            amount: Amount<'a>,
            status: &'static str,
            #[serde(skip_serializing_if = "str::is_empty")]
            code: &'a str,
            at: i64,
            idempotency_key: &'a str,
        }
        let body = Body {
            id: &self.id,
            r#type: self.r#type,
            reference: self.reference,
            charge: self.charge,
            amount: Amount { amount: self.amount, currency: self.currency },
            status: self.status,
            code: self.code,
            at: self.at,
            idempotency_key: self.idempotency_key,
        };
        // Strings and integers always have a JSON form.
        serde_json::to_string(&body).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 5.7: the test vector that the specification's own libraries are tested with.
    #[test]
    fn the_signature_is_that_of_standard_webhooks() {
        let signature = sign(
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            br#"{"test": 2432232314}"#,
        );
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    /// CALL-11: exponential and capped.
    #[test]
    fn the_back_off_doubles_up_to_thirty_seconds() {
        let waits: Vec<u64> = (1..=8).map(|n| backoff(n).as_millis() as u64).collect();
        assert_eq!(waits, [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
        assert_eq!(backoff(u32::MAX), Duration::from_secs(30));
    }
}
