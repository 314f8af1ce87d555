//! What is answered.

use crate::Secret;
use bus::{Role, Timestamp};
use kernel::{SessionId, UserId};
use serde::{Deserialize, Serialize};

/// A registered person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct User {
    /// Who.
    pub id: UserId,
    /// The address, normalised.
    pub email: String,
    /// What to call them.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// When they registered.
    pub created_at: Timestamp,
    /// Grows with every change.
    pub version: i64,
}

/// Somebody who is signed in, with the tokens that say so.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SignedIn {
    /// The session.
    pub session_id: SessionId,
    /// A JWT for the `Authorization` header.
    pub access_token: Secret,
    /// How many seconds it lives.
    pub expires_in: u64,
    /// What to get the next one with; good once.
    pub refresh_token: Secret,
    /// Who.
    pub user: User,
}

/// A device that somebody is signed in on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Session {
    /// Which.
    pub id: SessionId,
    /// What the client called itself.
    pub device: Option<String>,
    /// When it began.
    pub created_at: Timestamp,
    /// When its tokens were last exchanged.
    pub refreshed_at: Timestamp,
    /// When it ends, however often it is refreshed.
    pub expires_at: Timestamp,
}

/// What a session is worth now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SessionState {
    /// Whether its tokens still count.
    pub active: bool,
    /// What its user may do now; a customer's role where it is not active.
    pub role: Role,
}

/// Public keys (RFC 7517).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Jwks {
    /// Newest first.
    pub keys: Vec<Jwk>,
}

/// A public Ed25519 key (RFC 8037).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Jwk {
    /// `OKP`.
    pub kty: String,
    /// `Ed25519`.
    pub crv: String,
    /// The public key, base64url.
    pub x: String,
    /// The key's name: its RFC 7638 thumbprint.
    pub kid: String,
    /// `EdDSA`.
    pub alg: String,
    /// `sig`.
    #[serde(rename = "use")]
    pub purpose: String,
}
