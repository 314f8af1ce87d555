//! The schema of every module: one migrator each, with a history table of its own.
//!
//! Expand first, contract one release later: an old and a new binary can run on one database together. A
//! migration is one file, never changed once it is released.

pub mod durable;
#[cfg(feature = "inventory")]
pub mod inventory;
pub mod lean;
#[cfg(feature = "notifications")]
pub mod notifications;
#[cfg(feature = "orders")]
pub mod orders;
#[cfg(feature = "payments")]
pub mod payments;
pub mod trim;
#[cfg(feature = "users")]
pub mod users;

#[cfg(any(
    feature = "users",
    feature = "inventory",
    feature = "orders",
    feature = "payments",
    feature = "notifications"
))]
/// Declares a module's migrator: its history table, its tables, and what it changed after the durable layer had.
macro_rules! migrator {
    ($history:literal, [$($migration:ident),*] $(, [$($later:ident),*])?) => {
        /// The module's migrations, oldest first.
        #[derive(Debug, Clone, Copy)]
        pub struct Migrator;

        #[async_trait::async_trait]
        impl sea_orm_migration::MigratorTrait for Migrator {
            fn migrations() -> Vec<Box<dyn sea_orm_migration::MigrationTrait>> {
                vec![
                    Box::new(crate::durable::Migration),
                    $(Box::new($migration::Migration),)*
                    Box::new(crate::lean::Migration),
                    Box::new(crate::trim::Migration),
                    $($(Box::new($later::Migration),)*)?
                ]
            }

            fn migration_table_name() -> sea_orm_migration::sea_orm::DynIden {
                use sea_orm_migration::sea_query::IntoIden as _;
                sea_orm_migration::sea_query::Alias::new($history).into_iden()
            }
        }
    };
}
#[cfg(any(
    feature = "users",
    feature = "inventory",
    feature = "orders",
    feature = "payments",
    feature = "notifications"
))]
pub(crate) use migrator;
