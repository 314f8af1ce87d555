//! One bus, one probe attached to it, and ways to look at both.

use super::{
    SOON,
    probe::{Echo, Echoed, Hold, Probe, ProbeError, ProbePort},
};
use crate::{Attachment, Placement, eventually, place};
use bus::{Bus, Policies, Policy, PortStatus};
use std::{
    sync::{Arc, atomic::AtomicUsize, atomic::Ordering::SeqCst},
    time::Duration,
};
use tokio::task::JoinHandle;

pub(super) struct World {
    pub(super) bus: Bus,
    pub(super) probe: Arc<Probe>,
    pub(super) attachment: Attachment,
}

/// Whose limits bind.
#[derive(Debug, Clone, Copy)]
pub(super) enum Side {
    Calling,
    Serving,
}

impl Side {
    /// In one process there is one side.
    pub(super) fn of(placement: &dyn Placement) -> &'static [Self] {
        if placement.is_remote() { &[Self::Calling, Self::Serving] } else { &[Self::Serving] }
    }
}

impl World {
    pub(super) async fn new(placement: &dyn Placement) -> Self {
        Self::with(placement, Policies::default(), &Policies::default()).await
    }

    /// A world in which one side admits only so many calls.
    pub(super) async fn limited(
        placement: &dyn Placement,
        side: Side,
        concurrency: usize,
        queue: usize,
    ) -> Self {
        let policy = Policy { concurrency, queue, ..Policy::default() };
        let narrow = Policies::new(policy).expect("a good policy");
        match side {
            Side::Calling => Self::with(placement, narrow, &Policies::default()).await,
            Side::Serving => Self::with(placement, Policies::default(), &narrow).await,
        }
    }

    pub(super) async fn with(placement: &dyn Placement, calling: Policies, serving: &Policies) -> Self {
        let bus = placement.bus(calling);
        let probe = Probe::new();
        assert!(probe.bus.set(bus.clone()).is_ok());
        let service = Arc::clone(&probe) as Arc<dyn ProbePort>;
        let attachment = place(placement, &bus, service, serving).await;
        Self { bus, probe, attachment }
    }

    pub(super) fn limiting(&self, side: Side) -> &Bus {
        match side {
            Side::Calling => &self.bus,
            Side::Serving => &self.attachment.serving,
        }
    }

    /// How the port stands on the side that limits.
    pub(super) fn status(&self, side: Side) -> PortStatus {
        let mut status = self.limiting(side).status();
        status.pop().expect("the probe is attached")
    }

    /// Waits until so many calls run and wait on the side that limits.
    pub(super) async fn until(&self, side: Side, in_flight: usize, waiting: usize) {
        let what = format!("{in_flight} running and {waiting} waiting on the {side:?} side");
        eventually(&what, SOON, async || {
            let status = self.status(side);
            (status.in_flight, status.waiting) == (in_flight, waiting)
        })
        .await;
    }

    /// Waits until nothing runs, waits or is waited for anywhere.
    pub(super) async fn until_idle(&self) {
        eventually("nothing is pending", SOON, async || {
            let calling: usize = self.bus.status().iter().map(|port| port.in_flight + port.waiting).sum();
            calling + self.attachment.pending() == 0
        })
        .await;
    }

    /// Waits until a counter of the probe shows this.
    pub(super) async fn until_count(&self, what: &str, counter: &AtomicUsize, expected: usize) {
        let what = format!("{what}: {expected}");
        eventually(&what, SOON, async || counter.load(SeqCst) == expected).await;
    }

    /// A call in a task of its own that runs until it is let go; with a time-out where one is given.
    pub(super) fn hold(&self, id: u32, timeout: Option<Duration>) -> JoinHandle<Result<u32, ProbeError>> {
        let bus = self.bus.clone();
        bus::spawn(async move {
            let call = bus.hold(Hold { id, then_echo: false });
            match timeout {
                Some(timeout) => bus::within(timeout, call).await,
                None => call.await,
            }
        })
    }

    pub(super) async fn echo(&self, text: &str) -> Result<Echoed, ProbeError> {
        self.bus.echo(Echo::new(text)).await
    }

    /// The port answers.
    pub(super) async fn assert_alive(&self) {
        assert_eq!(self.echo("alive").await, Ok(Echoed { text: "alive!".into() }));
    }
}
