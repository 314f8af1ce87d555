//! The durable layer's tables, the same in every module's database: outbox, inbox, sagas, keys, leases.

use sea_orm_migration::{prelude::*, sea_orm::DatabaseBackend};

/// The first migration of every module.
#[derive(Debug, Clone, Copy)]
pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m0001_durable"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(
            manager,
            &[
                "CREATE TABLE outbox (
                    position {SERIAL}, id {UUID} NOT NULL UNIQUE, name TEXT NOT NULL, source TEXT NOT NULL,
                    key TEXT NOT NULL, sequence BIGINT NOT NULL, at BIGINT NOT NULL, trace TEXT, data TEXT NOT NULL)",
                "CREATE INDEX outbox_at ON outbox (at)",
                "CREATE INDEX outbox_key ON outbox (key, position)",
                "CREATE TABLE outbox_delivery (
                    position BIGINT NOT NULL REFERENCES outbox (position) ON DELETE CASCADE, subscription TEXT NOT NULL,
                    module TEXT NOT NULL, state TEXT NOT NULL, at BIGINT NOT NULL, key TEXT NOT NULL, done_at BIGINT,
                    PRIMARY KEY (position, subscription))",
                "CREATE INDEX outbox_delivery_pending ON outbox_delivery (module, position) WHERE state = 'pending'",
                "CREATE INDEX outbox_delivery_oldest ON outbox_delivery (position) WHERE state = 'pending'",
                "CREATE INDEX outbox_delivery_parked ON outbox_delivery (position, subscription) WHERE state = 'parked'",
                "CREATE TABLE inbox (
                    position {SERIAL}, message_id {UUID} NOT NULL, subscription TEXT NOT NULL, name TEXT NOT NULL,
                    source TEXT NOT NULL, key TEXT NOT NULL, sequence BIGINT NOT NULL, at BIGINT NOT NULL, trace TEXT,
                    data TEXT NOT NULL, state TEXT NOT NULL DEFAULT 'pending', attempts BIGINT NOT NULL DEFAULT 0,
                    due_at BIGINT NOT NULL, received_at BIGINT NOT NULL, done_at BIGINT, error TEXT,
                    UNIQUE (message_id, subscription))",
                "CREATE INDEX inbox_pending ON inbox (subscription, position) WHERE state = 'pending'",
                "CREATE INDEX inbox_oldest ON inbox (position) WHERE state = 'pending'",
                "CREATE INDEX inbox_dead ON inbox (position) WHERE state = 'dead'",
                "CREATE INDEX inbox_key ON inbox (subscription, key, position) WHERE state IN ('pending', 'dead')",
                "CREATE INDEX inbox_settled ON inbox (received_at) WHERE state IN ('done', 'discarded')",
                "CREATE TABLE idempotency (
                    id TEXT NOT NULL PRIMARY KEY, fingerprint TEXT NOT NULL, outcome TEXT, at BIGINT NOT NULL)",
                "CREATE INDEX idempotency_at ON idempotency (at)",
                "CREATE TABLE lease (name TEXT NOT NULL PRIMARY KEY, owner {UUID} NOT NULL, until BIGINT NOT NULL)",
                "CREATE TABLE saga (
                    id {UUID} NOT NULL PRIMARY KEY, kind TEXT NOT NULL, key TEXT NOT NULL, state TEXT NOT NULL,
                    phase TEXT NOT NULL, step BIGINT NOT NULL, attempts BIGINT NOT NULL, due_at BIGINT NOT NULL,
                    version BIGINT NOT NULL, error TEXT, history TEXT NOT NULL, trace TEXT,
                    created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL)",
                "CREATE INDEX saga_due ON saga (kind, due_at) WHERE phase IN ('running', 'waiting', 'unwinding')",
                "CREATE INDEX saga_phase ON saga (phase, id)",
                "CREATE INDEX saga_key ON saga (key)",
            ],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["saga", "lease", "idempotency", "inbox", "outbox_delivery", "outbox"] {
            manager.drop_table(Table::drop().table(Alias::new(table)).to_owned()).await?;
        }
        Ok(())
    }
}

/// Runs statements that differ between the databases in the names of types only: `{SERIAL}` is an ascending
/// primary key, `{UUID}` a UUID, `{KEY}` a text that sorts by its bytes on both.
pub(crate) async fn run(manager: &SchemaManager<'_>, statements: &[&str]) -> Result<(), DbErr> {
    let (serial, uuid, key) = match manager.get_database_backend() {
        DatabaseBackend::Postgres => ("BIGSERIAL PRIMARY KEY", "UUID", "TEXT COLLATE \"C\""),
        _ => ("INTEGER PRIMARY KEY AUTOINCREMENT", "BLOB", "TEXT"),
    };
    for statement in statements {
        let statement = statement.replace("{SERIAL}", serial).replace("{UUID}", uuid).replace("{KEY}", key);
        manager.get_connection().execute_unprepared(&statement).await?;
    }
    Ok(())
}

pub(crate) fn is_postgres(manager: &SchemaManager<'_>) -> bool {
    manager.get_database_backend() == DatabaseBackend::Postgres
}
