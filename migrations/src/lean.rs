//! Takes off the outbox and the inbox what every message pays for and nothing needs.
//!
//! On PostgreSQL the foreign key of a delivery looks its event up and locks it once more: the statement that writes the
//! delivery joins the event's own row, and the sweep deletes a delivery before its event. And the indexes by position
//! alone seemed to PostgreSQL as good as those by module and subscription, which led it through everybody's backlog.
//!
//! A program of before leaves the end of settled deliveries to that key: sweeping beside this one, it leaves them behind.

use crate::durable::{is_postgres, run};
use sea_orm_migration::prelude::*;

/// The third migration of every module.
#[derive(Debug, Clone, Copy)]
pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0003_lean"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, &["DROP INDEX outbox_delivery_oldest", "DROP INDEX inbox_oldest"]).await?;
        // On SQLite a constraint goes only with its table.
        let sql = "ALTER TABLE outbox_delivery DROP CONSTRAINT outbox_delivery_position_fkey";
        if is_postgres(manager) { run(manager, &[sql]).await } else { Ok(()) }
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let indexes = [
            "CREATE INDEX outbox_delivery_oldest ON outbox_delivery (position) WHERE state = 'pending'",
            "CREATE INDEX inbox_oldest ON inbox (position) WHERE state = 'pending'",
        ];
        run(manager, &indexes).await?;
        let sql = "ALTER TABLE outbox_delivery ADD CONSTRAINT outbox_delivery_position_fkey \
                   FOREIGN KEY (position) REFERENCES outbox (position) ON DELETE CASCADE";
        if is_postgres(manager) { run(manager, &[sql]).await } else { Ok(()) }
    }
}
