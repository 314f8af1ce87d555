//! Group commit: what queued up while the last commit ran shares the next one.
//!
//! The units of a group run one after the other in one transaction and are answered after its one commit. If
//! one of them has to be undone, the transaction is rolled back and the group runs once more with a savepoint
//! around each unit, so that it does not take its neighbours down; savepoints cost two statements a unit, and
//! most groups need none. Units are optimistic: they leave to the end of the group what is nearly always right,
//! and look only where that has just been wrong. The transaction lives in the writer's own task: nobody can cancel it half-way (a
//! dropped `begin()` poisons a pooled PostgreSQL connection in sqlx 0.9.0).

use crate::{
    Catalogue, Database, Tx,
    bell::Bell,
    group::Grouped,
    later::LastNumbers,
    retry::RetryPolicy,
    session::{Session, Transaction},
    unit::{Trouble, Unit, Work, panic_text},
};
use bus::{BusError, Context, Incident, Sources};
use futures::{FutureExt, future::BoxFuture};
use sea_orm::DbErr;
use std::{
    panic::AssertUnwindSafe,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, timeout_at},
};

/// How many units wait for the writer at most.
const QUEUE: usize = 4096;

/// After a group of so many units, the next one waits until most of them have come again. As PostgreSQL's
/// `commit_siblings`.
const SIBLINGS: usize = 4;

/// How long it waits at most. As PostgreSQL's `commit_delay`.
const GATHER: Duration = Duration::from_millis(1);

/// How many groups look before they write, after one was optimistic in vain.
const EXACT: u32 = 16;

/// How long a group is tried at most: whoever waits would rather know.
const PATIENCE: Duration = Duration::from_secs(5);

pub(crate) type BoxedWork = Box<dyn Work>;

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
        session: Session,
        module: &'static str,
        batch: usize,
        catalogue: Arc<Catalogue>,
        sources: Sources,
        file: Option<Arc<std::fs::File>>,
    ) -> Self {
        let (queue, orders) = mpsc::channel(QUEUE);
        let published = Arc::new(Bell::default());
        let (batch, published_here) = (batch.max(1), Arc::clone(&published));
        let task = Task {
            module,
            batch,
            catalogue,
            sources,
            published: published_here,
            exact: AtomicU32::new(0),
            last_numbers: Mutex::default(),
            _file: file,
        };
        drop(bus::spawn(task.run(session, orders)));
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

pub(crate) struct Task {
    pub(crate) module: &'static str,
    batch: usize,
    pub(crate) catalogue: Arc<Catalogue>,
    pub(crate) sources: Sources,
    published: Arc<Bell>,
    /// How many groups are not optimistic, since one was so in vain.
    pub(crate) exact: AtomicU32,
    /// The last numbers of the last group, if that was committed.
    last_numbers: Mutex<LastNumbers>,
    /// The lock on the database file, for as long as anything may be written to it.
    _file: Option<Arc<std::fs::File>>,
}

impl Task {
    async fn run(self, session: Session, mut orders: mpsc::Receiver<Order>) {
        // PostgreSQL commits for several connections at once by itself; there the wait only made everybody wait.
        let gathers = session.is_sqlite();
        let (mut before, mut closing) = (0, false);
        while let Some(order) = orders.recv().await {
            let siblings = if gathers && before >= SIBLINGS { before } else { 0 };
            let (group, drained) = self.gather(order, &mut orders, siblings).await;
            before = group.len();
            if !group.is_empty() {
                metrics::histogram!("unit_of_work_group_size", "module" => self.module)
                    .record(u32::try_from(group.len()).unwrap_or(u32::MAX));
                // The writer outlives whatever its rows do to it: only this group goes without an answer.
                if let Err(panic) = AssertUnwindSafe(self.commit_group(&session, group)).catch_unwind().await
                {
                    Incident::log(&format_args!(
                        "{}'s writer panicked: {}",
                        self.module,
                        panic_text(&*panic)
                    ));
                }
            }
            // Whoever closes the connections waits for this one, also where another group came after it had asked.
            closing |= !drained.is_empty();
            if closing {
                session.give_back().await;
            }
            for done in drained {
                // Whoever asked may have gone.
                let _ = done.send(());
            }
        }
    }

    /// What has queued up, at most one batch of it. Those whom the last commit answered are about to come again: it waits
    /// a moment for most of these `siblings`, so that they share one commit.
    async fn gather(
        &self,
        first: Order,
        orders: &mut mpsc::Receiver<Order>,
        siblings: usize,
    ) -> (Vec<BoxedWork>, Vec<oneshot::Sender<()>>) {
        let (mut group, mut drained) = (Vec::new(), Vec::new());
        let most = siblings - siblings / 4;
        let until = Instant::now() + GATHER;
        let mut next = Some(first);
        while let Some(order) = next.take() {
            match order {
                Order::Work(work) => group.push(work),
                Order::Drain(done) => drained.push(done),
            }
            if group.len() < self.batch {
                next = orders.try_recv().ok();
            }
            if next.is_none() && group.len() < most.min(self.batch) {
                next = timeout_at(until, orders.recv()).await.ok().flatten();
            }
        }
        (group, drained)
    }

    pub(crate) fn last_numbers(&self) -> MutexGuard<'_, LastNumbers> {
        self.last_numbers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn commit_group(&self, session: &Session, mut group: Vec<BoxedWork>) {
        let patience =
            RetryPolicy { max_attempts: 6, base: Duration::from_millis(10), ..RetryPolicy::default() };
        let mut careful = false;
        let mut attempt = 0;
        let started = Instant::now();
        loop {
            attempt += 1;
            let tried = self.try_group(session, &mut group, careful).await;
            match tried {
                Tried::Committed { published } => {
                    if published {
                        self.published.ring();
                    }
                    return settle(group, None);
                }
                // One unit has to be undone: once more, each unit behind a savepoint.
                Tried::Undone | Tried::Misfit if !careful => {
                    if matches!(tried, Tried::Misfit) {
                        metrics::counter!("unit_of_work_misfits_total", "module" => self.module).increment(1);
                        self.exact.store(EXACT, Ordering::Relaxed);
                    }
                    careful = true;
                }
                Tried::Undone | Tried::Misfit => {
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

    async fn try_group(&self, session: &Session, group: &mut [BoxedWork], careful: bool) -> Tried {
        let locks = group.iter().flat_map(|work| work.locks()).cloned().collect();
        let tried = match session.begin(locks).await {
            Ok(transaction) => self.try_in(transaction, group, careful).await,
            // Nothing has been done yet, so a lost connection costs only another try.
            Err(error) => Tried::Again(error),
        };
        if let Tried::Again(error) | Tried::Failed(error) = &tried
            && Trouble::of(error) == Trouble::Lost
        {
            session.discard().await;
        }
        tried
    }

    async fn try_in(&self, transaction: Transaction, group: &mut [BoxedWork], careful: bool) -> Tried {
        match self.run_group(&transaction, group, careful).await {
            Ok(Grouped::Done { published, numbers }) => {
                match transaction.commit().await {
                    Ok(()) => {
                        *self.last_numbers() = numbers;
                        Tried::Committed { published }
                    }
                    Err(error) if Trouble::of(&error) == Trouble::Contention => Tried::Again(error),
                    // Lost on its way to the commit, it may have arrived: unknown, so not tried again.
                    Err(error) => Tried::Failed(error),
                }
            }
            Ok(undone) => {
                drop(transaction.rollback().await);
                if undone == Grouped::Misfit { Tried::Misfit } else { Tried::Undone }
            }
            Err(error) => {
                let trouble = Trouble::of(&error);
                let unknown = transaction.was_alone() && trouble != Trouble::Contention;
                drop(transaction.rollback().await);
                if trouble.clears() && !unknown { Tried::Again(error) } else { Tried::Failed(error) }
            }
        }
    }
}

enum Tried {
    Committed {
        published: bool,
    },
    /// A unit has to be undone.
    Undone,
    /// A row was not as a unit took it to be.
    Misfit,
    Again(DbErr),
    Failed(DbErr),
}

fn settle(group: Vec<BoxedWork>, failure: Option<BusError>) {
    for work in group {
        work.settle(failure.clone());
    }
}
