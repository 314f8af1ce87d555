//! What waits for the end of a group, so that all its units share few statements: inserts, conditional updates, sums,
//! numbers, events and marks.

use crate::{
    outbox::{self, OutboxRow, tuples},
    query::statement,
};
use async_trait::async_trait;
use bus::Timestamp;
use sea_orm::{ActiveModelTrait, ConnectionTrait, DatabaseTransaction, DbErr, Insert, QueryTrait, Value};
use std::{
    any::{Any, TypeId},
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

/// A conditional `UPDATE` of many rows at once, one row of values for each.
#[derive(Debug)]
pub struct Update {
    /// `UPDATE t SET a = v.column2 FROM {values} WHERE t.id = v.column1 AND …`, where `{values}` becomes
    /// `(VALUES ($1, $2), …) AS v`.
    pub sql: &'static str,
    /// Whether each row of values must change one row of the table. Where one does not, the group is undone and runs
    /// again, each unit by itself; the unit whose row it was then fails.
    pub must_match: bool,
}

/// A gap-free series of numbers: the column `value` of a row of the module's own.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Counter {
    /// The table.
    pub table: &'static str,
    /// The value of its column `name`.
    pub name: &'static str,
}

impl Counter {
    fn sql(&self) -> String {
        format!("UPDATE {} SET value = value + $1 WHERE name = $2 RETURNING value", self.table)
    }
}

/// The numbers that a group has taken: the first from the table, the others counted on from it.
#[derive(Default)]
pub(crate) struct Numbers(Mutex<BTreeMap<&'static Counter, Taken>>);

#[derive(Clone, Copy)]
struct Taken {
    last: i64,
    unwritten: i64,
}

impl Numbers {
    /// The next number, where the series was begun in this group.
    pub(crate) fn next(&self, counter: &'static Counter) -> Option<i64> {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = taken.get_mut(counter)?;
        (taken.last, taken.unwritten) = (taken.last + 1, taken.unwritten + 1);
        Some(taken.last)
    }

    /// The series' first number in this group, and its statement.
    pub(crate) fn begin(counter: &Counter) -> (String, [Value; 2]) {
        (counter.sql(), [1_i64.into(), counter.name.into()])
    }

    pub(crate) fn begun(&self, counter: &'static Counter, last: i64) {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        taken.insert(counter, Taken { last, unwritten: 0 });
    }

    pub(crate) async fn flush(self, transaction: &DatabaseTransaction) -> Result<(), DbErr> {
        let backend = transaction.get_database_backend();
        for (counter, taken) in self.0.into_inner().unwrap_or_else(PoisonError::into_inner) {
            if taken.unwritten > 0 {
                let values = [taken.unwritten.into(), counter.name.into()];
                transaction.execute_raw(statement(backend, &counter.sql(), values)).await?;
            }
        }
        Ok(())
    }
}

/// A received message that was handled, and when.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark {
    pub(crate) position: i64,
    pub(crate) at: Timestamp,
}

/// What a group writes together, after its units have run.
#[derive(Default)]
pub(crate) struct Later {
    pub(crate) outbox: Vec<OutboxRow>,
    pub(crate) handled: Vec<Mark>,
    /// In the order in which the tables were first written: a parent before its children.
    inserts: Vec<(TypeId, Box<dyn Rows>)>,
    updates: Vec<(&'static Update, Vec<Vec<Value>>)>,
    /// By key, so that every process touches the rows in one order.
    sums: Vec<(&'static Update, BTreeMap<String, Vec<i64>>)>,
}

impl Later {
    pub(crate) fn insert<A: ActiveModelTrait + Send + Sync + 'static>(&mut self, row: A) {
        self.append_rows(TypeId::of::<A>(), Box::new(vec![row]));
    }

    pub(crate) fn update(&mut self, update: &'static Update, rows: Vec<Vec<Value>>) {
        match self.updates.iter_mut().find(|(own, _)| std::ptr::eq(*own, update)) {
            Some((_, own)) => own.extend(rows),
            None => self.updates.push((update, rows)),
        }
    }

    pub(crate) fn add(&mut self, update: &'static Update, key: String, amounts: &[i64]) {
        let own = match self.sums.iter().position(|(own, _)| std::ptr::eq(*own, update)) {
            Some(own) => own,
            None => {
                self.sums.push((update, BTreeMap::new()));
                self.sums.len() - 1
            }
        };
        let sums = self.sums[own].1.entry(key).or_insert_with(|| vec![0; amounts.len()]);
        for (sum, amount) in sums.iter_mut().zip(amounts) {
            *sum = sum.saturating_add(*amount);
        }
    }

    pub(crate) fn append(&mut self, other: Self) {
        self.outbox.extend(other.outbox);
        self.handled.extend(other.handled);
        for (table, rows) in other.inserts {
            self.append_rows(table, rows);
        }
        for (update, rows) in other.updates {
            self.update(update, rows);
        }
        for (update, sums) in other.sums {
            for (key, amounts) in sums {
                self.add(update, key, &amounts);
            }
        }
    }

    fn append_rows(&mut self, table: TypeId, rows: Box<dyn Rows>) {
        match self.inserts.iter_mut().find(|(own, _)| *own == table) {
            Some((_, own)) => own.append(rows),
            None => self.inserts.push((table, rows)),
        }
    }

    /// Writes all of it; `false` where a row was not as its unit took it to be.
    pub(crate) async fn flush(mut self, transaction: &DatabaseTransaction) -> Result<bool, DbErr> {
        for (_, rows) in std::mem::take(&mut self.inserts) {
            rows.flush(transaction).await?;
        }
        for (update, rows) in std::mem::take(&mut self.updates) {
            if !update.carry_out(rows, transaction).await? {
                return Ok(false);
            }
        }
        for (update, sums) in std::mem::take(&mut self.sums) {
            let row = |(key, amounts): (String, Vec<i64>)| {
                std::iter::once(Value::from(key)).chain(amounts.into_iter().map(Value::from)).collect()
            };
            if !update.carry_out(sums.into_iter().map(row).collect(), transaction).await? {
                return Ok(false);
            }
        }
        outbox::flush(std::mem::take(&mut self.outbox), transaction).await?;
        crate::inbox::flush_handled(&self.handled, transaction).await
    }
}

impl Update {
    /// Changes the rows, few statements for many; `false` where one that must match did not.
    async fn carry_out(
        &self,
        rows: Vec<Vec<Value>>,
        transaction: &DatabaseTransaction,
    ) -> Result<bool, DbErr> {
        let (columns, backend) = (rows.first().map_or(0, Vec::len), transaction.get_database_backend());
        let mut rest = rows.into_iter();
        for size in chunks(rest.len()) {
            let sql =
                self.sql.replace("{values}", &format!("(VALUES {}) AS v", tuples(backend, size, columns)));
            let values = rest.by_ref().take(size).flatten();
            let done = transaction.execute_raw(statement(backend, &sql, values)).await?;
            if self.must_match && done.rows_affected() != u64::try_from(size).unwrap_or(0) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Rows of one table.
#[async_trait]
trait Rows: Send + Sync {
    fn into_any(self: Box<Self>) -> Box<dyn Any>;
    fn append(&mut self, other: Box<dyn Rows>);
    async fn flush(self: Box<Self>, transaction: &DatabaseTransaction) -> Result<(), DbErr>;
}

#[async_trait]
impl<A: ActiveModelTrait + Send + Sync + 'static> Rows for Vec<A> {
    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }

    fn append(&mut self, other: Box<dyn Rows>) {
        if let Ok(mut other) = other.into_any().downcast::<Self>() {
            self.extend(other.drain(..));
        }
    }

    async fn flush(mut self: Box<Self>, transaction: &DatabaseTransaction) -> Result<(), DbErr> {
        let backend = transaction.get_database_backend();
        for size in chunks(self.len()) {
            let insert = Insert::many(self.drain(..size).collect::<Vec<_>>());
            transaction.execute_raw(insert.build(backend)).await?;
        }
        Ok(())
    }
}

/// Cuts `count` rows into few sizes, since every size is a prepared statement of its own.
pub(crate) fn chunks(mut count: usize) -> Vec<usize> {
    let mut sizes = Vec::new();
    for size in [64, 32, 16, 8, 4, 2, 1] {
        while count >= size {
            sizes.push(size);
            count -= size;
        }
    }
    sizes
}
