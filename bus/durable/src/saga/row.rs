//! The saga table.
#![expect(unreachable_pub, reason = "the derive wants its items public")]

use sea_orm::entity::prelude::*;

/// A saga's row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "saga")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub kind: String,
    pub key: String,
    pub state: String,
    pub phase: String,
    pub step: i64,
    pub attempts: i64,
    pub due_at: i64,
    pub version: i64,
    pub error: Option<String>,
    pub history: String,
    pub trace: Option<String>,
    pub created_at: i64,
    pub updated_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
