//! Many rows in one statement and many statements in one message: each message is a hop to SQLite's thread and back, or
//! a round trip to PostgreSQL.

use crate::{
    columns::{bind, columns},
    postgres,
    query::statement,
    session::Transaction,
};
use sea_orm::{ConnectionTrait, DatabaseBackend, DatabaseTransaction, DbErr, Statement, Value};
use sqlx::postgres::PgArguments;
use std::{borrow::Cow, collections::BTreeSet};

/// A statement of many rows of values.
pub(crate) struct Piece {
    /// `INSERT INTO t (a, b) SELECT * FROM {values}` or `UPDATE t SET a = v.column2 FROM {values} WHERE …`, where
    /// `{values}` becomes a table `v` of the rows, and `{published}` the events that the same message has inserted.
    pub(crate) sql: Cow<'static, str>,
    /// As many values in each.
    pub(crate) rows: Vec<Vec<Value>>,
    /// Whether each row of values must write one row.
    pub(crate) must_match: bool,
}

/// The numbers of rows for which SQLite has a statement; the rows that are missing are cut off by a limit. Every number
/// is a prepared statement of its own.
const SIZES: [usize; 11] = [1, 2, 4, 8, 12, 16, 24, 32, 48, 64, 128];
const LARGEST: usize = 128;

/// Writes all of it, in this order; `false`, or an error, where a row that must be written was not. What need not match
/// comes last.
pub(crate) async fn write(pieces: Vec<Piece>, transaction: &Transaction) -> Result<bool, DbErr> {
    let pieces = pieces.into_iter().filter(|piece| !piece.rows.is_empty());
    let (exact, free): (Vec<_>, Vec<_>) = pieces.partition(|piece| piece.must_match);
    match transaction {
        Transaction::Sqlite(transaction) => {
            Ok(sqlite(exact, transaction).await? && sqlite(free, transaction).await?)
        }
        Transaction::Postgres(transaction) => postgres(exact.into_iter().chain(free), transaction).await,
    }
}

/// SQLite carries out a text of several statements at once, each with its share of the values.
async fn sqlite(pieces: Vec<Piece>, transaction: &DatabaseTransaction) -> Result<bool, DbErr> {
    if pieces.is_empty() {
        return Ok(true);
    }
    let must_match = pieces.iter().all(|piece| piece.must_match);
    let expected: usize = pieces.iter().map(|piece| piece.rows.len()).sum();
    let done = transaction.execute_raw(sqlite_text(pieces)).await?;
    // No row of values writes more than one: the sum fits if each fits.
    Ok(!must_match || done.rows_affected() == u64::try_from(expected).unwrap_or(0))
}

fn sqlite_text(pieces: Vec<Piece>) -> Statement {
    let width = |piece: &Piece| piece.rows.first().map_or(0, Vec::len);
    // At most twice the rows; grown piece by piece it would be moved again and again.
    let most = pieces.iter().map(|piece| 2 * piece.rows.len() * width(piece) + 1).sum();
    let (mut texts, mut values) = (Vec::new(), Vec::with_capacity(most));
    for piece in pieces {
        let columns = width(&piece);
        // Whatever fails, all of the transaction or savepoint is undone: no need for a journal of the statement.
        let sql = match piece.sql.split_once(' ') {
            Some((verb @ ("INSERT" | "UPDATE"), rest)) => format!("{verb} OR FAIL {rest}"),
            _ => piece.sql.into_owned(),
        };
        let sql = sql.replace("{published}", "outbox");
        let mut rows = piece.rows.into_iter();
        while rows.len() > 0 {
            let count = rows.len().min(LARGEST);
            let size = SIZES.into_iter().find(|size| *size >= count).unwrap_or(LARGEST);
            texts.push(sql.replace("{values}", &table(size, columns)));
            values.extend(rows.by_ref().take(count).flatten());
            values.extend(std::iter::repeat_n(Value::BigInt(None), (size - count) * columns));
            values.push(Value::from(i64::try_from(count).unwrap_or(0)));
        }
    }
    statement(DatabaseBackend::Sqlite, &texts.join("; "), values)
}

/// `(SELECT * FROM (VALUES (?, ?), (?, ?)) LIMIT ?) AS v` for two rows of two columns.
fn table(rows: usize, columns: usize) -> String {
    let row = format!("({})", vec!["?"; columns].join(", "));
    format!("(SELECT * FROM (VALUES {}) LIMIT ?) AS v", vec![row.as_str(); rows].join(", "))
}

/// PostgreSQL carries out one statement at a time, which may have several that write as its parts: no part sees what
/// another has written. Columns come as arrays, so one text serves any number of rows.
async fn postgres(
    pieces: impl Iterator<Item = Piece>,
    transaction: &postgres::Transaction,
) -> Result<bool, DbErr> {
    let mut messages: Vec<Message> = Vec::new();
    for piece in pieces {
        match messages.last_mut() {
            Some(message) if !message.is_in_the_way(&piece) => message.add(piece)?,
            _ => {
                let mut message = Message::default();
                message.add(piece)?;
                messages.push(message);
            }
        }
    }
    if messages.len() == 1
        && let Some(locks) = transaction.waiting_locks().await
        && let Some(message) = messages.pop()
    {
        let (sql, arguments) = message.alone(locks)?;
        return transaction.alone(sql, arguments).await.map(|()| true);
    }
    for message in messages {
        if !message.send(transaction).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// A statement of several parts.
#[derive(Default)]
struct Message {
    parts: Vec<Part>,
    arguments: PgArguments,
    /// How many rows the parts must write whose rows must match.
    expected: usize,
}

struct Part {
    sql: Cow<'static, str>,
    /// The table that it writes, and whether that is an update.
    table: String,
    updates: bool,
    must_match: bool,
    /// `$1::bigint[]` for each column.
    arrays: Vec<String>,
}

impl Part {
    /// The events that it publishes are what the deliveries join.
    fn publishes(&self) -> bool {
        !self.updates && self.table == "outbox"
    }

    fn counts(&self) -> bool {
        self.must_match && !self.publishes()
    }

    /// `w0 AS (UPDATE … RETURNING 1)`, its values given only once the locks are taken, where there are `locked` ones.
    fn text(&self, number: usize, locked: bool) -> String {
        let mut arrays = self.arrays.clone();
        if let Some(first) = arrays.first_mut().filter(|_| locked) {
            *first = format!("CASE WHEN (SELECT n FROM locked) > 0 THEN {first} END");
        }
        let names: Vec<String> = (1..=arrays.len()).map(|number| format!("column{number}")).collect();
        let values = format!("UNNEST({}) AS v ({})", arrays.join(", "), names.join(", "));
        let sql = self.sql.replace("{values}", &values).replace("{published}", "published");
        if self.publishes() {
            format!("published AS ({sql} RETURNING position, id)")
        } else {
            format!("w{number} AS ({sql} RETURNING 1)")
        }
    }
}

impl Message {
    /// Of two updates of one row in one statement one is lost; and what need not match may be about a new row.
    fn is_in_the_way(&self, piece: &Piece) -> bool {
        let (table, updates) = written(&piece.sql);
        let mut same = self.parts.iter().filter(|part| part.table == table);
        same.any(|part| (updates && part.updates) || !piece.must_match)
    }

    fn add(&mut self, piece: Piece) -> Result<(), DbErr> {
        let count = piece.rows.len();
        let (table, updates) = written(&piece.sql);
        let table = table.to_owned();
        let mut arrays = Vec::new();
        for column in columns(piece.rows)? {
            let kind = column.kind();
            arrays.push(format!("${}::{kind}[]", column.bind(&mut self.arguments)?));
        }
        let part = Part { sql: piece.sql, table, updates, must_match: piece.must_match, arrays };
        self.expected += if part.counts() { count } else { 0 };
        self.parts.push(part);
        Ok(())
    }

    async fn send(self, transaction: &postgres::Transaction) -> Result<bool, DbErr> {
        let sql = format!("WITH {} SELECT {} AS written", self.parts(false), self.written());
        let row = transaction.one(sql, self.arguments).await?;
        let written = row.map_or(Ok(0), |row| row.try_get::<i64>("", "written"))?;
        Ok(usize::try_from(written) == Ok(self.expected))
    }

    /// As a transaction of its own: it takes the locks, and fails where a row that must be written was not.
    fn alone(mut self, locks: &BTreeSet<String>) -> Result<(String, PgArguments), DbErr> {
        let parts = self.parts(!locks.is_empty());
        let expected = bind(i64::try_from(self.expected).unwrap_or(-1), &mut self.arguments)?;
        let locked = if locks.is_empty() {
            String::new()
        } else {
            format!("{}, ", postgres::locked(bind(postgres::json(locks), &mut self.arguments)?))
        };
        // Division by zero is an error on any server, and no row is needed to raise it.
        let sql = format!(
            "WITH {locked}{parts} SELECT 1 / (CASE WHEN {} = ${expected} THEN 1 ELSE 0 END)",
            self.written()
        );
        Ok((sql, self.arguments))
    }

    fn parts(&self, locked: bool) -> String {
        let parts = self.parts.iter().enumerate().map(|(number, part)| part.text(number, locked));
        parts.collect::<Vec<_>>().join(", ")
    }

    /// How many rows the parts have written whose rows must match.
    fn written(&self) -> String {
        let counted = self.parts.iter().enumerate().filter(|(_, part)| part.counts());
        let counts = counted.map(|(number, _)| format!("(SELECT count(*) FROM w{number})"));
        std::iter::once("0::bigint".to_owned()).chain(counts).collect::<Vec<_>>().join(" + ")
    }
}

/// The table that a statement writes, and whether it updates it.
fn written(sql: &str) -> (&str, bool) {
    let mut words = sql.split_whitespace();
    let updates = words.next() == Some("UPDATE");
    let table = if updates { words.next() } else { words.nth(1) };
    (table.unwrap_or_default(), updates)
}

/// A piece's statement on SQLite, for whoever asks how it will be carried out.
#[cfg(test)]
pub(crate) fn on_sqlite(piece: Piece) -> Statement {
    sqlite_text(vec![piece])
}

/// The same on PostgreSQL.
#[cfg(test)]
pub(crate) fn on_postgres(piece: Piece) -> (String, PgArguments) {
    let mut message = Message::default();
    message.add(piece).expect("kinds that a column may have");
    message.alone(&BTreeSet::from(["a key".to_owned()])).expect("bound")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_says_what_it_writes() {
        assert_eq!(written("UPDATE saga SET state = v.column3 FROM {values}"), ("saga", true));
        assert_eq!(written("INSERT INTO \"note\" (\"name\") SELECT * FROM {values}"), ("\"note\"", false));
        let sql = "INSERT INTO outbox (id) SELECT * FROM {values}";
        assert_eq!(written(sql), ("outbox", false));
    }
}
