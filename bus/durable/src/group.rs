//! A group's units in their transaction, before its commit.

use crate::{
    Tx,
    later::{Later, Numbers},
    query::statement,
    unit::{Ran, Trouble},
    writer::{BoxedWork, Task},
};
use bus::BusError;
use sea_orm::{ConnectionTrait, DatabaseBackend, DatabaseTransaction, DbErr};
use std::{collections::BTreeSet, sync::atomic::Ordering};

/// How a group's units went, before the commit.
#[derive(PartialEq, Eq)]
pub(crate) enum Grouped {
    Done { published: bool },
    Undone,
    Misfit,
}

impl Task {
    /// Runs the units, and writes what they left to the end.
    pub(crate) async fn run_group(
        &self,
        transaction: &DatabaseTransaction,
        group: &mut [BoxedWork],
        careful: bool,
    ) -> Result<Grouped, DbErr> {
        let locks = group.iter().flat_map(|work| work.locks()).cloned().collect();
        self.lock(transaction, locks).await?;
        let (mut later, mut numbers) = (Later::default(), Numbers::default());
        let mut published = false;
        let optimistic = !careful && !self.is_exact();
        for work in group.iter_mut() {
            if careful {
                transaction.execute_unprepared("SAVEPOINT unit").await?;
            }
            let tx = Tx::new(transaction, self.module, &self.catalogue, &self.sources, &numbers, optimistic);
            let ran = work.run(&tx).await;
            if let Some(error) = tx.failure().filter(concerns_all) {
                return Err(error);
            }
            let own = tx.take_later();
            if !careful {
                match ran {
                    Ran::Well => later.append(own),
                    Ran::RefusedClean => {}
                    Ran::MustUndo => return Ok(Grouped::Undone),
                }
                continue;
            }
            // Behind its savepoint each unit writes its own rows: one that does not fit is undone alone.
            let fits = ran != Ran::MustUndo
                && (ran == Ran::RefusedClean || {
                    let publishes = !own.outbox.is_empty();
                    let fits = match flush(own, std::mem::take(&mut numbers), transaction).await {
                        Err(error) if concerns_all(&error) => return Err(error),
                        flushed => flushed.unwrap_or_else(|error| {
                            work.fail(BusError::failed(&error));
                            true
                        }),
                    };
                    published |= publishes && fits;
                    if !fits {
                        work.fail(BusError::failed(&"somebody else has changed what this was about"));
                    }
                    fits && !work.failed()
                });
            if !fits {
                // What it took is given back.
                numbers = Numbers::default();
                transaction.execute_unprepared("ROLLBACK TO SAVEPOINT unit").await?;
            }
            transaction.execute_unprepared("RELEASE SAVEPOINT unit").await?;
        }
        published |= !later.outbox.is_empty();
        match flush(later, numbers, transaction).await {
            Ok(true) => Ok(Grouped::Done { published }),
            Err(error) if concerns_all(&error) || careful => Err(error),
            // A row of one unit stands in the way, or is not as it took it to be: find out whose, behind savepoints.
            Ok(false) | Err(_) => Ok(Grouped::Misfit),
        }
    }

    /// Whether this group looks before it writes; counts it.
    fn is_exact(&self) -> bool {
        self.exact.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
    }

    async fn lock(&self, transaction: &DatabaseTransaction, keys: BTreeSet<String>) -> Result<(), DbErr> {
        if keys.is_empty() || transaction.get_database_backend() != DatabaseBackend::Postgres {
            return Ok(());
        }
        // Sorted by the lock's number, which is what two processes can compare.
        let sql = "SELECT pg_advisory_xact_lock(k) FROM (SELECT DISTINCT hashtextextended(value, 0) AS k \
                   FROM json_array_elements_text($1::json) ORDER BY k) AS keys";
        let keys = serde_json::to_string(&keys).unwrap_or_default();
        let locked = statement(DatabaseBackend::Postgres, sql, [keys.into()]);
        transaction.query_all_raw(locked).await.map(|_| ())
    }
}

/// Whether the whole group met with this, and no unit is to blame: on a full disk, SQLite has rolled back more
/// than the savepoint.
fn concerns_all(error: &DbErr) -> bool {
    Trouble::of(error) != Trouble::Other
}

/// Writes what waited for the end of the group; `false` where a row was not as its unit took it to be.
async fn flush(later: Later, numbers: Numbers, transaction: &DatabaseTransaction) -> Result<bool, DbErr> {
    later.flush(numbers, transaction).await
}
