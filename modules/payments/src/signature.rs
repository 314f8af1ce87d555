//! Signatures of webhooks by the Standard Webhooks specification (<https://www.standardwebhooks.com>).

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bus::Timestamp;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use std::time::Duration;
use subtle::ConstantTimeEq as _;

/// What a webhook says of itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Signed<'a> {
    pub(crate) id: &'a str,
    pub(crate) timestamp: &'a str,
    pub(crate) signature: &'a str,
    pub(crate) body: &'a str,
}

/// Whether the text is `whsec_` and the base64 of 24 to 64 bytes.
pub(crate) fn is_secret(text: &str) -> bool {
    key(text).is_some_and(|key| (24..=64).contains(&key.len()))
}

fn key(secret: &str) -> Option<Vec<u8>> {
    STANDARD.decode(secret.strip_prefix("whsec_")?).ok()
}

/// The signature over `id.timestamp.body`.
fn sign(key: &[u8], signed: &Signed<'_>) -> Option<Vec<u8>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    for part in [signed.id, ".", signed.timestamp, ".", signed.body] {
        mac.update(part.as_bytes());
    }
    Some(mac.finalize().into_bytes().to_vec())
}

/// Whether one of the signatures is good under one of the secrets, and the time is near enough.
pub(crate) fn is_good(signed: &Signed<'_>, secrets: &[&str], now: Timestamp, tolerance: Duration) -> bool {
    let canonical = signed.timestamp.bytes().all(|byte| byte.is_ascii_digit());
    let Some(at) = signed.timestamp.parse::<i64>().ok().filter(|_| canonical) else { return false };
    let tolerance = i64::try_from(tolerance.as_secs()).unwrap_or(i64::MAX);
    if now.seconds().saturating_sub(at).saturating_abs() > tolerance {
        return false;
    }
    let mut good = false;
    for secret in secrets.iter().filter(|secret| is_secret(secret)) {
        let Some(right) = key(secret).and_then(|key| sign(&key, signed)) else { continue };
        for given in signed.signature.split(' ').take(10) {
            let given = given.strip_prefix("v1,").and_then(|text| STANDARD.decode(text).ok());
            // Every signature is compared, and each to its end: the time taken tells nothing.
            good |= given.is_some_and(|given| bool::from(given.ct_eq(&right)));
        }
    }
    good
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const GOOD: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    fn judge(id: &str, timestamp: &str, signature: &str, body: &str, secrets: &[&str], late: i64) -> bool {
        let now = Timestamp::from_micros((1_614_265_330 + late) * 1_000_000);
        is_good(&Signed { id, timestamp, signature, body }, secrets, now, Duration::from_secs(300))
    }

    /// 5.7: the table of what comes in, with the test vector of the specification's own libraries.
    #[test]
    fn only_the_providers_own_words_in_time_are_good() {
        let (id, at, body) = ("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", "{\"test\": 2432232314}");
        let other = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        let list = format!("v1,AAAA v1a,xyz {GOOD}");
        assert!(judge(id, at, GOOD, body, &[SECRET], 0));
        assert!(judge(id, at, &list, body, &[SECRET], 0), "a list with a good one");
        assert!(judge(id, at, GOOD, body, &[other, SECRET], 0), "while the secret changes");
        assert!(judge(id, at, GOOD, body, &[SECRET], 300) && judge(id, at, GOOD, body, &[SECRET], -300));
        for (case, good) in [
            ("none", judge(id, at, "", body, &[SECRET], 0)),
            ("short", judge(id, at, "v1,g0hM", body, &[SECRET], 0)),
            ("wrong", judge(id, at, "v1,AAhM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", body, &[SECRET], 0)),
            ("no version", judge(id, at, &GOOD[3..], body, &[SECRET], 0)),
            ("a byte of the body", judge(id, at, GOOD, "{\"test\": 2432232315}", &[SECRET], 0)),
            ("re-encoded", judge(id, at, GOOD, "{\"test\":2432232314}", &[SECRET], 0)),
            ("another id", judge("msg_x", at, GOOD, body, &[SECRET], 0)),
            ("old", judge(id, at, GOOD, body, &[SECRET], 301)),
            ("of the future", judge(id, at, GOOD, body, &[SECRET], -301)),
            ("no time", judge(id, "", GOOD, body, &[SECRET], 0)),
            ("a time with a sign", judge(id, "+1614265330", GOOD, body, &[SECRET], 0)),
            ("wrong secret", judge(id, at, GOOD, body, &[other], 0)),
            ("no secret", judge(id, at, GOOD, body, &["", "whsec_"], 0)),
        ] {
            assert!(!good, "{case}");
        }
    }
}
