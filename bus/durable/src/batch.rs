//! Many rows in one statement and many statements in one message: each message is a hop to SQLite's thread and back, or
//! a round trip to PostgreSQL.

use crate::query::statement;
use sea_orm::{ConnectionTrait, DatabaseBackend, DatabaseTransaction, DbErr, Statement, Value};
use std::{borrow::Cow, fmt::Write as _};

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

/// Writes all of it, in this order; `false` where a row that must be written was not. What need not match comes last.
pub(crate) async fn write(pieces: Vec<Piece>, transaction: &DatabaseTransaction) -> Result<bool, DbErr> {
    let pieces = pieces.into_iter().filter(|piece| !piece.rows.is_empty());
    let (exact, free): (Vec<_>, Vec<_>) = pieces.partition(|piece| piece.must_match);
    match transaction.get_database_backend() {
        DatabaseBackend::Postgres => postgres(exact.into_iter().chain(free), transaction).await,
        _ => Ok(sqlite(exact, transaction).await? && sqlite(free, transaction).await?),
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
    transaction: &DatabaseTransaction,
) -> Result<bool, DbErr> {
    let mut message = Message::default();
    for piece in pieces {
        if message.is_in_the_way(&piece) && !std::mem::take(&mut message).send(transaction).await? {
            return Ok(false);
        }
        message.add(piece)?;
    }
    message.send(transaction).await
}

/// A statement of several parts.
#[derive(Default)]
struct Message {
    parts: String,
    values: Vec<Value>,
    /// The tables that are written, and whether that is an update.
    tables: Vec<(String, bool)>,
    /// The parts that must write as many rows as they have.
    exact: Vec<usize>,
    expected: usize,
}

impl Message {
    /// Of two updates of one row in one statement one is lost; and what need not match may be about a new row.
    fn is_in_the_way(&self, piece: &Piece) -> bool {
        let (table, updates) = written(&piece.sql);
        let mut same = self.tables.iter().filter(|(own, _)| own == table);
        same.any(|(_, own)| (updates && *own) || !piece.must_match)
    }

    fn add(&mut self, piece: Piece) -> Result<(), DbErr> {
        let (number, count) = (self.tables.len(), piece.rows.len());
        let (table, updates) = written(&piece.sql);
        let publishes = !updates && table == "outbox";
        self.tables.push((table.to_owned(), updates));
        let (mut arrays, mut names) = (String::new(), String::new());
        for (column, array) in arrays_of(piece.rows)?.into_iter().enumerate() {
            self.values.push(array.literal.into());
            let comma = if column == 0 { "" } else { ", " };
            // Writing to a string does not fail.
            let _ = write!(arrays, "{comma}${}::text::{}[]", self.values.len(), array.kind);
            let _ = write!(names, "{comma}column{}", column + 1);
        }
        let sql = piece.sql.replace("{values}", &format!("UNNEST({arrays}) AS v ({names})"));
        let comma = if number == 0 { "WITH" } else { "," };
        let (name, returning) =
            if publishes { ("published".to_owned(), "position, id") } else { (format!("w{number}"), "1") };
        let sql = sql.replace("{published}", "published");
        let _ = write!(self.parts, "{comma} {name} AS ({sql} RETURNING {returning})");
        if piece.must_match && !publishes {
            self.exact.push(number);
            self.expected += count;
        }
        Ok(())
    }

    async fn send(self, transaction: &DatabaseTransaction) -> Result<bool, DbErr> {
        if self.tables.is_empty() {
            return Ok(true);
        }
        let expected = self.expected;
        let row = transaction.query_one_raw(self.text()).await?;
        let written = row.map_or(Ok(0), |row| row.try_get::<i64>("", "written"))?;
        Ok(usize::try_from(written) == Ok(expected))
    }

    fn text(self) -> Statement {
        let counts = self.exact.iter().map(|number| format!("(SELECT count(*) FROM w{number})"));
        let sum = std::iter::once("0::bigint".to_owned()).chain(counts).collect::<Vec<_>>().join(" + ");
        let sql = format!("{} SELECT {sum} AS written", self.parts);
        statement(DatabaseBackend::Postgres, &sql, self.values)
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
    message.text()
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
