//! Idempotency keys: the reply to a public command, stored in the transaction of its effect.

use crate::{Database, Tx, Update, query::Row};
use bus::{BusError, Command, Context, ErrorKind, PortError, Request};
use futures::future::BoxFuture;
use sea_orm::ActiveValue::Set;
use serde::{Serialize, de::DeserializeOwned};
use std::sync::Arc;

/// What is known of a command's id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// Nothing: it is this transaction's to carry out.
    New,
    /// It has begun and has no outcome yet.
    Running,
    /// Its outcome, as JSON.
    Settled(String),
}

impl Tx<'_> {
    /// Looks the context's command up and, if it is new, notes that it has begun; `New` without one.
    /// Settle it with [`Tx::settle`], in this transaction or, for long work, in a later one.
    ///
    /// # Errors
    /// [`BusError::KeyReused`] where the key was used with another request.
    pub async fn claim(&self, command: Option<&Command>) -> Result<Claim, BusError> {
        let Some(command) = command else { return Ok(Claim::New) };
        let sql =
            "INSERT INTO idempotency (id, fingerprint, at) VALUES ($1, $2, $3) ON CONFLICT (id) DO NOTHING";
        let values =
            [command.id.as_str().into(), command.fingerprint.as_str().into(), self.now().micros().into()];
        if self.execute(sql, values).await? == 1 {
            return Ok(Claim::New);
        }
        // Gone again since, it was forgotten by its first request at this moment: the next try is the first.
        self.look_up(command).await?.ok_or(BusError::KeyInUse)
    }

    /// As [`Tx::claim`], for a command that was new when it was [looked up](Database::look_up) a moment ago, and that
    /// this transaction will not forget.
    ///
    /// # Errors
    /// As [`Tx::claim`].
    pub async fn claim_new(&self, command: Option<&Command>) -> Result<Claim, BusError> {
        match command {
            Some(command) if self.is_optimistic() => {
                self.insert_later(key_row(command, None, self));
                Ok(Claim::New)
            }
            command => self.claim(command).await,
        }
    }

    async fn look_up(&self, command: &Command) -> Result<Option<Claim>, BusError> {
        self.row(LOOK_UP, [command.id.as_str().into()]).await?.map(|row| known(&row, command)).transpose()
    }

    /// Stores a command's outcome; the first one that is stored stays.
    ///
    /// # Errors
    /// Where the outcome has no JSON form.
    pub fn settle<T: Serialize, E: Serialize>(
        &self,
        command: &str,
        outcome: &Result<T, E>,
    ) -> Result<(), BusError> {
        static SETTLE: Update = Update {
            sql: "UPDATE idempotency SET outcome = v.column2 FROM {values} \
                  WHERE idempotency.id = v.column1 AND idempotency.outcome IS NULL",
            must_match: false,
        };
        self.update_later(&SETTLE, vec![command.into(), json(outcome)?.into()]);
        Ok(())
    }

    /// Forgets a command that came to no outcome worth keeping, unless one is stored.
    ///
    /// # Errors
    /// As [`Tx::execute`].
    pub async fn forget(&self, command: &str) -> Result<(), BusError> {
        self.execute("DELETE FROM idempotency WHERE id = $1 AND outcome IS NULL", [command.into()])
            .await
            .map(|_| ())
    }
}

/// Whether an outcome is kept under its key: successes, declines and conflicts are; refusals before any work
/// and failures are not.
pub fn is_kept<T, E: PortError>(outcome: &Result<T, E>) -> bool {
    match outcome {
        Ok(_) => true,
        Err(error) => {
            error.bus().is_none() && matches!(error.kind(), ErrorKind::Conflict | ErrorKind::PaymentDeclined)
        }
    }
}

/// Reads a stored outcome, and notes in the context that the answer is a repetition.
///
/// # Errors
/// What was stored, if that was an error.
pub fn replay<T: DeserializeOwned, E: PortError>(outcome: &str) -> Result<T, E> {
    let outcome: Result<T, E> = serde_json::from_str(outcome).map_err(|error| BusError::failed(&error))?;
    Context::current().mark_replayed();
    outcome
}

impl Database {
    /// What is committed of a command.
    ///
    /// # Errors
    /// As [`Tx::claim`].
    pub async fn look_up(&self, command: &Command) -> Result<Claim, BusError> {
        let row = self.reader().row(LOOK_UP, [command.id.as_str().into()]).await?;
        row.map_or(Ok(Claim::New), |row| known(&row, command))
    }

    /// Carries out a public command in one unit of work: at most once for each idempotency key in the context, whose
    /// outcome is stored in the same transaction. Without a key it is [`Database::write_locking`].
    ///
    /// # Errors
    /// The command's own; [`BusError::KeyReused`] and [`BusError::KeyInUse`] inside.
    pub async fn command<R, F>(
        &self,
        mut locks: Vec<String>,
        request: R,
        body: F,
    ) -> Result<R::Response, R::Error>
    where
        R: Request,
        F: for<'a> Fn(&'a R, &'a Tx<'a>) -> BoxFuture<'a, Result<R::Response, R::Error>>
            + Send
            + Sync
            + 'static,
    {
        let Some(command) = Context::current().command else {
            return self.write_locking(locks, request, body).await;
        };
        // Two processes that are asked the same at once go one after the other. So nothing has to be written
        // before the body runs, and a refusal stays one that wrote nothing.
        locks.push(command.id.clone());
        let state = (Arc::clone(&command), request, body);
        let outcome = self
            .write_locking(locks, state, |(command, request, body), tx| {
                Box::pin(async move {
                    match tx.look_up(command).await? {
                        Some(Claim::Settled(outcome)) => replay(&outcome),
                        Some(_) => Err(BusError::KeyInUse.into()),
                        None => {
                            let outcome = Ok::<_, R::Error>(body(request, tx).await?);
                            tx.insert_later(key_row(command, Some(json(&outcome)?), tx));
                            outcome
                        }
                    }
                })
            })
            .await;
        if outcome.is_err() && is_kept(&outcome) && !Context::current().replayed() {
            return self.keep_refusal(command, outcome).await;
        }
        outcome
    }

    /// Stores a refusal, whose own transaction wrote nothing; an outcome that is there by now is the answer.
    async fn keep_refusal<T, E>(&self, command: Arc<Command>, outcome: Result<T, E>) -> Result<T, E>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
        E: PortError,
    {
        let text = json(&outcome)?;
        let first: Option<Claim> = self
            .write((command, text), |(command, text), tx| {
                Box::pin(async move {
                    let sql = "INSERT INTO idempotency (id, fingerprint, outcome, at) VALUES ($1, $2, $3, $4) \
                               ON CONFLICT (id) DO NOTHING";
                    let values = [
                        command.id.as_str().into(),
                        command.fingerprint.as_str().into(),
                        text.as_str().into(),
                        tx.now().micros().into(),
                    ];
                    if tx.execute(sql, values).await? == 1 { Ok(None) } else { tx.look_up(command).await }
                })
            })
            .await?;
        match first {
            Some(Claim::Settled(first)) => replay(&first),
            _ => outcome,
        }
    }
}

const LOOK_UP: &str = "SELECT fingerprint, outcome FROM idempotency WHERE id = $1";

fn known(row: &Row, command: &Command) -> Result<Claim, BusError> {
    if row.get::<String>("fingerprint")? != command.fingerprint {
        return Err(BusError::KeyReused);
    }
    Ok(row.get::<Option<String>>("outcome")?.map_or(Claim::Running, Claim::Settled))
}

fn key_row(command: &Command, outcome: Option<String>, tx: &Tx<'_>) -> key::ActiveModel {
    key::ActiveModel {
        id: Set(command.id.clone()),
        fingerprint: Set(command.fingerprint.clone()),
        outcome: Set(outcome),
        at: Set(tx.now().micros()),
    }
}

fn json<T: Serialize>(value: &T) -> Result<String, BusError> {
    serde_json::to_string(value).map_err(|error| BusError::failed(&error))
}

/// The table of keys.
mod key {
    #![expect(unreachable_pub, reason = "the derive wants its items public")]

    use sea_orm::entity::prelude::*;

    /// A key's row.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "idempotency")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: String,
        pub fingerprint: String,
        pub outcome: Option<String>,
        pub at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
