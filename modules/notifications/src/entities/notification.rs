//! What is told to a user, once for each occurrence.

use bus_durable::sea_orm;
use sea_orm::entity::prelude::*;

#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "notification")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: Uuid,
    pub(crate) occurrence: String,
    pub(crate) template: String,
    pub(crate) user_id: Uuid,
    pub(crate) order_id: Option<Uuid>,
    pub(crate) recipient: Option<String>,
    pub(crate) channel: String,
    pub(crate) status: String,
    pub(crate) attempts: i64,
    pub(crate) spent: i64,
    pub(crate) message_id: String,
    pub(crate) subject: Option<String>,
    pub(crate) body_text: Option<String>,
    pub(crate) body_html: Option<String>,
    pub(crate) facts: Option<String>,
    pub(crate) due_at: i64,
    pub(crate) queued_at: i64,
    pub(crate) created_at: i64,
    pub(crate) settled_at: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
