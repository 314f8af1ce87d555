//! `[[gateway.routes]]` as it is written.

use crate::settings::{RateSection, Span};
use bus::Role;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use utoipa::ToSchema;

/// `[gateway]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GatewaySection {
    /// What is passed on to services that are not the shop's own.
    pub routes: Vec<RouteSection>,
}

/// One of `[[gateway.routes]]`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "config/default.toml says what each is")]
pub struct RouteSection {
    pub path: String,
    pub auth: Auth,
    #[serde(default)]
    pub upstream: Vec<String>,
    pub ca: Option<PathBuf>,
    pub discover: Option<String>,
    pub rewrite: Option<String>,
    pub methods: Option<Vec<String>>,
    pub rate_limit: Option<RateSection>,
    pub timeout: Option<Span>,
    pub idle_timeout: Option<Span>,
    pub connect_timeout: Option<Span>,
    pub retry: Option<u32>,
    pub max_body: Option<u64>,
    pub concurrency: Option<usize>,
    #[serde(default)]
    pub preserve_host: bool,
    #[serde(default)]
    pub upgrade: Vec<String>,
    pub max_upgrades: Option<usize>,
}

/// Who may call a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Auth {
    /// Anybody; what is in `Authorization` is the upstream's.
    None,
    /// Whoever is signed in.
    User,
    /// Staff and admins.
    Staff,
    /// Admins.
    Admin,
}

impl Auth {
    /// The least role; `None` where nobody has to be anybody.
    pub(crate) fn role(self) -> Option<Role> {
        match self {
            Self::None => None,
            Self::User => Some(Role::Customer),
            Self::Staff => Some(Role::Staff),
            Self::Admin => Some(Role::Admin),
        }
    }
}
