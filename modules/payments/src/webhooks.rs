//! The durable inbox of webhooks: stored once for each event id of the provider, in one unit of work with what it
//! changes. Most tell what is known already and cost one insert.

use crate::{
    Service,
    attempt::{Attempt, Step},
    entities::webhook_event,
    provider::ProviderEvent,
    refund_rows::{self, Outcome, Return},
    service::lock,
    settle::{Finding, Moment, Witness, settle},
    signature::{Signed, is_good},
    store,
};
use bus::BusError;
use bus_durable::Tx;
use kernel::{PaymentId, RefundId};
use payments_ports::{PaymentsError, ReceiveWebhook, WebhookReceipt};
use sea_orm::ActiveValue::Set;
use uuid::Uuid;

/// What a webhook comes to.
#[derive(Debug, Clone)]
pub(crate) enum Effect {
    /// It is about nothing that is known here, or tells what is known: this is written to its row, no more.
    Nothing(&'static str),
    Payment(Box<Attempt>, Finding),
    Refund(Return, Outcome),
}

impl Effect {
    pub(crate) fn state(&self) -> &'static str {
        match self {
            Self::Nothing(state) => state,
            Self::Payment(_, Finding::Mismatch { .. }) | Self::Refund(_, Outcome::Mismatch { .. }) => {
                "mismatch"
            }
            Self::Payment(..) | Self::Refund(..) => "done",
        }
    }

    pub(crate) fn locks(&self) -> Vec<String> {
        match self {
            Self::Nothing(_) => Vec::new(),
            Self::Payment(attempt, _) => vec![lock(attempt.id)],
            Self::Refund(refund, _) => vec![lock(refund.payment_id)],
        }
    }

    pub(crate) async fn apply(&self, moment: &Moment, tx: &Tx<'_>) -> Result<(), BusError> {
        match self {
            Self::Nothing(_) => Ok(()),
            Self::Payment(attempt, finding) => {
                store::record(tx, attempt.id, finding, Witness::Webhook, moment, None).await.map(|_| ())
            }
            Self::Refund(refund, outcome) => {
                refund_rows::settle(tx, refund.id, outcome, Witness::Webhook, moment).await.map(|_| ())
            }
        }
    }
}

/// A webhook on its way into its table.
#[derive(Debug, Clone)]
struct Letter {
    provider: String,
    event_id: String,
    reference: String,
    body: String,
}

impl Service {
    pub(crate) async fn take_webhook(
        &self,
        request: ReceiveWebhook,
    ) -> Result<WebhookReceipt, PaymentsError> {
        if request.provider != self.provider.name() {
            return Err(PaymentsError::NotFound);
        }
        let ReceiveWebhook { provider, id, timestamp, signature, body } = request;
        let signed = Signed { id: &id, timestamp: &timestamp, signature: &signature, body: &body };
        let secrets = [self.settings.webhook_secret.reveal(), self.settings.webhook_secret_before.reveal()];
        let well_formed = (1..=255).contains(&id.len());
        if !well_formed || !is_good(&signed, &secrets, self.now(), self.settings.webhook_tolerance) {
            metrics::counter!("payments_webhooks_refused_total").increment(1);
            return Err(PaymentsError::InvalidSignature);
        }
        let event = self.provider.read_webhook(&body);
        let effect = self.effect(event.as_ref()).await?;
        let reference = event.map(|event| event.reference).unwrap_or_default();
        let letter = Letter { provider, event_id: id, reference, body };
        let goes_on = !matches!(effect, Effect::Nothing(_));
        let state = (letter.clone(), effect.clone(), self.moment(0));
        let stored = self
            .database
            .write_locking(effect.locks(), state, |(letter, effect, moment), tx| {
                Box::pin(async move {
                    if let Some(known) = store_once(letter, effect.state(), tx).await? {
                        return Ok(known);
                    }
                    effect.apply(moment, tx).await?;
                    Ok::<_, BusError>(effect.state().to_owned())
                })
            })
            .await;
        let state = match stored {
            // It cannot be handled now: it is kept, and the worker tries again.
            Err(BusError::Failed { .. } | BusError::Died { .. }) => self.keep(letter).await?,
            stored => stored?,
        };
        if goes_on {
            self.left_open.notify_one();
        }
        Ok(WebhookReceipt { matched: state != "unmatched" })
    }

    async fn keep(&self, letter: Letter) -> Result<String, BusError> {
        self.database
            .write(letter, |letter, tx| {
                Box::pin(async move {
                    let known = store_once(letter, "pending", tx).await?;
                    Ok::<_, BusError>(known.unwrap_or_else(|| "pending".to_owned()))
                })
            })
            .await
    }

    /// What a webhook is about, as the tables are now. What is known stays known, so a webhook that tells
    /// nothing new can be told by a look that takes no part in the transaction.
    pub(crate) async fn effect(&self, event: Option<&ProviderEvent>) -> Result<Effect, BusError> {
        let Some(event) = event else { return Ok(Effect::Nothing("done")) };
        let unmatched = || {
            tracing::warn!(key = event.idempotency_key, reference = event.reference, "unmatched webhook");
            metrics::counter!("payments_webhooks_unmatched_total").increment(1);
            Effect::Nothing("unmatched")
        };
        match subject(&event.idempotency_key) {
            None => Ok(unmatched()),
            Some(Subject::Payment(id, step)) => {
                // What was known when it was last seen here is known still.
                if let Some(seen) =
                    self.recent.seen(id).filter(|seen| event.reference == seen.order_id.to_string())
                {
                    let finding = Finding::of(&seen, step, &event.answer);
                    let mismatch = matches!(finding, Finding::Mismatch { .. });
                    if !mismatch && settle(&seen, &finding, Witness::Webhook, &self.moment(0)).is_none() {
                        return Ok(Effect::Nothing("done"));
                    }
                }
                let Some(attempt) = self.find(id).await? else { return Ok(unmatched()) };
                if event.reference != attempt.order_id.to_string() {
                    return Ok(wrong_reference(event).unwrap_or_else(unmatched));
                }
                let finding = Finding::of(&attempt, step, &event.answer);
                let is_new = settle(&attempt, &finding, Witness::Webhook, &self.moment(0)).is_some();
                Ok(match finding {
                    Finding::Mismatch { .. } if !is_new => Effect::Nothing("mismatch"),
                    finding if is_new => Effect::Payment(Box::new(attempt), finding),
                    _ => Effect::Nothing("done"),
                })
            }
            Some(Subject::Refund(id)) => {
                let Some(refund) = self.find_refund(id).await? else { return Ok(unmatched()) };
                if event.reference != refund.order_id.to_string() {
                    return Ok(wrong_reference(event).unwrap_or_else(unmatched));
                }
                let Some(attempt) = self.find(refund.payment_id).await? else { return Ok(unmatched()) };
                Ok(match refund.outcome(&attempt, &event.answer) {
                    Outcome::Succeeded if refund.status == payments_ports::RefundStatus::Succeeded => {
                        Effect::Nothing("done")
                    }
                    outcome => Effect::Refund(refund, outcome),
                })
            }
        }
    }
}

/// Stores a webhook; its state where it was stored before.
async fn store_once(letter: &Letter, state: &str, tx: &Tx<'_>) -> Result<Option<String>, BusError> {
    if tx.is_optimistic() {
        tx.insert_later(webhook_event::ActiveModel {
            provider: Set(letter.provider.clone()),
            event_id: Set(letter.event_id.clone()),
            reference: Set(letter.reference.clone()),
            body: Set(letter.body.clone()),
            state: Set(state.to_owned()),
            attempts: Set(0),
            due_at: Set(tx.now().micros()),
            received_at: Set(tx.now().micros()),
            ..Default::default()
        });
        return Ok(None);
    }
    let sql = "INSERT INTO webhook_event (provider, event_id, reference, body, state, attempts, due_at, received_at) \
               VALUES ($1, $2, $3, $4, $5, 0, $6, $6) ON CONFLICT (provider, event_id) DO NOTHING";
    let values = [
        letter.provider.as_str().into(),
        letter.event_id.as_str().into(),
        letter.reference.as_str().into(),
        letter.body.as_str().into(),
        state.into(),
        tx.now().micros().into(),
    ];
    if tx.execute(sql, values).await? == 1 {
        return Ok(None);
    }
    let sql = "SELECT state FROM webhook_event WHERE provider = $1 AND event_id = $2";
    let row = tx.row(sql, [letter.provider.as_str().into(), letter.event_id.as_str().into()]).await?;
    row.map_or(Ok(Some(String::from("done"))), |row| row.get("state").map(Some))
}

/// A webhook that names one of our requests and another order: an alarm, and nothing is changed. One that names
/// no order at all is merely unmatched.
fn wrong_reference(event: &ProviderEvent) -> Option<Effect> {
    event.reference.parse::<Uuid>().ok()?;
    tracing::error!(key = event.idempotency_key, reference = event.reference, "a webhook of another order");
    metrics::counter!("payments_attention_total").increment(1);
    Some(Effect::Nothing("mismatch"))
}

enum Subject {
    Payment(PaymentId, Step),
    Refund(RefundId),
}

/// Whose request a key names.
fn subject(key: &str) -> Option<Subject> {
    if let Some(id) = key.strip_prefix("ref-") {
        return Some(Subject::Refund(id.parse().ok()?));
    }
    let (id, step) = key.strip_prefix("pay-")?.rsplit_once('-')?;
    let step =
        Step::parse(step).filter(|step| matches!(step, Step::Authorize | Step::Capture | Step::Void))?;
    Some(Subject::Payment(id.parse().ok()?, step))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bus::Timestamp;

    #[test]
    fn a_key_names_its_payment_and_step() {
        let id = Uuid::from_u128(7);
        assert!(
            matches!(subject(&format!("pay-{id}-capture")), Some(Subject::Payment(p, Step::Capture)) if p.0 == id)
        );
        assert!(matches!(subject(&format!("ref-{id}")), Some(Subject::Refund(r)) if r.0 == id));
        for foreign in
            ["", "pay-", "pay-x-capture", &format!("pay-{id}-steal"), &format!("pay-{id}-"), "ref-1"]
        {
            assert!(subject(foreign).is_none(), "{foreign}");
        }
    }

    #[test]
    fn a_verdict_that_is_no_answer_to_the_step_is_a_mismatch() {
        let answer = crate::provider::ProviderAnswer {
            charge: "c".into(),
            verdict: crate::provider::Verdict::Refunded,
            amount: None,
            reference: None,
        };
        let attempt =
            crate::authorize::tombstone(PaymentId(Uuid::nil()), Timestamp::from_micros(1)).expect("a row");
        assert!(matches!(Finding::of(&attempt, Step::Capture, &answer), Finding::Mismatch { .. }));
    }
}
