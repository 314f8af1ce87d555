//! Sagas in the database: begun, claimed, saved under a version that fences late owners off.

use super::{decide::Instance, row};
use crate::{Database, Tx, Update, later::chunks, outbox::binds};
use bus::{BusError, Context, Phase, SagaView, Timestamp};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select,
    sea_query::{Expr, ExprTrait as _},
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A saga with its state, as its owner holds it.
#[derive(Debug, Clone)]
pub(crate) struct Held<S> {
    pub(crate) id: Uuid,
    pub(crate) key: String,
    pub(crate) state: S,
    pub(crate) instance: Instance,
    /// What the row's version must be for a save to fit.
    pub(crate) version: i64,
    pub(crate) trace: Option<String>,
}

/// Writes a saga's first row into the transaction that begins it.
pub(crate) fn begin<S: Serialize>(tx: &Tx<'_>, kind: &'static str, held: &Held<S>) -> Result<(), BusError> {
    let now = tx.now().micros();
    tx.insert_later(row::ActiveModel {
        id: Set(held.id),
        kind: Set(kind.to_owned()),
        key: Set(held.key.clone()),
        state: Set(json(&held.state)?),
        phase: Set(held.instance.phase.name().to_owned()),
        step: Set(0),
        attempts: Set(0),
        due_at: Set(held.instance.due_at.micros()),
        version: Set(held.version),
        error: Set(None),
        history: Set("[]".to_owned()),
        trace: Set(held.trace.clone()),
        created_at: Set(now),
        updated_at: Set(now),
    });
    Ok(())
}

/// A saga under the version that its owner knows.
static SAVE: Update = Update {
    sql: "UPDATE saga SET state = v.column3, phase = v.column4, step = v.column5, attempts = v.column6, \
          due_at = v.column7, error = v.column8, history = v.column9, version = saga.version + 1, \
          updated_at = v.column10 FROM {values} WHERE saga.id = v.column1 AND saga.version = v.column2",
    must_match: true,
};

/// Saves a saga; the unit of work fails where another process has taken it over since.
pub(crate) fn save<S: Serialize>(tx: &Tx<'_>, held: &Held<S>) -> Result<(), BusError> {
    let instance = &held.instance;
    let values = vec![
        held.id.into(),
        held.version.into(),
        json(&held.state)?.into(),
        instance.phase.name().into(),
        count(instance.step).into(),
        i64::from(instance.attempts).into(),
        instance.due_at.micros().into(),
        instance.error.clone().into(),
        json(&instance.history)?.into(),
        tx.now().micros().into(),
    ];
    tx.update_later(&SAVE, values);
    Ok(())
}

/// The sagas of a kind that nobody drives: due, or with `orphans` all that a process before this one left.
pub(crate) async fn due(
    database: &Database,
    kind: &str,
    orphans: bool,
    limit: u64,
) -> Result<Vec<row::Model>, BusError> {
    database.reader().all(due_by(database.sources().now(), kind, orphans, limit)).await
}

pub(crate) fn due_by(now: Timestamp, kind: &str, orphans: bool, limit: u64) -> Select<row::Entity> {
    // The phases stand in the text, or the partial index could not be used. Orphans are asked for once.
    let is_due = row::Column::DueAt.lte(now.micros());
    let wanted = if orphans { Expr::cust("phase <> 'waiting'").or(is_due) } else { is_due };
    row::Entity::find()
        .filter(Expr::cust("phase IN ('running', 'waiting', 'unwinding')").and(wanted))
        .filter(row::Column::Kind.eq(kind))
        .order_by_asc(row::Column::DueAt)
        .limit(limit)
}

/// Sagas of these phases, or of all, newest first.
pub(crate) fn newest(phases: &[Phase], before: Option<Uuid>, limit: u64) -> Select<row::Entity> {
    let mut select = row::Entity::find().order_by_desc(row::Column::Id).limit(limit);
    if !phases.is_empty() {
        select = select.filter(row::Column::Phase.is_in(phases.iter().map(|phase| phase.name())));
        // All but the completed ones have an index, which its condition stands for.
        if !phases.contains(&Phase::Completed) {
            select = select.filter(Expr::cust("phase <> 'completed'"));
        }
    }
    if let Some(before) = before {
        select = select.filter(row::Column::Id.lt(before));
    }
    select
}

/// Takes a saga over: `None` where another process was faster.
pub(crate) async fn claim(
    database: &Database,
    row: row::Model,
    until: Timestamp,
) -> Result<Option<row::Model>, BusError> {
    database
        .write((row, until), |(row, until), tx| {
            Box::pin(async move {
                // It runs from here on: so it is renewed, and after a crash known to have been driven.
                let sql = "UPDATE saga SET due_at = $1, version = version + 1, \
                           phase = CASE phase WHEN 'waiting' THEN 'running' ELSE phase END \
                           WHERE id = $2 AND version = $3";
                let claimed =
                    tx.execute(sql, [until.micros().into(), row.id.into(), row.version.into()]).await?;
                let mut row = row.clone();
                (row.due_at, row.version) = (until.micros(), row.version + 1);
                Ok::<_, BusError>((claimed == 1).then_some(row))
            })
        })
        .await
}

/// Lengthens the hold on sagas that take their time.
pub(crate) async fn renew(database: &Database, ids: Vec<Uuid>, until: Timestamp) -> Result<(), BusError> {
    database
        .write((ids, until), |(ids, until), tx| {
            Box::pin(async move {
                let mut rest = ids.as_slice();
                for size in chunks(ids.len()) {
                    let (chunk, after) = rest.split_at(size);
                    rest = after;
                    let sql = format!(
                        "UPDATE saga SET due_at = $1 WHERE phase IN ('running', 'unwinding') AND id IN ({})",
                        binds(1, size)
                    );
                    let values = std::iter::once(until.micros().into());
                    tx.execute(&sql, values.chain(chunk.iter().map(|id| (*id).into()))).await?;
                }
                Ok::<_, BusError>(())
            })
        })
        .await
}

impl<S: for<'de> Deserialize<'de>> Held<S> {
    pub(crate) fn read(row: row::Model) -> Result<Self, BusError> {
        let phase = Phase::from_name(&row.phase)
            .ok_or_else(|| BusError::failed(&format_args!("saga {} in phase {}", row.id, row.phase)))?;
        Ok(Self {
            id: row.id,
            key: row.key,
            state: parse(&row.state)?,
            instance: Instance {
                phase,
                step: usize::try_from(row.step).unwrap_or(0),
                attempts: u32::try_from(row.attempts).unwrap_or(0),
                taken_over: true,
                due_at: Timestamp::from_micros(row.due_at),
                error: row.error,
                history: parse(&row.history)?,
            },
            version: row.version,
            trace: row.trace,
        })
    }
}

impl<S> Held<S> {
    pub(crate) fn begin(id: Uuid, key: String, state: S, due_at: Timestamp) -> Self {
        let trace = Some(Context::current().trace.traceparent());
        Self { id, key, state, instance: Instance::begin(due_at), version: 1, trace }
    }
}

impl Database {
    /// The sagas of this module, newest first, of one phase or of all, before an id.
    ///
    /// # Errors
    /// What the database said.
    pub async fn sagas(
        &self,
        phases: &[Phase],
        before: Option<Uuid>,
        limit: u64,
    ) -> Result<Vec<SagaView>, BusError> {
        let select = newest(phases, before, limit);
        self.reader().all(select).await?.into_iter().map(view).collect()
    }

    /// The sagas about one thing, oldest first.
    ///
    /// # Errors
    /// What the database said.
    pub async fn sagas_about(&self, key: &str) -> Result<Vec<SagaView>, BusError> {
        let select = row::Entity::find().filter(row::Column::Key.eq(key)).order_by_asc(row::Column::Id);
        self.reader().all(select).await?.into_iter().map(view).collect()
    }

    /// Lets a saga that needs attention try again; `false` where there is none in that phase.
    ///
    /// # Errors
    /// What the database said.
    pub async fn retry_saga(&self, id: Uuid) -> Result<bool, BusError> {
        let retried = self
            .write(id, |id, tx| {
                Box::pin(async move {
                    let sql = "UPDATE saga SET phase = 'unwinding', attempts = 0, due_at = $1, version = version + 1 \
                               WHERE id = $2 AND phase = 'needs_attention'";
                    tx.execute(sql, [tx.now().micros().into(), (*id).into()]).await
                })
            })
            .await?;
        Ok(retried == 1)
    }
}

fn view(row: row::Model) -> Result<SagaView, BusError> {
    let held: Held<serde_json::Value> = Held::read(row.clone())?;
    Ok(SagaView {
        id: row.id,
        kind: row.kind,
        key: row.key,
        state: held.instance.phase,
        step: row.step,
        attempts: row.attempts,
        error: held.instance.error,
        history: held.instance.history,
        due_at: held.instance.due_at,
        created_at: Timestamp::from_micros(row.created_at),
        updated_at: Timestamp::from_micros(row.updated_at),
    })
}

fn json<T: Serialize>(value: &T) -> Result<String, BusError> {
    serde_json::to_string(value).map_err(|error| BusError::failed(&error))
}

fn parse<T: for<'de> Deserialize<'de>>(text: &str) -> Result<T, BusError> {
    serde_json::from_str(text).map_err(|error| BusError::failed(&error))
}

fn count(step: usize) -> i64 {
    i64::try_from(step).unwrap_or(i64::MAX)
}

/// The state of the newest saga of a kind about something, ended or not.
pub(crate) async fn state_of<S: for<'de> Deserialize<'de>>(
    database: &Database,
    kind: &str,
    key: &str,
) -> Result<Option<S>, BusError> {
    let select = row::Entity::find()
        .filter(row::Column::Key.eq(key))
        .filter(row::Column::Kind.eq(kind))
        .order_by_desc(row::Column::Id);
    database.reader().one(select).await?.map(|row| parse(&row.state)).transpose()
}
