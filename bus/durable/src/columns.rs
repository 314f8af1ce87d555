//! Rows of values as PostgreSQL has them in one statement: an array for each column. In binary, since PostgreSQL reads
//! the text of an array letter by letter, which took longer than to write the rows.

use sea_orm::{DbErr, Value};
use sqlx::{Arguments as _, postgres::PgArguments};
use uuid::Uuid;

/// One column's values.
pub(crate) enum Column {
    Bool(Vec<Option<bool>>),
    Int(Vec<Option<i32>>),
    BigInt(Vec<Option<i64>>),
    Text(Vec<Option<String>>),
    Bytes(Vec<Option<Vec<u8>>>),
    Uuid(Vec<Option<Uuid>>),
}

/// The columns of rows of the same kinds of values.
pub(crate) fn columns(rows: Vec<Vec<Value>>) -> Result<Vec<Column>, DbErr> {
    let mut columns = Vec::new();
    for row in rows {
        if columns.is_empty() {
            columns = row.iter().map(Column::of).collect::<Result<_, _>>()?;
        }
        for (column, value) in columns.iter_mut().zip(row) {
            column.push(value)?;
        }
    }
    Ok(columns)
}

impl Column {
    fn of(value: &Value) -> Result<Self, DbErr> {
        match value {
            Value::Bool(_) => Ok(Self::Bool(Vec::new())),
            Value::Int(_) => Ok(Self::Int(Vec::new())),
            Value::BigInt(_) => Ok(Self::BigInt(Vec::new())),
            Value::String(_) => Ok(Self::Text(Vec::new())),
            Value::Bytes(_) => Ok(Self::Bytes(Vec::new())),
            Value::Uuid(_) => Ok(Self::Uuid(Vec::new())),
            other => Err(misplaced(other)),
        }
    }

    fn push(&mut self, value: Value) -> Result<(), DbErr> {
        match (self, value) {
            (Self::Bool(all), Value::Bool(one)) => all.push(one),
            (Self::Int(all), Value::Int(one)) => all.push(one),
            (Self::BigInt(all), Value::BigInt(one)) => all.push(one),
            (Self::Text(all), Value::String(one)) => all.push(one),
            (Self::Bytes(all), Value::Bytes(one)) => all.push(one),
            (Self::Uuid(all), Value::Uuid(one)) => all.push(one),
            (_, other) => return Err(misplaced(&other)),
        }
        Ok(())
    }

    /// What PostgreSQL calls the kind of its values.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Bool(_) => "boolean",
            Self::Int(_) => "integer",
            Self::BigInt(_) => "bigint",
            Self::Text(_) => "text",
            Self::Bytes(_) => "bytea",
            Self::Uuid(_) => "uuid",
        }
    }

    pub(crate) fn bind(self, arguments: &mut PgArguments) -> Result<(), DbErr> {
        let bound = match self {
            Self::Bool(all) => arguments.add(all),
            Self::Int(all) => arguments.add(all),
            Self::BigInt(all) => arguments.add(all),
            Self::Text(all) => arguments.add(all),
            Self::Bytes(all) => arguments.add(all),
            Self::Uuid(all) => arguments.add(all),
        };
        bound.map_err(|error| DbErr::Type(error.to_string()))
    }
}

fn misplaced(value: &Value) -> DbErr {
    DbErr::Type(format!("{value:?} cannot be written with others"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_become_columns_of_one_kind() {
        let row = |text: Option<&str>, number: i64| vec![Value::from(text.map(str::to_owned)), number.into()];
        let columns = columns(vec![row(None, 1), row(Some("NULL"), 2)]).expect("columns");
        let [Column::Text(texts), Column::BigInt(numbers)] = &*columns else { panic!("other kinds") };
        assert_eq!(texts, &[None, Some("NULL".into())]);
        assert_eq!(numbers, &[Some(1), Some(2)]);
        assert_eq!(columns[0].kind(), "text");
    }

    #[test]
    fn what_no_column_holds_is_refused() {
        let mixed = vec![vec![Value::from(1_i64)], vec![Value::from(1_i32)]];
        for rows in [mixed, vec![vec![Value::from(1.5)]]] {
            assert!(matches!(columns(rows), Err(DbErr::Type(_))));
        }
    }
}
