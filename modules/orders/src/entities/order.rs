//! An order's row.
#![expect(unreachable_pub, reason = "the derive wants its items public")]

use bus_durable::sea_orm::{self, entity::prelude::*};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "orders")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub number: Option<i64>,
    pub user_id: Uuid,
    pub status: String,
    pub reason: Option<String>,
    pub payment_id: Uuid,
    pub payment_status: String,
    pub lines: String,
    pub total: i64,
    pub currency: String,
    pub refunded: i64,
    pub shipping_address: Option<String>,
    pub note: Option<String>,
    pub action_url: Option<String>,
    pub cancellation_id: Option<Uuid>,
    pub cancelled_by: Option<Uuid>,
    pub placed_at: Option<i64>,
    pub created_at: i64,
    pub version: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
