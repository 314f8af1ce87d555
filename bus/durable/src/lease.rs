//! Leases: of the processes that share a database, one at a time delivers and handles its messages.
//!
//! One owner for a module's dispatch, instead of a lease on each row, keeps the order per key trivially:
//! everything is sent and handled by one process in the order of the rows. The others write rows only. A
//! paused owner that wakes up late does no harm: the effect of a message and its mark are one transaction,
//! and the mark fits only once.

use crate::Database;
use bus::BusError;
use std::time::Duration;
use uuid::Uuid;

/// One process's claim on a named duty.
#[derive(Debug, Clone)]
pub struct Lease {
    database: Database,
    name: &'static str,
    owner: Uuid,
    length: Duration,
}

impl Lease {
    /// A claim that holds `length` at a time. SQLite files belong to one process, so there a lease that a
    /// dead process left behind is taken over at once.
    #[must_use]
    pub fn new(database: Database, name: &'static str, length: Duration) -> Self {
        let owner = database.sources().id();
        Self { database, name, owner, length }
    }

    /// How long a lease holds.
    #[must_use]
    pub fn length(&self) -> Duration {
        self.length
    }

    /// Takes the lease or renews it; `false` where somebody else holds it.
    ///
    /// # Errors
    /// What the database said.
    pub async fn take(&self) -> Result<bool, BusError> {
        let steal = i64::from(self.database.backend() == sea_orm::DatabaseBackend::Sqlite);
        let state = (self.name, self.owner, self.length, steal);
        self.database
            .write(state, |&(name, owner, length, steal), tx| {
                Box::pin(async move {
                    let now = tx.now();
                    let sql = "INSERT INTO lease (name, owner, until) VALUES ($1, $2, $3) \
                               ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, until = excluded.until \
                               WHERE lease.owner = excluded.owner OR lease.until < $4 OR lease.until > $5 OR $6 = 1";
                    let until = now.after(length).micros();
                    // So far ahead it was taken by a clock that was wrong, and would hold for as long as that.
                    let absurd = now.after(length * 10).micros();
                    let values = [
                        name.into(),
                        owner.into(),
                        until.into(),
                        now.micros().into(),
                        absurd.into(),
                        steal.into(),
                    ];
                    Ok::<_, BusError>(tx.execute(sql, values).await? == 1)
                })
            })
            .await
    }

    /// Gives the lease up, so that another process need not wait for its end.
    ///
    /// # Errors
    /// What the database said.
    pub async fn release(&self) -> Result<(), BusError> {
        self.database
            .write((self.name, self.owner), |&(name, owner), tx| {
                Box::pin(async move {
                    let sql = "DELETE FROM lease WHERE name = $1 AND owner = $2";
                    tx.execute(sql, [name.into(), owner.into()]).await.map(|_| ())
                })
            })
            .await
    }
}
