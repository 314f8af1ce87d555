//! What an acknowledged write rests on, read back from the database: a default that was not asked for has lost
//! commits in power cuts.

use crate::OpenError;
use sea_orm::{ConnectionTrait, DatabaseBackend, DatabaseConnection, DbErr, Statement};

/// Refuses a database on which an acknowledged write could be lost.
pub(crate) async fn check_durability(
    module: &'static str,
    connection: &DatabaseConnection,
) -> Result<(), OpenError> {
    let backend = connection.get_database_backend();
    let checks: &[(&'static str, &str, &[&str], &'static str)] = match backend {
        DatabaseBackend::Postgres => &[
            ("fsync", "SHOW fsync", &["on"], "on"),
            (
                "synchronous_commit",
                "SHOW synchronous_commit",
                &["on", "remote_apply", "remote_write", "local"],
                "on",
            ),
            ("full_page_writes", "SHOW full_page_writes", &["on"], "on"),
        ],
        _ => &[
            ("journal_mode", "PRAGMA journal_mode", &["wal"], "wal"),
            ("synchronous", "PRAGMA synchronous", &["2", "3"], "2 (FULL)"),
            ("foreign_keys", "PRAGMA foreign_keys", &["1"], "1"),
        ],
    };
    let failed = |source| OpenError::Database { module, source };
    for (setting, sql, good, needed) in checks {
        let row = connection
            .query_one_raw(Statement::from_string(backend, *sql))
            .await
            .map_err(failed)?
            .ok_or_else(|| failed(DbErr::RecordNotFound((*setting).into())))?;
        let found = row
            .try_get_by_index::<String>(0)
            .or_else(|_| row.try_get_by_index::<i64>(0).map(|n| n.to_string()))
            .map_err(failed)?;
        if !good.contains(&found.as_str()) {
            return Err(OpenError::Unsafe { module, setting, found, needed });
        }
    }
    if backend == DatabaseBackend::Sqlite {
        check_sqlite_version(module, connection).await?;
    }
    Ok(())
}

/// SQLite before 3.51.3 can corrupt a database when two connections write and checkpoint at once.
async fn check_sqlite_version(
    module: &'static str,
    connection: &DatabaseConnection,
) -> Result<(), OpenError> {
    let failed = |source| OpenError::Database { module, source };
    let sql = Statement::from_string(DatabaseBackend::Sqlite, "SELECT sqlite_version()");
    let row = connection.query_one_raw(sql).await.map_err(failed)?;
    let version: String = row.map_or(Ok(String::new()), |row| row.try_get_by_index(0)).map_err(failed)?;
    let numbers: Vec<u32> = version.split('.').filter_map(|part| part.parse().ok()).collect();
    if numbers.as_slice() < [3, 51, 3].as_slice() {
        return Err(OpenError::Unsafe {
            module,
            setting: "sqlite_version",
            found: version,
            needed: "3.51.3 or newer",
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use sea_orm::SqlxSqliteConnector;
    use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

    async fn found_unsafe(options: SqliteConnectOptions) -> Option<(&'static str, String)> {
        let directory = tempfile::tempdir().expect("a directory");
        let options = options.filename(directory.path().join("rows.db")).create_if_missing(true);
        let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await.expect("opens");
        match check_durability("test", &SqlxSqliteConnector::from_sqlx_sqlite_pool(pool)).await {
            Ok(()) => None,
            Err(OpenError::Unsafe { setting, found, .. }) => Some((setting, found)),
            Err(other) => panic!("{other}"),
        }
    }

    /// B1: every setting that can lose an acknowledged commit is found, one at a time.
    #[tokio::test]
    async fn settings_that_lose_commits_are_refused() {
        let good = || {
            let options = SqliteConnectOptions::new().journal_mode(SqliteJournalMode::Wal);
            options.synchronous(SqliteSynchronous::Full).foreign_keys(true)
        };
        assert_eq!(found_unsafe(good()).await, None);
        assert_eq!(found_unsafe(good().synchronous(SqliteSynchronous::Extra)).await, None);
        let normal = found_unsafe(good().synchronous(SqliteSynchronous::Normal)).await;
        assert_eq!(normal, Some(("synchronous", "1".into())));
        let off = found_unsafe(good().synchronous(SqliteSynchronous::Off)).await;
        assert_eq!(off, Some(("synchronous", "0".into())));
        let journal = found_unsafe(good().journal_mode(SqliteJournalMode::Delete)).await;
        assert_eq!(journal, Some(("journal_mode", "delete".into())));
        assert_eq!(found_unsafe(good().foreign_keys(false)).await, Some(("foreign_keys", "0".into())));
    }
}
