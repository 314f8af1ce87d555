//! Sends webhooks until they are acknowledged. The database has every one that is not.
//!
//! A webhook that was just committed is handed over in memory, its row leased; what is left over (a crash,
//! a refusal, a full queue) is claimed from the database when its time has come.

use crate::{
    entities::webhooks,
    service::{Inner, Sandbox},
    webhook::{SignedWebhook, WebhookSink, backoff, event_id, sign},
    writer::Message,
};
use futures::{StreamExt, future::join_all, stream};
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter, QuerySelect};
use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

/// How many webhooks are in flight at once.
const IN_FLIGHT: usize = 64;
const QUEUE: usize = 1024;
/// How many are claimed at once.
pub(crate) const CLAIM: usize = 128;
const PATIENCE: Duration = Duration::from_secs(4);
/// Longer than the sink may take; short, because after a crash it is the time that a webhook is late.
pub(crate) const LEASE: Duration = Duration::from_secs(6);
const POLL: Duration = Duration::from_secs(1);
const FLUSH: Duration = Duration::from_millis(200);
/// How long webhooks are collected before they are sent: as a provider's do, they come after the answer, and many
/// together.
const GATHER: Duration = Duration::from_millis(100);

pub(crate) struct Letter {
    pub(crate) id: Uuid,
    pub(crate) body: String,
    pub(crate) attempts: i64,
    pub(crate) lease_until: i64,
}

/// What came of sending a webhook; to be written down.
pub(crate) struct Receipt {
    pub(crate) id: Uuid,
    pub(crate) attempts: i64,
    /// `None`: acknowledged.
    pub(crate) retry_at: Option<i64>,
}

/// Between the writer and whoever delivers.
pub(crate) struct Postbox {
    sender: mpsc::Sender<Letter>,
    letters: tokio::sync::Mutex<mpsc::Receiver<Letter>>,
    /// Somebody delivers.
    active: AtomicBool,
    /// Older webhooks may wait in the database; new ones queue up behind them there.
    backlog: AtomicBool,
    receipts: Mutex<Vec<Receipt>>,
}

impl Postbox {
    pub(crate) fn new() -> Self {
        let (sender, letters) = mpsc::channel(QUEUE);
        Self {
            sender,
            letters: tokio::sync::Mutex::new(letters),
            active: AtomicBool::new(false),
            backlog: AtomicBool::new(true),
            receipts: Mutex::default(),
        }
    }

    /// Whether that many new webhooks can go the short way.
    pub(crate) fn accepts(&self, count: usize) -> bool {
        if !self.active.load(Ordering::Acquire) || self.backlog.load(Ordering::Acquire) {
            return false;
        }
        let fits = self.sender.capacity() >= count;
        if !fits {
            self.backlog.store(true, Ordering::Release);
        }
        fits
    }

    pub(crate) fn hand_over(&self, letters: Vec<Letter>) {
        for letter in letters {
            // Full after all: its lease lapses and it is claimed.
            let _ = self.sender.try_send(letter);
        }
    }

    pub(crate) fn take_receipts(&self, limit: usize) -> Vec<Receipt> {
        let mut receipts = self.receipts.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = receipts.len().min(limit);
        receipts.drain(..taken).collect()
    }

    pub(crate) fn put_back(&self, receipts: Vec<Receipt>) {
        self.receipts.lock().unwrap_or_else(PoisonError::into_inner).extend(receipts);
    }

    fn has_receipts(&self) -> bool {
        !self.receipts.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }
}

/// Says that somebody delivers, for as long as that is so.
struct Active<'a>(&'a Postbox);

impl<'a> Active<'a> {
    fn new(postbox: &'a Postbox) -> Self {
        postbox.active.store(true, Ordering::Release);
        Self(postbox)
    }
}

impl Drop for Active<'_> {
    fn drop(&mut self) {
        self.0.active.store(false, Ordering::Release);
        self.0.backlog.store(true, Ordering::Release);
    }
}

impl Sandbox {
    /// Sends the webhooks, oldest first, each until its sink answers 2xx. Runs until it is dropped or the
    /// sandbox is closed; what it did not finish is sent by the next one, in this process or another.
    pub async fn deliver_webhooks(&self, sink: Arc<dyn WebhookSink>) {
        let inner = &*self.inner;
        let mut letters = inner.postbox.letters.lock().await;
        let _active = Active::new(&inner.postbox);
        tokio::select! {
            () = inner.fetch_due() => {}
            () = inner.flush_receipts() => {}
            () = inner.send_all(&mut letters, &*sink) => {}
        }
    }
}

impl Inner {
    async fn send_all(&self, letters: &mut mpsc::Receiver<Letter>, sink: &dyn WebhookSink) {
        let mut gathered = Vec::new();
        while letters.recv_many(&mut gathered, QUEUE).await > 0 {
            tokio::time::sleep(GATHER).await;
            if !self.webhook_shuffle {
                stream::iter(gathered.drain(..))
                    .for_each_concurrent(IN_FLIGHT, |letter| self.send(letter, sink))
                    .await;
                continue;
            }
            while gathered.len() < CLAIM
                && let Ok(letter) = letters.try_recv()
            {
                gathered.push(letter);
            }
            for letter in gathered.drain(..).rev() {
                self.send(letter, sink).await;
            }
        }
    }

    async fn send(&self, letter: Letter, sink: &dyn WebhookSink) {
        let now = (self.sources.now_micros)();
        if letter.lease_until <= now {
            // It waited here for too long, and is or will be claimed again.
            return;
        }
        let (id, body) = (event_id(letter.id), letter.body.into_bytes());
        let timestamp = now / 1_000_000;
        let signature = sign(&self.webhook_secret, &id, timestamp, &body);
        let webhook = SignedWebhook { id, timestamp, signature, body };
        let copies = (0..self.webhook_copies.max(1)).map(|_| post(sink, webhook.clone()));
        let acknowledged = join_all(copies).await.into_iter().all(|acknowledged| acknowledged);
        let attempts = letter.attempts + 1;
        let retry_at = (!acknowledged).then(|| {
            let wait = backoff(u32::try_from(attempts).unwrap_or(u32::MAX));
            (self.sources.now_micros)() + i64::try_from(wait.as_micros()).unwrap_or(i64::MAX / 2)
        });
        self.postbox.put_back(vec![Receipt { id: letter.id, attempts, retry_at }]);
    }

    /// Writes receipts down soon where no other write takes them along.
    async fn flush_receipts(&self) {
        loop {
            tokio::time::sleep(FLUSH).await;
            if self.postbox.has_receipts() && self.messages.send(Message::Settle).await.is_err() {
                return;
            }
        }
    }

    async fn fetch_due(&self) {
        loop {
            let more = match self.any_due().await {
                Ok(true) => {
                    let Ok(permits) = self.postbox.sender.reserve_many(CLAIM).await else { return };
                    let (reply, claimed) = oneshot::channel();
                    if self.messages.send(Message::Claim(reply)).await.is_err() {
                        return;
                    }
                    // Dropped unanswered: the database failed, and this is tried again.
                    let claimed = claimed.await.unwrap_or_default();
                    let more = claimed.len() == CLAIM;
                    for (permit, letter) in permits.zip(claimed) {
                        permit.send(letter);
                    }
                    self.postbox.backlog.store(more, Ordering::Release);
                    more
                }
                Ok(false) => {
                    self.postbox.backlog.store(false, Ordering::Release);
                    false
                }
                Err(error) => {
                    tracing::warn!(%error, "sandbox: cannot read the webhooks that wait");
                    false
                }
            };
            if !more {
                if self.messages.is_closed() {
                    return;
                }
                tokio::time::sleep(POLL).await;
            }
        }
    }

    async fn any_due(&self) -> Result<bool, DbErr> {
        let now = (self.sources.now_micros)();
        let due: Option<Uuid> = webhooks::Entity::find()
            .select_only()
            .column(webhooks::Column::Id)
            .filter(webhooks::Column::DueAt.lte(now))
            .limit(1)
            .into_tuple()
            .one(&self.reader)
            .await?;
        Ok(due.is_some())
    }
}

async fn post(sink: &dyn WebhookSink, webhook: SignedWebhook) -> bool {
    let id = webhook.id.clone();
    match tokio::time::timeout(PATIENCE, sink.post(webhook)).await {
        Ok(Ok(status)) if (200..300).contains(&status) => true,
        Ok(Ok(status)) => {
            tracing::debug!(%id, status, "sandbox: a webhook was refused");
            false
        }
        Ok(Err(error)) => {
            tracing::debug!(%id, %error, "sandbox: a webhook was not delivered");
            false
        }
        Err(_) => {
            tracing::debug!(%id, "sandbox: a webhook was not answered in time");
            false
        }
    }
}
