//! Takes the foreign keys off the ledger and the idempotency keys on PostgreSQL, which looks up and locks the charge anew
//! for each row. The statement that writes the rows writes their charge, and no charge is ever deleted.

use sea_orm_migration::{prelude::*, sea_orm::DatabaseBackend};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // On SQLite a constraint goes only with its table.
        if manager.get_database_backend() == DatabaseBackend::Postgres {
            for table in ["operations", "transactions"] {
                let sql = format!("ALTER TABLE {table} DROP CONSTRAINT {table}_charge_fkey");
                manager.get_connection().execute_unprepared(&sql).await?;
            }
        }
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
