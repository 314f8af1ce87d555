//! Giving money back. What a refund takes is held by one conditional update before the provider is asked, so that
//! refunds side by side never add up to more than was captured.

use crate::{
    Service,
    attempt::{Attempt, Step},
    provider::{ProviderError, RefundCharge},
    refund_rows::{Outcome, REFUND, Return, find, hold, settle},
    service::{INVALID_REQUEST, lock, unhurried},
    settle::{Finding, Witness},
    store,
};
use bus::{BusError, Timestamp};
use bus_durable::Tx;
use kernel::{PaymentId, RefundId};
use payments_ports::{PaymentsError, Refund, RefundPayment, RefundStatus};

enum Begun {
    /// Its amount is held, and the provider is to be asked.
    Ask(Return, Box<Attempt>),
    /// It is known already.
    Known(Return),
    Refused(PaymentsError),
}

impl Service {
    pub(crate) async fn refund_payment(&self, request: RefundPayment) -> Result<Refund, PaymentsError> {
        if request.amount.amount <= 0 {
            return Err(PaymentsError::InvalidAmount);
        }
        let due_at = self.now().after(self.settings.caller_waits());
        let begun = self
            .database
            .write_locking(vec![lock(request.payment_id)], (request, due_at), |(request, due_at), tx| {
                Box::pin(begin(request, *due_at, tx))
            })
            .await?;
        let refund = match begun {
            Begun::Ask(refund, attempt) => self.send_refund(refund, &attempt, Witness::Caller).await?,
            Begun::Known(refund) => refund,
            Begun::Refused(refusal) => return Err(refusal),
        };
        match refund.status {
            RefundStatus::Failed => Err(PaymentsError::Declined {
                payment_id: refund.payment_id,
                code: refund.code.unwrap_or_default(),
            }),
            _ => Ok(refund.refund()),
        }
    }

    /// Asks the provider for the refund, the same request however often it is sent, and writes the answer down.
    pub(crate) async fn send_refund(
        &self,
        refund: Return,
        attempt: &Attempt,
        witness: Witness,
    ) -> Result<Return, BusError> {
        let answer = match attempt.charge.clone() {
            Some(charge) => {
                let request = RefundCharge { idempotency_key: refund.key(), charge, amount: refund.amount };
                self.ask(self.provider.refund(request)).await
            }
            None => Err(ProviderError::Unknown("the charge is not known".into())),
        };
        let outcome = match &answer {
            Ok(answer) => refund.outcome(attempt, answer),
            Err(ProviderError::Refused(why)) => {
                tracing::error!(refund = %refund.id, why, "the provider does not understand a refund");
                Outcome::Failed { code: INVALID_REQUEST.into() }
            }
            Err(error) => Outcome::Unknown { why: error.to_string() },
        };
        let is_open = !matches!(outcome, Outcome::Succeeded | Outcome::Failed { .. });
        let state = (refund.id, outcome, witness, self.moment(refund.attempts));
        let written = self.database.write_locking(
            vec![lock(refund.payment_id)],
            state,
            |(id, outcome, witness, moment), tx| Box::pin(settle(tx, *id, outcome, *witness, moment)),
        );
        let settled = unhurried().scope(written).await?;
        if is_open {
            self.left_open.notify_one();
        }
        Ok(settled)
    }

    /// Gives back what is left of a captured payment that is to be undone.
    pub(crate) async fn give_back(&self, attempt: Attempt, witness: Witness) -> Result<Attempt, BusError> {
        let due_at = self.now().after(self.settings.lease());
        let held = self.database.write_locking(
            vec![lock(attempt.id)],
            (attempt.id, due_at, witness),
            |&(id, due_at, witness), tx| Box::pin(hold_the_rest(id, due_at, witness, tx)),
        );
        let open = unhurried().scope(held).await?;
        for refund in open {
            self.send_refund(refund, &attempt, witness).await?;
        }
        let found = self.find(attempt.id).await?.ok_or_else(|| BusError::failed(&"a payment is gone"))?;
        if found.step != Step::Refund {
            return Ok(found);
        }
        self.record(&found, Finding::Unknown { why: "a refund has not succeeded".into() }, witness).await
    }

    pub(crate) async fn find_refund(&self, id: RefundId) -> Result<Option<Return>, BusError> {
        let sql = format!("SELECT {REFUND} FROM refund WHERE id = $1");
        let row = self.database.reader().row(&sql, [id.0.into()]).await?;
        row.as_ref().map(Return::from_row).transpose()
    }

    /// The refunds that somebody has to look after.
    pub(crate) async fn due_refunds(&self, now: Timestamp, limit: i64) -> Result<Vec<Return>, BusError> {
        let sql = format!(
            "SELECT {REFUND} FROM refund WHERE status = 'processing' AND due_at <= $1 ORDER BY due_at LIMIT $2"
        );
        let rows = self.database.reader().rows(&sql, [now.micros().into(), limit.into()]).await?;
        rows.iter().map(Return::from_row).collect()
    }
}

async fn begin(request: &RefundPayment, due_at: Timestamp, tx: &Tx<'_>) -> Result<Begun, BusError> {
    let attempt = store::find(tx, request.payment_id).await?;
    if let Some(refund) = find(tx, request.refund_id).await? {
        let same = refund.payment_id == request.payment_id && refund.amount == request.amount;
        return Ok(match attempt {
            Some(attempt) if same && refund.status == RefundStatus::Processing => {
                Begun::Ask(refund, Box::new(attempt))
            }
            _ if same => Begun::Known(refund),
            _ => Begun::Refused(PaymentsError::IdReused),
        });
    }
    let Some(attempt) = attempt else { return Ok(Begun::Refused(PaymentsError::NotFound)) };
    if !attempt.status.was_captured() {
        return Ok(Begun::Refused(PaymentsError::InvalidTransition { status: attempt.status }));
    }
    let refundable = attempt.refundable();
    if request.amount.currency != refundable.currency || request.amount.amount > refundable.amount {
        return Ok(Begun::Refused(PaymentsError::RefundExceedsCaptured { refundable }));
    }
    let refund = Return {
        id: request.refund_id,
        payment_id: attempt.id,
        order_id: attempt.order_id,
        amount: request.amount,
        reason: request.reason.clone(),
        status: RefundStatus::Processing,
        code: None,
        due_at,
        attempts: 0,
        created_at: tx.now(),
    };
    if !hold(tx, &refund).await? {
        // Another process was faster with the rest of it.
        let left = store::find(tx, attempt.id).await?.unwrap_or(attempt).refundable();
        return Ok(Begun::Refused(PaymentsError::RefundExceedsCaptured { refundable: left }));
    }
    store::enter(tx, &attempt, "refund_requested", &refund.reason, refund.amount, Witness::Caller);
    Ok(Begun::Ask(refund, Box::new(attempt)))
}

/// Holds what no refund has yet; all refunds of the payment that are on their way.
async fn hold_the_rest(
    id: PaymentId,
    due_at: Timestamp,
    witness: Witness,
    tx: &Tx<'_>,
) -> Result<Vec<Return>, BusError> {
    let Some(attempt) = store::find(tx, id).await? else { return Ok(Vec::new()) };
    if attempt.refundable().amount > 0 {
        let refund = Return {
            id: tx.id(),
            payment_id: id,
            order_id: attempt.order_id,
            amount: attempt.refundable(),
            reason: "undone".into(),
            status: RefundStatus::Processing,
            code: None,
            due_at,
            attempts: 0,
            created_at: tx.now(),
        };
        if hold(tx, &refund).await? {
            store::enter(tx, &attempt, "refund_requested", &refund.reason, refund.amount, witness);
        }
    }
    let sql =
        format!("SELECT {REFUND} FROM refund WHERE payment_id = $1 AND status = 'processing' ORDER BY id");
    tx.rows(&sql, [id.0.into()]).await?.iter().map(Return::from_row).collect()
}
