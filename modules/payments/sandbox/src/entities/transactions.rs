//! The ledger: rows are added and never changed.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "transactions")]
pub(crate) struct Model {
    // The key begins as the ledger is read: by reference, oldest first. One index instead of two.
    #[sea_orm(primary_key, auto_increment = false)]
    pub reference: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub at: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub charge: Uuid,
    pub kind: TransactionKind,
    pub status: TransactionStatus,
    pub code: String,
    pub amount: i64,
    pub currency: String,
    pub idempotency_key: String,
}

/// What was asked of the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[sea_orm(rs_type = "String", db_type = "Text")]
#[serde(rename_all = "snake_case")]
pub enum TransactionKind {
    /// Setting money aside.
    #[sea_orm(string_value = "authorize")]
    Authorize,
    /// Taking it.
    #[sea_orm(string_value = "capture")]
    Capture,
    /// Letting it go.
    #[sea_orm(string_value = "void")]
    Void,
    /// Giving it back.
    #[sea_orm(string_value = "refund")]
    Refund,
}

impl TransactionKind {
    /// The word for it in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Authorize => "authorize",
            Self::Capture => "capture",
            Self::Void => "void",
            Self::Refund => "refund",
        }
    }
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[sea_orm(rs_type = "String", db_type = "Text")]
#[serde(rename_all = "snake_case")]
pub enum TransactionStatus {
    /// It was done.
    #[sea_orm(string_value = "succeeded")]
    Succeeded,
    /// It was refused, and nothing was done.
    #[sea_orm(string_value = "declined")]
    Declined,
    /// It waits for the buyer; a later row says what came of it.
    #[sea_orm(string_value = "requires_action")]
    RequiresAction,
}

impl TransactionStatus {
    /// The word for it in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Declined => "declined",
            Self::RequiresAction => "requires_action",
        }
    }
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
