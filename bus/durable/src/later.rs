//! What waits for the end of a group, so that all its units share few statements: inserts, conditional updates, sums,
//! numbers, events and marks.

use crate::{
    batch::{self, Piece},
    inbox,
    outbox::{self, OutboxRow},
    session::Transaction,
};
use bus::Timestamp;
use sea_orm::{ActiveModelTrait, ActiveValue, DbErr, EntityName, EntityTrait, IdenStatic, Iterable, Value};
use std::{
    collections::BTreeMap,
    fmt::Write as _,
    sync::{Mutex, PoisonError},
};

/// A conditional `UPDATE` of many rows at once, one row of values for each.
#[derive(Debug)]
pub struct Update {
    /// `UPDATE t SET a = v.column2 FROM {values} WHERE t.id = v.column1 AND …`, where `{values}` becomes a table `v` of the
    /// rows. Each of them may change one row at most. A guard on a column with an index of its own is written
    /// `t.state IS NOT DISTINCT FROM 'new'`: with `=`, PostgreSQL finds the rows by that index while the table is small,
    /// keeps the plan, and reads past every row that has ever been new.
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

/// The last numbers that a group has taken.
pub(crate) type LastNumbers = BTreeMap<&'static Counter, i64>;

/// The numbers that a group has taken: the first from the table, or after the one that was the last when this process
/// took one, and the others counted on from it.
#[derive(Default)]
pub(crate) struct Numbers {
    remembered: LastNumbers,
    taken: Mutex<BTreeMap<&'static Counter, Taken>>,
}

#[derive(Clone, Copy)]
struct Taken {
    last: i64,
    /// What the table must still say, where it was not asked.
    remembered: Option<i64>,
    unwritten: i64,
}

impl Numbers {
    /// Numbers that go on from these, if the table still says so when they are written.
    pub(crate) fn after(remembered: LastNumbers) -> Self {
        Self { remembered, taken: Mutex::default() }
    }

    /// The next number, where the table need not be asked.
    pub(crate) fn next(&self, counter: &'static Counter) -> Option<i64> {
        let mut all = self.lock();
        if let Some(&last) = self.remembered.get(counter) {
            all.entry(counter).or_insert(Taken { last, remembered: Some(last), unwritten: 0 });
        }
        let taken = all.get_mut(counter)?;
        (taken.last, taken.unwritten) = (taken.last + 1, taken.unwritten + 1);
        Some(taken.last)
    }

    /// The series' first number in this group, and its statement.
    pub(crate) fn begin(counter: &Counter) -> (String, [Value; 2]) {
        (counter.sql(), [1_i64.into(), counter.name.into()])
    }

    pub(crate) fn begun(&self, counter: &'static Counter, last: i64) {
        self.lock().insert(counter, Taken { last, remembered: None, unwritten: 0 });
    }

    /// The last numbers that are known, once what was taken is committed.
    pub(crate) fn last(self) -> LastNumbers {
        let taken = self.taken.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut last = self.remembered;
        last.extend(taken.into_iter().map(|(counter, taken)| (counter, taken.last)));
        last
    }

    /// What is to be written of the numbers that were counted on.
    fn pieces(&self) -> Vec<Piece> {
        let taken = self.lock();
        let unwritten = taken.iter().filter(|(_, taken)| taken.unwritten > 0);
        let piece = |(counter, taken): (&&'static Counter, &Taken)| {
            let table = counter.table;
            let mut sql = format!(
                "UPDATE {table} SET value = {table}.value + v.column2 FROM {{values}} WHERE {table}.name = v.column1"
            );
            let mut row = vec![counter.name.into(), taken.unwritten.into()];
            if let Some(remembered) = taken.remembered {
                // Writing to a string does not fail.
                let _ = write!(sql, " AND {table}.value = v.column3");
                row.push(remembered.into());
            }
            Piece { sql: sql.into(), rows: vec![row], must_match: true }
        };
        unwritten.map(piece).collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<&'static Counter, Taken>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
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
    inserts: Vec<Inserts>,
    updates: Vec<(&'static Update, Vec<Vec<Value>>)>,
    /// By key, so that every process touches the rows in one order.
    sums: Vec<(&'static Update, BTreeMap<String, Vec<i64>>)>,
    /// What need not match and is no update.
    pub(crate) others: Vec<Piece>,
}

/// New rows of one table, all with the same columns.
struct Inserts {
    table: &'static str,
    columns: Vec<&'static str>,
    rows: Vec<Vec<Value>>,
}

impl Later {
    pub(crate) fn insert<A: ActiveModelTrait>(&mut self, mut row: A) {
        let (mut columns, mut values) = (Vec::new(), Vec::new());
        for column in <A::Entity as EntityTrait>::Column::iter() {
            if let ActiveValue::Set(value) | ActiveValue::Unchanged(value) = row.take(column) {
                columns.push(column.as_str());
                values.push(value);
            }
        }
        let table = A::Entity::default().table_name();
        self.append_inserts(Inserts { table, columns, rows: vec![values] });
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
        self.others.extend(other.others);
        for inserts in other.inserts {
            self.append_inserts(inserts);
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

    fn append_inserts(&mut self, other: Inserts) {
        let own =
            self.inserts.iter_mut().find(|own| own.table == other.table && own.columns == other.columns);
        match own {
            Some(own) => own.rows.extend(other.rows),
            None => self.inserts.push(other),
        }
    }

    /// Writes all of it; `false` where a row was not as its unit took it to be.
    pub(crate) async fn flush(self, numbers: &Numbers, transaction: &Transaction) -> Result<bool, DbErr> {
        let mut pieces = numbers.pieces();
        pieces.extend(self.inserts.into_iter().map(Inserts::piece));
        pieces.extend(self.updates.into_iter().map(|(update, rows)| update.piece(rows)));
        pieces.extend(self.sums.into_iter().map(|(update, sums)| {
            let row = |(key, amounts): (String, Vec<i64>)| {
                std::iter::once(Value::from(key)).chain(amounts.into_iter().map(Value::from)).collect()
            };
            update.piece(sums.into_iter().map(row).collect())
        }));
        pieces.extend(outbox::pieces(&self.outbox));
        pieces.push(inbox::handled(&self.handled));
        pieces.extend(self.others);
        batch::write(pieces, transaction).await
    }
}

impl Inserts {
    fn piece(self) -> Piece {
        let columns: Vec<String> = self.columns.iter().map(|column| format!("\"{column}\"")).collect();
        let sql = format!("INSERT INTO {} ({}) SELECT * FROM {{values}}", self.table, columns.join(", "));
        Piece { sql: sql.into(), rows: self.rows, must_match: true }
    }
}

impl Update {
    fn piece(&self, rows: Vec<Vec<Value>>) -> Piece {
        Piece { sql: self.sql.into(), rows, must_match: self.must_match }
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
