//! The lines that say that a notification is there: ids only, since an address or a text has no place in a log.
//!
//! A unit of work hands its line over while it runs, and the line is written after the commit: the journal waits
//! for an empty unit behind it in the same writer. A line may come twice, or be missing after a crash: what counts
//! is the row.

use crate::store::Draft;
use bus::{BusError, Context};
use bus_durable::Database;
use kernel::{NotificationId, OrderId};
use notifications_ports::{Channel, Notification, NotificationStatus, Template};
use std::{collections::BTreeSet, time::Duration};
use tokio::sync::{Mutex, mpsc, watch};

/// Lines that wait at most; more are not written. A log that holds the shop up is worth less than a gap.
const WAITING: usize = 8192;
/// Lines that share one wait for a commit.
const TOGETHER: usize = 256;

/// What there is to say of one notification.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) id: NotificationId,
    pub(crate) template: Template,
    pub(crate) order: Option<OrderId>,
    pub(crate) message_id: String,
    pub(crate) channel: Channel,
    pub(crate) status: NotificationStatus,
}

impl Entry {
    pub(crate) fn of(draft: &Draft) -> Self {
        Self {
            id: draft.id,
            template: draft.occasion.template,
            order: draft.occasion.order,
            message_id: draft.message_id.clone(),
            channel: draft.channel,
            status: draft.status,
        }
    }

    pub(crate) fn about(known: &Notification) -> Self {
        Self {
            id: known.id,
            template: known.template,
            order: known.order_id,
            message_id: known.message_id.clone(),
            channel: known.channel,
            status: known.status,
        }
    }

    pub(crate) fn write(&self) {
        let Self { id, template, order, message_id, channel, status } = self;
        let order = order.map(tracing::field::display);
        tracing::info!(notification = %id, %template, order, message_id, %channel, %status, "notification");
    }
}

/// Takes lines from units of work.
pub(crate) struct Journal {
    lines: mpsc::Sender<Entry>,
    waiting: Mutex<mpsc::Receiver<Entry>>,
}

impl Journal {
    pub(crate) fn new() -> Self {
        let (lines, waiting) = mpsc::channel(WAITING);
        Self { lines, waiting: Mutex::new(waiting) }
    }

    /// Takes a line; never waits.
    pub(crate) fn note(&self, entry: Entry) {
        drop(self.lines.try_send(entry));
    }

    /// Writes lines until the end, each after its commit.
    pub(crate) async fn run(&self, database: &Database, mut stop: watch::Receiver<bool>) {
        let mut waiting = self.waiting.lock().await;
        let mut entries = Vec::new();
        loop {
            tokio::select! {
                biased;
                _ = waiting.recv_many(&mut entries, TOGETHER) => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
            let within = Context::default();
            let committed =
                within.scope(database.write((), |(), _| Box::pin(async { Ok::<_, BusError>(()) })));
            if tokio::time::timeout(Duration::from_secs(10), committed).await.is_err() {
                tracing::warn!("the writer is slow: lines on notifications may come before their rows");
            }
            let mut seen = BTreeSet::new();
            for entry in entries.drain(..) {
                // A group that ran twice has said it twice.
                if seen.insert(entry.id) {
                    entry.write();
                }
            }
        }
    }
}
