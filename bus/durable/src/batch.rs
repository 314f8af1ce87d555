//! Many rows in one statement and many statements in one message: each message is a hop to SQLite's thread and back, or
//! a round trip to PostgreSQL.

use crate::{postgres, query::statement, session::Transaction};
use sea_orm::{ConnectionTrait, DatabaseBackend, DatabaseTransaction, DbErr, Statement, Value};
use std::{borrow::Cow, collections::BTreeSet, fmt::Write as _};

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
        return transaction.alone(message.alone(locks)).await.map(|()| true);
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
    values: Vec<Value>,
    /// How many rows the parts must write whose rows must match.
    expected: usize,
}

struct Part {
    sql: Cow<'static, str>,
    /// The table that it writes, and whether that is an update.
    table: String,
    updates: bool,
    must_match: bool,
    /// `$1::text::bigint[]` for each column.
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
        for array in arrays_of(piece.rows)? {
            self.values.push(array.literal.into());
            arrays.push(format!("${}::text::{}[]", self.values.len(), array.kind));
        }
        let part = Part { sql: piece.sql, table, updates, must_match: piece.must_match, arrays };
        self.expected += if part.counts() { count } else { 0 };
        self.parts.push(part);
        Ok(())
    }

    async fn send(self, transaction: &postgres::Transaction) -> Result<bool, DbErr> {
        let expected = self.expected;
        let row = transaction.query_one_raw(self.text()).await?;
        let written = row.map_or(Ok(0), |row| row.try_get::<i64>("", "written"))?;
        Ok(usize::try_from(written) == Ok(expected))
    }

    fn text(self) -> Statement {
        let sql = format!("WITH {} SELECT {} AS written", self.parts(false), self.written());
        statement(DatabaseBackend::Postgres, &sql, self.values)
    }

    /// As a transaction of its own: it takes the locks, and fails where a row that must be written was not.
    fn alone(mut self, locks: &BTreeSet<String>) -> Statement {
        let parts = self.parts(!locks.is_empty());
        self.values.push(i64::try_from(self.expected).unwrap_or(-1).into());
        let expected = self.values.len();
        let locked = if locks.is_empty() {
            String::new()
        } else {
            self.values.push(postgres::json(locks).into());
            format!("{}, ", postgres::locked(self.values.len()))
        };
        // Division by zero is an error on any server, and no row is needed to raise it.
        let sql = format!(
            "WITH {locked}{parts} SELECT 1 / (CASE WHEN {} = ${expected} THEN 1 ELSE 0 END)",
            self.written()
        );
        statement(DatabaseBackend::Postgres, &sql, self.values)
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

/// A column's values as the text of a PostgreSQL array.
struct Array {
    literal: String,
    kind: &'static str,
}

fn arrays_of(rows: Vec<Vec<Value>>) -> Result<Vec<Array>, DbErr> {
    let mut arrays: Vec<Array> = Vec::new();
    for row in rows {
        if arrays.is_empty() {
            for value in &row {
                arrays.push(Array { literal: "{".into(), kind: kind(value)? });
            }
        }
        for (array, value) in arrays.iter_mut().zip(row) {
            if array.literal.len() > 1 {
                array.literal.push(',');
            }
            push(&mut array.literal, value)?;
        }
    }
    for array in &mut arrays {
        array.literal.push('}');
    }
    Ok(arrays)
}

fn kind(value: &Value) -> Result<&'static str, DbErr> {
    match value {
        Value::Bool(_) => Ok("boolean"),
        Value::Int(_) => Ok("integer"),
        Value::BigInt(_) => Ok("bigint"),
        Value::String(_) => Ok("text"),
        Value::Bytes(_) => Ok("bytea"),
        Value::Uuid(_) => Ok("uuid"),
        other => Err(DbErr::Type(format!("{other:?} cannot be written with others"))),
    }
}

/// Adds an element (PostgreSQL's documentation, "Array Input and Output Syntax").
fn push(literal: &mut String, value: Value) -> Result<(), DbErr> {
    // Writing to a string does not fail.
    let _ = match value {
        Value::Bool(Some(is)) => write!(literal, "{is}"),
        Value::Int(Some(number)) => write!(literal, "{number}"),
        Value::BigInt(Some(number)) => write!(literal, "{number}"),
        Value::Uuid(Some(id)) => write!(literal, "{id}"),
        Value::Bytes(Some(bytes)) => {
            literal.push_str("\"\\\\x");
            bytes
                .iter()
                .try_for_each(|byte| write!(literal, "{byte:02x}"))
                .and_then(|()| literal.write_char('"'))
        }
        Value::String(Some(text)) => {
            literal.push('"');
            for part in text.split_inclusive(['"', '\\']) {
                match part.strip_suffix(['"', '\\']) {
                    Some(before) => {
                        literal.push_str(before);
                        literal.push('\\');
                        literal.push_str(&part[before.len()..]);
                    }
                    None => literal.push_str(part),
                }
            }
            literal.write_char('"')
        }
        other if kind(&other).is_ok() => literal.write_str("NULL"),
        other => return Err(DbErr::Type(format!("{other:?} cannot be written with others"))),
    };
    Ok(())
}

/// A piece's statement, for whoever asks how it will be carried out.
#[cfg(test)]
pub(crate) fn text(piece: Piece, backend: DatabaseBackend) -> Statement {
    if backend != DatabaseBackend::Postgres {
        return sqlite_text(vec![piece]);
    }
    let mut message = Message::default();
    message.add(piece).expect("types that an array may have");
    message.alone(&BTreeSet::from(["a key".to_owned()]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_come_through_an_arrays_literal_unchanged() {
        let row = |text: Option<&str>| vec![Value::from(text.map(str::to_owned)), Value::from(7_i64)];
        let arrays =
            arrays_of(vec![row(Some(r#"a "b" \c,{}"#)), row(None), row(Some("NULL"))]).expect("arrays");
        assert_eq!(arrays[0].literal, r#"{"a \"b\" \\c,{}",NULL,"NULL"}"#);
        assert_eq!((arrays[1].literal.as_str(), arrays[1].kind), ("{7,7,7}", "bigint"));
    }

    #[test]
    fn a_statement_says_what_it_writes() {
        assert_eq!(written("UPDATE saga SET state = v.column3 FROM {values}"), ("saga", true));
        assert_eq!(written("INSERT INTO \"note\" (\"name\") SELECT * FROM {values}"), ("\"note\"", false));
        let sql = "INSERT INTO outbox (id) SELECT * FROM {values}";
        assert_eq!(written(sql), ("outbox", false));
    }
}
