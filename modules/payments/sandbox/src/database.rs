//! Opens the provider's database: one connection that writes, a few that read.

use crate::{error::SandboxError, migration::Migrator};
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, DbErr,
    sqlx::{
        postgres::PgSslMode,
        sqlite::{SqliteJournalMode, SqliteSynchronous},
    },
};
use sea_orm_migration::MigratorTrait;
use std::time::Duration;

const READERS: u32 = 4;
/// Taken while the schema is brought up to date, so that two processes on one PostgreSQL do not race.
const MIGRATION_LOCK: i64 = 0x5a4d_b0c5;

pub(crate) struct Connections {
    pub(crate) writer: DatabaseConnection,
    pub(crate) reader: DatabaseConnection,
}

pub(crate) async fn open(url: &str) -> Result<Connections, SandboxError> {
    if !url.starts_with("sqlite:") && !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
        return Err(SandboxError::InvalidSettings("the database is sqlite: or postgres:".into()));
    }
    let writer = connect(url, 1).await?;
    migrate(&writer).await?;
    // A database in memory is its connection's own.
    let reader = if url.contains(":memory:") { writer.clone() } else { connect(url, READERS).await? };
    if writer.get_database_backend() == DbBackend::Sqlite {
        check_pragmas(&writer, url).await?;
        check_pragmas(&reader, url).await?;
    }
    Ok(Connections { writer, reader })
}

async fn connect(url: &str, connections: u32) -> Result<DatabaseConnection, DbErr> {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(connections)
        .min_connections(1)
        .acquire_timeout(Duration::from_secs(5))
        .idle_timeout(None)
        .max_lifetime(None)
        // A ping for every transaction would cost more than the transaction.
        .test_before_acquire_if_idle_for(Duration::from_secs(5))
        .sqlx_logging(false)
        .map_sqlx_sqlite_opts(|sqlite| {
            sqlite
                .create_if_missing(true)
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(SqliteSynchronous::Full)
                .busy_timeout(Duration::from_secs(5))
                .foreign_keys(true)
                .statement_cache_capacity(500)
                .pragma("temp_store", "MEMORY")
                .pragma("wal_autocheckpoint", "4000")
        })
        .map_sqlx_postgres_opts(|postgres| {
            // A plan that is made while a table is small, and kept, must not read all of it when it is large.
            let postgres = postgres.statement_cache_capacity(500).options([
                ("enable_seqscan", "off"),
                ("jit", "off"),
                // All is found by its key: planned once, and row by row.
                ("plan_cache_mode", "force_generic_plan"),
                ("enable_hashjoin", "off"),
                ("enable_mergejoin", "off"),
            ]);
            // On the loopback interface TLS protects nothing, and delays long statements: sqlx leaves Nagle's
            // algorithm on.
            let here = matches!(postgres.get_host(), "localhost" | "127.0.0.1" | "::1");
            match postgres.get_ssl_mode() {
                PgSslMode::Prefer if here => postgres.ssl_mode(PgSslMode::Disable),
                _ => postgres,
            }
        });
    Database::connect(options).await
}

async fn migrate(writer: &DatabaseConnection) -> Result<(), DbErr> {
    if writer.get_database_backend() != DbBackend::Postgres {
        return Migrator::up(writer, None).await;
    }
    // The lock is the session's, and this pool has one session.
    writer.execute_unprepared(&format!("SELECT pg_advisory_lock({MIGRATION_LOCK})")).await?;
    let migrated = Migrator::up(writer, None).await;
    writer.execute_unprepared(&format!("SELECT pg_advisory_unlock({MIGRATION_LOCK})")).await?;
    migrated
}

/// What the database really does, not what it was asked to do: a commit that is not synced is lost in a power cut.
async fn check_pragmas(connection: &DatabaseConnection, url: &str) -> Result<(), SandboxError> {
    let synchronous: i64 = pragma(connection, "synchronous").await?;
    let foreign_keys: i64 = pragma(connection, "foreign_keys").await?;
    let journal: String = pragma(connection, "journal_mode").await?;
    let journal_holds = journal == "wal" || (journal == "memory" && url.contains(":memory:"));
    if synchronous != 2 || foreign_keys != 1 || !journal_holds {
        return Err(SandboxError::InvalidSettings(format!(
            "SQLite runs with journal_mode={journal}, synchronous={synchronous}, foreign_keys={foreign_keys}, \
             not with wal, 2 (FULL) and 1",
        )));
    }
    Ok(())
}

async fn pragma<T: sea_orm::TryGetable>(connection: &DatabaseConnection, name: &str) -> Result<T, DbErr> {
    let statement = sea_orm::Statement::from_string(DbBackend::Sqlite, format!("PRAGMA {name}"));
    let row = connection
        .query_one_raw(statement)
        .await?
        .ok_or_else(|| DbErr::Custom(format!("PRAGMA {name} has no value")))?;
    row.try_get_by_index(0)
}
