//! Makes tokens of every kind, good and bad.

use aws_lc_rs::{
    hmac,
    signature::{Ed25519KeyPair, KeyPair as _},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bus::Timestamp;
use serde_json::{Value, json};
use users_ports::Jwk;
use uuid::Uuid;

pub(crate) const NOW: Timestamp = Timestamp::from_micros(1_767_225_600_000_000);
pub(crate) const USER: Uuid = Uuid::from_u128(0x0198_0000_0000_7000_8000_0000_0000_0001);
pub(crate) const SESSION: Uuid = Uuid::from_u128(0x0198_0000_0000_7000_8000_0000_0000_0002);

pub(crate) fn now() -> i64 {
    NOW.seconds()
}

pub(crate) struct Forge {
    pair: Ed25519KeyPair,
    pub(crate) kid: String,
}

impl Forge {
    pub(crate) fn new(kid: &str) -> Self {
        Self { pair: Ed25519KeyPair::generate().expect("a key"), kid: kid.into() }
    }

    pub(crate) fn public(&self) -> &[u8] {
        self.pair.public_key().as_ref()
    }

    pub(crate) fn jwk(&self) -> Jwk {
        let [kty, crv, alg, purpose] = ["OKP", "Ed25519", "EdDSA", "sig"].map(str::to_owned);
        Jwk { kty, crv, alg, purpose, x: URL_SAFE_NO_PAD.encode(self.public()), kid: self.kid.clone() }
    }

    pub(crate) fn header(&self) -> Value {
        json!({"typ": "at+jwt", "alg": "EdDSA", "kid": self.kid})
    }

    /// A token of these texts, rightly signed.
    pub(crate) fn sign(&self, header: &str, claims: &str) -> String {
        let message = format!("{}.{}", encode(header), encode(claims));
        let signature = URL_SAFE_NO_PAD.encode(self.pair.sign(message.as_bytes()).as_ref());
        format!("{message}.{signature}")
    }

    /// A good token.
    pub(crate) fn good(&self) -> String {
        self.with(|_| ())
    }

    /// A token that would be good, had its claims not been changed so.
    pub(crate) fn with(&self, change: impl FnOnce(&mut Value)) -> String {
        let mut claims = claims();
        change(&mut claims);
        self.sign(&self.header().to_string(), &claims.to_string())
    }

    /// A token that would be good, had its header not been changed so.
    pub(crate) fn headed(&self, change: impl FnOnce(&mut Value)) -> String {
        let mut header = self.header();
        change(&mut header);
        self.sign(&header.to_string(), &claims().to_string())
    }

    /// A token signed with HMAC-SHA256 under any bytes as the secret.
    pub(crate) fn hs256(&self, secret: &[u8]) -> String {
        let header = json!({"typ": "at+jwt", "alg": "HS256", "kid": self.kid}).to_string();
        let message = format!("{}.{}", encode(&header), encode(&claims().to_string()));
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message.as_bytes());
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(tag.as_ref()))
    }
}

pub(crate) fn encode(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(text)
}

pub(crate) fn claims() -> Value {
    json!({
        "iss": "cleave", "aud": "cleave", "sub": USER, "sid": SESSION, "role": "customer",
        "iat": now(), "nbf": now() - 5, "exp": now() + 900, "jti": Uuid::from_u128(7),
    })
}
