//! What happened to payments: rows are added and never changed.

use sea_orm::entity::prelude::*;

#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "payment_event")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: Uuid,
    pub(crate) payment_id: Uuid,
    pub(crate) order_id: Uuid,
    pub(crate) kind: String,
    pub(crate) detail: String,
    pub(crate) amount: i64,
    pub(crate) currency: String,
    pub(crate) at: i64,
    pub(crate) actor: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
