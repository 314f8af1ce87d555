//! Taking the money that was set aside. Capture and void meet in one conditional update: one of them wins.

use crate::{
    Service,
    attempt::{Attempt, Step},
    provider::CaptureCharge,
    service::{finding, lock},
    settle::{Finding, Witness, told},
    store,
};
use bus::{BusError, Timestamp};
use bus_durable::Tx;
use kernel::PaymentId;
use payments_ports::{CapturePayment, Payment, PaymentStatus, PaymentsError};
use std::time::Duration;

/// How soon after its authorization a capture comes that was announced.
const ANNOUNCED: Duration = Duration::from_secs(2);

enum Begun {
    /// The provider is to be asked, for the first time or again under the same key.
    Ask(Attempt),
    /// It is known already, or cannot be.
    Known(Option<Attempt>),
}

impl Service {
    pub(crate) async fn capture_payment(&self, request: CapturePayment) -> Result<Payment, PaymentsError> {
        let until = self.now().after(self.settings.caller_waits());
        let seen = self.recent.seen(request.payment_id);
        let begun = match seen {
            // Stored with its key when the authorization was, and still this caller's for as long as it may take.
            Some(seen) if is_announced(&seen) && seen.due_at >= until => Begun::Ask(seen),
            seen => {
                let state = (request.payment_id, until, seen);
                self.database
                    .write_locking(vec![lock(request.payment_id)], state, |(id, until, seen), tx| {
                        Box::pin(begin(*id, *until, seen.as_ref(), tx))
                    })
                    .await?
            }
        };
        let attempt = match begun {
            Begun::Ask(attempt) => {
                let finding = self.send_capture(&attempt).await;
                self.record(&attempt, finding, Witness::Caller).await?
            }
            Begun::Known(attempt) => attempt.ok_or(PaymentsError::NotFound)?,
        };
        answer(&attempt)
    }

    /// How long a capture that was announced with its authorization is left to whoever announced it: as long as a
    /// capture takes, and a moment until it is asked for.
    pub(crate) fn announced_until(&self) -> Timestamp {
        self.now().after(self.settings.caller_waits() + ANNOUNCED)
    }

    /// Asks the provider to take the money; the same request however often it is sent.
    pub(crate) async fn send_capture(&self, attempt: &Attempt) -> Finding {
        let Some(charge) = attempt.charge.clone() else {
            return Finding::Unknown { why: "the charge is not known".into() };
        };
        let idempotency_key = attempt.key(Step::Capture);
        let request = CaptureCharge { idempotency_key, charge, amount: attempt.amount };
        let answer = self.ask(self.provider.capture(request)).await;
        finding(attempt, Step::Capture, answer)
    }
}

/// Whether the capture is to come that was announced with the authorization: nobody has asked for it yet.
fn is_announced(attempt: &Attempt) -> bool {
    attempt.status == PaymentStatus::Authorized
        && attempt.step == Step::Capture
        && !attempt.undo
        && attempt.decline_code.is_none()
}

async fn begin(
    id: PaymentId,
    until: Timestamp,
    seen: Option<&Attempt>,
    tx: &Tx<'_>,
) -> Result<Begun, BusError> {
    if let Some(attempt) = seen.and_then(|seen| store::capture_seen(tx, seen, until)) {
        return Ok(Begun::Ask(attempt));
    }
    if let Some(attempt) = store::begin_capture(tx, id, until).await? {
        return Ok(Begun::Ask(attempt));
    }
    let Some(found) = store::find(tx, id).await? else { return Ok(Begun::Known(None)) };
    if found.step == Step::Capture && !found.undo {
        // Asked before, and the answer is not known: asked again, under the same key.
        let held = Attempt { due_at: until, waiting_until: until, ..found };
        store::save(tx, &held, held.version).await?;
        return Ok(Begun::Ask(held));
    }
    if found.step == Step::Tell {
        let told = told(&found).attempt;
        store::save(tx, &told, found.version).await?;
        return Ok(Begun::Known(Some(told)));
    }
    Ok(Begun::Known(Some(found)))
}

/// What the caller is told of a payment that it wanted to be captured.
fn answer(attempt: &Attempt) -> Result<Payment, PaymentsError> {
    let status = attempt.status;
    if attempt.undo {
        return Err(PaymentsError::InvalidTransition { status });
    }
    match (status, attempt.step) {
        (PaymentStatus::Processing, Step::Capture) => Ok(attempt.payment()),
        (PaymentStatus::Processing, _) => Err(PaymentsError::NotSettled { payment_id: attempt.id }),
        (status, _) if status.was_captured() => Ok(attempt.payment()),
        (PaymentStatus::Authorized, _) if attempt.decline_code.is_some() => Err(PaymentsError::Declined {
            payment_id: attempt.id,
            code: attempt.decline_code.clone().unwrap_or_default(),
        }),
        _ => Err(PaymentsError::InvalidTransition { status }),
    }
}
