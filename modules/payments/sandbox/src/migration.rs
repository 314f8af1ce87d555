//! The provider's schema, with a history table of its own.

mod m20260101_000001_charges;
mod m20261127_000001_ledger;

use sea_orm_migration::prelude::*;

pub(crate) struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(m20260101_000001_charges::Migration), Box::new(m20261127_000001_ledger::Migration)]
    }

    fn migration_table_name() -> DynIden {
        "sandbox_migrations".into_iden()
    }
}
