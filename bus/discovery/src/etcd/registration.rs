//! An instance's own entry in the registry: written, kept alive, written anew when it was lost, taken back.

use super::gateway::{Gateway, GatewayError, Lease};
use crate::Instance;
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::watch,
    task::AbortHandle,
    time::{Instant, timeout},
};

/// The pause after a failure.
const RETRY: Duration = Duration::from_millis(500);

/// How a registration stands in the registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Not listed (yet, or any more): the registry does not answer.
    Unlisted,
    /// Listed as alive.
    Listed,
    /// Listed as leaving.
    Leaving,
    /// Taken back.
    Gone,
}

/// Keeps an instance listed. Dropped, it stops beating as if the process had died, and the instance is listed until
/// its lease has run out.
#[derive(Debug)]
pub struct Registration {
    wish: watch::Sender<Standing>,
    standing: watch::Receiver<Standing>,
    beating: AbortHandle,
}

/// Where the entry is.
pub(crate) struct Place {
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) key: String,
    pub(crate) lease: Duration,
}

impl Registration {
    pub(crate) fn start(place: Place, instance: Instance) -> Self {
        let (wish, wished) = watch::channel(Standing::Listed);
        let (stands, standing) = watch::channel(Standing::Unlisted);
        let entry = Entry { place, instance, stands, lease: None, kept: Instant::now() };
        let beating = bus::spawn(entry.beat(wished)).abort_handle();
        Self { wish, standing, beating }
    }

    /// How it stands, as it changes.
    #[must_use]
    pub fn standing(&self) -> watch::Receiver<Standing> {
        self.standing.clone()
    }

    /// Says that the instance is about to stop: whoever looks sends new calls elsewhere. Returns when that is
    /// written, or the time is up.
    pub async fn leave(&self, patience: Duration) {
        self.reach(Standing::Leaving, patience).await;
    }

    /// Takes the instance from the list. Returns when that is done, or the time is up; then its lease runs out.
    pub async fn close(self, patience: Duration) {
        self.reach(Standing::Gone, patience).await;
    }

    async fn reach(&self, wish: Standing, patience: Duration) {
        self.wish.send_replace(wish);
        let mut standing = self.standing.clone();
        if timeout(patience, standing.wait_for(|standing| *standing == wish)).await.is_err() {
            tracing::warn!(?wish, "the registry does not answer");
        }
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.beating.abort();
    }
}

struct Entry {
    place: Place,
    instance: Instance,
    stands: watch::Sender<Standing>,
    lease: Option<Lease>,
    /// When the lease was last heard of.
    kept: Instant,
}

impl Entry {
    async fn beat(mut self, mut wished: watch::Receiver<Standing>) {
        loop {
            let wish = *wished.borrow_and_update();
            let pause = match self.step(wish).await {
                Ok(()) if wish == Standing::Gone => return,
                Ok(()) => self.lease.map_or(RETRY, |lease| lease.lasts / 3),
                Err(error) => {
                    tracing::warn!(key = self.place.key, %error, "the registry did not take a beat");
                    if self.lease.is_none_or(|lease| self.kept.elapsed() >= lease.lasts) {
                        self.stands.send_replace(Standing::Unlisted);
                    }
                    RETRY
                }
            };
            tokio::select! {
                changed = wished.changed() => if changed.is_err() { return },
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// One beat: the lease is kept, or taken anew where it is lost; the entry is written where it is not as wished.
    async fn step(&mut self, wish: Standing) -> Result<(), GatewayError> {
        let gateway = Arc::clone(&self.place.gateway);
        if wish == Standing::Gone {
            if let Some(lease) = self.lease {
                gateway.revoke(lease.id).await?;
            }
            self.stands.send_replace(wish);
            return Ok(());
        }
        if let Some(lease) = self.lease {
            self.lease = gateway.keep_alive(lease.id).await?;
            if self.lease.is_none() {
                tracing::warn!(key = self.place.key, "the lease was lost, a new one is taken");
                self.stands.send_replace(Standing::Unlisted);
            }
        }
        let lease = match self.lease {
            Some(lease) => lease,
            None => gateway.grant(self.place.lease).await?,
        };
        (self.lease, self.kept) = (Some(lease), Instant::now());
        if *self.stands.borrow() != wish {
            let entry = Instance { leaving: wish == Standing::Leaving, ..self.instance.clone() };
            let value = serde_json::to_string(&entry).map_err(|_| GatewayError::Unreadable)?;
            // A lease that is lost in between is found out at the next beat.
            gateway.put(&self.place.key, &value, lease.id).await?;
            self.stands.send_replace(wish);
        }
        Ok(())
    }
}
