//! The tasks that keep a module's messages moving: lease, relays, inbox, retention. Nobody has to start them by hand
//! after a crash.

use crate::{
    Database, Lease, RetryPolicy, Subscribers,
    inbox::{Handled, Inbox, Pending},
    relay::{BATCH, Relay},
};
use bus::{Bus, BusError, Receive, Subscription};
use futures::{FutureExt, StreamExt, stream::FuturesUnordered};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};
use tokio::{sync::watch, task::JoinHandle, time::timeout};

/// How long an event waits for others that are about to be committed: they travel, and are marked, together.
const LINGER: Duration = Duration::from_millis(25);

/// How long it waits where so many came together the last time: what is done once for all of them costs the buyers less.
const LINGER_UNDER_LOAD: Duration = Duration::from_millis(100);
const LOAD: usize = 16;

/// How messages are moved.
#[derive(Debug, Clone)]
pub struct DispatchSettings {
    /// When a failed message is tried again, and when it is a dead letter.
    pub retry: RetryPolicy,
    /// How long a process that died keeps its duties at most; PostgreSQL only.
    pub lease: Duration,
    /// How often tables are looked at without being told.
    pub poll: Duration,
    /// How many keys of a subscription are handled at once.
    pub concurrency: usize,
    /// How long an inbox or a handler may take.
    pub patience: Duration,
    /// How long settled messages are kept.
    pub retention: Duration,
}

impl Default for DispatchSettings {
    fn default() -> Self {
        Self {
            retry: RetryPolicy::default(),
            lease: Duration::from_secs(3),
            poll: Duration::from_millis(250),
            concurrency: 256,
            patience: Duration::from_secs(10),
            retention: Duration::from_secs(7 * 24 * 3600),
        }
    }
}

/// A module's running dispatch.
pub struct Dispatch {
    inbox: Inbox,
    lease: Lease,
    owned: watch::Receiver<bool>,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

impl Dispatch {
    /// Starts moving the module's messages: from its outbox over the bus, and from its inbox to its subscribers.
    #[must_use]
    pub fn start(
        database: &Database,
        bus: &Bus,
        subscribers: Subscribers,
        settings: &DispatchSettings,
    ) -> Self {
        let inbox = Inbox::new(database.clone(), subscribers, settings.retry, settings.patience);
        bus.serve_inbox(database.module(), Arc::new(inbox.clone()));
        let lease = Lease::new(database.clone(), "dispatch", settings.lease);
        let (stop, stopped) = watch::channel(false);
        let (owner, owned) = watch::channel(false);
        let duty = Duty { owned: owned.clone(), stopped, poll: settings.poll };
        let mut tasks = vec![bus::spawn(hold(lease.clone(), owner, duty.clone()))];
        for subscriber in database.catalogue().subscribers() {
            let (database, bus, patience) = (database.clone(), bus.clone(), settings.patience);
            tasks.push(bus::spawn(deliver(Relay { database, bus, subscriber, patience }, duty.clone())));
        }
        for subscription in inbox.subscriptions() {
            let concurrency = settings.concurrency.max(1);
            tasks.push(bus::spawn(handle(inbox.clone(), subscription, concurrency, duty.clone())));
        }
        tasks.push(bus::spawn(crate::admin::keep_house(database.clone(), settings.retention, duty)));
        Self { inbox, lease, owned, stop, tasks }
    }

    /// What receives the module's messages, for other processes' transports.
    #[must_use]
    pub fn inbox(&self) -> Arc<dyn Receive> {
        Arc::new(self.inbox.clone())
    }

    /// Whether this process has the duty of moving the messages.
    #[must_use]
    pub fn is_owner(&self) -> bool {
        *self.owned.borrow()
    }

    /// Finishes what runs, and hands the duty over.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        for task in self.tasks {
            drop(task.await);
        }
        if let Err(error) = self.lease.release().await {
            tracing::warn!(%error, "the lease could not be released; it ends by itself");
        }
    }
}

/// When a task has to work and when to end.
#[derive(Clone)]
pub(crate) struct Duty {
    owned: watch::Receiver<bool>,
    stopped: watch::Receiver<bool>,
    poll: Duration,
}

impl Duty {
    /// Waits to be told, no longer than `at_most`, and until the duty is this process's; `false` at the end.
    pub(crate) async fn wait(&mut self, told: impl Future<Output = ()>, at_most: Duration) -> bool {
        if !*self.stopped.borrow() {
            let mut stopped = self.stopped.clone();
            tokio::select! {
                () = told => {}
                () = tokio::time::sleep(at_most) => {}
                _ = stopped.wait_for(|stopped| *stopped) => {}
            }
        }
        let mut stopped = self.stopped.clone();
        tokio::select! {
            biased;
            _ = stopped.wait_for(|stopped| *stopped) => false,
            owned = self.owned.wait_for(|owned| *owned) => owned.is_ok(),
        }
    }

    /// Whether new work may be begun.
    fn is_on(&self) -> bool {
        *self.owned.borrow() && !*self.stopped.borrow() && self.stopped.has_changed().is_ok()
    }
}

/// Takes the lease whenever it is free, and renews it.
async fn hold(lease: Lease, owner: watch::Sender<bool>, mut duty: Duty) {
    let third = lease.length() / 3;
    loop {
        let held = match timeout(lease.length(), lease.take()).await {
            Ok(Ok(held)) => held,
            Ok(Err(error)) => {
                tracing::warn!(%error, "the lease could not be taken");
                false
            }
            Err(_) => false,
        };
        owner.send_if_modified(|owned| std::mem::replace(owned, held) != held);
        let mut stopped = duty.stopped.clone();
        if timeout(third, stopped.wait_for(|stopped| *stopped)).await.is_ok() {
            return;
        }
        duty.owned.mark_unchanged();
    }
}

async fn deliver(relay: Relay, mut duty: Duty) {
    let mut published = relay.database.writer().published().listen();
    let mut failures = 0;
    let mut more = true;
    let mut linger = LINGER;
    loop {
        let pause = match failures {
            0 if more => Duration::ZERO,
            0 => duty.poll,
            _ => Relay::pause(failures, rand::random()),
        };
        let told = async {
            if failures > 0 {
                std::future::pending().await
            }
            published.heard().await;
            tokio::time::sleep(linger).await;
        };
        if !duty.wait(told, pause).await {
            return;
        }
        match relay.step().await {
            Ok(sent) => {
                (failures, more) = (0, sent == BATCH);
                linger = if sent >= LOAD { LINGER_UNDER_LOAD } else { LINGER };
            }
            Err(error) => {
                failures += 1;
                tracing::warn!(subscriber = relay.subscriber, %error, failures, "deliveries are sent again");
            }
        }
    }
}

async fn handle(inbox: Inbox, subscription: Subscription, concurrency: usize, mut duty: Duty) {
    let mut arrived = inbox.arrived().listen();
    let mut running = FuturesUnordered::new();
    let mut busy = BTreeSet::new();
    let mut look = true;
    // Whether the last look may have left messages out: of keys that were busy, or for want of room.
    let mut left_out = false;
    loop {
        while look && duty.is_on() && busy.len() < concurrency {
            left_out = !busy.is_empty();
            look = false;
            match fill(&inbox, &subscription, &busy, concurrency - busy.len()).await {
                Ok((keys, more)) => {
                    left_out |= more;
                    // As long as there is more it may be of other keys than those that are busy by now.
                    look = more && !keys.is_empty();
                    for (key, messages) in keys {
                        busy.insert(key.clone());
                        let (inbox, duty) = (inbox.clone(), duty.clone());
                        running.push(bus::spawn(async move {
                            in_order(&inbox, &subscription, messages, &duty).await;
                            key
                        }));
                    }
                }
                Err(error) => {
                    tracing::warn!(subscription = subscription.id, %error, "the inbox could not be read");
                }
            }
        }
        let poll = duty.poll;
        tokio::select! {
            Some(done) = running.next(), if !running.is_empty() => {
                if let Ok(key) = done {
                    busy.remove(&key);
                }
                // Whatever else is finished by now goes with it: one look for all of them.
                while let Some(Some(Ok(key))) = running.next().now_or_never() {
                    busy.remove(&key);
                }
                look |= left_out;
            }
            on = duty.wait(arrived.heard(), poll) => {
                if !on {
                    break;
                }
                look = true;
            }
        }
    }
    while running.next().await.is_some() {}
}

/// The next messages of at most so many keys, by key; whether there may be more.
async fn fill(
    inbox: &Inbox,
    subscription: &Subscription,
    busy: &BTreeSet<String>,
    head_room: usize,
) -> Result<(BTreeMap<String, Vec<Pending>>, bool), BusError> {
    let busy_keys: Vec<&str> = busy.iter().map(String::as_str).collect();
    let limit = head_room.saturating_mul(2).max(16);
    let ready = inbox.ready(subscription, &busy_keys, i64::try_from(limit).unwrap_or(i64::MAX)).await?;
    let mut more = ready.len() == limit;
    let mut keys: BTreeMap<String, Vec<Pending>> = BTreeMap::new();
    for pending in ready {
        if keys.len() < head_room || keys.contains_key(&pending.message.key) {
            keys.entry(pending.message.key.clone()).or_default().push(pending);
        } else {
            more = true;
        }
    }
    Ok((keys, more))
}

/// Handles the messages of one key; a failure holds the later ones back.
async fn in_order(inbox: &Inbox, subscription: &Subscription, messages: Vec<Pending>, duty: &Duty) {
    for message in messages {
        if !duty.is_on() || inbox.handle(subscription, message).await != Handled::Done {
            return;
        }
    }
}
