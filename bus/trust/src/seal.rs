//! The seal as text, what it covers, and how it is read: pure functions of what they are given.
//!
//! `s1.<sender>.<audience>.<issued, µs>.<life, ms>.<id>.<answer>.<signature>`. There is one algorithm, Ed25519, and
//! the version stands for it: what names an algorithm in the message can be made to name a weaker one (RFC 8725, 3.1).

use crate::{Identity, refusal::Refusal, roster::is_name, transcript::Transcript};
use aws_lc_rs::digest::Digest;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bus::{Headers, Timestamp};
use std::{fmt::Write as _, time::Duration};

/// The header that carries the seal.
pub const HEADER: &str = "seal";

/// No seal is good for longer.
pub const LONGEST_LIFE: Duration = Duration::from_secs(60);

/// Two names, two numbers, an id, a signature: no seal is longer.
const LONGEST_TEXT: usize = 320;

const VERSION: &str = "s1";
const PURPOSE: &str = "bus-trust request, Ed25519";
const SIGNATURE_LENGTH: usize = 64;

/// How the answer is to come.
const SIGNED: &str = "signed";
const PLAIN: &str = "plain";

/// What a seal says by itself; the rest of what it covers comes with the call.
pub(crate) struct Claims<'a> {
    pub(crate) sender: &'a str,
    pub(crate) audience: &'a str,
    pub(crate) issued: Timestamp,
    pub(crate) life: Duration,
    /// Never used twice.
    pub(crate) id: u128,
    /// Whether the sender takes a signed answer only.
    pub(crate) answer_signed: bool,
}

impl Claims<'_> {
    pub(crate) fn expires(&self) -> Timestamp {
        self.issued.after(self.life)
    }

    /// The seal of a call with this name, these headers and these bytes.
    pub(crate) fn seal(&self, by: &Identity, name: &str, headers: &Headers, bytes: &[u8]) -> String {
        let mut text = String::with_capacity(LONGEST_TEXT);
        let (issued, life) = (self.issued.micros(), self.life.as_millis());
        // Writing to a string does not fail.
        let _ = write!(text, "{VERSION}.{}.{}.{issued}.{life}.", self.sender, self.audience);
        URL_SAFE_NO_PAD.encode_string(self.id.to_be_bytes(), &mut text);
        let _ = write!(text, ".{}", if self.answer_signed { SIGNED } else { PLAIN });
        let signature = by.sign(covered(&text, name, headers, bytes).as_ref());
        text.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut text);
        text
    }
}

/// A seal that was read, and not yet believed.
pub(crate) struct Unverified<'a> {
    pub(crate) claims: Claims<'a>,
    /// All but the signature.
    text: &'a str,
    signature: [u8; SIGNATURE_LENGTH],
}

impl<'a> Unverified<'a> {
    pub(crate) fn parse(seal: &'a str) -> Option<Self> {
        if seal.len() > LONGEST_TEXT {
            return None;
        }
        let (text, signature) = seal.rsplit_once('.')?;
        let mut fields = text.split('.');
        let mut next = || fields.next();
        if next()? != VERSION {
            return None;
        }
        let (sender, audience) = (next()?, next()?);
        let (issued, life) = (number(next()?)?, number(next()?)?);
        let id = u128::from_be_bytes(bytes(next()?)?);
        let answer_signed = match next()? {
            SIGNED => true,
            PLAIN => false,
            _ => return None,
        };
        if next().is_some() || !is_name(sender) || !is_name(audience) {
            return None;
        }
        let issued = Timestamp::from_micros(i64::try_from(issued).ok()?);
        let life = Duration::from_millis(life);
        let claims = Claims { sender, audience, issued, life, id, answer_signed };
        Some(Self { claims, text, signature: bytes(signature)? })
    }

    /// Whether its time is now.
    pub(crate) fn check_time(&self, now: Timestamp, tolerance: Duration) -> Result<(), Refusal> {
        if self.claims.life > LONGEST_LIFE {
            return Err(Refusal::TooLong);
        }
        if self.claims.issued > now.after(tolerance) {
            return Err(Refusal::Future);
        }
        if self.claims.expires().after(tolerance) < now {
            return Err(Refusal::Expired);
        }
        Ok(())
    }

    /// Whether `signed` says that the signature is the sender's.
    pub(crate) fn verify(
        &self,
        name: &str,
        headers: &Headers,
        bytes: &[u8],
        signed: impl FnOnce(&[u8], &[u8]) -> bool,
    ) -> Result<(), Refusal> {
        let covered = covered(self.text, name, headers, bytes);
        if signed(covered.as_ref(), &self.signature) { Ok(()) } else { Err(Refusal::Signature) }
    }
}

/// The headers are a sorted map: their order is the same on both sides. The seal's own is not there yet, or no longer.
fn covered(text: &str, name: &str, headers: &Headers, bytes: &[u8]) -> Digest {
    let mut transcript = Transcript::new(PURPOSE);
    for part in [text.as_bytes(), name.as_bytes(), bytes] {
        transcript.part(part);
    }
    for (name, value) in headers {
        transcript.part(name.as_bytes());
        transcript.part(value.as_bytes());
    }
    transcript.digest()
}

/// Digits and nothing else: `parse` takes a sign too.
fn number(text: &str) -> Option<u64> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// Base64 of exactly so many bytes.
pub(crate) fn bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    (URL_SAFE_NO_PAD.decode_slice(text, &mut bytes).ok()? == N).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A peer that makes its seals last is not listened to, though it is known: what is caught once must not be good
    /// for ever.
    #[test]
    fn a_long_life_is_refused_whoever_signs_it() {
        let identity = Identity::generate("orders").expect("a key");
        let (issued, headers) = (Timestamp::from_micros(1_767_225_600_000_000), Headers::new());
        let seal = |life| {
            let (sender, audience) = (identity.name(), "inventory");
            let claims = Claims { sender, audience, issued, life, id: 7, answer_signed: false };
            claims.seal(&identity, "inventory.stock", &headers, b"")
        };
        let check = |life| {
            let seal = seal(life);
            let unverified = Unverified::parse(&seal).expect("a seal");
            assert_eq!((unverified.claims.life, unverified.claims.id), (life, 7));
            unverified.check_time(issued, Duration::from_secs(5))
        };
        assert_eq!(check(LONGEST_LIFE), Ok(()));
        for life in [LONGEST_LIFE + Duration::from_millis(1), Duration::from_millis(u64::MAX)] {
            assert_eq!(check(life), Err(Refusal::TooLong));
        }
    }
}
