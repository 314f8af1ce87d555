//! A charge and how much of it was authorized, captured and refunded.

use sea_orm::entity::prelude::*;

#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "charges")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// One more with every change: a change is written only over the version that it was decided on.
    pub version: i64,
    /// The key of the authorization, whose outcome a challenge settles later.
    pub idempotency_key: String,
    pub reference: String,
    pub token: String,
    pub currency: String,
    pub status: ChargeState,
    pub requested: i64,
    pub authorized: i64,
    pub captured: i64,
    pub refunded: i64,
    /// How many refunds and voids failed already, for `tok_refund_fail_<n>`.
    pub refund_failures: i64,
    pub created_at: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub(crate) enum ChargeState {
    #[sea_orm(string_value = "requires_action")]
    RequiresAction,
    #[sea_orm(string_value = "authorized")]
    Authorized,
    #[sea_orm(string_value = "declined")]
    Declined,
    #[sea_orm(string_value = "captured")]
    Captured,
    #[sea_orm(string_value = "voided")]
    Voided,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
