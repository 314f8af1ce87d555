//! Webhooks that are stored and could not be handled: tried again in the order of their reference, then dead.

use crate::{Service, webhooks::Effect};
use bus::{BusError, Timestamp};
use bus_durable::{Decision, RetryPolicy};
use std::{collections::BTreeSet, sync::Arc, time::Duration};
use tokio::sync::watch;

/// A webhook that is stored and not handled.
struct Pending {
    position: i64,
    reference: String,
    body: String,
    attempts: i64,
    due_at: Timestamp,
}

impl Service {
    /// Handles the webhooks that are stored and not handled, those of one reference in their order; how many
    /// were.
    ///
    /// # Errors
    /// What the database said.
    pub async fn handle_webhooks(&self) -> Result<usize, BusError> {
        let sql = "SELECT position, reference, body, attempts, due_at FROM webhook_event WHERE state = 'pending' \
                   ORDER BY position LIMIT 256";
        let now = self.now();
        let (mut waiting, mut handled) = (BTreeSet::new(), 0);
        for row in self.database.reader().rows(sql, []).await? {
            let pending = Pending {
                position: row.get("position")?,
                reference: row.get("reference")?,
                body: row.get("body")?,
                attempts: row.get("attempts")?,
                due_at: Timestamp::from_micros(row.get("due_at")?),
            };
            if waiting.contains(&pending.reference) {
                continue;
            }
            if pending.due_at > now || !self.handle(&pending).await? {
                waiting.insert(pending.reference);
            } else {
                handled += 1;
            }
        }
        Ok(handled)
    }

    async fn handle(&self, pending: &Pending) -> Result<bool, BusError> {
        let event = self.provider.read_webhook(&pending.body);
        let outcome = match self.effect(event.as_ref()).await {
            Ok(effect) => self.carry_out(pending.position, effect).await,
            Err(error) => Err(error),
        };
        let Err(error) = outcome else { return Ok(true) };
        let attempts = pending.attempts + 1;
        let policy = RetryPolicy::default();
        let decision = policy.decide(u32::try_from(attempts).unwrap_or(u32::MAX), rand::random());
        let (state, pause) = match decision {
            Decision::Again(pause) => ("pending", pause),
            Decision::GiveUp => ("dead", Duration::ZERO),
        };
        tracing::error!(position = pending.position, %error, state, "a webhook cannot be handled");
        let change = (pending.position, state, attempts, self.now().after(pause), error.to_string());
        self.database
            .write(change, |(position, state, attempts, due_at, error), tx| {
                Box::pin(async move {
                    let sql = "UPDATE webhook_event SET state = $2, attempts = $3, due_at = $4, error = $5 \
                               WHERE position = $1 AND state = 'pending'";
                    let values = [
                        (*position).into(),
                        (*state).into(),
                        (*attempts).into(),
                        due_at.micros().into(),
                        error.as_str().into(),
                    ];
                    tx.execute(sql, values).await.map(|_| false)
                })
            })
            .await
    }

    async fn carry_out(&self, position: i64, effect: Effect) -> Result<(), BusError> {
        let state = (position, effect.clone(), self.moment(0));
        self.database
            .write_locking(effect.locks(), state, |(position, effect, moment), tx| {
                Box::pin(async move {
                    let sql = "UPDATE webhook_event SET state = $2 WHERE position = $1 AND state = 'pending'";
                    if tx.execute(sql, [(*position).into(), effect.state().into()]).await? == 1 {
                        effect.apply(moment, tx).await?;
                    }
                    Ok(())
                })
            })
            .await
    }

    /// Forgets webhooks that were handled long ago, a piece at a time.
    async fn sweep_webhooks(&self) -> Result<(), BusError> {
        let before = self.now().before(self.settings.webhook_retention);
        self.database
            .write(before, |before, tx| {
                Box::pin(async move {
                    // What is old lies at the front of the table.
                    let sql = "DELETE FROM webhook_event WHERE position IN (SELECT position FROM \
                               (SELECT position, received_at FROM webhook_event \
                               WHERE position > 0 AND state IN ('done', 'unmatched') ORDER BY position LIMIT 500) AS front \
                               WHERE received_at < $1)";
                    tx.execute(sql, [before.micros().into()]).await.map(|_| ())
                })
            })
            .await
    }
}

/// Handles what is pending now and then, until told to stop.
pub(crate) async fn run(service: Arc<Service>, mut stop: watch::Receiver<bool>) {
    let every = service.settings.reconcile_every.min(Duration::from_secs(1));
    let mut rounds = 0_u32;
    while tokio::time::timeout(every, stop.wait_for(|stop| *stop)).await.is_err() {
        if let Err(error) = service.handle_webhooks().await {
            tracing::warn!(%error, "the webhooks could not be read");
        }
        rounds = rounds.wrapping_add(1);
        if rounds.is_multiple_of(60)
            && let Err(error) = service.sweep_webhooks().await
        {
            tracing::warn!(%error, "old webhooks could not be swept");
        }
    }
}
