//! One module at work: what it was started as, and how it is stopped without losing anything.

use super::{Stage, Started};
use bus::Bus;
use bus_durable::{Database, Dispatch};
use futures::future::{BoxFuture, join_all};
use std::time::Duration;
use tokio::{sync::watch, task::JoinHandle, time::Instant};

/// A module that was started.
pub(crate) struct Working {
    pub(crate) database: Database,
    /// Until it is set to work.
    resting: Option<Started>,
    dispatch: Option<Dispatch>,
    tasks: Vec<JoinHandle<()>>,
    close: Option<BoxFuture<'static, ()>>,
    stop: watch::Sender<bool>,
}

impl Working {
    /// A module that can be called, and does nothing yet by itself.
    pub(crate) fn resting(mut started: Started) -> Self {
        Self {
            database: started.database.clone(),
            close: started.close.take(),
            resting: Some(started),
            dispatch: None,
            tasks: Vec::new(),
            stop: watch::Sender::new(false),
        }
    }

    /// Lets its messages move, its sagas go on, and what is due be done.
    pub(crate) fn work(&mut self, stage: &Stage) {
        if let Some(started) = self.resting.take() {
            let settings = stage.settings.durable.dispatch();
            tracing::debug!(module = started.name, "works");
            let dispatch = Dispatch::start(&started.database, &stage.bus, started.subscribers, &settings);
            self.dispatch = Some(dispatch);
            self.tasks = (started.workers)(self.stop.subscribe());
        }
    }

    /// Sends what is in its outbox, finishes what runs and hands its duties over, by the deadline or not at all: what
    /// is left is taken up by whatever starts next.
    pub(crate) async fn finish(&mut self, deadline: Instant) {
        let now = Instant::now();
        if self.dispatch.as_ref().is_some_and(Dispatch::is_owner) {
            flush(self.database.clone(), now + deadline.saturating_duration_since(now) / 3).await;
        }
        self.stop.send_replace(true);
        let (dispatch, tasks) = (self.dispatch.take(), std::mem::take(&mut self.tasks));
        let finished = async {
            if let Some(dispatch) = dispatch {
                dispatch.stop().await;
            }
            join_all(tasks).await;
        };
        if tokio::time::timeout_at(deadline, finished).await.is_err() {
            tracing::warn!(
                module = self.database.module(),
                "not everything was done; it is taken up at the next start"
            );
        }
    }

    /// Drains its writer and closes its database.
    pub(crate) async fn close(mut self, deadline: Instant) {
        let close = async {
            if let Some(close) = self.close.take() {
                close.await;
            }
            self.database.close().await;
        };
        if tokio::time::timeout_at(deadline, close).await.is_err() {
            tracing::warn!(module = self.database.module(), "the database was not closed in time");
        }
    }
}

/// Waits until a module's events are with their subscribers, as long as they go.
async fn flush(database: Database, deadline: Instant) {
    while Instant::now() < deadline {
        match database.lag().await {
            Ok((outbox, _)) if !outbox.is_zero() => tokio::time::sleep(Duration::from_millis(10)).await,
            _ => return,
        }
    }
}

/// Waits until no call runs.
pub(crate) async fn idle(bus: &Bus) {
    while bus.status().iter().any(|port| port.in_flight + port.waiting > 0) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
