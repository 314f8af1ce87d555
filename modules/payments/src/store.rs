//! Payments in their tables: each function is part of a unit of work, few statements long.

use crate::{
    attempt::{Attempt, COLUMNS, Step, money},
    entities::{payment, payment_event},
    settle::{Change, Finding, Moment, Witness, settle},
};
use bus::{BusError, Context, Timestamp};
use bus_durable::{Row, Tx, Update};
use kernel::{Money, OrderId, PaymentId};
use payments_ports::{PaymentEvent, PaymentSettled, PaymentStatus};
use sea_orm::{ActiveValue::Set, Value};
use uuid::Uuid;

/// A payment's row.
pub(crate) async fn find(tx: &Tx<'_>, id: PaymentId) -> Result<Option<Attempt>, BusError> {
    let row = tx.row(&format!("SELECT {COLUMNS} FROM payment WHERE id = $1"), [id.0.into()]).await?;
    row.as_ref().map(Attempt::from_row).transpose()
}

/// The attempt that stands in the way of another one for the order.
pub(crate) async fn find_live(tx: &Tx<'_>, order: OrderId) -> Result<Option<PaymentId>, BusError> {
    let sql = "SELECT id FROM payment WHERE order_id = $1 AND live = 1";
    tx.row(sql, [order.0.into()]).await?.map(|row| Ok(row.get::<Uuid>("id")?.into())).transpose()
}

/// Inserts a new payment; `false` where its id is taken or its order has a live one.
pub(crate) async fn insert(tx: &Tx<'_>, attempt: &Attempt) -> Result<bool, BusError> {
    if tx.is_optimistic() {
        tx.insert_later(row(attempt));
        return Ok(true);
    }
    let sql = "INSERT INTO payment (id, order_id, user_id, amount, currency, token, status, step, undo, live, captured, \
               refund_held, refunded, due_at, waiting_until, sent_at, attempts, version, created_at, updated_at) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0, 0, 0, $11, $12, $13, 0, $14, $15, $15) \
               ON CONFLICT DO NOTHING";
    let values = [
        attempt.id.0.into(),
        attempt.order_id.0.into(),
        attempt.user_id.0.into(),
        attempt.amount.amount.into(),
        attempt.amount.currency.code().into(),
        attempt.token.as_str().into(),
        attempt.status.as_str().into(),
        attempt.step.as_str().into(),
        i64::from(attempt.undo).into(),
        i64::from(attempt.live).into(),
        attempt.due_at.micros().into(),
        attempt.waiting_until.micros().into(),
        attempt.sent_at.micros().into(),
        attempt.version.into(),
        attempt.created_at.micros().into(),
    ];
    Ok(tx.execute(sql, values).await? == 1)
}

fn row(attempt: &Attempt) -> payment::ActiveModel {
    payment::ActiveModel {
        id: Set(attempt.id.0),
        order_id: Set(attempt.order_id.0),
        user_id: Set(attempt.user_id.0),
        amount: Set(attempt.amount.amount),
        currency: Set(attempt.amount.currency.code().to_owned()),
        token: Set(attempt.token.clone()),
        status: Set(attempt.status.as_str().to_owned()),
        step: Set(attempt.step.as_str().to_owned()),
        undo: Set(i64::from(attempt.undo)),
        live: Set(i64::from(attempt.live)),
        captured: Set(0),
        refund_held: Set(0),
        refunded: Set(0),
        due_at: Set(attempt.due_at.micros()),
        waiting_until: Set(attempt.waiting_until.micros()),
        sent_at: Set(attempt.sent_at.micros()),
        attempts: Set(0),
        version: Set(attempt.version),
        created_at: Set(attempt.created_at.micros()),
        updated_at: Set(attempt.created_at.micros()),
    }
}

/// Writes a payment that was read at `version`; `false` where somebody has changed it since.
pub(crate) async fn save(tx: &Tx<'_>, attempt: &Attempt, version: i64) -> Result<bool, BusError> {
    let sql = "UPDATE payment SET status = $3, step = $4, undo = $5, live = $6, charge = $7, captured = $8, \
               decline_code = $9, action_url = $10, attention = $11, due_at = $12, waiting_until = $13, sent_at = $14, \
               attempts = $15, version = $16, updated_at = $17, order_id = $18, user_id = $19 \
               WHERE id = $1 AND version = $2";
    Ok(tx.execute(sql, columns(tx, attempt, version)).await? == 1)
}

/// What [`save`] writes, many at once.
static SAVE: Update = Update {
    sql: "UPDATE payment SET status = v.column3, step = v.column4, undo = v.column5, live = v.column6, \
          charge = v.column7, captured = v.column8, decline_code = v.column9, action_url = v.column10, \
          attention = v.column11, due_at = v.column12, waiting_until = v.column13, sent_at = v.column14, \
          attempts = v.column15, version = v.column16, updated_at = v.column17, order_id = v.column18, \
          user_id = v.column19 FROM {values} WHERE payment.id = v.column1 AND payment.version = v.column2",
    must_match: true,
};

fn columns(tx: &Tx<'_>, attempt: &Attempt, version: i64) -> [Value; 19] {
    [
        attempt.id.0.into(),
        version.into(),
        attempt.status.as_str().into(),
        attempt.step.as_str().into(),
        i64::from(attempt.undo).into(),
        i64::from(attempt.live).into(),
        attempt.charge.clone().into(),
        attempt.captured.into(),
        attempt.decline_code.clone().into(),
        attempt.action_url.clone().into(),
        attempt.attention.clone().into(),
        attempt.due_at.micros().into(),
        attempt.waiting_until.micros().into(),
        attempt.sent_at.micros().into(),
        attempt.attempts.into(),
        attempt.version.into(),
        tx.now().micros().into(),
        attempt.order_id.0.into(),
        attempt.user_id.0.into(),
    ]
}

/// Writes down what was found out about a payment, unless it is nothing new; the payment as it is then.
/// `seen` is the row as it was before the provider was asked: where nobody has changed it since, it need not
/// be read.
pub(crate) async fn record(
    tx: &Tx<'_>,
    id: PaymentId,
    finding: &Finding,
    witness: Witness,
    moment: &Moment,
    mut seen: Option<&Attempt>,
) -> Result<Option<Attempt>, BusError> {
    for _ in 0..3 {
        let read;
        let attempt = if let Some(attempt) = seen {
            attempt
        } else {
            let Some(found) = find(tx, id).await? else { return Ok(None) };
            read = found;
            &read
        };
        match settle(attempt, finding, witness, moment) {
            Some(change) if seen.is_some() && tx.is_optimistic() => {
                tx.update_later(&SAVE, columns(tx, &change.attempt, attempt.version).into());
                tell(tx, &change, witness)?;
                return Ok(Some(change.attempt));
            }
            Some(change) if save(tx, &change.attempt, attempt.version).await? => {
                tell(tx, &change, witness)?;
                return Ok(Some(change.attempt));
            }
            None if seen.is_none() => return Ok(Some(attempt.clone())),
            _ => seen = None,
        }
    }
    // Somebody changes it between every look and the next: the caller, a webhook or the reconciler tries again.
    Err(BusError::Overloaded { port: "payments".into(), retry_after_ms: 1000 })
}

/// The history and the event of a change.
pub(crate) fn tell(tx: &Tx<'_>, change: &Change, witness: Witness) -> Result<(), BusError> {
    if let Some((kind, detail)) = &change.entry {
        let attempt = &change.attempt;
        enter(tx, attempt, kind, detail, attempt.amount, witness);
        if *kind == "attention" {
            tracing::error!(payment = %attempt.id, detail, "a payment needs attention");
            metrics::counter!("payments_attention_total").increment(1);
        }
    }
    if change.publish {
        tx.publish(&PaymentSettled { payment: change.attempt.payment() })?;
    }
    Ok(())
}

/// Adds a line to the history.
pub(crate) fn enter(
    tx: &Tx<'_>,
    attempt: &Attempt,
    kind: &str,
    detail: &str,
    amount: Money,
    witness: Witness,
) {
    let actor = match witness {
        Witness::Caller => {
            Context::current().caller.map_or_else(|| "system".to_owned(), |caller| caller.user.to_string())
        }
        Witness::Webhook => "provider".to_owned(),
        Witness::Reconciler => "reconciler".to_owned(),
    };
    tx.insert_later(payment_event::ActiveModel {
        id: Set(tx.id()),
        payment_id: Set(attempt.id.0),
        order_id: Set(attempt.order_id.0),
        kind: Set(kind.to_owned()),
        detail: Set(detail.chars().take(500).collect()),
        amount: Set(amount.amount),
        currency: Set(amount.currency.code().to_owned()),
        at: Set(tx.now().micros()),
        actor: Set(actor),
    });
}

/// Reads a line of the history.
pub(crate) fn event(row: &Row) -> Result<PaymentEvent, BusError> {
    Ok(PaymentEvent {
        payment_id: row.get::<Uuid>("payment_id")?.into(),
        at: Timestamp::from_micros(row.get("at")?),
        kind: row.get("kind")?,
        detail: row.get("detail")?,
        amount: money(row)?,
        actor: row.get("actor")?,
    })
}

/// Takes hold of a payment's open step until `until`, unless somebody else has since it was seen.
pub(crate) async fn claim(
    tx: &Tx<'_>,
    seen: &Attempt,
    until: Timestamp,
) -> Result<Option<Attempt>, BusError> {
    let sql = format!(
        "UPDATE payment SET due_at = $3, attempts = attempts + 1 WHERE id = $1 AND due_at = $2 AND step = $4 \
         RETURNING {COLUMNS}"
    );
    let values =
        [seen.id.0.into(), seen.due_at.micros().into(), until.micros().into(), seen.step.as_str().into()];
    tx.returning(&sql, values).await?.first().map(Attempt::from_row).transpose()
}

/// Takes hold of a payment for its capture, many at once, each if it is as it was when it was last seen.
static CAPTURE: Update = Update {
    sql: "UPDATE payment SET step = 'capture', due_at = v.column3, waiting_until = v.column3, attempts = 0, \
          version = payment.version + 1 FROM {values} WHERE payment.id = v.column1 \
          AND payment.version = v.column2 AND payment.status = 'authorized' AND payment.step IN ('', 'tell') \
          AND payment.undo = 0 AND payment.decline_code IS NULL",
    must_match: true,
};

/// Takes hold of an authorized payment for its capture, as it was when it was last seen here.
pub(crate) fn capture_seen(tx: &Tx<'_>, seen: &Attempt, until: Timestamp) -> Option<Attempt> {
    let as_ever = seen.status == PaymentStatus::Authorized
        && matches!(seen.step, Step::None | Step::Tell)
        && !seen.undo
        && seen.decline_code.is_none();
    if !(tx.is_optimistic() && as_ever) {
        return None;
    }
    tx.update_later(&CAPTURE, vec![seen.id.0.into(), seen.version.into(), until.micros().into()]);
    let (step, version) = (Step::Capture, seen.version + 1);
    Some(Attempt { step, due_at: until, waiting_until: until, attempts: 0, version, ..seen.clone() })
}

/// Takes hold of an authorized payment for its capture; `None` where it cannot be captured as it is.
pub(crate) async fn begin_capture(
    tx: &Tx<'_>,
    id: PaymentId,
    until: Timestamp,
) -> Result<Option<Attempt>, BusError> {
    let sql = format!(
        "UPDATE payment SET step = $2, due_at = $3, waiting_until = $3, attempts = 0, version = version + 1 \
         WHERE id = $1 AND status = 'authorized' AND step IN ('', 'tell') AND undo = 0 AND decline_code IS NULL \
         RETURNING {COLUMNS}"
    );
    let values = [id.0.into(), Step::Capture.as_str().into(), until.micros().into()];
    tx.returning(&sql, values).await?.first().map(Attempt::from_row).transpose()
}
