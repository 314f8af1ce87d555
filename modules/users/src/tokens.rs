//! Access tokens: JWTs by RFC 9068's type, signed with EdDSA.
//!
//! A token is a function of what the database knows of the exchange that it was issued in. So the same request sent
//! twice is answered with the same token, and nothing has to be kept for that.

use crate::keys::SigningKey;
use bus::{BusError, Role, Timestamp};
use jsonwebtoken::{Algorithm, Header};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::time::Duration;
use users_ports::{Secret, SignedIn, User};
use uuid::Uuid;

/// What an exchange of credentials for tokens came to.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Grant {
    pub(crate) session_id: Uuid,
    pub(crate) user: User,
    pub(crate) issued_at: Timestamp,
    pub(crate) session_expires_at: Timestamp,
    pub(crate) refresh_token: Secret,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    aud: &'a str,
    sub: Uuid,
    sid: Uuid,
    role: Role,
    iat: i64,
    nbf: i64,
    exp: i64,
    jti: Uuid,
}

/// Who issues tokens, for whom, and how long they live.
#[derive(Debug, Clone)]
pub(crate) struct Issuer {
    pub(crate) name: String,
    pub(crate) audience: String,
    pub(crate) ttl: Duration,
}

impl Issuer {
    /// The tokens of a grant.
    pub(crate) fn issue(&self, grant: Grant, key: &SigningKey) -> Result<SignedIn, BusError> {
        let iat = grant.issued_at.seconds();
        let end = grant.issued_at.after(self.ttl).min(grant.session_expires_at).seconds();
        // Drawn from the refresh token, which is issued but once.
        let digest = Sha256::new().chain_update("jti").chain_update(grant.refresh_token.expose()).finalize();
        let jti = uuid::Builder::from_random_bytes(std::array::from_fn(|i| digest[i])).into_uuid();
        let claims = Claims {
            iss: &self.name,
            aud: &self.audience,
            sub: grant.user.id.0,
            sid: grant.session_id,
            role: grant.user.role,
            iat,
            // A verifier whose clock is a little behind must not refuse a token that has just been issued.
            nbf: iat - 5,
            exp: end,
            jti,
        };
        Ok(SignedIn {
            session_id: grant.session_id.into(),
            access_token: sign(&claims, key)?,
            expires_in: u64::try_from(end - iat).unwrap_or(0),
            refresh_token: grant.refresh_token,
            user: grant.user,
        })
    }
}

fn sign(claims: &impl Serialize, key: &SigningKey) -> Result<Secret, BusError> {
    let header =
        Header { typ: Some("at+jwt".into()), kid: Some(key.kid.clone()), ..Header::new(Algorithm::EdDSA) };
    let token = jsonwebtoken::encode(&header, claims, &key.private);
    token.map(Secret::new).map_err(|error| BusError::failed(&error))
}

/// Signs and verifies once: a library without its crypto provider panics at the first use, and that must be the start.
pub(crate) fn prove(key: &SigningKey) -> Result<(), BusError> {
    let broken = |error: &dyn std::fmt::Display| BusError::failed(&format_args!("the signing key: {error}"));
    let token = sign(&serde_json::json!({ "sub": "start" }), key)?;
    let (message, signature) = token.expose().rsplit_once('.').ok_or_else(|| broken(&"no token"))?;
    let public =
        jsonwebtoken::DecodingKey::from_ed_components(&key.public).map_err(|error| broken(&error))?;
    let holds = jsonwebtoken::crypto::verify(signature, message.as_bytes(), &public, Algorithm::EdDSA)
        .map_err(|error| broken(&error))?;
    if holds { Ok(()) } else { Err(broken(&"its signature does not hold")) }
}

/// The form in which a refresh token is stored; `None` for what is no refresh token, which need not be looked up.
pub(crate) fn digest(token: &Secret) -> Option<String> {
    let random = token.expose().strip_prefix("crt_")?;
    let is_hex = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
    if random.len() != 64 || !random.bytes().all(is_hex) {
        return None;
    }
    // No salt and no stretching: 256 random bits cannot be guessed.
    Some(format!("{:x}", HexDigest(Sha256::digest(token.expose()).into())))
}

struct HexDigest([u8; 32]);

impl std::fmt::LowerHex for HexDigest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Section 5.4: a refresh token is stored hashed only, and nothing else is taken for one.
    #[test]
    fn a_refresh_token_is_digested() {
        let token = users_ports::new_refresh_token([7; 32]);
        let stored = digest(&token).expect("a refresh token");
        assert_eq!(stored.len(), 64);
        assert!(!token.expose().contains(&stored));
        for bad in ["", "crt_", "crt_07", &"0".repeat(68), &format!("crt_{}", "0A".repeat(32)), &stored] {
            assert_eq!(digest(&Secret::new(bad)), None, "{bad}");
        }
    }
}
