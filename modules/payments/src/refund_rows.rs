//! Refunds in their table, and what they change in their payment's row: each function is part of a unit of work.

use crate::{
    attempt::{Attempt, COLUMNS, Step, money},
    provider::{ProviderAnswer, Verdict},
    settle::{Moment, Witness},
    store,
};
use bus::{BusError, Timestamp};
use bus_durable::{Row, Tx};
use kernel::{Money, OrderId, PaymentId, RefundId};
use payments_ports::{PaymentRefunded, Refund, RefundStatus};
use uuid::Uuid;

/// A refund as its row has it.
#[derive(Debug, Clone)]
pub(crate) struct Return {
    pub(crate) id: RefundId,
    pub(crate) payment_id: PaymentId,
    pub(crate) order_id: OrderId,
    pub(crate) amount: Money,
    pub(crate) reason: String,
    pub(crate) status: RefundStatus,
    pub(crate) code: Option<String>,
    pub(crate) due_at: Timestamp,
    pub(crate) attempts: i64,
    pub(crate) created_at: Timestamp,
}

/// What became of a refund.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    Succeeded,
    Failed { code: String },
    Mismatch { what: String },
    Unknown { why: String },
}

/// The columns of [`Return::from_row`].
pub(crate) const REFUND: &str =
    "id, payment_id, order_id, amount, currency, reason, status, code, due_at, attempts, created_at";

impl Return {
    pub(crate) fn from_row(row: &Row) -> Result<Self, BusError> {
        let status = match row.get::<String>("status")?.as_str() {
            "succeeded" => RefundStatus::Succeeded,
            "failed" => RefundStatus::Failed,
            _ => RefundStatus::Processing,
        };
        Ok(Self {
            id: row.get::<Uuid>("id")?.into(),
            payment_id: row.get::<Uuid>("payment_id")?.into(),
            order_id: row.get::<Uuid>("order_id")?.into(),
            amount: money(row)?,
            reason: row.get("reason")?,
            status,
            code: row.get("code")?,
            due_at: Timestamp::from_micros(row.get("due_at")?),
            attempts: row.get("attempts")?,
            created_at: Timestamp::from_micros(row.get("created_at")?),
        })
    }

    pub(crate) fn refund(&self) -> Refund {
        Refund {
            id: self.id,
            payment_id: self.payment_id,
            order_id: self.order_id,
            amount: self.amount,
            status: self.status,
            reason: self.reason.clone(),
            created_at: self.created_at,
        }
    }

    /// The key of the request at the provider: of the refund, never of the try.
    pub(crate) fn key(&self) -> String {
        format!("ref-{}", self.id)
    }

    /// What an answer means.
    pub(crate) fn outcome(&self, attempt: &Attempt, answer: &ProviderAnswer) -> Outcome {
        let other_amount = answer.amount.is_some_and(|amount| amount != self.amount);
        let other_charge = attempt.charge.as_ref().is_some_and(|charge| *charge != answer.charge);
        let reference = self.order_id.to_string();
        let other_order = answer.reference.as_ref().is_some_and(|other| *other != reference);
        if other_amount || other_charge || other_order {
            let what = format!("refund {} of {} was answered with {answer:?}", self.id, self.amount);
            return Outcome::Mismatch { what };
        }
        match &answer.verdict {
            Verdict::Refunded => Outcome::Succeeded,
            Verdict::Declined { code } => Outcome::Failed { code: code.clone() },
            other => Outcome::Mismatch { what: format!("refund {} was answered with {other:?}", self.id) },
        }
    }
}

/// A refund's row.
pub(crate) async fn find(tx: &Tx<'_>, id: RefundId) -> Result<Option<Return>, BusError> {
    let row = tx.row(&format!("SELECT {REFUND} FROM refund WHERE id = $1"), [id.0.into()]).await?;
    row.as_ref().map(Return::from_row).transpose()
}

/// Holds a refund's amount and inserts its row; `false`, with nothing written, where it would be more than
/// was captured.
pub(crate) async fn hold(tx: &Tx<'_>, refund: &Return) -> Result<bool, BusError> {
    let sql = "UPDATE payment SET refund_held = refund_held + $2, version = version + 1, updated_at = $3 \
               WHERE id = $1 AND refund_held + $2 <= captured";
    let now = tx.now().micros();
    let values = [refund.payment_id.0.into(), refund.amount.amount.into(), now.into()];
    if tx.execute(sql, values).await? == 0 {
        return Ok(false);
    }
    let sql = "INSERT INTO refund (id, payment_id, order_id, amount, currency, reason, status, due_at, attempts, \
               created_at) VALUES ($1, $2, $3, $4, $5, $6, 'processing', $7, 0, $8)";
    let values = [
        refund.id.0.into(),
        refund.payment_id.0.into(),
        refund.order_id.0.into(),
        refund.amount.amount.into(),
        refund.amount.currency.code().into(),
        refund.reason.as_str().into(),
        refund.due_at.micros().into(),
        refund.created_at.micros().into(),
    ];
    tx.execute(sql, values).await?;
    Ok(true)
}

/// Takes hold of a refund until `until`, unless somebody else has since it was seen.
pub(crate) async fn claim(tx: &Tx<'_>, seen: &Return, until: Timestamp) -> Result<Option<Return>, BusError> {
    let sql = format!(
        "UPDATE refund SET due_at = $3, attempts = attempts + 1 WHERE id = $1 AND due_at = $2 \
         AND status = 'processing' RETURNING {REFUND}"
    );
    let values = [seen.id.0.into(), seen.due_at.micros().into(), until.micros().into()];
    tx.returning(&sql, values).await?.first().map(Return::from_row).transpose()
}

/// Writes down what became of a refund, unless that is known already; the refund as it is then.
pub(crate) async fn settle(
    tx: &Tx<'_>,
    id: RefundId,
    outcome: &Outcome,
    witness: Witness,
    moment: &Moment,
) -> Result<Return, BusError> {
    let gone = || BusError::failed(&"a refund is gone");
    let (status, code) = match outcome {
        Outcome::Succeeded => (RefundStatus::Succeeded, None),
        Outcome::Failed { code } => (RefundStatus::Failed, Some(code.clone())),
        Outcome::Mismatch { what } => {
            put_off(tx, id, moment).await?;
            let refund = find(tx, id).await?.ok_or_else(gone)?;
            raise_attention(tx, refund.payment_id, what, witness).await?;
            return Ok(refund);
        }
        Outcome::Unknown { why } => {
            put_off(tx, id, moment).await?;
            let refund = find(tx, id).await?.ok_or_else(gone)?;
            if refund.attempts >= moment.attention_after {
                raise_attention(tx, refund.payment_id, why, witness).await?;
            }
            return Ok(refund);
        }
    };
    let sql = format!(
        "UPDATE refund SET status = $2, code = $3, settled_at = $4 WHERE id = $1 AND status = 'processing' \
         RETURNING {REFUND}"
    );
    let now = tx.now().micros();
    let values = [id.0.into(), status.as_str().into(), code.into(), now.into()];
    let Some(row) = tx.returning(&sql, values).await?.into_iter().next() else {
        return find(tx, id).await?.ok_or_else(gone);
    };
    let refund = Return::from_row(&row)?;
    let sql = match status {
        RefundStatus::Failed => format!(
            "UPDATE payment SET refund_held = refund_held - $2, version = version + 1, updated_at = $3 \
             WHERE id = $1 RETURNING {COLUMNS}"
        ),
        _ => format!(
            "UPDATE payment SET refunded = refunded + $2, version = version + 1, updated_at = $3, \
             status = CASE WHEN refunded + $2 >= captured THEN 'refunded' ELSE 'partially_refunded' END, \
             step = CASE WHEN step = 'refund' AND refunded + $2 >= captured THEN '' ELSE step END, \
             attention = CASE WHEN refunded + $2 >= captured THEN NULL ELSE attention END \
             WHERE id = $1 RETURNING {COLUMNS}"
        ),
    };
    let values = [refund.payment_id.0.into(), refund.amount.amount.into(), now.into()];
    let rows = tx.returning(&sql, values).await?;
    let attempt = Attempt::from_row(rows.first().ok_or_else(gone)?)?;
    if status == RefundStatus::Failed {
        let code = refund.code.clone().unwrap_or_default();
        store::enter(tx, &attempt, "refund_failed", &code, refund.amount, witness);
        if attempt.step == Step::Refund {
            raise_attention(tx, attempt.id, &format!("the provider refuses to refund: {code}"), witness)
                .await?;
        }
    } else {
        store::enter(tx, &attempt, "refunded", &refund.reason, refund.amount, witness);
        tx.publish(&PaymentRefunded { payment: attempt.payment(), refund: refund.refund() })?;
    }
    Ok(refund)
}

async fn put_off(tx: &Tx<'_>, id: RefundId, moment: &Moment) -> Result<(), BusError> {
    let sql = "UPDATE refund SET due_at = $2 WHERE id = $1 AND status = 'processing'";
    let due_at = moment.now.after(moment.pause).micros();
    tx.execute(sql, [id.0.into(), due_at.into()]).await.map(|_| ())
}

/// Somebody has to look at the payment; said once.
async fn raise_attention(tx: &Tx<'_>, id: PaymentId, what: &str, witness: Witness) -> Result<(), BusError> {
    let sql = format!(
        "UPDATE payment SET attention = $2, version = version + 1, updated_at = $3 \
         WHERE id = $1 AND attention IS NULL RETURNING {COLUMNS}"
    );
    let raised = tx.returning(&sql, [id.0.into(), what.into(), tx.now().micros().into()]).await?;
    if let Some(row) = raised.first() {
        let attempt = Attempt::from_row(row)?;
        store::enter(tx, &attempt, "attention", what, attempt.amount, witness);
        tracing::error!(payment = %id, what, "a payment needs attention");
        metrics::counter!("payments_attention_total").increment(1);
    }
    Ok(())
}
