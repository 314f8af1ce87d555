//! The one task that writes. What queued up while the last commit ran goes into the next, together.
//!
//! The transaction lives in this task, never in a caller's future: a caller that gives up undoes nothing.

use crate::{
    books::{Books, Changes, Moment, Verdict},
    charge::{ChargeOutcome, Task},
    database::Connections,
    delivery::{CLAIM, LEASE, Letter, Postbox, Receipt},
    entities::{charges, webhooks},
    error::SandboxError,
    service::{Sources, Underway, detach},
    store::{self, WriteError},
};
use sea_orm::{
    DatabaseBackend, DatabaseTransaction, DbErr, SqliteTransactionMode, TransactionOptions, TransactionTrait,
};
use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

const BATCH: usize = 128;
const ATTEMPTS: u32 = 3;
/// How many charges are remembered.
const RECENT: usize = 1024;
/// After a transaction of so many requests, the next one waits for its own.
const SIBLINGS: usize = 4;
const GATHER: Duration = Duration::from_millis(1);

pub(crate) enum Message {
    Work(Work),
    /// Takes due webhooks from the database.
    Claim(oneshot::Sender<Vec<Letter>>),
    /// There are receipts to write, and perhaps nothing else.
    Settle,
    Close,
}

pub(crate) struct Work {
    pub(crate) task: Task,
    pub(crate) waited: bool,
    pub(crate) reply: oneshot::Sender<Result<Reply, SandboxError>>,
    /// Held until the work is done, whoever still waits for it.
    pub(crate) underway: Option<Underway>,
}

pub(crate) enum Reply {
    Outcome(ChargeOutcome),
    Silence,
}

pub(crate) struct Writer {
    pub(crate) connections: Connections,
    pub(crate) messages: mpsc::Receiver<Message>,
    pub(crate) back: mpsc::WeakSender<Message>,
    pub(crate) postbox: Arc<Postbox>,
    pub(crate) sources: Sources,
    pub(crate) public_url: String,
    pub(crate) last_at: i64,
    pub(crate) recent: Recent,
}

/// What one transaction did.
struct Written {
    verdicts: Vec<Verdict>,
    letters: Vec<Letter>,
    claimed: Vec<Letter>,
    charges: Vec<charges::Model>,
}

/// Where a batch learns what was before it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Look {
    /// Keys are taken to be new, and charges to be as they were last seen; the conditions of what is written tell
    /// where that was wrong.
    Remembered,
    Database,
}

/// The charges that were written last.
#[derive(Default)]
pub(crate) struct Recent {
    rows: HashMap<Uuid, charges::Model>,
    order: VecDeque<Uuid>,
}

impl Recent {
    fn get(&self, id: Uuid) -> Option<charges::Model> {
        self.rows.get(&id).cloned()
    }

    fn keep(&mut self, row: charges::Model) {
        let id = row.id;
        if self.rows.insert(id, row).is_none() {
            self.order.push_back(id);
        }
        if self.order.len() > RECENT
            && let Some(oldest) = self.order.pop_front()
        {
            self.rows.remove(&oldest);
        }
    }
}

/// How far a transaction came.
enum Broken {
    /// It did not begin: the database is busy or away, and no item is to blame.
    Begin(DbErr),
    Inside(WriteError),
}

impl Writer {
    pub(crate) async fn run(mut self) {
        // After a close the channel still holds what was sent before it.
        let mut before = 0;
        while let Some(first) = self.messages.recv().await {
            if before >= SIBLINGS {
                // Those whom the last commit answered are about to come again: one commit for all of them.
                tokio::time::sleep(GATHER).await;
            }
            let (mut works, mut claims) = (Vec::new(), Vec::new());
            let mut next = Some(first);
            while let Some(message) = next {
                match message {
                    Message::Work(work) => works.push(work),
                    Message::Claim(reply) => claims.push(reply),
                    Message::Settle => {}
                    Message::Close => self.messages.close(),
                }
                next = if works.len() < BATCH { self.messages.try_recv().ok() } else { None };
            }
            before = works.len();
            self.carry_out(works, claims.pop(), BATCH).await;
        }
        self.carry_out(Vec::new(), None, usize::MAX).await;
    }

    fn is_postgres(&self) -> bool {
        self.connections.writer.get_database_backend() == DatabaseBackend::Postgres
    }

    async fn carry_out(
        &mut self,
        works: Vec<Work>,
        claim: Option<oneshot::Sender<Vec<Letter>>>,
        receipts: usize,
    ) {
        let receipts = self.postbox.take_receipts(receipts);
        if works.is_empty() && receipts.is_empty() && claim.is_none() {
            return;
        }
        // Nearly every request is new, and about a charge that was here a moment ago.
        let mut written = self.attempt(&works, &receipts, claim.is_some(), Look::Remembered).await;
        if matches!(written, Err(Broken::Begin(_) | Broken::Inside(WriteError::Outrun))) {
            written = self.attempt(&works, &receipts, claim.is_some(), Look::Database).await;
        }
        match written {
            Ok(mut written) => {
                if let Some(claim) = claim {
                    // Where nobody listens any more the leases lapse.
                    let _ = claim.send(std::mem::take(&mut written.claimed));
                }
                self.answer(works, written);
            }
            Err(Broken::Begin(error)) => {
                self.postbox.put_back(receipts);
                fail(works, &error.into());
            }
            Err(Broken::Inside(error)) => {
                tracing::warn!(%error, items = works.len(), "sandbox: a batch failed; its items run one by one");
                self.postbox.put_back(receipts);
                self.one_by_one(works).await;
            }
        }
    }

    /// One bad item must not take its neighbours down. Running an item again is safe: if it was carried out
    /// after all, its key is found.
    async fn one_by_one(&mut self, works: Vec<Work>) {
        let mut works = works.into_iter();
        while let Some(work) = works.next() {
            let one = [work];
            let mut attempt = 1;
            let written = loop {
                match self.attempt(&one, &[], false, Look::Database).await {
                    Err(Broken::Inside(_)) if attempt < ATTEMPTS => {
                        tokio::time::sleep(Duration::from_millis(10) * attempt).await;
                        attempt += 1;
                    }
                    written => break written,
                }
            };
            let [work] = one;
            match written {
                Ok(written) => self.answer(vec![work], written),
                Err(Broken::Inside(WriteError::Outrun)) => fail(vec![work], &SandboxError::InProgress),
                Err(Broken::Inside(WriteError::Database(error))) => fail(vec![work], &error.into()),
                Err(Broken::Begin(error)) => {
                    let error = error.into();
                    fail(vec![work], &error);
                    return fail(works.collect(), &error);
                }
            }
        }
    }

    async fn attempt(
        &mut self,
        works: &[Work],
        receipts: &[Receipt],
        claim: bool,
        look: Look,
    ) -> Result<Written, Broken> {
        if receipts.is_empty()
            && !claim
            && let Some(books) = self.remembered(works, look)
        {
            return self.alone(books, works).await.map_err(Broken::Inside);
        }
        // SQLite fails a deferred transaction that becomes a writer at once, whatever the busy time-out.
        let immediate = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        let tx = self.connections.writer.begin_with_options(immediate).await.map_err(Broken::Begin)?;
        match self.inside(&tx, works, receipts, claim, look).await {
            Ok(written) => {
                tx.commit().await.map_err(|error| Broken::Inside(error.into()))?;
                Ok(written)
            }
            Err(error) => {
                // PostgreSQL would answer a COMMIT after an error with success.
                if let Err(error) = tx.rollback().await {
                    tracing::warn!(%error, "sandbox: a rollback failed");
                }
                Err(Broken::Inside(error))
            }
        }
    }

    /// The books of these works where all is remembered and one statement may be the transaction, as on PostgreSQL.
    fn remembered(&self, works: &[Work], look: Look) -> Option<Books> {
        if look == Look::Database || !self.is_postgres() {
            return None;
        }
        let mut books = Books::default();
        for charge in works.iter().filter_map(|work| work.task.charge()) {
            books.remember_charge(self.recent.get(charge)?);
        }
        Some(books)
    }

    async fn alone(&mut self, books: Books, works: &[Work]) -> Result<Written, WriteError> {
        let (written, changes) = self.decide(books, works)?;
        if !changes.settled.is_empty() {
            return Err(WriteError::Outrun);
        }
        store::save_alone(&self.connections.writer, changes).await?;
        Ok(written)
    }

    async fn inside(
        &mut self,
        tx: &DatabaseTransaction,
        works: &[Work],
        receipts: &[Receipt],
        claim: bool,
        look: Look,
    ) -> Result<Written, WriteError> {
        let charges = works.iter().filter_map(|work| work.task.charge());
        let books = match look {
            Look::Database => {
                let keys = works.iter().filter_map(|work| work.task.key()).collect();
                store::load(tx, keys, charges.collect()).await?
            }
            Look::Remembered => {
                let (known, unknown): (Vec<_>, Vec<_>) =
                    charges.map(|id| (id, self.recent.get(id))).partition(|(_, row)| row.is_some());
                let unknown = unknown.into_iter().map(|(id, _)| id).collect();
                let mut books = store::load(tx, Vec::new(), unknown).await?;
                known.into_iter().filter_map(|(_, row)| row).for_each(|row| books.remember_charge(row));
                books
            }
        };
        let (mut written, changes) = self.decide(books, works)?;
        store::save(tx, changes).await?;
        store::settle(tx, receipts).await?;
        if claim {
            let now = self.tick();
            let lease_until = now + LEASE.as_micros() as i64;
            let rows = store::claim(tx, now, lease_until, CLAIM as u64).await?;
            written.claimed = rows.into_iter().map(|row| letter(row, lease_until)).collect();
        }
        Ok(written)
    }

    /// Decides on all works, and what is to be written of it.
    fn decide(&mut self, mut books: Books, works: &[Work]) -> Result<(Written, Changes), WriteError> {
        let mut verdicts = Vec::with_capacity(works.len());
        for work in works {
            let moment = Moment {
                at: self.tick(),
                id: (self.sources.next_id)(),
                charge: &*self.sources.next_id,
                public_url: &self.public_url,
                waited: work.waited,
            };
            verdicts.push(books.decide(&work.task, &moment));
        }
        if books.is_unfounded() {
            return Err(WriteError::Outrun);
        }
        let mut changes = books.into_changes();
        let mut letters = Vec::new();
        if self.postbox.accepts(changes.webhooks.len()) {
            // Handed over after the commit without another read; the lease covers a crash in between.
            for row in &mut changes.webhooks {
                row.due_at += LEASE.as_micros() as i64;
                letters.push(letter(row.clone(), row.due_at));
            }
        }
        let charges = changes.charges.clone();
        Ok((Written { verdicts, letters, claimed: Vec::new(), charges }, changes))
    }

    fn answer(&mut self, works: Vec<Work>, written: Written) {
        let Written { verdicts, letters, charges, .. } = written;
        charges.into_iter().for_each(|row| self.recent.keep(row));
        for (mut work, verdict) in works.into_iter().zip(verdicts) {
            let reply = match verdict {
                Verdict::Outcome(outcome) => Ok(Reply::Outcome(outcome)),
                Verdict::Silence => Ok(Reply::Silence),
                Verdict::Refused(error) => Err(error),
                Verdict::Later(wait) => {
                    if let Some(back) = self.back.upgrade() {
                        detach(async move {
                            tokio::time::sleep(wait).await;
                            work.waited = true;
                            // Closed meanwhile: the caller sees its reply dropped.
                            let _ = back.send(Message::Work(work)).await;
                        });
                    }
                    continue;
                }
            };
            // Done before it is known to be done: whoever looks the key up finds the row.
            work.underway = None;
            // A caller that gave up is no reason to undo anything.
            let _ = work.reply.send(reply);
        }
        self.postbox.hand_over(letters);
    }

    /// The time, never twice the same, so that the ledger's order is the order of events.
    fn tick(&mut self) -> i64 {
        self.last_at = (self.sources.now_micros)().max(self.last_at + 1);
        self.last_at
    }
}

fn letter(row: webhooks::Model, lease_until: i64) -> Letter {
    Letter { id: row.id, body: row.body, attempts: row.attempts, lease_until }
}

fn fail(works: Vec<Work>, error: &SandboxError) {
    for work in works {
        let _ = work.reply.send(Err(error.clone()));
    }
}
