//! A unit of work's hold on the transaction that it shares with its neighbours.

use crate::{
    Catalogue, Published,
    batch::Piece,
    later::{Counter, Later, Mark, Numbers, Update},
    outbox,
    query::{Row, statement},
    session::Transaction,
    unit::Trouble,
};
use bus::{BusError, Event, Sources, Timestamp};
use sea_orm::{
    ActiveModelTrait, ConnectionTrait, DatabaseBackend, DbErr, EntityTrait, FromQueryResult, Insert,
    IntoActiveModel, QueryTrait, Select, StatementBuilder, Value,
};
use std::{
    future::Future,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};
use uuid::Uuid;

/// What a unit of work writes and reads through. After any statement error it refuses to be committed:
/// PostgreSQL answers COMMIT of a failed transaction with success.
pub struct Tx<'t> {
    transaction: &'t Transaction,
    module: &'static str,
    catalogue: &'t Catalogue,
    sources: &'t Sources,
    numbers: &'t Numbers,
    optimistic: bool,
    /// Statements that have written, or may have.
    writes: AtomicUsize,
    failure: Mutex<Option<DbErr>>,
    later: Mutex<Later>,
}

impl<'t> Tx<'t> {
    pub(crate) fn new(
        transaction: &'t Transaction,
        module: &'static str,
        catalogue: &'t Catalogue,
        sources: &'t Sources,
        numbers: &'t Numbers,
        optimistic: bool,
    ) -> Self {
        Self {
            transaction,
            module,
            catalogue,
            sources,
            numbers,
            optimistic,
            writes: AtomicUsize::new(0),
            failure: Mutex::default(),
            later: Mutex::default(),
        }
    }

    /// What time it is.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.sources.now()
    }

    /// A new id.
    #[must_use]
    pub fn id<T: From<Uuid>>(&self) -> T {
        self.sources.id()
    }

    /// SQLite or PostgreSQL, where a statement must differ.
    #[must_use]
    pub fn backend(&self) -> DatabaseBackend {
        self.transaction.get_database_backend()
    }

    /// Carries out an SQL text with `$1`, `$2`, … for its values; how many rows it touched.
    ///
    /// # Errors
    /// [`BusError::Failed`]; the unit of work can then only fail.
    pub async fn execute(
        &self,
        sql: &str,
        values: impl IntoIterator<Item = Value> + Send,
    ) -> Result<u64, BusError> {
        let statement = statement(self.backend(), sql, values);
        let done = self.writing(self.transaction.execute_raw(statement), |done| done.rows_affected() > 0);
        Ok(done.await?.rows_affected())
    }

    /// Carries out a statement of the query builder; how many rows it touched.
    ///
    /// # Errors
    /// As [`Tx::execute`].
    pub async fn run<S: StatementBuilder>(&self, statement: &S) -> Result<u64, BusError> {
        let done = self.writing(self.transaction.execute(statement), |done| done.rows_affected() > 0);
        Ok(done.await?.rows_affected())
    }

    /// Inserts a row now.
    ///
    /// # Errors
    /// As [`Tx::execute`].
    pub async fn insert<A>(&self, row: A) -> Result<(), BusError>
    where
        A: ActiveModelTrait + Send,
        <A::Entity as EntityTrait>::Model: IntoActiveModel<A>,
    {
        let insert = Insert::one(row);
        let statement = insert.build(self.backend());
        self.writing(self.transaction.execute_raw(statement), |_| true).await.map(|_| ())
    }

    /// Whether this unit may take the database to be as it nearly always is, and leave it to the end of the group
    /// ([`Tx::insert_later`], [`Tx::update_later`], [`Tx::add_later`]) to find out. Where it was not so, the group is
    /// undone and runs again with `false` here: then each unit looks, and decides, by itself.
    #[must_use]
    pub fn is_optimistic(&self) -> bool {
        self.optimistic
    }

    /// Inserts a row at the end of the group, together with its neighbours' rows of the same table in few
    /// statements. Nothing in this transaction may read it; where something stands in its way, the unit fails
    /// unless it [is optimistic](Tx::is_optimistic). Every row of a table must set the same columns.
    pub fn insert_later<A>(&self, row: A)
    where
        A: ActiveModelTrait,
    {
        self.writes.fetch_add(1, Ordering::Relaxed);
        self.lock_later().insert(row);
    }

    /// Changes a row at the end of the group, together with its neighbours' in few statements.
    pub fn update_later(&self, update: &'static Update, values: Vec<Value>) {
        self.writes.fetch_add(1, Ordering::Relaxed);
        self.lock_later().update(update, vec![values]);
    }

    /// Adds to a row's columns at the end of the group. What several units add to one key is summed up first: the
    /// update sees `v.column1`, the key, and from `v.column2` on the sums.
    pub fn add_later(&self, update: &'static Update, key: &str, amounts: &[i64]) {
        self.writes.fetch_add(1, Ordering::Relaxed);
        self.lock_later().add(update, key.to_owned(), amounts);
    }

    /// The next number of a series without gaps: taken if and only if this transaction commits.
    ///
    /// # Errors
    /// As [`Tx::execute`]; [`BusError::Failed`] where the counter's row is gone.
    pub async fn next_number(&self, counter: &'static Counter) -> Result<i64, BusError> {
        if let Some(number) = self.numbers.next(counter) {
            self.writes.fetch_add(1, Ordering::Relaxed);
            return Ok(number);
        }
        let (sql, values) = Numbers::begin(counter);
        let rows = self.returning(&sql, values).await?;
        let row = rows.first().ok_or_else(|| BusError::failed(&format_args!("{counter:?} is gone")))?;
        let number = row.get("value")?;
        self.numbers.begun(counter, number);
        Ok(number)
    }

    /// All rows of a select.
    ///
    /// # Errors
    /// As [`Tx::execute`].
    pub async fn all<E: EntityTrait>(&self, select: Select<E>) -> Result<Vec<E::Model>, BusError>
    where
        E::Model: FromQueryResult + Send + Sync,
    {
        self.reading(select.all(self.transaction)).await
    }

    /// The first row of a select.
    ///
    /// # Errors
    /// As [`Tx::execute`].
    pub async fn one<E: EntityTrait>(&self, select: Select<E>) -> Result<Option<E::Model>, BusError>
    where
        E::Model: FromQueryResult + Send + Sync,
    {
        self.reading(select.one(self.transaction)).await
    }

    /// The rows of a reading SQL text.
    ///
    /// # Errors
    /// As [`Tx::execute`].
    pub async fn rows(
        &self,
        sql: &str,
        values: impl IntoIterator<Item = Value> + Send,
    ) -> Result<Vec<Row>, BusError> {
        let statement = statement(self.backend(), sql, values);
        let rows = self.reading(self.transaction.query_all_raw(statement)).await?;
        Ok(rows.into_iter().map(Row).collect())
    }

    /// The first row of a reading SQL text.
    ///
    /// # Errors
    /// As [`Tx::execute`].
    pub async fn row(
        &self,
        sql: &str,
        values: impl IntoIterator<Item = Value> + Send,
    ) -> Result<Option<Row>, BusError> {
        let statement = statement(self.backend(), sql, values);
        Ok(self.reading(self.transaction.query_one_raw(statement)).await?.map(Row))
    }

    /// The rows that a writing SQL text returns (`… RETURNING …`).
    ///
    /// # Errors
    /// As [`Tx::execute`].
    pub async fn returning(
        &self,
        sql: &str,
        values: impl IntoIterator<Item = Value> + Send,
    ) -> Result<Vec<Row>, BusError> {
        let statement = statement(self.backend(), sql, values);
        let rows = self.writing(self.transaction.query_all_raw(statement), |rows| !rows.is_empty()).await?;
        Ok(rows.into_iter().map(Row).collect())
    }

    /// Writes an event into the outbox: it leaves if and only if this transaction commits.
    ///
    /// # Errors
    /// [`BusError::UnknownName`] for an event that the catalogue does not declare.
    pub fn publish<E: Event>(&self, event: &E) -> Result<Published, BusError> {
        let (row, published) = outbox::row(event, self.module, self.catalogue, self.sources)?;
        self.writes.fetch_add(1, Ordering::Relaxed);
        self.lock_later().outbox.push(row);
        Ok(published)
    }

    /// Writes something of many rows at the end of the group.
    pub(crate) fn write_later(&self, piece: Piece) {
        self.writes.fetch_add(1, Ordering::Relaxed);
        self.lock_later().others.push(piece);
    }

    /// Marks a received message as handled, in this transaction.
    pub(crate) fn handled(&self, position: i64) {
        self.writes.fetch_add(1, Ordering::Relaxed);
        self.lock_later().handled.push(Mark { position, at: self.now() });
    }

    pub(crate) fn wrote(&self) -> bool {
        self.writes.load(Ordering::Relaxed) > 0
    }

    pub(crate) fn failure(&self) -> Option<DbErr> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn take_later(&self) -> Later {
        std::mem::take(&mut *self.lock_later())
    }

    fn lock_later(&self) -> std::sync::MutexGuard<'_, Later> {
        self.later.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A statement that touched no row has written nothing: what refuses after it need not be undone.
    async fn writing<T>(
        &self,
        work: impl Future<Output = Result<T, DbErr>>,
        touched: impl FnOnce(&T) -> bool,
    ) -> Result<T, BusError> {
        self.writes.fetch_add(1, Ordering::Relaxed);
        let done = self.reading(work).await?;
        if !touched(&done) {
            self.writes.fetch_sub(1, Ordering::Relaxed);
        }
        Ok(done)
    }

    async fn reading<T>(&self, work: impl Future<Output = Result<T, DbErr>>) -> Result<T, BusError> {
        work.await.map_err(|error| {
            // Where running the unit again may help, the writer does; the caller sees this only if it did not.
            let answer = Trouble::of(&error).answer(self.module, &error);
            self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
            answer
        })
    }
}
