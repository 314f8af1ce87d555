//! The connection that a module's writer keeps, and a group's transaction on it.

use crate::postgres;
use async_trait::async_trait;
use sea_orm::{
    ConnectionTrait, DatabaseBackend, DatabaseConnection, DatabaseTransaction, DbErr, ExecResult,
    QueryResult, SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait,
};
use std::collections::BTreeSet;

/// What a writer writes with.
pub(crate) enum Session {
    Sqlite(DatabaseConnection),
    Postgres(postgres::Session),
}

impl Session {
    pub(crate) fn new(connection: DatabaseConnection) -> Self {
        match connection.get_database_backend() {
            DatabaseBackend::Postgres => {
                Self::Postgres(postgres::Session::new(connection.get_postgres_connection_pool().clone()))
            }
            _ => Self::Sqlite(connection),
        }
    }

    pub(crate) fn is_sqlite(&self) -> bool {
        matches!(self, Self::Sqlite(_))
    }

    /// A transaction with these locks (advisory locks on PostgreSQL; SQLite has one writer anyway).
    pub(crate) async fn begin(&self, locks: BTreeSet<String>) -> Result<Transaction, DbErr> {
        match self {
            Self::Sqlite(connection) => begin(connection).await.map(Transaction::Sqlite),
            Self::Postgres(session) => session.begin(locks).await.map(Transaction::Postgres),
        }
    }

    /// The connection was lost.
    pub(crate) async fn discard(&self) {
        if let Self::Postgres(session) = self {
            session.discard().await;
        }
    }

    /// Nothing is written for a while.
    pub(crate) async fn give_back(&self) {
        if let Self::Postgres(session) = self {
            session.give_back().await;
        }
    }
}

/// A group's transaction.
pub(crate) enum Transaction {
    Sqlite(DatabaseTransaction),
    Postgres(postgres::Transaction),
}

impl Transaction {
    /// Whether it may be committed although it has failed: it was one statement, whose answer was lost.
    pub(crate) fn was_alone(&self) -> bool {
        matches!(self, Self::Postgres(transaction) if transaction.was_alone())
    }

    pub(crate) async fn commit(self) -> Result<(), DbErr> {
        match self {
            Self::Sqlite(transaction) => transaction.commit().await,
            Self::Postgres(transaction) => transaction.commit().await,
        }
    }

    pub(crate) async fn rollback(self) -> Result<(), DbErr> {
        match self {
            Self::Sqlite(transaction) => transaction.rollback().await,
            Self::Postgres(transaction) => transaction.rollback().await,
        }
    }
}

#[async_trait]
impl ConnectionTrait for Transaction {
    fn get_database_backend(&self) -> DatabaseBackend {
        match self {
            Self::Sqlite(_) => DatabaseBackend::Sqlite,
            Self::Postgres(_) => DatabaseBackend::Postgres,
        }
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        match self {
            Self::Sqlite(transaction) => transaction.execute_raw(statement).await,
            Self::Postgres(transaction) => transaction.execute_raw(statement).await,
        }
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        match self {
            Self::Sqlite(transaction) => transaction.execute_unprepared(sql).await,
            Self::Postgres(transaction) => transaction.execute_unprepared(sql).await,
        }
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        match self {
            Self::Sqlite(transaction) => transaction.query_one_raw(statement).await,
            Self::Postgres(transaction) => transaction.query_one_raw(statement).await,
        }
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        match self {
            Self::Sqlite(transaction) => transaction.query_all_raw(statement).await,
            Self::Postgres(transaction) => transaction.query_all_raw(statement).await,
        }
    }
}

/// Begins a transaction that may write from its first statement on.
pub(crate) async fn begin(connection: &DatabaseConnection) -> Result<DatabaseTransaction, DbErr> {
    let sqlite_transaction_mode = Some(SqliteTransactionMode::Immediate);
    let options = match connection.get_database_backend() {
        DatabaseBackend::Sqlite => TransactionOptions { sqlite_transaction_mode, ..Default::default() },
        _ => TransactionOptions::default(),
    };
    connection.begin_with_options(options).await
}
