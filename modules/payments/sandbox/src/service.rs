//! The provider as its callers see it.

use crate::{
    charge::{AuthorizeCharge, CaptureCharge, ChargeOutcome, RefundCharge, Task, Transaction, VoidCharge},
    database,
    delivery::Postbox,
    entities::{charges, operations, transactions},
    error::SandboxError,
    rules::outcome,
    webhook::secret_bytes,
    writer::{Message, Recent, Reply, Work, Writer},
};
use kernel::{Currency, Money};
use sea_orm::{ColumnTrait, DatabaseConnection, DbErr, EntityTrait, QueryFilter, QueryOrder};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use uuid::Uuid;

const QUEUE: usize = 1024;

/// How the sandbox runs.
#[derive(Clone)]
pub struct SandboxSettings {
    /// `sqlite:` or `postgres:`; its own, shared with nothing else.
    pub database_url: String,
    /// Signs webhooks: `whsec_` and the base64 of 24 to 64 bytes.
    pub webhook_secret: String,
    /// Where the pages of [`crate::show`] are reachable for buyers.
    pub public_url: String,
    /// How many times each webhook is sent; 1 unless duplicates are wanted.
    pub webhook_copies: u32,
    /// Sends webhooks in batches, newest first.
    pub webhook_shuffle: bool,
}

/// Where time and ids come from.
#[derive(Clone)]
pub struct Sources {
    /// Microseconds since the epoch.
    pub now_micros: Arc<dyn Fn() -> i64 + Send + Sync>,
    /// An id that was never there before.
    pub next_id: Arc<dyn Fn() -> Uuid + Send + Sync>,
}

/// The provider; a handle that is cheap to clone.
#[derive(Clone)]
pub struct Sandbox {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) messages: mpsc::Sender<Message>,
    pub(crate) reader: DatabaseConnection,
    pub(crate) postbox: Arc<Postbox>,
    pub(crate) sources: Sources,
    pub(crate) webhook_secret: String,
    pub(crate) webhook_copies: u32,
    pub(crate) webhook_shuffle: bool,
    public_url: String,
    writer_connection: DatabaseConnection,
    writer: Mutex<Option<JoinHandle<()>>>,
    underway: Arc<Mutex<HashMap<String, usize>>>,
}

/// Says that a key's request was taken and is not done, for as long as that is so.
pub(crate) struct Underway {
    key: String,
    keys: Arc<Mutex<HashMap<String, usize>>>,
}

impl Underway {
    fn new(key: &str, keys: &Arc<Mutex<HashMap<String, usize>>>) -> Self {
        *keys.lock().unwrap_or_else(PoisonError::into_inner).entry(key.to_owned()).or_default() += 1;
        Self { key: key.to_owned(), keys: Arc::clone(keys) }
    }
}

impl Drop for Underway {
    fn drop(&mut self) {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = keys.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                keys.remove(&self.key);
            }
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "no call's context is in here: a provider knows nothing of the shop"
)]
pub(crate) fn detach(work: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
    tokio::spawn(work)
}

impl Sandbox {
    /// Opens the database, brings its schema up to date and starts the writer.
    ///
    /// # Errors
    /// [`SandboxError::InvalidSettings`], or [`SandboxError::Database`] where it cannot be opened.
    pub async fn open(settings: SandboxSettings, sources: Sources) -> Result<Self, SandboxError> {
        match secret_bytes(&settings.webhook_secret) {
            Some(key) if (24..=64).contains(&key.len()) => {}
            _ => {
                let problem = "the webhook secret is whsec_ and the base64 of 24 to 64 bytes";
                return Err(SandboxError::InvalidSettings(problem.into()));
            }
        }
        let connections = database::open(&settings.database_url).await?;
        let (reader, writer_connection) = (connections.reader.clone(), connections.writer.clone());
        let postbox = Arc::new(Postbox::new());
        let (sender, messages) = mpsc::channel(QUEUE);
        let writer = Writer {
            connections,
            messages,
            back: sender.downgrade(),
            postbox: Arc::clone(&postbox),
            sources: sources.clone(),
            public_url: settings.public_url.clone(),
            last_at: 0,
            recent: Recent::default(),
        };
        let inner = Inner {
            messages: sender,
            reader,
            postbox,
            sources,
            webhook_secret: settings.webhook_secret,
            webhook_copies: settings.webhook_copies,
            webhook_shuffle: settings.webhook_shuffle,
            public_url: settings.public_url,
            writer_connection,
            writer: Mutex::new(Some(detach(writer.run()))),
            underway: Arc::default(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Sets money aside.
    ///
    /// # Errors
    /// [`SandboxError`] where there is no outcome; a refusal is an outcome.
    pub async fn authorize(&self, request: AuthorizeCharge) -> Result<ChargeOutcome, SandboxError> {
        self.submit(Task::Authorize(request)).await
    }

    /// Takes the money that was set aside.
    ///
    /// # Errors
    /// As [`Sandbox::authorize`].
    pub async fn capture(&self, request: CaptureCharge) -> Result<ChargeOutcome, SandboxError> {
        self.submit(Task::Capture(request)).await
    }

    /// Lets the money go.
    ///
    /// # Errors
    /// As [`Sandbox::authorize`].
    pub async fn void(&self, request: VoidCharge) -> Result<ChargeOutcome, SandboxError> {
        self.submit(Task::Void(request)).await
    }

    /// Gives money back.
    ///
    /// # Errors
    /// As [`Sandbox::authorize`].
    pub async fn refund(&self, request: RefundCharge) -> Result<ChargeOutcome, SandboxError> {
        self.submit(Task::Refund(request)).await
    }

    /// The buyer's word on a challenge.
    pub(crate) async fn answer(&self, charge: Uuid, approve: bool) -> Result<ChargeOutcome, SandboxError> {
        self.submit(Task::Answer { charge, approve }).await
    }

    /// What became of the request with this key; `None` where it was never heard of.
    ///
    /// # Errors
    /// [`SandboxError::InProgress`] while it is being carried out: `None` would be taken for "never happened".
    pub async fn lookup(&self, idempotency_key: &str) -> Result<Option<ChargeOutcome>, SandboxError> {
        // Before the row is read: what ends in between has left its row.
        let underway = {
            let keys = self.inner.underway.lock().unwrap_or_else(PoisonError::into_inner);
            keys.contains_key(idempotency_key)
        };
        match operations::Entity::find_by_id(idempotency_key).one(&self.inner.reader).await? {
            Some(row) => Ok(Some(outcome(&row, &self.inner.public_url))),
            None if underway => Err(SandboxError::InProgress),
            None => Ok(None),
        }
    }

    /// What was really done for a reference, oldest first.
    ///
    /// # Errors
    /// [`SandboxError::Database`].
    pub async fn transactions(&self, reference: &str) -> Result<Vec<Transaction>, SandboxError> {
        let rows = transactions::Entity::find()
            .filter(transactions::Column::Reference.eq(reference))
            .order_by_asc(transactions::Column::At)
            .order_by_asc(transactions::Column::Id)
            .all(&self.inner.reader)
            .await?;
        rows.into_iter()
            .map(|row| {
                Ok(Transaction {
                    id: row.id,
                    charge: row.charge,
                    amount: money(row.amount, &row.currency)?,
                    reference: row.reference,
                    kind: row.kind,
                    status: row.status,
                    at: row.at,
                })
            })
            .collect()
    }

    pub(crate) async fn charge(&self, id: Uuid) -> Result<Option<(charges::Model, Money)>, SandboxError> {
        let Some(row) = charges::Entity::find_by_id(id).one(&self.inner.reader).await? else {
            return Ok(None);
        };
        let amount = money(row.requested, &row.currency)?;
        Ok(Some((row, amount)))
    }

    /// Finishes what was taken on and closes the database. Later calls end in [`SandboxError::Closed`].
    pub async fn close(&self) {
        let _ = self.inner.messages.send(Message::Close).await;
        let writer = self.inner.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = writer
            && let Err(error) = writer.await
        {
            tracing::error!(%error, "sandbox: the writer did not end well");
        }
        for connection in [&self.inner.reader, &self.inner.writer_connection] {
            if let Err(error) = connection.clone().close().await {
                tracing::warn!(%error, "sandbox: a connection did not close");
            }
        }
    }

    async fn submit(&self, task: Task) -> Result<ChargeOutcome, SandboxError> {
        task.validate()?;
        let underway = task.key().map(|key| Underway::new(key, &self.inner.underway));
        let (reply, answer) = oneshot::channel();
        let work = Work { task, waited: false, reply, underway };
        self.inner.messages.send(Message::Work(work)).await.map_err(|_| SandboxError::Closed)?;
        match answer.await.map_err(|_| SandboxError::Closed)?? {
            Reply::Outcome(outcome) => Ok(outcome),
            Reply::Silence => std::future::pending().await,
        }
    }
}

fn money(amount: i64, currency: &str) -> Result<Money, DbErr> {
    let currency: Currency = currency.parse().map_err(|error| DbErr::Type(format!("{currency}: {error}")))?;
    Ok(Money::new(amount, currency))
}
