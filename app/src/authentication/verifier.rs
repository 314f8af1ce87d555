//! What makes a token a token, and nothing else one: RFC 8725, by a list of what is allowed.
//!
//! One algorithm, which the token does not choose; one type; a header of three members; claims that are all there, each of
//! its one form; no leeway but for clocks that differ a little in `iat`, which decides nothing.

use arc_swap::ArcSwap;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bus::{Role, Timestamp};
use jsonwebtoken::{Algorithm, DecodingKey};
use kernel::{SessionId, UserId};
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, Visitor},
};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::{collections::BTreeMap, fmt, sync::Arc};
use users_ports::{Jwk, Jwks};
use uuid::Uuid;

/// More than any token of ours has. Looked at before anything else is.
const LONGEST: usize = 8 * 1024;
const LONGEST_KID: usize = 64;
/// How far in the future a token may have been issued, in seconds: clocks of two machines differ.
const SKEW: i64 = 5;

/// What a good token says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    /// Who.
    pub user: UserId,
    /// In which session.
    pub session: SessionId,
    /// What they might do when the token was issued.
    pub role: Role,
    not_before: i64,
    expires: i64,
}

impl Verified {
    /// Whether the token's time has come and has not passed.
    #[must_use]
    pub fn is_current(&self, now: Timestamp) -> bool {
        let now = now.seconds();
        self.not_before <= now && now < self.expires
    }
}

/// Why a token is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is no good.
    #[error("the token is not valid")]
    Invalid,
    /// It names a key that is not known here, or not yet.
    #[error("the token's key is not known")]
    UnknownKey,
}

/// Verifies access tokens.
pub struct TokenVerifier {
    issuer: String,
    audience: String,
    keys: ArcSwap<BTreeMap<String, Key>>,
}

struct Key {
    public: String,
    decoding: DecodingKey,
}

impl TokenVerifier {
    /// Knows tokens of this issuer for this audience, once it has keys.
    pub fn new(issuer: impl Into<String>, audience: impl Into<String>) -> Self {
        Self { issuer: issuer.into(), audience: audience.into(), keys: ArcSwap::default() }
    }

    /// Takes these keys in place of those before; whether that changed anything.
    pub fn set_keys(&self, keys: &Jwks) -> bool {
        let keys: BTreeMap<_, _> = keys.keys.iter().filter_map(usable).collect();
        let before = self.keys.swap(Arc::new(keys));
        let after = self.keys.load();
        let names = |keys: &BTreeMap<String, Key>| -> Vec<(String, String)> {
            keys.iter().map(|(kid, key)| (kid.clone(), key.public.clone())).collect()
        };
        names(&before) != names(&after)
    }

    /// Whether there is any key.
    #[must_use]
    pub fn has_keys(&self) -> bool {
        !self.keys.load().is_empty()
    }

    /// What the token says, if it is good.
    ///
    /// # Errors
    /// [`Refusal`] where it is not.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<Verified, Refusal> {
        if token.len() > LONGEST {
            return Err(Refusal::Invalid);
        }
        let (message, signature) = token.rsplit_once('.').ok_or(Refusal::Invalid)?;
        let (header, claims) = message.split_once('.').ok_or(Refusal::Invalid)?;
        if claims.contains('.') {
            return Err(Refusal::Invalid);
        }
        let kid = check_header(&object(header)?)?;
        let keys = self.keys.load();
        let key = keys.get(&kid).ok_or(Refusal::UnknownKey)?;
        let holds =
            jsonwebtoken::crypto::verify(signature, message.as_bytes(), &key.decoding, Algorithm::EdDSA);
        if !holds.unwrap_or(false) {
            return Err(Refusal::Invalid);
        }
        let verified = self.check_claims(&object(claims)?, now).ok_or(Refusal::Invalid)?;
        if verified.is_current(now) { Ok(verified) } else { Err(Refusal::Invalid) }
    }

    fn check_claims(&self, claims: &Object, now: Timestamp) -> Option<Verified> {
        let text = |name: &str| claims.0.get(name).and_then(Value::as_str);
        // Whole numbers only: a float or a text that looks like a time is not one (CVE-2026-25537).
        let time = |name: &str| claims.0.get(name).and_then(Value::as_i64).filter(|at| *at >= 0);
        let id = |name: &str| text(name).filter(|id| id.len() == 36).and_then(|id| id.parse::<Uuid>().ok());
        let for_us = match claims.0.get("aud")? {
            Value::String(audience) => *audience == self.audience,
            Value::Array(audiences) => audiences.iter().any(|audience| *audience == *self.audience),
            _ => false,
        };
        let issued = time("iat")?;
        let sound = text("iss")? == self.issuer
            && for_us
            && issued <= now.seconds() + SKEW
            && text("jti").is_some_and(|jti| !jti.is_empty());
        let role = match text("role")? {
            "customer" => Role::Customer,
            "staff" => Role::Staff,
            "admin" => Role::Admin,
            _ => return None,
        };
        sound.then_some(Verified {
            user: UserId(id("sub")?),
            session: SessionId(id("sid")?),
            role,
            not_before: time("nbf")?,
            expires: time("exp")?,
        })
    }
}

/// The name of the key. Anything in a header beyond the three members could only mean that the token is to be taken
/// for something else: another key (`jku`, `jwk`, `x5u`, `x5c`), other rules (`crit`, `b64`), a token in a token (`cty`).
fn check_header(header: &Object) -> Result<String, Refusal> {
    let text = |name: &str| header.0.get(name).and_then(Value::as_str).ok_or(Refusal::Invalid);
    let named = |kid: &str| {
        (1..=LONGEST_KID).contains(&kid.len())
            && kid.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    if header.0.len() == 3 && text("alg")? == "EdDSA" && text("typ")? == "at+jwt" && named(text("kid")?) {
        Ok(text("kid")?.to_owned())
    } else {
        Err(Refusal::Invalid)
    }
}

fn usable(key: &Jwk) -> Option<(String, Key)> {
    let fits = key.kty == "OKP" && key.crv == "Ed25519" && key.alg == "EdDSA" && key.purpose == "sig";
    let is_key = URL_SAFE_NO_PAD.decode(&key.x).is_ok_and(|x| x.len() == 32);
    let decoding = DecodingKey::from_ed_components(&key.x).ok()?;
    (fits && is_key).then(|| (key.kid.clone(), Key { public: key.x.clone(), decoding }))
}

/// Names a token without keeping it.
pub(crate) fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token).into()
}

/// Verifies the example of RFC 8037, appendix A.4: a library without its crypto provider panics at its first use.
pub(crate) fn prove() {
    let key = DecodingKey::from_ed_components("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
    let message = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
    let signature = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    let holds = key.and_then(|key| jsonwebtoken::crypto::verify(signature, message, &key, Algorithm::EdDSA));
    assert!(holds.unwrap_or(false), "Ed25519 signatures cannot be verified here");
}

/// A JSON object that says nothing twice: of two claims of one name, two readers may believe different ones.
struct Object(BTreeMap<String, Value>);

fn object(part: &str) -> Result<Object, Refusal> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| Refusal::Invalid)?;
    serde_json::from_slice(&bytes).map_err(|_| Refusal::Invalid)
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Object;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object without repeated members")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
                let mut members = BTreeMap::new();
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    if members.insert(name, value).is_some() {
                        return Err(A::Error::custom("a member is repeated"));
                    }
                }
                Ok(Object(members))
            }
        }

        deserializer.deserialize_map(Members)
    }
}
