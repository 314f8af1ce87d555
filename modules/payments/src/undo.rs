//! Undoing a payment, whatever became of it, and going on with what was begun. The reconciler walks the same way.

use crate::{
    Service,
    attempt::{Attempt, NOBODY, Step},
    authorize::tombstone,
    provider::VoidCharge,
    service::{finding, lock, unhurried},
    settle::{Change, Finding, Witness},
    store,
};
use bus::{BusError, Timestamp};
use bus_durable::Tx;
use kernel::PaymentId;
use payments_ports::{Payment, PaymentStatus, PaymentsError, VoidPayment};

/// The longest way there is: from an unknown capture over a refused void to the refund.
const LONGEST_WAY: usize = 6;

enum Begun {
    /// There is something to undo, and it is this caller's to do.
    GoOn(Attempt),
    /// There is nothing to undo.
    Known(Attempt),
}

impl Service {
    pub(crate) async fn void_payment(&self, request: VoidPayment) -> Result<Payment, PaymentsError> {
        let payment_id = request.payment_id;
        let until = self.now().after(self.settings.lease());
        // Or a capture that was announced would be begun while it is undone.
        self.recent.forget(payment_id);
        let begun = self
            .database
            .write_locking(vec![lock(payment_id)], (payment_id, until), |&(id, until), tx| {
                Box::pin(begin(id, until, tx))
            })
            .await?;
        let attempt = match begun {
            Begun::GoOn(attempt) => self.go_on(attempt, Witness::Caller).await?,
            Begun::Known(attempt) => attempt,
        };
        let over = attempt.status.came_to_nothing() && attempt.step != Step::Void;
        if over || attempt.status == PaymentStatus::Refunded {
            Ok(attempt.payment())
        } else {
            Err(PaymentsError::NotSettled { payment_id })
        }
    }

    /// Asks, sends and writes down, until the payment is settled or the provider does not answer.
    pub(crate) async fn go_on(&self, mut attempt: Attempt, witness: Witness) -> Result<Attempt, BusError> {
        for _ in 0..LONGEST_WAY {
            let finding = match attempt.step {
                Step::None => return Ok(attempt),
                Step::Tell => return self.tell(&attempt, witness).await,
                Step::Refund => return self.give_back(attempt, witness).await,
                Step::Authorize | Step::Watch => self.find_authorization(&mut attempt).await,
                Step::Capture => self.find_capture(&attempt).await,
                Step::Void => self.send_void(&attempt).await,
            };
            let next = self.record(&attempt, finding, witness).await?;
            if next.step == attempt.step {
                if next.due_at != attempt.due_at {
                    return Ok(next);
                }
                // It was nothing new, so nobody has said yet when to look again.
                let why = "the provider says nothing that helps".to_owned();
                return self.record(&next, Finding::Unknown { why }, witness).await;
            }
            attempt = next;
        }
        Ok(attempt)
    }

    /// What became of the authorization. One that the provider never heard of is sent again under its key,
    /// which cannot charge twice, until it is too late for it; then it has failed, and since the request may
    /// still be on its way somewhere, what should arrive is watched for, and undone.
    async fn find_authorization(&self, attempt: &mut Attempt) -> Finding {
        let key = attempt.key(Step::Authorize);
        match self.ask(self.provider.lookup(&key)).await {
            Err(error) => Finding::Unknown { why: error.to_string() },
            Ok(Some(answer)) => Finding::of(attempt, attempt.step, &answer),
            Ok(None) if attempt.step == Step::Watch => Finding::NeverHeard,
            Ok(None) => {
                let now = self.now();
                let too_late = attempt.created_at.after(self.settings.give_up_after) <= now;
                let quiet = attempt.sent_at.after(self.settings.provider_timeout * 2) <= now;
                match (attempt.undo || too_late, quiet) {
                    (true, true) => Finding::NeverHeard,
                    (true, false) => Finding::Unknown { why: "the provider has not heard of it yet".into() },
                    (false, _) => {
                        attempt.sent_at = now;
                        self.send_authorization(attempt).await
                    }
                }
            }
        }
    }

    /// What became of the capture. One that the provider never heard of is sent again, or overtaken by the void
    /// that makes the provider refuse it.
    async fn find_capture(&self, attempt: &Attempt) -> Finding {
        let key = attempt.key(Step::Capture);
        match self.ask(self.provider.lookup(&key)).await {
            Err(error) => Finding::Unknown { why: error.to_string() },
            Ok(Some(answer)) => Finding::of(attempt, Step::Capture, &answer),
            Ok(None) if attempt.undo => self.send_void(attempt).await,
            Ok(None) => self.send_capture(attempt).await,
        }
    }

    async fn send_void(&self, attempt: &Attempt) -> Finding {
        let Some(charge) = attempt.charge.clone() else {
            return Finding::Unknown { why: "the charge is not known".into() };
        };
        let request = VoidCharge { idempotency_key: attempt.key(Step::Void), charge };
        let answer = self.ask(self.provider.void(request)).await;
        finding(attempt, Step::Void, answer)
    }

    /// An outcome whose telling was left to a caller who may be gone.
    async fn tell(&self, attempt: &Attempt, witness: Witness) -> Result<Attempt, BusError> {
        let told = Attempt { step: Step::None, waiting_until: NOBODY, ..attempt.clone() };
        let change = Change { attempt: told, entry: None, publish: witness != Witness::Caller };
        let state = (change, attempt.version, witness);
        let written =
            self.database.write_locking(vec![lock(attempt.id)], state, |(change, version, witness), tx| {
                Box::pin(async move {
                    if store::save(tx, &change.attempt, *version).await? {
                        store::tell(tx, change, *witness)?;
                    }
                    Ok::<_, BusError>(change.attempt.clone())
                })
            });
        unhurried().scope(written).await
    }
}

async fn begin(id: PaymentId, until: Timestamp, tx: &Tx<'_>) -> Result<Begun, BusError> {
    let found = match store::find(tx, id).await? {
        Some(found) => found,
        None => {
            let tombstone = tombstone(id, tx.now())?;
            if store::insert(tx, &tombstone).await? {
                return Ok(Begun::Known(tombstone));
            }
            let gone = BusError::Overloaded { port: "payments".into(), retry_after_ms: 100 };
            store::find(tx, id).await?.ok_or(gone)?
        }
    };
    let over = found.status.came_to_nothing() && found.step != Step::Void;
    if over || found.status == PaymentStatus::Refunded {
        return Ok(Begun::Known(found));
    }
    let step = match (found.status, found.step) {
        (
            PaymentStatus::RequiresAction | PaymentStatus::Authorized,
            Step::None | Step::Tell | Step::Authorize,
        ) => Step::Void,
        // An answer that did not match: what it set aside, under that charge, is let go.
        (PaymentStatus::Processing, Step::Authorize) if found.charge.is_some() => Step::Void,
        (status, Step::None | Step::Tell) if status.was_captured() => Step::Refund,
        (_, step) => step,
    };
    let version = found.version + i64::from(!found.undo);
    let next = Attempt { undo: true, step, due_at: until, waiting_until: until, version, ..found.clone() };
    store::save(tx, &next, found.version).await?;
    if !found.undo {
        store::enter(tx, &next, "void_requested", "", next.amount, Witness::Caller);
    }
    Ok(Begun::GoOn(next))
}
