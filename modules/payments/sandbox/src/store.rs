//! Reads what a batch needs and writes what it decided, in as few statements as the batch is large.
//!
//! Lists come in few sizes, so that the prepared statements repeat.

use crate::{
    books::{Books, Changes},
    delivery::Receipt,
    entities::{charges, operations, webhooks},
};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, IntoActiveModel, PrimaryKeyTrait,
    QueryFilter, QueryOrder, QuerySelect,
    sea_query::{Expr, ExprTrait, LockBehavior, LockType, OnConflict},
};
use uuid::Uuid;

const SIZES: [usize; 7] = [64, 32, 16, 8, 4, 2, 1];

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

pub(crate) async fn save(tx: &DatabaseTransaction, changes: Changes) -> Result<(), WriteError> {
    // A new charge is inserted; a known one is changed, if it still is as it was when the decision was made.
    let over_the_version_decided_on = OnConflict::column(charges::Column::Id)
        .update_columns([
            charges::Column::Version,
            charges::Column::Status,
            charges::Column::Authorized,
            charges::Column::Captured,
            charges::Column::Refunded,
            charges::Column::RefundFailures,
        ])
        .action_and_where(
            Expr::col((charges::Entity, charges::Column::Version)).eq(Expr::col((
                "excluded",
                charges::Column::Version,
            ))
            .sub(1)),
        )
        .to_owned();
    insert(tx, changes.charges, Some(over_the_version_decided_on)).await?;
    let unless_used = OnConflict::column(operations::Column::Key).do_nothing().to_owned();
    insert(tx, changes.operations, Some(unless_used)).await?;
    for (key, outcome, code) in changes.settled {
        operations::Entity::update_many()
            .col_expr(operations::Column::Outcome, Expr::value(outcome))
            .col_expr(operations::Column::Code, Expr::value(code))
            .filter(operations::Column::Key.eq(key))
            .exec(tx)
            .await?;
    }
    insert(tx, changes.transactions, None).await?;
    insert(tx, changes.webhooks, None).await
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

async fn insert<M, A>(
    tx: &DatabaseTransaction,
    rows: Vec<M>,
    on_conflict: Option<OnConflict>,
) -> Result<(), WriteError>
where
    M: IntoActiveModel<A> + Send,
    A: ActiveModelTrait + Send + Sync,
    <<A::Entity as EntityTrait>::PrimaryKey as PrimaryKeyTrait>::ValueType: Send,
{
    let mut rows = rows.into_iter();
    while rows.len() > 0 {
        let left = rows.len();
        let size = SIZES.into_iter().find(|size| *size <= left).unwrap_or(1);
        let portion = rows.by_ref().take(size).map(IntoActiveModel::into_active_model);
        let mut statement = A::Entity::insert_many(portion);
        if let Some(on_conflict) = &on_conflict {
            statement = statement.on_conflict(on_conflict.clone());
        }
        if statement.exec_without_returning(tx).await? != size as u64 {
            return Err(WriteError::Outrun);
        }
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
