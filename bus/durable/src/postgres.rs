//! The writer's connection to PostgreSQL, where every message is a round trip.
//!
//! The pool is asked for a connection once, and not after every group: it would be tested with a round trip each time it
//! is given back. A transaction begins with the first statement that a unit carries out, in one message with the
//! group's locks. Where no unit carries any out, what they left to the end is a single statement, which is a
//! transaction of its own.

use sea_orm::{
    ConnAcquireErr, ConnectionTrait, DatabaseBackend, DbErr, ExecResult, QueryResult, RuntimeErr, Statement,
    sea_query::Values,
};
use sea_query_sqlx::SqlxValues;
use sqlx::{
    AssertSqlSafe, Connection as _, PgConnection, PgPool, Postgres, pool::PoolConnection,
    postgres::PgArguments, query::Query,
};
use std::{
    collections::BTreeSet,
    fmt::Write as _,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::{MappedMutexGuard, Mutex, MutexGuard},
    time::Instant,
};

/// How long a connection is taken to be alive after it was used.
const TRUSTED: Duration = Duration::from_secs(1);

/// How many connections are tried that turn out to be dead: all that the pool may have, and a new one.
const TRIES: usize = 3;

/// The connection that a writer keeps.
pub(crate) struct Session {
    pool: PgPool,
    slot: Arc<Mutex<Slot>>,
}

#[derive(Default)]
struct Slot {
    connection: Option<PoolConnection<Postgres>>,
    used: Option<Instant>,
    /// Whether a transaction has begun on it and not ended.
    begun: bool,
}

impl Slot {
    /// Closes the connection: nobody knows what is left on it.
    fn discard(&mut self) {
        if let Some(mut connection) = self.connection.take() {
            connection.close_on_drop();
        }
        self.begun = false;
    }

    fn is_trusted(&self) -> bool {
        self.connection.is_some() && self.used.is_some_and(|used| used.elapsed() < TRUSTED)
    }

    fn connection(&mut self) -> Result<&mut PgConnection, DbErr> {
        let connection = self.connection.as_deref_mut();
        connection.ok_or_else(|| DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed))
    }

    /// Ends the transaction, if one has begun.
    async fn end(&mut self, how: &'static str) -> Result<(), DbErr> {
        if !std::mem::take(&mut self.begun) {
            return Ok(());
        }
        let ended = sqlx::raw_sql(how).execute(self.connection()?).await;
        ended.map(|_| ()).map_err(|error| {
            self.discard();
            exec_error(error)
        })
    }
}

impl Session {
    pub(crate) fn new(pool: PgPool) -> Self {
        Self { pool, slot: Arc::default() }
    }

    /// A transaction that has not begun.
    pub(crate) async fn begin(&self, locks: BTreeSet<String>) -> Result<Transaction, DbErr> {
        let mut slot = self.slot.lock().await;
        if slot.begun {
            // Whoever began it broke off.
            slot.discard();
        }
        if !slot.is_trusted() {
            slot.connection = Some(self.tested(slot.connection.take()).await?);
        }
        slot.used = Some(Instant::now());
        let slot = Arc::clone(&self.slot);
        Ok(Transaction { slot, locks, was_alone: AtomicBool::new(false) })
    }

    /// A connection that answers. Whether a transaction of one statement came about is not known where its connection
    /// is lost, so it is not tried on one that may have been lost long ago.
    async fn tested(
        &self,
        mut held: Option<PoolConnection<Postgres>>,
    ) -> Result<PoolConnection<Postgres>, DbErr> {
        let mut tries = 0;
        loop {
            tries += 1;
            let mut connection = match held.take() {
                Some(connection) => connection,
                None => self.pool.acquire().await.map_err(acquire_error)?,
            };
            match connection.ping().await {
                Ok(()) => return Ok(connection),
                Err(error) => {
                    connection.close_on_drop();
                    if tries >= TRIES {
                        return Err(acquire_error(error));
                    }
                }
            }
        }
    }

    /// Closes the connection: it was lost.
    pub(crate) async fn discard(&self) {
        self.slot.lock().await.discard();
    }

    /// Gives the connection back to the pool, unless whoever began a transaction on it broke off.
    pub(crate) async fn give_back(&self) {
        let mut slot = self.slot.lock().await;
        if slot.begun {
            slot.discard();
        }
        slot.connection = None;
    }
}

/// A group's transaction.
pub(crate) struct Transaction {
    slot: Arc<Mutex<Slot>>,
    locks: BTreeSet<String>,
    was_alone: AtomicBool,
}

impl Transaction {
    /// The connection inside of the transaction, which begins where it has not.
    async fn begun(&self) -> Result<MappedMutexGuard<'_, PgConnection>, DbErr> {
        let mut slot = self.slot.lock().await;
        if !slot.begun {
            slot.begun = true;
            let begun = sqlx::raw_sql(AssertSqlSafe(begin(&self.locks))).execute(slot.connection()?).await;
            begun.map_err(exec_error)?;
        }
        let lost = || DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed);
        MutexGuard::try_map(slot, |slot| slot.connection.as_deref_mut()).map_err(|_| lost())
    }

    /// The group's locks, where the transaction has not begun.
    pub(crate) async fn waiting_locks(&self) -> Option<&BTreeSet<String>> {
        (!self.slot.lock().await.begun).then_some(&self.locks)
    }

    /// Carries out a statement that takes the [waiting locks](Self::waiting_locks) by itself and is the transaction.
    pub(crate) async fn alone(&self, sql: String, arguments: PgArguments) -> Result<(), DbErr> {
        self.was_alone.store(true, Ordering::Relaxed);
        let mut slot = self.slot.lock().await;
        let query = sqlx::query_with(AssertSqlSafe(sql), arguments);
        query.execute(slot.connection()?).await.map(|_| ()).map_err(exec_error)
    }

    /// The one row of a statement in the transaction.
    pub(crate) async fn one(
        &self,
        sql: String,
        arguments: PgArguments,
    ) -> Result<Option<QueryResult>, DbErr> {
        let mut connection = self.begun().await?;
        let query = sqlx::query_with(AssertSqlSafe(sql), arguments);
        let row = query.fetch_optional(&mut *connection).await.map_err(query_error)?;
        Ok(row.map(QueryResult::from))
    }

    /// Whether a statement was sent that is a transaction of its own: no commit has to follow it.
    pub(crate) fn was_alone(&self) -> bool {
        self.was_alone.load(Ordering::Relaxed)
    }

    pub(crate) async fn commit(self) -> Result<(), DbErr> {
        self.slot.lock().await.end("COMMIT").await
    }

    pub(crate) async fn rollback(self) -> Result<(), DbErr> {
        self.slot.lock().await.end("ROLLBACK").await
    }
}

#[async_trait::async_trait]
impl ConnectionTrait for Transaction {
    fn get_database_backend(&self) -> DatabaseBackend {
        DatabaseBackend::Postgres
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        let mut connection = self.begun().await?;
        query(statement).execute(&mut *connection).await.map(ExecResult::from).map_err(exec_error)
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        let mut connection = self.begun().await?;
        let done = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *connection).await;
        done.map(ExecResult::from).map_err(exec_error)
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        let mut connection = self.begun().await?;
        let row = query(statement).fetch_optional(&mut *connection).await.map_err(query_error)?;
        Ok(row.map(QueryResult::from))
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        let mut connection = self.begun().await?;
        let rows = query(statement).fetch_all(&mut *connection).await.map_err(query_error)?;
        Ok(rows.into_iter().map(QueryResult::from).collect())
    }
}

/// A part of a statement that takes the locks of the keys in the value of this number, and counts them.
pub(crate) fn locked(value: usize) -> String {
    format!(
        "locked (n) AS MATERIALIZED (SELECT count(l) FROM (SELECT {}) AS t)",
        locks_of(&format!("${value}::text::json"))
    )
}

/// `BEGIN` with the locks of the keys. A message of several statements has no values, and a key may be anything: it
/// goes as hexadecimal digits.
fn begin(locks: &BTreeSet<String>) -> String {
    if locks.is_empty() {
        return "BEGIN".into();
    }
    let mut hex = String::new();
    for byte in json(locks).bytes() {
        // Writing to a string does not fail.
        let _ = write!(hex, "{byte:02x}");
    }
    format!("BEGIN; SELECT {}", locks_of(&format!("convert_from(decode('{hex}', 'hex'), 'UTF8')::json")))
}

/// Takes the locks of the keys in a JSON array, sorted by their numbers, which is what two processes can compare.
fn locks_of(keys: &str) -> String {
    format!(
        "pg_advisory_xact_lock(k) AS l FROM (SELECT DISTINCT hashtextextended(value, 0) AS k \
         FROM json_array_elements_text({keys}) ORDER BY k) AS keys"
    )
}

/// The keys as a JSON array.
pub(crate) fn json(locks: &BTreeSet<String>) -> String {
    serde_json::to_string(locks).unwrap_or_default()
}

fn query(statement: Statement) -> Query<'static, Postgres, SqlxValues> {
    let values = statement.values.unwrap_or_else(|| Values(Vec::new()));
    sqlx::query_with(AssertSqlSafe(statement.sql), SqlxValues(values))
}

fn acquire_error(error: sqlx::Error) -> DbErr {
    match error {
        sqlx::Error::PoolTimedOut => DbErr::ConnectionAcquire(ConnAcquireErr::Timeout),
        sqlx::Error::PoolClosed => DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed),
        error => DbErr::Conn(RuntimeErr::SqlxError(Arc::new(error))),
    }
}

fn exec_error(error: sqlx::Error) -> DbErr {
    DbErr::Exec(RuntimeErr::SqlxError(Arc::new(error)))
}

fn query_error(error: sqlx::Error) -> DbErr {
    DbErr::Query(RuntimeErr::SqlxError(Arc::new(error)))
}
