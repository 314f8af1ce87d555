//! Group commit: what queued up while the last commit ran shares the next one.
//!
//! The units of a group run one after the other in one transaction and are answered after its one commit. If
//! one of them has to be undone, the transaction is rolled back and the group runs once more with a savepoint
//! around each unit, so that it does not take its neighbours down; savepoints cost two statements a unit, and
//! most groups need none. The transaction lives in the writer's own task: nobody can cancel it half-way (a
//! dropped `begin()` poisons a pooled PostgreSQL connection in sqlx 0.9.0).

use crate::{
    Catalogue, Database, Tx,
    bell::Bell,
    outbox,
    query::statement,
    retry::RetryPolicy,
    unit::{Later, Ran, Trouble, Unit, Work, panic_text},
};
use bus::{BusError, Context, Incident, Sources};
use futures::{FutureExt, future::BoxFuture};
use sea_orm::{
    ConnectionTrait, DatabaseBackend, DatabaseConnection, DatabaseTransaction, DbErr, SqliteTransactionMode,
    TransactionOptions, TransactionTrait,
};
use std::{collections::BTreeSet, panic::AssertUnwindSafe, sync::Arc, time::Duration};
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};

/// How many units wait for the writer at most.
const QUEUE: usize = 4096;

/// How long a group is tried at most: whoever waits would rather know.
const PATIENCE: Duration = Duration::from_secs(5);

type BoxedWork = Box<dyn Work>;

enum Order {
    Work(BoxedWork),
    Drain(oneshot::Sender<()>),
}

/// The queue to a module's one writer.
pub(crate) struct Writer {
    queue: mpsc::Sender<Order>,
    published: Arc<Bell>,
}

impl Database {
    /// Carries `body` out in the module's next group commit, and answers when that is durable. `body` runs to
    /// its end whether or not anybody waits; it may run more than once, and must call nothing outside of
    /// `tx`: the whole module waits for it.
    ///
    /// # Errors
    /// What `body` refused with, nothing of it written; a [`BusError`] where the database failed or the
    /// commit's answer was lost (then nothing is known of what is written).
    pub async fn write<S, T, E, F>(&self, state: S, body: F) -> Result<T, E>
    where
        S: Send + Sync + 'static,
        T: Send + 'static,
        E: From<BusError> + Send + 'static,
        F: for<'a> Fn(&'a S, &'a Tx<'a>) -> BoxFuture<'a, Result<T, E>> + Send + Sync + 'static,
    {
        self.write_locking(Vec::new(), state, body).await
    }

    /// As [`Database::write`], for work that several processes may do to the same rows: the keys are locked
    /// first, in one order for all of a group (advisory locks on PostgreSQL; SQLite has one writer anyway).
    ///
    /// # Errors
    /// As [`Database::write`].
    pub async fn write_locking<S, T, E, F>(&self, locks: Vec<String>, state: S, body: F) -> Result<T, E>
    where
        S: Send + Sync + 'static,
        T: Send + 'static,
        E: From<BusError> + Send + 'static,
        F: for<'a> Fn(&'a S, &'a Tx<'a>) -> BoxFuture<'a, Result<T, E>> + Send + Sync + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let unit = Unit { state, body, locks, context: Context::current(), outcome: None, answer };
        self.writer().submit(self.module(), Box::new(unit)).map_err(E::from)?;
        match answered.await {
            Ok(outcome) => outcome,
            Err(_) => Err(BusError::failed(&"the writer went away").into()),
        }
    }
}

impl Writer {
    pub(crate) fn start(
        connection: DatabaseConnection,
        module: &'static str,
        batch: usize,
        catalogue: Arc<Catalogue>,
        sources: Sources,
        file: Option<Arc<std::fs::File>>,
    ) -> Self {
        let (queue, orders) = mpsc::channel(QUEUE);
        let published = Arc::new(Bell::default());
        let (batch, published_here) = (batch.max(1), Arc::clone(&published));
        let task =
            Task { connection, module, batch, catalogue, sources, published: published_here, _file: file };
        drop(bus::spawn(task.run(orders)));
        Self { queue, published }
    }

    /// Told after each commit that published something.
    pub(crate) fn published(&self) -> &Arc<Bell> {
        &self.published
    }

    fn submit(&self, module: &str, work: BoxedWork) -> Result<(), BusError> {
        self.queue.try_send(Order::Work(work)).map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(_) => {
                BusError::Overloaded { port: module.into(), retry_after_ms: 1000 }
            }
            mpsc::error::TrySendError::Closed(_) => BusError::Unavailable { port: module.into() },
        })
    }

    pub(crate) async fn drain(&self) {
        let (done, drained) = oneshot::channel();
        if self.queue.send(Order::Drain(done)).await.is_ok() {
            drop(drained.await);
        }
    }
}

struct Task {
    connection: DatabaseConnection,
    module: &'static str,
    batch: usize,
    catalogue: Arc<Catalogue>,
    sources: Sources,
    published: Arc<Bell>,
    /// The lock on the database file, for as long as anything may be written to it.
    _file: Option<Arc<std::fs::File>>,
}

impl Task {
    async fn run(self, mut orders: mpsc::Receiver<Order>) {
        while let Some(order) = orders.recv().await {
            let mut group = Vec::new();
            let mut drained = Vec::new();
            let mut next = Some(order);
            while let Some(order) = next.take() {
                match order {
                    Order::Work(work) => group.push(work),
                    Order::Drain(done) => drained.push(done),
                }
                if group.len() < self.batch {
                    next = orders.try_recv().ok();
                }
            }
            if !group.is_empty() {
                metrics::histogram!("unit_of_work_group_size", "module" => self.module)
                    .record(u32::try_from(group.len()).unwrap_or(u32::MAX));
                // The writer outlives whatever its rows do to it: only this group goes without an answer.
                if let Err(panic) = AssertUnwindSafe(self.commit_group(group)).catch_unwind().await {
                    Incident::log(&format_args!(
                        "{}'s writer panicked: {}",
                        self.module,
                        panic_text(&*panic)
                    ));
                }
            }
            for done in drained {
                // Whoever asked may have gone.
                let _ = done.send(());
            }
        }
    }

    async fn commit_group(&self, mut group: Vec<BoxedWork>) {
        let patience =
            RetryPolicy { max_attempts: 6, base: Duration::from_millis(10), ..RetryPolicy::default() };
        let mut careful = false;
        let mut attempt = 0;
        let started = Instant::now();
        loop {
            attempt += 1;
            let tried = self.try_group(&mut group, careful).await;
            match tried {
                Tried::Committed { published } => {
                    if published {
                        self.published.ring();
                    }
                    return settle(group, None);
                }
                // One unit has to be undone: once more, each unit behind a savepoint.
                Tried::Spoiled if !careful => careful = true,
                Tried::Spoiled => {
                    return settle(group, Some(BusError::failed(&"a group could not be saved")));
                }
                Tried::Again(error) if attempt < patience.max_attempts && started.elapsed() < PATIENCE => {
                    metrics::counter!("unit_of_work_retries_total", "module" => self.module).increment(1);
                    tracing::debug!(module = self.module, %error, attempt, "a group runs again");
                    tokio::time::sleep(patience.pause(attempt, rand::random())).await;
                }
                Tried::Again(error) | Tried::Failed(error) => {
                    return settle(group, Some(Trouble::of(&error).answer(self.module, &error)));
                }
            }
        }
    }

    async fn try_group(&self, group: &mut [BoxedWork], careful: bool) -> Tried {
        let transaction = match begin(&self.connection).await {
            Ok(transaction) => transaction,
            // Nothing has been done yet, so a lost connection costs only another try.
            Err(error) => return Tried::Again(error),
        };
        match self.run_group(&transaction, group, careful).await {
            Ok(Some(published)) => {
                match transaction.commit().await {
                    Ok(()) => Tried::Committed { published },
                    Err(error) if Trouble::of(&error) == Trouble::Contention => Tried::Again(error),
                    // Lost on its way to the commit, it may have arrived: unknown, so not tried again.
                    Err(error) => Tried::Failed(error),
                }
            }
            Ok(None) => {
                drop(transaction.rollback().await);
                Tried::Spoiled
            }
            Err(error) => {
                drop(transaction.rollback().await);
                if Trouble::of(&error).clears() { Tried::Again(error) } else { Tried::Failed(error) }
            }
        }
    }

    /// Runs the units; whether anything was published, or `None` where one has to be undone.
    async fn run_group(
        &self,
        transaction: &DatabaseTransaction,
        group: &mut [BoxedWork],
        careful: bool,
    ) -> Result<Option<bool>, DbErr> {
        let locks = group.iter().flat_map(|work| work.locks()).cloned().collect();
        self.lock(transaction, locks).await?;
        let mut later = Later::default();
        let mut published = false;
        for work in group.iter_mut() {
            if careful {
                transaction.execute_unprepared("SAVEPOINT unit").await?;
            }
            let tx = Tx::new(transaction, self.module, &self.catalogue, &self.sources);
            let ran = work.run(&tx).await;
            if let Some(error) = tx.failure().filter(concerns_all) {
                return Err(error);
            }
            let mut own = tx.take_later();
            if !careful {
                match ran {
                    Ran::Well => later.append(own),
                    Ran::RefusedClean => {}
                    Ran::MustUndo => return Ok(None),
                }
                continue;
            }
            // Behind its savepoint each unit writes its own rows: one that does not fit is undone alone.
            let fits = ran != Ran::MustUndo
                && (ran == Ran::RefusedClean || {
                    let publishes = !own.outbox.is_empty();
                    let fits = match flush(&mut own, transaction).await {
                        Err(error) if concerns_all(&error) => return Err(error),
                        flushed => flushed.unwrap_or_else(|error| {
                            work.fail(BusError::failed(&error));
                            true
                        }),
                    };
                    published |= publishes && fits;
                    if !fits {
                        work.fail(BusError::failed(&"the message was handled by somebody else"));
                    }
                    fits && !work.failed()
                });
            if !fits {
                transaction.execute_unprepared("ROLLBACK TO SAVEPOINT unit").await?;
            }
            transaction.execute_unprepared("RELEASE SAVEPOINT unit").await?;
        }
        published |= !later.outbox.is_empty();
        match flush(&mut later, transaction).await {
            Ok(fits) => Ok(fits.then_some(published)),
            Err(error) if concerns_all(&error) || careful => Err(error),
            // A row of one unit stands in the way: find out whose, behind savepoints.
            Err(_) => Ok(None),
        }
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

/// Begins a transaction that may write from its first statement on.
pub(crate) async fn begin(connection: &DatabaseConnection) -> Result<DatabaseTransaction, DbErr> {
    let sqlite_transaction_mode = Some(SqliteTransactionMode::Immediate);
    let options = match connection.get_database_backend() {
        DatabaseBackend::Sqlite => TransactionOptions { sqlite_transaction_mode, ..Default::default() },
        _ => TransactionOptions::default(),
    };
    connection.begin_with_options(options).await
}

/// Whether the whole group met with this, and no unit is to blame: on a full disk, SQLite has rolled back more
/// than the savepoint.
fn concerns_all(error: &DbErr) -> bool {
    Trouble::of(error) != Trouble::Other
}

enum Tried {
    Committed { published: bool },
    Spoiled,
    Again(DbErr),
    Failed(DbErr),
}

fn settle(group: Vec<BoxedWork>, failure: Option<BusError>) {
    for work in group {
        work.settle(failure.clone());
    }
}

/// Writes the rows that waited for the end of the group; `false` where a handled mark did not fit, because
/// somebody else had handled the message.
async fn flush(later: &mut Later, transaction: &DatabaseTransaction) -> Result<bool, DbErr> {
    later.flush_inserts(transaction).await?;
    outbox::flush(later, transaction).await?;
    crate::inbox::flush_handled(&std::mem::take(&mut later.handled), transaction).await
}
