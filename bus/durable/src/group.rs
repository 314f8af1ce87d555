//! A group's units in their transaction, before its commit.

use crate::{
    Tx,
    later::{LastNumbers, Later, Numbers},
    session::Transaction,
    unit::{Ran, Trouble},
    writer::{BoxedWork, Task},
};
use bus::BusError;
use sea_orm::{ConnectionTrait, DbErr};
use std::sync::atomic::Ordering;

/// How a group's units went, before the commit.
#[derive(PartialEq, Eq)]
pub(crate) enum Grouped {
    Done { published: bool, numbers: LastNumbers },
    Undone,
    Misfit,
}

impl Task {
    /// Runs the units, and writes what they left to the end.
    pub(crate) async fn run_group(
        &self,
        transaction: &Transaction,
        group: &mut [BoxedWork],
        careful: bool,
    ) -> Result<Grouped, DbErr> {
        let optimistic = !careful && !self.is_exact();
        // Should the group fail, nobody knows what the table says.
        let remembered = std::mem::take(&mut *self.last_numbers());
        let mut numbers = if optimistic { Numbers::after(remembered) } else { Numbers::default() };
        let mut later = Later::default();
        let mut published = false;
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
                    let fits = match own.flush(&std::mem::take(&mut numbers), transaction).await {
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
        match later.flush(&numbers, transaction).await {
            Ok(true) => Ok(Grouped::Done { published, numbers: numbers.last() }),
            Err(error) if concerns_all(&error) || careful => Err(error),
            // A row of one unit stands in the way, or is not as it took it to be: find out whose, behind savepoints.
            Ok(false) | Err(_) => Ok(Grouped::Misfit),
        }
    }

    /// Whether this group looks before it writes; counts it.
    fn is_exact(&self) -> bool {
        self.exact.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
    }
}

/// Whether the whole group met with this, and no unit is to blame: on a full disk, SQLite has rolled back more
/// than the savepoint.
fn concerns_all(error: &DbErr) -> bool {
    Trouble::of(error) != Trouble::Other
}
