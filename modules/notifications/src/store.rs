//! The rows: written once for each occurrence, claimed, settled and listed in few statements.

use crate::{
    entities::notification,
    occasion::{Facts, Occasion},
    templates::Rendered,
};
use bus::{BusError, Timestamp};
use bus_durable::{
    Database, Row, Tx,
    sea_orm::{ActiveValue::Set, DatabaseBackend, Value},
};
use kernel::{NotificationId, OrderId, UserId};
use notifications_ports::{Channel, Notification, NotificationStatus, Recipient, Template};
use std::{str::FromStr, time::Duration};
use uuid::Uuid;

/// A notification before it is a row.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    pub(crate) id: NotificationId,
    pub(crate) occasion: Occasion,
    pub(crate) message_id: String,
    pub(crate) channel: Channel,
    pub(crate) status: NotificationStatus,
    pub(crate) recipient: Option<Recipient>,
    /// `None` where the recipient's name is not known: the facts are kept in place of it.
    pub(crate) rendered: Option<Rendered>,
}

/// Writes the row; `false` where this occurrence has one.
pub(crate) async fn insert(draft: &Draft, tx: &Tx<'_>) -> Result<bool, BusError> {
    let now = tx.now().micros();
    let Draft { id, occasion, message_id, channel, status, recipient, rendered } = draft;
    let is_sent = *status == NotificationStatus::Sent;
    let facts = match (rendered, status) {
        (None, NotificationStatus::Pending) => Some(encode(&occasion.facts)?),
        _ => None,
    };
    let (subject, text, html) = match rendered {
        Some(rendered) => (Some(&rendered.subject), Some(&rendered.text), rendered.html.as_ref()),
        None => (None, None, None),
    };
    if tx.is_optimistic() {
        tx.insert_later(notification::ActiveModel {
            id: Set(id.0),
            occurrence: Set(occasion.occurrence.clone()),
            template: Set(occasion.template.as_str().to_owned()),
            user_id: Set(occasion.user.0),
            order_id: Set(occasion.order.map(|order| order.0)),
            recipient: Set(recipient.as_ref().map(|recipient| recipient.0.clone())),
            channel: Set(channel.as_str().to_owned()),
            status: Set(status.as_str().to_owned()),
            attempts: Set(i64::from(is_sent)),
            spent: Set(0),
            message_id: Set(message_id.clone()),
            subject: Set(subject.cloned()),
            body_text: Set(text.cloned()),
            body_html: Set(html.cloned()),
            facts: Set(facts),
            due_at: Set(now),
            queued_at: Set(now),
            created_at: Set(now),
            settled_at: Set((*status != NotificationStatus::Pending).then_some(now)),
        });
        return Ok(true);
    }
    let sql = "INSERT INTO notification (id, occurrence, template, user_id, order_id, recipient, channel, status, \
               attempts, spent, message_id, subject, body_text, body_html, facts, due_at, queued_at, created_at, \
               settled_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, $10, $11, $12, $13, $14, $15, $15, $15, \
               $16) ON CONFLICT (occurrence) DO NOTHING";
    let values: [Value; 16] = [
        id.0.into(),
        occasion.occurrence.as_str().into(),
        occasion.template.as_str().into(),
        occasion.user.0.into(),
        occasion.order.map(|order| order.0).into(),
        recipient.as_ref().map(|recipient| recipient.0.clone()).into(),
        channel.as_str().into(),
        status.as_str().into(),
        i64::from(is_sent).into(),
        message_id.as_str().into(),
        subject.cloned().into(),
        text.cloned().into(),
        html.cloned().into(),
        facts.into(),
        now.into(),
        (*status != NotificationStatus::Pending).then_some(now).into(),
    ];
    Ok(tx.execute(sql, values).await? == 1)
}

/// A notification that is this process's to send, until the claim ends.
pub(crate) struct Claimed {
    pub(crate) id: NotificationId,
    pub(crate) template: Template,
    pub(crate) user: UserId,
    pub(crate) order: Option<OrderId>,
    pub(crate) message_id: String,
    pub(crate) at: Timestamp,
    /// How often it was tried since it was last asked for, this time included.
    pub(crate) tries: u32,
    /// Where its user was asked already.
    pub(crate) addressed: Option<(Recipient, Rendered)>,
    pub(crate) facts: Facts,
}

/// Claims what is due, at most `batch` rows: nobody else sees them as due before `until`, which is also the mark
/// of this claim.
pub(crate) async fn claim(
    database: &Database,
    batch: u32,
    until: Timestamp,
) -> Result<Vec<Claimed>, BusError> {
    database
        .write((until, batch), |&(until, batch), tx| {
            Box::pin(async move {
                // Whoever else is claiming has other rows; without this PostgreSQL would wait for them.
                let skip = match tx.backend() {
                    DatabaseBackend::Postgres => "FOR UPDATE SKIP LOCKED",
                    _ => "",
                };
                let sql = format!(
                    "UPDATE notification SET due_at = $1, attempts = attempts + 1 WHERE id IN \
                     (SELECT id FROM notification WHERE status = 'pending' AND due_at <= $2 ORDER BY due_at \
                     LIMIT $3 {skip}) AND status = 'pending' AND due_at <= $2 RETURNING id, template, user_id, \
                     order_id, recipient, message_id, subject, body_text, body_html, facts, created_at, \
                     attempts - spent AS tries"
                );
                let values = [until.micros().into(), tx.now().micros().into(), i64::from(batch).into()];
                let rows = tx.returning(&sql, values).await?;
                rows.iter().map(claimed).collect::<Result<Vec<_>, BusError>>()
            })
        })
        .await
}

/// Whether anything is due; what an idle sender asks, which costs no transaction.
pub(crate) async fn is_due(database: &Database) -> Result<bool, BusError> {
    let sql = "SELECT 1 AS due FROM notification WHERE status = 'pending' AND due_at <= $1 LIMIT 1";
    let now = database.sources().now().micros();
    Ok(database.reader().row(sql, [now.into()]).await?.is_some())
}

/// What became of a claimed notification.
pub(crate) enum Outcome {
    /// Sent; with the recipient and the text where they became known only now.
    Sent(Option<(Recipient, Rendered)>),
    /// Nobody to tell.
    Skipped,
    /// To be tried again after a pause.
    Again { error: String, after: Duration },
    /// Given up.
    Failed { error: String },
    /// Not even tried: there was no time left.
    Untouched,
}

/// Marks what became of a claim's notifications, in one unit of work. `until` is the claim: rows that somebody else
/// has claimed since, or that were asked for again, are left alone.
pub(crate) async fn settle(
    database: &Database,
    channel: Channel,
    until: Timestamp,
    outcomes: Vec<(NotificationId, Outcome)>,
) -> Result<(), BusError> {
    database
        .write((channel, until, outcomes), |(channel, until, outcomes), tx| {
            Box::pin(async move {
                let now = tx.now().micros();
                let until = until.micros();
                let (mut sent, mut untouched) = (Vec::new(), Vec::new());
                for (id, outcome) in outcomes {
                    match outcome {
                        Outcome::Sent(None) => sent.push(id.0),
                        Outcome::Untouched => untouched.push(id.0),
                        _ => settle_one(tx, *channel, until, *id, outcome).await?,
                    }
                }
                let set = "status = 'sent', settled_at = $2, channel = $3, error = NULL";
                settle_many(tx, until, set, [now.into(), channel.as_str().into()], &sent).await?;
                let set = "due_at = $2, attempts = attempts - $3";
                settle_many(tx, until, set, [now.into(), 1_i64.into()], &untouched).await
            })
        })
        .await
}

async fn settle_many(
    tx: &Tx<'_>,
    until: i64,
    set: &str,
    values: [Value; 2],
    ids: &[Uuid],
) -> Result<(), BusError> {
    let mut rest = ids;
    // Few sizes: each is a prepared statement of its own.
    for size in [64, 32, 16, 8, 4, 2, 1] {
        while rest.len() >= size {
            let (ids, after) = rest.split_at(size);
            rest = after;
            let binds: Vec<String> = (4..4 + size).map(|n| format!("${n}")).collect();
            let sql = format!(
                "UPDATE notification SET {set} WHERE status = 'pending' AND due_at = $1 AND id IN ({})",
                binds.join(", ")
            );
            let [first, second] = values.clone();
            let values =
                [until.into(), first, second].into_iter().chain(ids.iter().map(|id| Value::from(*id)));
            tx.execute(&sql, values.collect::<Vec<_>>()).await?;
        }
    }
    Ok(())
}

async fn settle_one(
    tx: &Tx<'_>,
    channel: Channel,
    until: i64,
    id: NotificationId,
    outcome: &Outcome,
) -> Result<(), BusError> {
    let now = tx.now();
    let (set, values): (&str, Vec<Value>) = match outcome {
        Outcome::Sent(None) | Outcome::Untouched => return Ok(()),
        Outcome::Sent(Some((recipient, rendered))) => (
            "status = 'sent', settled_at = $3, channel = $4, recipient = $5, subject = $6, body_text = $7, \
             body_html = $8, facts = NULL, error = NULL",
            vec![
                now.micros().into(),
                channel.as_str().into(),
                recipient.0.as_str().into(),
                rendered.subject.as_str().into(),
                rendered.text.as_str().into(),
                rendered.html.clone().into(),
            ],
        ),
        Outcome::Skipped => ("status = 'skipped', settled_at = $3, facts = NULL", vec![now.micros().into()]),
        Outcome::Failed { error } => (
            "status = 'failed', settled_at = $3, error = $4",
            vec![now.micros().into(), error.as_str().into()],
        ),
        Outcome::Again { error, after } => {
            ("due_at = $3, error = $4", vec![now.after(*after).micros().into(), error.as_str().into()])
        }
    };
    let sql = format!("UPDATE notification SET {set} WHERE id = $1 AND status = 'pending' AND due_at = $2");
    let values = [id.0.into(), until.into()].into_iter().chain(values);
    tx.execute(&sql, values.collect::<Vec<_>>()).await.map(|_| ())
}

/// The columns of a [`Notification`].
pub(crate) const COLUMNS: &str =
    "id, template, recipient, channel, status, attempts, user_id, order_id, message_id, created_at";

/// The row as others see it.
pub(crate) fn notification(row: &Row) -> Result<Notification, BusError> {
    Ok(Notification {
        id: NotificationId(row.get("id")?),
        template: word(row, "template")?,
        recipient: row.get::<Option<String>>("recipient")?.map(Recipient),
        channel: word(row, "channel")?,
        status: word(row, "status")?,
        attempts: u32::try_from(row.get::<i64>("attempts")?).unwrap_or(0),
        user_id: UserId(row.get("user_id")?),
        order_id: row.get::<Option<Uuid>>("order_id")?.map(OrderId),
        message_id: row.get("message_id")?,
        at: Timestamp::from_micros(row.get("created_at")?),
    })
}

fn claimed(row: &Row) -> Result<Claimed, BusError> {
    let recipient = row.get::<Option<String>>("recipient")?.map(Recipient);
    let (subject, text) = (row.get::<Option<String>>("subject")?, row.get::<Option<String>>("body_text")?);
    let addressed = match (recipient, subject, text) {
        (Some(recipient), Some(subject), Some(text)) => {
            Some((recipient, Rendered { subject, text, html: row.get("body_html")? }))
        }
        _ => None,
    };
    let facts = match row.get::<Option<String>>("facts")? {
        Some(facts) => serde_json::from_str(&facts).map_err(|error| BusError::failed(&error))?,
        None => Facts::default(),
    };
    Ok(Claimed {
        id: NotificationId(row.get("id")?),
        template: word(row, "template")?,
        user: UserId(row.get("user_id")?),
        order: row.get::<Option<Uuid>>("order_id")?.map(OrderId),
        message_id: row.get("message_id")?,
        at: Timestamp::from_micros(row.get("created_at")?),
        tries: u32::try_from(row.get::<i64>("tries")?).unwrap_or(1),
        addressed,
        facts,
    })
}

fn encode(facts: &Facts) -> Result<String, BusError> {
    serde_json::to_string(facts).map_err(|error| BusError::failed(&error))
}

fn word<T: FromStr>(row: &Row, column: &str) -> Result<T, BusError> {
    let text = row.get::<String>(column)?;
    text.parse().map_err(|_| BusError::failed(&format_args!("{column} is {text}, which no row should hold")))
}
