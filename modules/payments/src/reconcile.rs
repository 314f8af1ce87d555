//! The reconciler: whatever was left open is found by its due time, held by one process, and settled by asking.

use crate::{
    Service,
    attempt::{Attempt, COLUMNS},
    refund_rows::{self, Return},
    service::lock,
    settle::Witness,
    store,
};
use bus::{BusError, Timestamp};
use futures::StreamExt as _;
use std::{sync::Arc, time::Duration};
use tokio::sync::watch;

/// How many payments one sweep takes on, and how many of them it asks about at once: a provider that hangs on
/// some of them must not hold up the rest.
const SWEEP: i64 = 256;
const AT_ONCE: usize = 32;

/// The shortest time between two sweeps.
const BREATH: Duration = Duration::from_millis(20);

impl Service {
    /// Settles, as far as the provider answers, what is due; how many payments and refunds were taken on.
    ///
    /// # Errors
    /// What the database said.
    pub async fn reconcile(&self) -> Result<usize, BusError> {
        let now = self.now();
        let sql = format!(
            "SELECT {COLUMNS} FROM payment WHERE step <> '' AND due_at <= $1 ORDER BY due_at LIMIT $2"
        );
        let rows = self.database.reader().rows(&sql, [now.micros().into(), SWEEP.into()]).await?;
        let attempts = rows.iter().map(Attempt::from_row).collect::<Result<Vec<_>, _>>()?;
        let refunds = self.due_refunds(now, SWEEP).await?;
        let payments = futures::stream::iter(attempts)
            .map(|attempt| self.reconcile_payment(attempt))
            .buffer_unordered(AT_ONCE);
        let refunds = futures::stream::iter(refunds)
            .map(|refund| self.reconcile_refund(refund))
            .buffer_unordered(AT_ONCE);
        let (payments, refunds): (Vec<_>, Vec<_>) = futures::join!(payments.collect(), refunds.collect());
        let mut taken = 0;
        for outcome in payments.into_iter().chain(refunds) {
            match outcome {
                Ok(held) => taken += usize::from(held),
                Err(error) => tracing::warn!(%error, "a payment could not be reconciled; it is tried again"),
            }
        }
        Ok(taken)
    }

    async fn reconcile_payment(&self, seen: Attempt) -> Result<bool, BusError> {
        let until = self.now().after(self.settings.lease());
        let held = self
            .database
            .write_locking(vec![lock(seen.id)], (seen, until), |(seen, until), tx| {
                Box::pin(store::claim(tx, seen, *until))
            })
            .await?;
        let Some(attempt) = held else { return Ok(false) };
        self.go_on(attempt, Witness::Reconciler).await?;
        Ok(true)
    }

    async fn reconcile_refund(&self, seen: Return) -> Result<bool, BusError> {
        let until = self.now().after(self.settings.lease());
        let held = self
            .database
            .write_locking(vec![lock(seen.payment_id)], (seen, until), |(seen, until), tx| {
                Box::pin(refund_rows::claim(tx, seen, *until))
            })
            .await?;
        let Some(refund) = held else { return Ok(false) };
        let Some(attempt) = self.find(refund.payment_id).await? else { return Ok(false) };
        self.send_refund(refund, &attempt, Witness::Reconciler).await?;
        Ok(true)
    }

    /// When the next open payment or refund is due, if there is any.
    async fn next_due(&self) -> Result<Option<Timestamp>, BusError> {
        let payment = "SELECT due_at FROM payment WHERE step <> '' ORDER BY due_at LIMIT 1";
        let refund = "SELECT due_at FROM refund WHERE status = 'processing' ORDER BY due_at LIMIT 1";
        let mut next: Option<Timestamp> = None;
        for sql in [payment, refund] {
            if let Some(row) = self.database.reader().row(sql, []).await? {
                let due_at = Timestamp::from_micros(row.get("due_at")?);
                next = Some(next.map_or(due_at, |other| other.min(due_at)));
            }
        }
        Ok(next)
    }
}

/// Reconciles whenever something is due, until told to stop.
pub(crate) async fn run(service: Arc<Service>, mut stop: watch::Receiver<bool>) {
    let every = service.settings.reconcile_every;
    loop {
        if let Err(error) = service.reconcile().await {
            tracing::warn!(%error, "the open payments could not be read");
        }
        let pause = match service.next_due().await {
            Ok(Some(due_at)) => service.now().until(due_at).clamp(BREATH, every.max(BREATH)),
            _ => every,
        };
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            () = tokio::time::sleep(pause) => {}
            () = async {
                service.left_open.notified().await;
                tokio::time::sleep(BREATH).await;
            } => {}
        }
    }
}
