//! What was told to whom: one row for each occurrence.

use crate::durable::run;
use sea_orm_migration::prelude::*;

/// See the file's first line.
#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(
            manager,
            &[
                // `occurrence` is the template and what it is about: repeated events meet it. `spent` are the
                // attempts before it was last asked for. `facts` wait for the recipient to be known.
                "CREATE TABLE notification (
                    id {UUID} NOT NULL PRIMARY KEY, occurrence {KEY} NOT NULL UNIQUE, template TEXT NOT NULL,
                    user_id {UUID} NOT NULL, order_id {UUID}, recipient TEXT, channel TEXT NOT NULL,
                    status TEXT NOT NULL, attempts BIGINT NOT NULL, spent BIGINT NOT NULL,
                    message_id TEXT NOT NULL, subject TEXT, body_text TEXT, body_html TEXT, facts TEXT, error TEXT,
                    due_at BIGINT NOT NULL, queued_at BIGINT NOT NULL, created_at BIGINT NOT NULL,
                    settled_at BIGINT, CHECK (status <> 'sent' OR recipient IS NOT NULL))",
                "CREATE INDEX notification_order ON notification (order_id, template)",
                "CREATE INDEX notification_due ON notification (due_at) WHERE status = 'pending'",
                "CREATE INDEX notification_waiting ON notification (queued_at) WHERE status = 'pending'",
            ],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(Alias::new("notification")).to_owned()).await
    }
}
