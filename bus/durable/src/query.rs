//! Statements whose errors are already what a port can answer: logged where they happen, an id to the caller.

use crate::unit::Trouble;
use bus::BusError;
use sea_orm::{
    ConnectionTrait, DatabaseBackend, DatabaseConnection, DbErr, EntityTrait, FromQueryResult, QueryResult,
    Select, Statement, TryGetable, Value,
};

/// A row of a raw query.
pub struct Row(pub(crate) QueryResult);

impl Row {
    /// A column's value.
    ///
    /// # Errors
    /// [`BusError::Failed`] where the column is missing or of another type.
    pub fn get<T: TryGetable>(&self, column: &str) -> Result<T, BusError> {
        self.0.try_get("", column).map_err(|error| BusError::failed(&error))
    }
}

/// Reads what is committed, on the reading connections.
#[derive(Debug, Clone)]
pub struct Reader {
    connection: DatabaseConnection,
    module: &'static str,
}

impl Reader {
    pub(crate) fn new(connection: DatabaseConnection, module: &'static str) -> Self {
        Self { connection, module }
    }

    pub(crate) fn connection(&self) -> &DatabaseConnection {
        &self.connection
    }

    /// All rows of a select.
    ///
    /// # Errors
    /// [`BusError`]; the cause is logged.
    pub async fn all<E: EntityTrait>(&self, select: Select<E>) -> Result<Vec<E::Model>, BusError>
    where
        E::Model: FromQueryResult + Send + Sync,
    {
        select.all(&self.connection).await.map_err(|error| self.failed(&error))
    }

    /// The first row of a select.
    ///
    /// # Errors
    /// [`BusError`]; the cause is logged.
    pub async fn one<E: EntityTrait>(&self, select: Select<E>) -> Result<Option<E::Model>, BusError>
    where
        E::Model: FromQueryResult + Send + Sync,
    {
        select.one(&self.connection).await.map_err(|error| self.failed(&error))
    }

    /// The rows of an SQL text with `$1`, `$2`, … for its values; the same text on both databases.
    ///
    /// # Errors
    /// [`BusError`]; the cause is logged.
    pub async fn rows(
        &self,
        sql: &str,
        values: impl IntoIterator<Item = Value> + Send,
    ) -> Result<Vec<Row>, BusError> {
        let rows =
            self.connection.query_all_raw(statement(self.connection.get_database_backend(), sql, values));
        Ok(rows.await.map_err(|error| self.failed(&error))?.into_iter().map(Row).collect())
    }

    /// The first row of an SQL text.
    ///
    /// # Errors
    /// [`BusError`]; the cause is logged.
    pub async fn row(
        &self,
        sql: &str,
        values: impl IntoIterator<Item = Value> + Send,
    ) -> Result<Option<Row>, BusError> {
        let row =
            self.connection.query_one_raw(statement(self.connection.get_database_backend(), sql, values));
        Ok(row.await.map_err(|error| self.failed(&error))?.map(Row))
    }

    fn failed(&self, error: &DbErr) -> BusError {
        Trouble::of(error).answer(self.module, error)
    }
}

pub(crate) fn statement(
    backend: DatabaseBackend,
    sql: &str,
    values: impl IntoIterator<Item = Value>,
) -> Statement {
    Statement::from_sql_and_values(backend, sql, values)
}
