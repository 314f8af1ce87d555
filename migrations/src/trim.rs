//! Takes off the outbox, the inbox and the sagas the indexes that every row is written into and something else serves.
//!
//! What is old lies at the front of its table: the sweep follows the places, whose index is there anyway. A completed saga
//! is looked for by its key or in the order of the ids. And on PostgreSQL a key's row leaves room on its page for the
//! outcome: where that fits, writing it touches no index.
//!
//! A program of before finds all the same beside this one; its sweep and its list of sagas read more than they need.

use crate::durable::{is_postgres, run};
use sea_orm_migration::prelude::*;

/// The fourth migration of every module.
#[derive(Debug, Clone, Copy)]
pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0004_trim"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let indexes = [
            "DROP INDEX outbox_at",
            "DROP INDEX inbox_settled",
            "DROP INDEX saga_phase",
            "CREATE INDEX saga_phase ON saga (phase, id) WHERE phase <> 'completed'",
        ];
        run(manager, &indexes).await?;
        let room = "ALTER TABLE idempotency SET (fillfactor = 25)";
        if is_postgres(manager) { run(manager, &[room]).await } else { Ok(()) }
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let indexes = [
            "CREATE INDEX outbox_at ON outbox (at)",
            "CREATE INDEX inbox_settled ON inbox (received_at) WHERE state IN ('done', 'discarded')",
            "DROP INDEX saga_phase",
            "CREATE INDEX saga_phase ON saga (phase, id)",
        ];
        run(manager, &indexes).await?;
        let room = "ALTER TABLE idempotency RESET (fillfactor)";
        if is_postgres(manager) { run(manager, &[room]).await } else { Ok(()) }
    }
}
