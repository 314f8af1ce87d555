//! Opening a module's database from its URL, with the settings that durability rests on read back.

use crate::{
    Catalogue,
    durability::check_durability,
    query::{Reader, statement},
    session::{Session, begin},
    writer::Writer,
};
use bus::Sources;
use sea_orm::{
    ConnectionTrait, DatabaseBackend, DatabaseConnection, DbErr, SqlxPostgresConnector, SqlxSqliteConnector,
    Statement,
};
use sea_orm_migration::MigratorTrait;
use sqlx::{
    postgres::{PgConnectOptions, PgPoolOptions, PgSslMode},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use std::{collections::BTreeSet, path::PathBuf, str::FromStr, sync::Arc, time::Duration};

/// Where a module's rows are and how its connections are made.
#[derive(Debug, Clone)]
pub struct DatabaseSettings {
    /// The module that owns the rows: `inventory`.
    pub module: &'static str,
    /// `sqlite://path/to/file.db` or `postgres://user:password@host/database`.
    pub url: String,
    /// How many connections read at once.
    pub readers: u32,
    /// How many units of work share one commit at most.
    pub batch: usize,
}

impl DatabaseSettings {
    /// The defaults for a module: four readers, up to 64 units in a commit.
    #[must_use]
    pub fn new(module: &'static str, url: impl Into<String>) -> Self {
        Self { module, url: url.into(), readers: 4, batch: 128 }
    }
}

/// Why a database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The URL names neither SQLite nor PostgreSQL.
    #[error("{module}.database_url must begin with sqlite: or postgres:")]
    Url {
        /// The module whose URL it is.
        module: &'static str,
    },
    /// The file's directory cannot be made.
    #[error("the directory of {module}'s database cannot be made")]
    Directory {
        /// The module whose file it is.
        module: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// Another process works on the same file.
    #[error("{module}'s database file is in use by another process")]
    InUse {
        /// The module whose file it is.
        module: &'static str,
    },
    /// The server or the library is set so that an acknowledged write could be lost.
    #[error("{module}'s database has {setting} = {found}, and {needed} is needed")]
    Unsafe {
        /// The module whose database it is.
        module: &'static str,
        /// The setting.
        setting: &'static str,
        /// Its value.
        found: String,
        /// What it must be.
        needed: &'static str,
    },
    /// A newer version of the program has migrated this database.
    #[error("{module}'s database has migrations that this program does not know: {unknown:?}")]
    NewerSchema {
        /// The module whose database it is.
        module: &'static str,
        /// The names that are not known here.
        unknown: Vec<String>,
    },
    /// The database said no.
    #[error("{module}'s database cannot be opened")]
    Database {
        /// The module whose database it is.
        module: &'static str,
        /// What it said.
        source: DbErr,
    },
}

/// How a database's schema compares to this program's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SchemaState {
    /// Migrations that are to be applied.
    pub pending: Vec<String>,
    /// Migrations that this program does not know: a newer one has been here.
    pub unknown: Vec<String>,
}

/// A module's database: one writer that commits in groups, several readers.
#[derive(Clone)]
pub struct Database(Arc<Inner>);

struct Inner {
    module: &'static str,
    sources: Sources,
    writer: Writer,
    write_connection: DatabaseConnection,
    reader: Reader,
    backend: DatabaseBackend,
    catalogue: Arc<Catalogue>,
    /// Held as long as the process uses the file.
    lock: Option<Arc<std::fs::File>>,
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Database({})", self.0.module)
    }
}

impl Database {
    /// Opens the database and checks what durability rests on; migrates nothing.
    ///
    /// # Errors
    /// [`OpenError`] where the URL, the file, the server or its settings do not serve.
    pub async fn open(
        settings: DatabaseSettings,
        catalogue: Arc<Catalogue>,
        sources: Sources,
    ) -> Result<Self, OpenError> {
        let module = settings.module;
        let failed = |source| OpenError::Database { module, source };
        let (write_connection, read_connection, lock) = if settings.url.starts_with("sqlite:") {
            let (write, read, lock) = open_sqlite(&settings).await?;
            (write, read, Some(lock))
        } else if settings.url.starts_with("postgres:") || settings.url.starts_with("postgresql:") {
            let (write, read) = open_postgres(&settings).await.map_err(failed)?;
            (write, read, None)
        } else {
            return Err(OpenError::Url { module });
        };
        let backend = write_connection.get_database_backend();
        check_durability(module, &write_connection).await?;
        let lock = lock.map(Arc::new);
        let writer = Writer::start(
            Session::new(write_connection.clone()),
            module,
            settings.batch,
            Arc::clone(&catalogue),
            sources.clone(),
            lock.clone(),
        );
        let reader = Reader::new(read_connection, module);
        let inner = Inner { module, sources, writer, write_connection, reader, backend, catalogue, lock };
        Ok(Self(Arc::new(inner)))
    }

    /// What is to be applied, and what is from a newer program.
    ///
    /// # Errors
    /// [`OpenError`] where the history cannot be read.
    pub async fn schema_state<M: MigratorTrait>(&self) -> Result<SchemaState, OpenError> {
        let state = schema_state::<M>(&self.0.write_connection).await;
        state.map_err(|source| OpenError::Database { module: self.0.module, source })
    }

    /// Brings the schema up to date, all of it or nothing; refuses where a newer program has been here.
    /// Processes that start at the same time go one after the other.
    ///
    /// # Errors
    /// [`OpenError::NewerSchema`], or what the database said.
    pub async fn migrate<M: MigratorTrait>(&self) -> Result<(), OpenError> {
        let module = self.0.module;
        let connection = self.0.write_connection.clone();
        // In a task of its own, since a transaction must not be cancelled half-way.
        let migrated = bus::spawn(async move { migrate::<M>(&connection).await }).await;
        let migrated = migrated.unwrap_or_else(|error| Err(DbErr::Custom(error.to_string())));
        match migrated {
            Ok(unknown) if unknown.is_empty() => Ok(()),
            Ok(unknown) => Err(OpenError::NewerSchema { module, unknown }),
            Err(source) => Err(OpenError::Database { module, source }),
        }
    }

    /// The module that owns the rows.
    #[must_use]
    pub fn module(&self) -> &'static str {
        self.0.module
    }

    /// The clock and the ids in use.
    #[must_use]
    pub fn sources(&self) -> &Sources {
        &self.0.sources
    }

    /// Reads what is committed.
    #[must_use]
    pub fn reader(&self) -> &Reader {
        &self.0.reader
    }

    /// SQLite or PostgreSQL.
    #[must_use]
    pub fn backend(&self) -> DatabaseBackend {
        self.0.backend
    }

    /// Who subscribes to what.
    #[must_use]
    pub fn catalogue(&self) -> &Arc<Catalogue> {
        &self.0.catalogue
    }

    pub(crate) fn writer(&self) -> &Writer {
        &self.0.writer
    }

    /// Lets the queued units of work finish, closes the connections and lets go of the file, whoever still holds a
    /// clone.
    pub async fn close(&self) {
        self.0.writer.drain().await;
        drop(self.0.reader.connection().clone().close().await);
        drop(self.0.write_connection.clone().close().await);
        if let Some(Err(error)) = self.0.lock.as_ref().map(|lock| lock.unlock()) {
            tracing::warn!(module = self.0.module, %error, "the database's file could not be let go of");
        }
    }
}

async fn schema_state<M: MigratorTrait>(connection: &impl ConnectionTrait) -> Result<SchemaState, DbErr> {
    let backend = connection.get_database_backend();
    let known: BTreeSet<String> = M::migrations().iter().map(|m| m.name().to_owned()).collect();
    let table = M::migration_table_name().to_string();
    let exists = match backend {
        DatabaseBackend::Postgres => {
            "SELECT 1 FROM pg_tables WHERE schemaname = current_schema() AND tablename = $1"
        }
        _ => "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = $1",
    };
    let mut applied = BTreeSet::new();
    if connection.query_one_raw(statement(backend, exists, [table.clone().into()])).await?.is_some() {
        let history = Statement::from_string(backend, format!("SELECT version FROM {table}"));
        for row in connection.query_all_raw(history).await? {
            applied.insert(row.try_get::<String>("", "version")?);
        }
    }
    Ok(SchemaState {
        pending: known.difference(&applied).cloned().collect(),
        unknown: applied.difference(&known).cloned().collect(),
    })
}

/// Applies what is pending in one transaction, so that a crash leaves no half of it; the migrations that are
/// unknown here, if there are any.
async fn migrate<M: MigratorTrait>(connection: &DatabaseConnection) -> Result<Vec<String>, DbErr> {
    let transaction = begin(connection).await?;
    if transaction.get_database_backend() == DatabaseBackend::Postgres {
        let lock = "SELECT pg_advisory_xact_lock(hashtextextended('cleave.migrations', 0))";
        transaction.execute_unprepared(lock).await?;
    }
    let state = schema_state::<M>(&transaction).await?;
    if state.unknown.is_empty() && !state.pending.is_empty() {
        M::up(&transaction, None).await?;
        transaction.commit().await?;
    }
    Ok(state.unknown)
}

async fn open_sqlite(
    settings: &DatabaseSettings,
) -> Result<(DatabaseConnection, DatabaseConnection, std::fs::File), OpenError> {
    let module = settings.module;
    let failed = |source| OpenError::Database { module, source: connection_error(source) };
    let options = SqliteConnectOptions::from_str(&settings.url)
        .map_err(failed)?
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(5))
        .statement_cache_capacity(512)
        // The larger of SQLite's usual size: pages that many commits write are copied once.
        .pragma("wal_autocheckpoint", "4000")
        // What a statement keeps aside in order to undo itself, and an update's rows: files that are deleted at once.
        .pragma("temp_store", "MEMORY")
        .pragma("journal_size_limit", "67108864");
    if settings.url.contains(":memory:") || settings.url.contains("mode=memory") {
        return Err(OpenError::Unsafe {
            module,
            setting: "journal_mode",
            found: "memory".into(),
            needed: "wal",
        });
    }
    let lock = lock_file(module, options.get_filename().to_path_buf())?;
    let options = sqlx::ConnectOptions::disable_statement_logging(options);
    let write = SqlitePoolOptions::new()
        .max_connections(1)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        // Kibibytes: the ends of all tables and indexes, which every group writes.
        .connect_with(options.clone().pragma("cache_size", "-8192"))
        .await
        .map_err(failed)?;
    let read = SqlitePoolOptions::new()
        .max_connections(settings.readers)
        .idle_timeout(Duration::from_secs(60))
        .max_lifetime(None)
        .test_before_acquire(false)
        .connect_lazy_with(options.pragma("query_only", "ON"));
    Ok((
        SqlxSqliteConnector::from_sqlx_sqlite_pool(write),
        SqlxSqliteConnector::from_sqlx_sqlite_pool(read),
        lock,
    ))
}

/// One process per file: a second server on the same data directory is a mistake, and is told so.
fn lock_file(module: &'static str, file: PathBuf) -> Result<std::fs::File, OpenError> {
    let directory_error = |source| OpenError::Directory { module, source };
    if let Some(directory) = file.parent().filter(|d| !d.as_os_str().is_empty()) {
        std::fs::create_dir_all(directory).map_err(directory_error)?;
    }
    let mut path = file.into_os_string();
    path.push(".lock");
    let lock = std::fs::OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .map_err(directory_error)?;
    lock.try_lock().map_err(|_| OpenError::InUse { module })?;
    Ok(lock)
}

async fn open_postgres(
    settings: &DatabaseSettings,
) -> Result<(DatabaseConnection, DatabaseConnection), DbErr> {
    let options = PgConnectOptions::from_str(&settings.url)
        .map_err(connection_error)?
        .application_name(&format!("cleave-{}", settings.module))
        .statement_cache_capacity(512)
        .options([
            ("statement_timeout", "15s"),
            ("lock_timeout", "10s"),
            // Bounds what a connection that was lost inside a transaction can hold up.
            ("idle_in_transaction_session_timeout", "5s"),
            // Every query has an index. A plan that is made while a table is new and small, and kept, would read all of it
            // when it is large; and what has to read everything is not worth compiling.
            ("enable_seqscan", "off"),
            ("jit", "off"),
        ]);
    let options = sqlx::ConnectOptions::disable_statement_logging(without_tls_on_this_machine(options));
    let pool = |connections| {
        PgPoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(Duration::from_secs(5))
            .test_before_acquire(false)
    };
    // What is written is found by its key, whatever the values: planned once, not at every group.
    let writing = options.clone().options([("plan_cache_mode", "force_generic_plan")]);
    // One that the writer keeps, and one for what comes beside it.
    let write = pool(2).connect_with(writing).await.map_err(connection_error)?;
    let read =
        pool(settings.readers).connect_lazy_with(options.options([("default_transaction_read_only", "on")]));
    Ok((
        SqlxPostgresConnector::from_sqlx_postgres_pool(write),
        SqlxPostgresConnector::from_sqlx_postgres_pool(read),
    ))
}

/// sqlx 0.9.0 leaves Nagle's algorithm on (RFC 896): of a statement that TLS cuts into several records the last waits
/// for the server's delayed acknowledgement, 40 ms, wherever a segment holds more than a record. That is so on the
/// loopback interface, where "prefer", the default, would protect nothing.
fn without_tls_on_this_machine(options: PgConnectOptions) -> PgConnectOptions {
    let host = options.get_host();
    let here =
        host == "localhost" || host.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback());
    match options.get_ssl_mode() {
        PgSslMode::Prefer if here => options.ssl_mode(PgSslMode::Disable),
        _ => options,
    }
}

fn connection_error(error: sqlx::Error) -> DbErr {
    DbErr::Conn(sea_orm::RuntimeErr::SqlxError(Arc::new(error)))
}
