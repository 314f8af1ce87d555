//! Attempts to pay, as they are when they begin.

use sea_orm::entity::prelude::*;

#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "payment")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: Uuid,
    pub(crate) order_id: Uuid,
    pub(crate) user_id: Uuid,
    pub(crate) amount: i64,
    pub(crate) currency: String,
    pub(crate) token: String,
    pub(crate) status: String,
    pub(crate) step: String,
    pub(crate) undo: i64,
    pub(crate) live: i64,
    pub(crate) captured: i64,
    pub(crate) refund_held: i64,
    pub(crate) refunded: i64,
    pub(crate) due_at: i64,
    pub(crate) waiting_until: i64,
    pub(crate) sent_at: i64,
    pub(crate) attempts: i64,
    pub(crate) version: i64,
    pub(crate) created_at: i64,
    pub(crate) updated_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
