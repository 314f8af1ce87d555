//! A public key as it stands in settings: 32 bytes as base64, in the alphabet that needs no escape anywhere.

use aws_lc_rs::signature::{ED25519, ED25519_PUBLIC_KEY_LEN, ParsedPublicKey};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize, de};
use std::{borrow::Cow, fmt, str::FromStr};

/// The public half of an Ed25519 key pair. As text: 43 characters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey([u8; ED25519_PUBLIC_KEY_LEN]);

/// A text that is no public key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no public key: 43 characters of base64url are")]
pub struct InvalidKey(String);

impl PublicKey {
    /// The key of these bytes; `None` where they are no point of the curve, or an empty placeholder: to such a key
    /// anybody could sign.
    pub(crate) fn from_bytes(bytes: [u8; ED25519_PUBLIC_KEY_LEN]) -> Option<Self> {
        let key = Self(bytes);
        (bytes != [0; ED25519_PUBLIC_KEY_LEN] && key.parse_point().is_some()).then_some(key)
    }

    pub(crate) fn parse_point(&self) -> Option<ParsedPublicKey> {
        ParsedPublicKey::new(&ED25519, self.0).ok()
    }
}

impl FromStr for PublicKey {
    type Err = InvalidKey;

    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        let invalid = || InvalidKey(text.chars().take(64).collect());
        let mut bytes = [0; ED25519_PUBLIC_KEY_LEN];
        match URL_SAFE_NO_PAD.decode_slice(text.trim(), &mut bytes) {
            Ok(ED25519_PUBLIC_KEY_LEN) => Self::from_bytes(bytes).ok_or_else(invalid),
            _ => Err(invalid()),
        }
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for PublicKey {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PublicKey {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}
