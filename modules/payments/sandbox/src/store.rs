//! Reads what a batch needs and writes what it decided, in as few statements as the batch is large.
//!
//! Lists come in few sizes, so that the prepared statements repeat.

use crate::{
    batch::{self, Rows},
    books::{Books, Changes, NEW_CHARGE},
    delivery::Receipt,
    entities::{charges, operations, webhooks},
};
use sea_orm::{
    ActiveEnum, ColumnTrait, DatabaseConnection, DatabaseTransaction, DbErr, EntityTrait, QueryFilter,
    QueryOrder, QuerySelect, Value,
    sea_query::{Expr, LockBehavior, LockType},
};
use uuid::Uuid;

/// Why a batch was not written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WriteError {
    #[error(transparent)]
    Database(#[from] DbErr),
    /// Another process changed a row, or used a key, after it was read here: read again.
    #[error("another process was faster")]
    Outrun,
}

pub(crate) async fn load(tx: &DatabaseTransaction, keys: Vec<&str>, ids: Vec<Uuid>) -> Result<Books, DbErr> {
    let operations = if keys.is_empty() {
        Vec::new()
    } else {
        operations::Entity::find().filter(operations::Column::Key.is_in(padded(keys))).all(tx).await?
    };
    let charges = if ids.is_empty() {
        Vec::new()
    } else {
        charges::Entity::find().filter(charges::Column::Id.is_in(padded(ids))).all(tx).await?
    };
    Ok(Books::new(charges, operations))
}

/// A charge with an id that was made for it: nobody else has that.
const NEW_CHARGES: &str = "\
    INSERT INTO charges (id, version, idempotency_key, reference, token, currency, status, requested, authorized, \
    captured, refunded, refund_failures, created_at) SELECT * FROM {rows}";
/// A known charge is changed, if it still is as it was when the decision was made.
const KNOWN_CHARGES: &str = "\
    UPDATE charges SET version = v.column2, status = v.column3, authorized = v.column4, captured = v.column5, \
    refunded = v.column6, refund_failures = v.column7 FROM {rows} \
    WHERE charges.id = v.column1 AND charges.version = v.column2 - 1";
const OPERATIONS: &str = "\
    INSERT INTO operations (key, charge, fingerprint, outcome, code) SELECT * FROM {rows} WHERE true \
    ON CONFLICT (key) DO NOTHING";
const TRANSACTIONS: &str = "\
    INSERT INTO transactions (reference, at, id, charge, kind, status, code, amount, currency, idempotency_key) \
    SELECT * FROM {rows}";
const WEBHOOKS: &str = "INSERT INTO webhooks (id, body, due_at, attempts) SELECT * FROM {rows}";

/// The rows of a batch.
fn rows(changes: Changes) -> Vec<Rows> {
    let (new, known): (Vec<_>, Vec<_>) =
        changes.charges.into_iter().partition(|row| row.version == NEW_CHARGE);
    let new = new.into_iter().map(|row| {
        vec![
            Value::from(row.id),
            row.version.into(),
            row.idempotency_key.into(),
            row.reference.into(),
            row.token.into(),
            row.currency.into(),
            row.status.to_value().into(),
            row.requested.into(),
            row.authorized.into(),
            row.captured.into(),
            row.refunded.into(),
            row.refund_failures.into(),
            row.created_at.into(),
        ]
    });
    let known = known.into_iter().map(|row| {
        vec![
            Value::from(row.id),
            row.version.into(),
            row.status.to_value().into(),
            row.authorized.into(),
            row.captured.into(),
            row.refunded.into(),
            row.refund_failures.into(),
        ]
    });
    let operations = changes.operations.into_iter().map(|row| {
        vec![
            Value::from(row.key),
            row.charge.into(),
            row.fingerprint.into(),
            row.outcome.to_value().into(),
            row.code.into(),
        ]
    });
    let transactions = changes.transactions.into_iter().map(|row| {
        vec![
            Value::from(row.reference),
            row.at.into(),
            row.id.into(),
            row.charge.into(),
            row.kind.to_value().into(),
            row.status.to_value().into(),
            row.code.into(),
            row.amount.into(),
            row.currency.into(),
            row.idempotency_key.into(),
        ]
    });
    let webhooks = changes
        .webhooks
        .into_iter()
        .map(|row| vec![Value::from(row.id), row.body.into(), row.due_at.into(), row.attempts.into()]);
    vec![
        Rows { sql: NEW_CHARGES, rows: new.collect() },
        Rows { sql: KNOWN_CHARGES, rows: known.collect() },
        Rows { sql: OPERATIONS, rows: operations.collect() },
        Rows { sql: TRANSACTIONS, rows: transactions.collect() },
        Rows { sql: WEBHOOKS, rows: webhooks.collect() },
    ]
}

/// Writes a batch in its transaction.
pub(crate) async fn save(tx: &DatabaseTransaction, mut changes: Changes) -> Result<(), WriteError> {
    let settled = std::mem::take(&mut changes.settled);
    if !batch::write(rows(changes), tx).await? {
        return Err(WriteError::Outrun);
    }
    for (key, outcome, code) in settled {
        operations::Entity::update_many()
            .col_expr(operations::Column::Outcome, Expr::value(outcome))
            .col_expr(operations::Column::Code, Expr::value(code))
            .filter(operations::Column::Key.eq(key))
            .exec(tx)
            .await?;
    }
    Ok(())
}

/// Writes a batch that settles nothing that was pending in a transaction of one statement: all of it or nothing.
pub(crate) async fn save_alone(connection: &DatabaseConnection, changes: Changes) -> Result<(), WriteError> {
    if batch::write_alone(rows(changes), connection).await? { Ok(()) } else { Err(WriteError::Outrun) }
}

/// Takes the webhooks that are due, so that nobody else sends them before `lease_until`. Oldest first.
pub(crate) async fn claim(
    tx: &DatabaseTransaction,
    now: i64,
    lease_until: i64,
    limit: u64,
) -> Result<Vec<webhooks::Model>, DbErr> {
    let rows = webhooks::Entity::find()
        .filter(webhooks::Column::DueAt.lte(now))
        .order_by_asc(webhooks::Column::DueAt)
        .limit(limit)
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
        .all(tx)
        .await?;
    if !rows.is_empty() {
        webhooks::Entity::update_many()
            .col_expr(webhooks::Column::DueAt, Expr::value(lease_until))
            .filter(webhooks::Column::Id.is_in(padded(rows.iter().map(|row| row.id).collect())))
            .exec(tx)
            .await?;
    }
    Ok(rows)
}

/// Forgets the webhooks that were acknowledged and puts off the others.
pub(crate) async fn settle(tx: &DatabaseTransaction, receipts: &[Receipt]) -> Result<(), DbErr> {
    let acknowledged: Vec<Uuid> = receipts.iter().filter(|r| r.retry_at.is_none()).map(|r| r.id).collect();
    for ids in acknowledged.chunks(128) {
        webhooks::Entity::delete_many()
            .filter(webhooks::Column::Id.is_in(padded(ids.to_vec())))
            .exec(tx)
            .await?;
    }
    for receipt in receipts {
        let Some(retry_at) = receipt.retry_at else { continue };
        webhooks::Entity::update_many()
            .col_expr(webhooks::Column::DueAt, Expr::value(retry_at))
            .col_expr(webhooks::Column::Attempts, Expr::value(receipt.attempts))
            .filter(webhooks::Column::Id.eq(receipt.id))
            .exec(tx)
            .await?;
    }
    Ok(())
}

/// The list, made as long as the next common size by repeating its last element, which changes no `IN`.
fn padded<T: Clone>(mut list: Vec<T>) -> Vec<T> {
    let size = [1, 4, 16, 64, 128].into_iter().find(|size| *size >= list.len()).unwrap_or(list.len());
    if let Some(last) = list.last().cloned() {
        list.resize(size, last);
    }
    list
}
