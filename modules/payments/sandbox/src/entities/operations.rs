//! An idempotency key, the request that it named, and what came of it.

use sea_orm::entity::prelude::*;

#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "operations")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub key: String,
    pub charge: Uuid,
    /// The request's parameters: the same key with others is refused.
    pub fingerprint: String,
    pub outcome: Outcome,
    /// Why it was declined; empty otherwise.
    pub code: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub(crate) enum Outcome {
    #[sea_orm(string_value = "requires_action")]
    RequiresAction,
    #[sea_orm(string_value = "authorized")]
    Authorized,
    #[sea_orm(string_value = "captured")]
    Captured,
    #[sea_orm(string_value = "voided")]
    Voided,
    #[sea_orm(string_value = "refunded")]
    Refunded,
    #[sea_orm(string_value = "declined")]
    Declined,
}

impl Outcome {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::RequiresAction => "requires_action",
            Self::Authorized => "authorized",
            Self::Captured => "captured",
            Self::Voided => "voided",
            Self::Refunded => "refunded",
            Self::Declined => "declined",
        }
    }
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
