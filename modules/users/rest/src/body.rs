//! Bodies as clients write and read them.

use bus::Role;
use kernel::Cursor;
use serde::{Deserialize, Serialize};
use users_ports::{Jwk, Secret, Session, SignedIn, User};
use utoipa::ToSchema;
use uuid::Uuid;

/// What somebody may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RoleName {
    Customer,
    Staff,
    Admin,
}

impl From<Role> for RoleName {
    fn from(role: Role) -> Self {
        match role {
            Role::Customer => Self::Customer,
            Role::Staff => Self::Staff,
            Role::Admin => Self::Admin,
        }
    }
}

impl From<RoleName> for Role {
    fn from(role: RoleName) -> Self {
        match role {
            RoleName::Customer => Self::Customer,
            RoleName::Staff => Self::Staff,
            RoleName::Admin => Self::Admin,
        }
    }
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewUserBody {
    /// Compared without case.
    #[schema(example = "ada@example.com", max_length = 254)]
    pub email: String,
    #[schema(example = "Ada", min_length = 1, max_length = 200)]
    pub name: String,
    /// Any characters.
    #[schema(value_type = String, min_length = 12, max_length = 128, format = Password)]
    pub password: Secret,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProfileBody {
    #[schema(min_length = 1, max_length = 200)]
    pub name: Option<String>,
    /// Needs `current_password`.
    #[schema(max_length = 254)]
    pub email: Option<String>,
    /// Needs `current_password`, and ends all sessions.
    #[schema(value_type = Option<String>, min_length = 12, max_length = 128, format = Password)]
    pub password: Option<Secret>,
    #[schema(value_type = Option<String>, format = Password)]
    pub current_password: Option<Secret>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewRoleBody {
    pub role: RoleName,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LoginBody {
    pub email: String,
    #[schema(value_type = String, format = Password)]
    pub password: Secret,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RefreshBody {
    #[schema(value_type = String)]
    pub refresh_token: Secret,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UserBody {
    pub id: Uuid,
    pub email: String,
    pub name: String,
    pub role: RoleName,
    #[schema(format = DateTime)]
    pub created_at: String,
    pub version: i64,
}

impl From<User> for UserBody {
    fn from(user: User) -> Self {
        let User { id, email, name, role, created_at, version } = user;
        Self { id: id.0, email, name, role: role.into(), created_at: created_at.to_string(), version }
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SignedInBody {
    /// For the `Authorization` header.
    #[schema(value_type = String)]
    pub access_token: Secret,
    #[schema(example = "Bearer")]
    pub token_type: &'static str,
    /// Seconds.
    #[schema(example = 900)]
    pub expires_in: u64,
    /// Good once: it is exchanged for the next.
    #[schema(value_type = String)]
    pub refresh_token: Secret,
    pub user: UserBody,
}

impl From<SignedIn> for SignedInBody {
    fn from(signed_in: SignedIn) -> Self {
        let SignedIn { access_token, expires_in, refresh_token, user, .. } = signed_in;
        Self { access_token, token_type: "Bearer", expires_in, refresh_token, user: user.into() }
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SessionBody {
    pub id: Uuid,
    /// What the client called itself.
    pub device: Option<String>,
    /// Whether it is the one that asks.
    pub current: bool,
    #[schema(format = DateTime)]
    pub created_at: String,
    #[schema(format = DateTime)]
    pub refreshed_at: String,
    #[schema(format = DateTime)]
    pub expires_at: String,
}

impl SessionBody {
    pub(crate) fn new(session: Session, current: Uuid) -> Self {
        let Session { id, device, created_at, refreshed_at, expires_at } = session;
        Self {
            id: id.0,
            device,
            current: id.0 == current,
            created_at: created_at.to_string(),
            refreshed_at: refreshed_at.to_string(),
            expires_at: expires_at.to_string(),
        }
    }
}

/// A page of users, for the description.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what edge::Listing writes")]
pub(crate) struct UserPage {
    pub data: Vec<UserBody>,
    #[schema(value_type = Option<String>)]
    pub next_cursor: Option<Cursor>,
}

/// A page of sessions, for the description.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes what edge::Listing writes")]
pub(crate) struct SessionPage {
    pub data: Vec<SessionBody>,
    #[schema(value_type = Option<String>)]
    pub next_cursor: Option<Cursor>,
}

/// A JWK set (RFC 7517).
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct JwksBody {
    pub keys: Vec<JwkBody>,
}

/// A public Ed25519 key (RFC 8037).
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct JwkBody {
    #[schema(example = "OKP")]
    pub kty: String,
    #[schema(example = "Ed25519")]
    pub crv: String,
    pub x: String,
    pub kid: String,
    #[schema(example = "EdDSA")]
    pub alg: String,
    #[schema(example = "sig")]
    pub r#use: String,
}

impl From<Jwk> for JwkBody {
    fn from(key: Jwk) -> Self {
        let Jwk { kty, crv, x, kid, alg, purpose } = key;
        Self { kty, crv, x, kid, alg, r#use: purpose }
    }
}
