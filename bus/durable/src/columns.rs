//! Rows of values as PostgreSQL has them in one statement: an array for each column. In binary, since PostgreSQL reads
//! the text of an array letter by letter.

use sea_orm::{DbErr, Value};
use sqlx::{Arguments as _, Encode, Postgres, Type, postgres::PgArguments};
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

    /// Adds them to the values of a statement; their number.
    pub(crate) fn bind(self, arguments: &mut PgArguments) -> Result<usize, DbErr> {
        match self {
            Self::Bool(all) => bind(all, arguments),
            Self::Int(all) => bind(all, arguments),
            Self::BigInt(all) => bind(all, arguments),
            Self::Text(all) => bind(all, arguments),
            Self::Bytes(all) => bind(all, arguments),
            Self::Uuid(all) => bind(all, arguments),
        }
    }
}

/// Adds a value to those of a statement; its number.
pub(crate) fn bind<T>(value: T, arguments: &mut PgArguments) -> Result<usize, DbErr>
where
    T: for<'q> Encode<'q, Postgres> + Type<Postgres>,
{
    arguments.add(value).map_err(|error| DbErr::Type(error.to_string()))?;
    Ok(arguments.len())
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

    /// Whatever a value is, what is read is what was written.
    #[tokio::test]
    #[ignore = "needs PostgreSQL"]
    async fn every_kind_of_value_comes_through() {
        use sqlx::{AssertSqlSafe, Connection as _, Row as _};
        let (url, _keep) = bus_testkit::postgres::fresh_postgres("columns").await;
        let mut connection = sqlx::PgConnection::connect(&url).await.expect("connects");
        let texts = ["", "NULL", r#"a "b" \c,{}"#, "it's\n$1 zażółć 🦀"];
        let row = |number: usize, text: Option<&str>| {
            let bytes = text.map(|text| [text.as_bytes(), &[0, 0xff]].concat());
            let is = text.map(|_| number.is_multiple_of(2));
            let (int, id) = (text.map(|_| i32::MIN), text.map(|_| Uuid::from_u128(number as u128)));
            vec![
                Value::from(is),
                int.into(),
                int.map(|_| i64::MAX).into(),
                text.map(str::to_owned).into(),
                bytes.into(),
                id.into(),
            ]
        };
        let texts = [None].into_iter().chain(texts.map(Some)).chain([None]);
        let rows: Vec<Vec<Value>> = texts.enumerate().map(|(number, text)| row(number, text)).collect();
        let (mut arguments, mut arrays) = (PgArguments::default(), Vec::new());
        for column in columns(rows.clone()).expect("columns") {
            let kind = column.kind();
            arrays.push(format!("${}::{kind}[]", column.bind(&mut arguments).expect("bound")));
        }
        let sql = format!("SELECT * FROM UNNEST({})", arrays.join(", "));
        let read = sqlx::query_with(AssertSqlSafe(sql), arguments).fetch_all(&mut connection).await;
        let values = |row: &sqlx::postgres::PgRow| {
            vec![
                Value::from(row.get::<Option<bool>, _>(0)),
                row.get::<Option<i32>, _>(1).into(),
                row.get::<Option<i64>, _>(2).into(),
                row.get::<Option<String>, _>(3).into(),
                row.get::<Option<Vec<u8>>, _>(4).into(),
                row.get::<Option<Uuid>, _>(5).into(),
            ]
        };
        assert_eq!(read.expect("read").iter().map(values).collect::<Vec<_>>(), rows);
    }

    #[test]
    fn what_no_column_holds_is_refused() {
        let mixed = vec![vec![Value::from(1_i64)], vec![Value::from(1_i32)]];
        for rows in [mixed, vec![vec![Value::from(1.5)]]] {
            assert!(matches!(columns(rows), Err(DbErr::Type(_))));
        }
    }
}
