//! Many rows in one statement and the statements of a batch in one message: each message is a hop to SQLite's thread and
//! back, or a round trip to PostgreSQL.

use sea_orm::{
    ConnectionTrait, DatabaseBackend, DatabaseConnection, DatabaseTransaction, DbErr, Statement, Value,
};
use std::fmt::Write as _;

/// The numbers of rows for which there are statements; the rows that are missing are cut off by a limit.
const SIZES: [usize; 10] = [1, 2, 4, 8, 16, 24, 32, 48, 64, 128];
const LARGEST: usize = 128;

/// What PostgreSQL calls a division by zero (its documentation, "PostgreSQL Error Codes").
const DIVISION_BY_ZERO: &str = "22012";

/// Rows to be written by one statement.
pub(crate) struct Rows {
    /// `INSERT INTO t (a, b) SELECT * FROM {rows}`.
    pub(crate) sql: &'static str,
    /// As many values of the same kinds in each.
    pub(crate) rows: Vec<Vec<Value>>,
}

/// What a batch writes, as text.
struct Parts {
    texts: Vec<String>,
    values: Vec<Value>,
    /// How many rows.
    expected: usize,
}

/// Writes all of it; `false` where a row was not written, and the transaction must be undone.
pub(crate) async fn write(all: Vec<Rows>, tx: &DatabaseTransaction) -> Result<bool, DbErr> {
    let backend = tx.get_database_backend();
    let Parts { texts, values, expected } = Parts::new(all, backend);
    if texts.is_empty() {
        return Ok(true);
    }
    let expected = u64::try_from(expected).unwrap_or(0);
    if backend == DatabaseBackend::Sqlite {
        let statement = Statement::from_sql_and_values(backend, texts.join("; "), values);
        return Ok(tx.execute_raw(statement).await?.rows_affected() == expected);
    }
    let (with, sum) = with(&texts);
    let statement =
        Statement::from_sql_and_values(backend, format!("{with} SELECT {sum} AS written"), values);
    let row = tx.query_one_raw(statement).await?;
    let written = row.map_or(Ok(0), |row| row.try_get::<i64>("", "written"))?;
    Ok(u64::try_from(written) == Ok(expected))
}

/// Writes all of it on PostgreSQL in one statement that is a transaction of its own: no BEGIN and no COMMIT, which would
/// be a round trip each. `false`, and nothing is written, where a row was not.
pub(crate) async fn write_alone(all: Vec<Rows>, connection: &DatabaseConnection) -> Result<bool, DbErr> {
    let backend = connection.get_database_backend();
    let Parts { texts, mut values, expected } = Parts::new(all, backend);
    if texts.is_empty() {
        return Ok(true);
    }
    values.push(i64::try_from(expected).unwrap_or(-1).into());
    let (with, sum) = with(&texts);
    let sql = format!("{with} SELECT 1 / (CASE WHEN {sum} = ${} THEN 1 ELSE 0 END)", values.len());
    match connection.execute_raw(Statement::from_sql_and_values(backend, sql, values)).await {
        Ok(_) => Ok(true),
        Err(error) if code(&error).as_deref() == Some(DIVISION_BY_ZERO) => Ok(false),
        Err(error) => Err(error),
    }
}

fn code(error: &DbErr) -> Option<String> {
    let (DbErr::Exec(sea_orm::RuntimeErr::SqlxError(error))
    | DbErr::Query(sea_orm::RuntimeErr::SqlxError(error))) = error
    else {
        return None;
    };
    error.as_database_error()?.code().map(std::borrow::Cow::into_owned)
}

/// The texts as parts of one statement, and the sum of what they write.
fn with(texts: &[String]) -> (String, String) {
    let (mut sql, mut sum) = (String::new(), String::new());
    for (number, text) in texts.iter().enumerate() {
        let (with, plus) = if number == 0 { ("WITH", "") } else { (",", " + ") };
        // Writing to a string does not fail.
        let _ = write!(sql, "{with} w{number} AS ({text} RETURNING 1)");
        let _ = write!(sum, "{plus}(SELECT count(*) FROM w{number})");
    }
    (sql, sum)
}

impl Parts {
    fn new(all: Vec<Rows>, backend: DatabaseBackend) -> Self {
        let expected = all.iter().map(|rows| rows.rows.len()).sum();
        let (mut texts, mut values) = (Vec::new(), Vec::new());
        for Rows { sql, rows } in all {
            for rows in rows.chunks(LARGEST) {
                let table = table(rows, backend, &mut values);
                texts.push(sql.replace("{rows}", &table));
            }
        }
        Self { texts, values, expected }
    }
}

/// `(SELECT * FROM (VALUES ($1, $2), ($3, $4)) AS r LIMIT $5) AS v`; with plain `?` on SQLite.
fn table(rows: &[Vec<Value>], backend: DatabaseBackend, values: &mut Vec<Value>) -> String {
    let size = SIZES.into_iter().find(|size| *size >= rows.len()).unwrap_or(LARGEST);
    let mut text = String::from("(SELECT * FROM (VALUES ");
    // What fills up is the last row again: PostgreSQL wants one kind of value in a column.
    let filled = rows.iter().chain(std::iter::repeat(&rows[rows.len() - 1])).take(size);
    for (number, row) in filled.enumerate() {
        text.push_str(if number == 0 { "(" } else { ", (" });
        for (column, value) in row.iter().enumerate() {
            values.push(value.clone());
            text.push_str(if column == 0 { "" } else { ", " });
            bind(&mut text, backend, values.len());
        }
        text.push(')');
    }
    text.push_str(") AS r LIMIT ");
    values.push(Value::from(i64::try_from(rows.len()).unwrap_or(0)));
    bind(&mut text, backend, values.len());
    text.push_str(") AS v");
    text
}

fn bind(text: &mut String, backend: DatabaseBackend, number: usize) {
    match backend {
        DatabaseBackend::Sqlite => text.push('?'),
        // Writing to a string does not fail.
        _ => drop(write!(text, "${number}")),
    }
}
