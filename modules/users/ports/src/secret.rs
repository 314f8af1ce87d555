//! Texts that must not be seen: passwords and tokens.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use zeroize::Zeroizing;

/// A text that is wiped from memory when it goes, and that prints as `***`. It has to cross wires, so it can
/// be serialised: what is serialised must not be stored or logged.
#[derive(Clone)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(with = "String"))]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// A secret of this text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The text, for the one place that needs it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

/// A refresh token of 256 random bits. The prefix lets secret scanners know it.
#[must_use]
pub fn new_refresh_token(random: [u8; 32]) -> Secret {
    use fmt::Write as _;
    let mut text = String::with_capacity(4 + 64);
    text.push_str("crt_");
    for byte in random {
        // Writing to a String does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    Secret::new(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Section 5.12: a message that is logged whole shows no secret.
    #[test]
    fn a_secret_does_not_print() {
        let secret = Secret::new("Pw-CANARY-9c1e");
        assert_eq!(format!("{secret:?} {:?}", Some(&secret)), "*** Some(***)");
        assert_eq!(serde_json::to_string(&secret).expect("serialises"), "\"Pw-CANARY-9c1e\"");
    }

    #[test]
    fn a_refresh_token_is_all_of_its_bits() {
        let token = new_refresh_token([0xab; 32]);
        assert_eq!(token.expose(), format!("crt_{}", "ab".repeat(32)));
    }
}
