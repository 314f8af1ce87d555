//! Reading, inside and outside of a unit of work; and SQL texts that stay few.

use async_trait::async_trait;
use bus::BusError;
use bus_durable::{Reader, Row, Tx};
use sea_orm::Value;

/// What can be read from: what is committed, or a unit of work's own view.
#[async_trait]
pub(crate) trait Read: Sync {
    /// The rows of a select.
    async fn select(&self, sql: &str, values: Vec<Value>) -> Result<Vec<Row>, BusError>;
}

#[async_trait]
impl Read for Reader {
    async fn select(&self, sql: &str, values: Vec<Value>) -> Result<Vec<Row>, BusError> {
        self.rows(sql, values).await
    }
}

#[async_trait]
impl Read for Tx<'_> {
    async fn select(&self, sql: &str, values: Vec<Value>) -> Result<Vec<Row>, BusError> {
        self.rows(sql, values).await
    }
}

/// An SQL text that grows together with its values.
#[derive(Default)]
pub(crate) struct Values(Vec<Value>);

impl Values {
    /// Adds a value; how the text names it.
    pub(crate) fn bind(&mut self, value: impl Into<Value>) -> String {
        self.0.push(value.into());
        format!("${}", self.0.len())
    }

    /// Adds values for `IN (…)`, padded by repeating the last: every length would be a prepared statement
    /// of its own, so the lengths are powers of two.
    pub(crate) fn list<T: Into<Value> + Clone>(&mut self, values: &[T]) -> String {
        let Some(last) = values.last() else { return "NULL".into() };
        let padding = values.len().next_power_of_two() - values.len();
        let padded = values.iter().chain(std::iter::repeat_n(last, padding));
        padded.map(|value| self.bind(value.clone())).collect::<Vec<_>>().join(", ")
    }

    pub(crate) fn into_vec(self) -> Vec<Value> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_come_in_few_lengths() {
        let mut values = Values::default();
        assert_eq!(values.bind(7_i64), "$1");
        assert_eq!(values.list(&["a", "b", "c"]), "$2, $3, $4, $5");
        assert_eq!(values.into_vec()[4], Value::from("c"));
        assert_eq!(Values::default().list::<&str>(&[]), "NULL");
    }
}
