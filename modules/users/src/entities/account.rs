//! A registered person, or what is left of one.

use bus::{BusError, Role, Timestamp};
use sea_orm::entity::prelude::*;
use users_ports::User;

#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "account")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// None where the account is erased.
    pub email: Option<String>,
    pub name: String,
    pub role: String,
    /// A PHC string.
    pub password: String,
    pub created_at: i64,
    pub erased_at: Option<i64>,
    /// The last change by its id: the same again changes nothing.
    pub last_change: Option<Uuid>,
    pub version: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "account {}", self.id)
    }
}

impl Model {
    /// The user as others see it; `None` where it is erased.
    pub(crate) fn user(&self) -> Result<Option<User>, BusError> {
        let Some(email) = self.email.clone() else { return Ok(None) };
        Ok(Some(User {
            id: self.id.into(),
            email,
            name: self.name.clone(),
            role: role(&self.role)?,
            created_at: Timestamp::from_micros(self.created_at),
            version: self.version,
        }))
    }
}

/// A role as it is stored.
pub(crate) fn role_text(role: Role) -> &'static str {
    match role {
        Role::Customer => "customer",
        Role::Staff => "staff",
        Role::Admin => "admin",
    }
}

/// A stored role.
pub(crate) fn role(text: &str) -> Result<Role, BusError> {
    match text {
        "customer" => Ok(Role::Customer),
        "staff" => Ok(Role::Staff),
        "admin" => Ok(Role::Admin),
        _ => Err(BusError::failed(&"an account has a role that this program does not know")),
    }
}
