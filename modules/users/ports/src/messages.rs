//! What can be asked. Every command carries the id that makes it safe to repeat.

use crate::Secret;
use bus::Role;
use kernel::{PageRequest, SessionId, UserId};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use uuid::Uuid;

/// Register a customer.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RegisterUser {
    /// The new user's id, drawn by the caller.
    pub user_id: UserId,
    /// Compared without case.
    pub email: String,
    /// What to call the person: 1 to 200 characters.
    pub name: String,
    /// 12 to 128 characters, any of them.
    pub password: Secret,
    /// Where the request came from: registrations are throttled by it.
    pub client: Option<IpAddr>,
}

/// Sign in.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CreateSession {
    /// The new session's id, drawn by the caller.
    pub session_id: SessionId,
    /// Whose session.
    pub email: String,
    /// The proof.
    pub password: Secret,
    /// The session's first refresh token, drawn by the caller with [`new_refresh_token`](crate::new_refresh_token):
    /// so the same request has the same answer, and the module need keep no more than its digest.
    pub refresh_token: Secret,
    /// Where the request came from: wrong passwords are counted by it.
    pub client: Option<IpAddr>,
    /// What the client calls itself, for the list of sessions.
    pub device: Option<String>,
}

/// Go on with a session.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RefreshSession {
    /// The token in hand; dead afterwards.
    pub refresh_token: Secret,
    /// The one that takes its place, drawn by the caller. The pair names the exchange: the same pair again is
    /// the same exchange, another successor is a dead token used again.
    pub next_refresh_token: Secret,
}

/// End one session.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EndSession {
    /// Which.
    pub session_id: SessionId,
    /// Whose: another's session is not touched.
    pub user_id: UserId,
}

/// End all sessions of a user.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EndSessions {
    /// Whose.
    pub user_id: UserId,
}

/// List a user's sessions.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ListSessions {
    /// Whose.
    pub user_id: UserId,
    /// Which page.
    pub page: PageRequest,
}

/// Ask whether a session still counts.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CheckSession {
    /// Which.
    pub session_id: SessionId,
    /// Whose.
    pub user_id: UserId,
}

/// Ask for one user.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct GetUser {
    /// Who.
    pub user_id: UserId,
}

/// List users.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ListUsers {
    /// Which page.
    pub page: PageRequest,
}

/// Change one's own data; what is `None` stays.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct UpdateProfile {
    /// Who.
    pub user_id: UserId,
    /// Names this change, drawn by the caller.
    pub change_id: Uuid,
    /// Another name.
    pub name: Option<String>,
    /// Another address; needs the current password.
    pub email: Option<String>,
    /// Another password; needs the current one and ends all sessions.
    pub password: Option<Secret>,
    /// The proof, where one is needed.
    pub current_password: Option<Secret>,
    /// The version that the client has seen.
    pub expected_version: Option<i64>,
    /// Where the request came from: wrong passwords are counted by it.
    pub client: Option<IpAddr>,
}

/// Deactivate a user and erase their personal data.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EraseUser {
    /// Who.
    pub user_id: UserId,
    /// The version that the client has seen.
    pub expected_version: Option<i64>,
}

/// Give a user another role.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ChangeRole {
    /// Who.
    pub user_id: UserId,
    /// Names this change, drawn by the caller.
    pub change_id: Uuid,
    /// What they may do from now on.
    pub role: Role,
    /// The version that the client has seen.
    pub expected_version: Option<i64>,
}

/// Ask for the public keys of access tokens.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SigningKeys {}
