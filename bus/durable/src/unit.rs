//! A unit of work as the writer sees it.

use crate::tx::Tx;
use async_trait::async_trait;
use bus::{BusError, Context, Incident};
use futures::{FutureExt, future::BoxFuture};
use sea_orm::{DbErr, RuntimeErr};
use std::{any::Any, panic::AssertUnwindSafe};
use tokio::sync::oneshot;

/// How a run of a unit of work went, before the commit.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ran {
    /// Its writes may be committed.
    Well,
    /// It refused, having written nothing: its neighbours need not care.
    RefusedClean,
    /// It refused or broke after it had written: its writes must go.
    MustUndo,
}

/// A unit of work, its types erased.
#[async_trait]
pub(crate) trait Work: Send {
    /// Runs it; may be run again after a rollback.
    async fn run(&mut self, tx: &Tx<'_>) -> Ran;
    /// Its run went well but its rows did not fit: it is undone and answers with this.
    fn fail(&mut self, error: BusError);
    /// Whether it will answer with an error.
    fn failed(&self) -> bool;
    /// The keys that it locks, so that a group takes them in order.
    fn locks(&self) -> &[String];
    /// Answers: with what the run gave, or with why that cannot be known or done.
    fn settle(self: Box<Self>, failure: Option<BusError>);
}

pub(crate) struct Unit<S, T, E, F> {
    pub(crate) state: S,
    pub(crate) body: F,
    pub(crate) locks: Vec<String>,
    pub(crate) context: Context,
    pub(crate) outcome: Option<Result<T, E>>,
    pub(crate) answer: oneshot::Sender<Result<T, E>>,
}

#[async_trait]
impl<S, T, E, F> Work for Unit<S, T, E, F>
where
    S: Send + Sync + 'static,
    T: Send + 'static,
    E: From<BusError> + Send + 'static,
    F: for<'a> Fn(&'a S, &'a Tx<'a>) -> BoxFuture<'a, Result<T, E>> + Send + Sync + 'static,
{
    async fn run(&mut self, tx: &Tx<'_>) -> Ran {
        let left = self.context.remaining();
        if left.is_some_and(|left| left.is_zero()) {
            self.outcome = Some(Err(BusError::DeadlineExceeded { name: "unit of work".into() }.into()));
            return Ran::RefusedClean;
        }
        let work = self.context.clone().scope((self.body)(&self.state, tx));
        let outcome = AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(|panic| {
            let name = "unit of work".into();
            Err(BusError::Died { name, incident: Incident::log(&panic_text(&*panic)) }.into())
        });
        let ran = match (&outcome, tx.failure().is_some()) {
            (Ok(_), false) => Ran::Well,
            (Err(_), false) if !tx.wrote() => Ran::RefusedClean,
            _ => Ran::MustUndo,
        };
        // An Ok after a failed statement must not look like success.
        self.outcome = Some(match outcome {
            Ok(_) if ran == Ran::MustUndo => {
                Err(BusError::failed(&"the unit of work went on after a failed statement").into())
            }
            outcome => outcome,
        });
        ran
    }

    fn fail(&mut self, error: BusError) {
        self.outcome = Some(Err(error.into()));
    }

    fn failed(&self) -> bool {
        !matches!(self.outcome, Some(Ok(_)))
    }

    fn locks(&self) -> &[String] {
        &self.locks
    }

    fn settle(self: Box<Self>, failure: Option<BusError>) {
        let Self { state, body, outcome, answer, .. } = *self;
        // Before the answer: whoever hears it may count on being the state's only holder.
        drop((state, body));
        let outcome = match (failure, outcome) {
            (Some(error), _) => Err(error.into()),
            (None, Some(outcome)) => outcome,
            (None, None) => Err(BusError::failed(&"the unit of work did not run").into()),
        };
        drop(answer.send(outcome));
    }
}

/// What a panic said.
pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("a panic")
}

/// What a database error means to the work that met it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Somebody stood in the way: deadlocks, serialization failures and locks that are held for too long (SQLSTATE 40P01,
    /// 40001, 55P03), SQLite's BUSY.
    /// The transaction has not been committed, whatever said so.
    Contention,
    /// The connection is gone, and the transaction with it, unless its COMMIT was on the way.
    Lost,
    /// The disk is full, or the server takes no more: the statement is not to blame.
    Exhausted,
    /// Anything else.
    Other,
}

impl Trouble {
    pub(crate) fn of(error: &DbErr) -> Self {
        let (DbErr::Exec(RuntimeErr::SqlxError(error))
        | DbErr::Query(RuntimeErr::SqlxError(error))
        | DbErr::Conn(RuntimeErr::SqlxError(error))) = error
        else {
            return if matches!(error, DbErr::ConnectionAcquire(_)) { Self::Lost } else { Self::Other };
        };
        match &**error {
            sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::PoolTimedOut => return Self::Lost,
            _ => {}
        }
        let code = error.as_database_error().and_then(|error| error.code()).unwrap_or_default();
        match &*code {
            "40P01" | "40001" | "55P03" | "5" | "261" | "517" => Self::Contention,
            "57P01" | "57P02" | "57P03" | "25P03" => Self::Lost,
            "13" | "53000" | "53100" | "53200" | "53300" => Self::Exhausted,
            code if code.len() == 5 && code.starts_with("08") => Self::Lost,
            _ => Self::Other,
        }
    }

    /// Whether the work may be run again: before its COMMIT was sent, nothing of it can be there.
    pub(crate) fn clears(self) -> bool {
        matches!(self, Self::Contention | Self::Lost)
    }

    /// What the module answers: its database is in trouble, or it has failed itself.
    pub(crate) fn answer(self, module: &str, error: &DbErr) -> BusError {
        match self {
            Self::Contention => BusError::Overloaded { port: module.into(), retry_after_ms: 1000 },
            Self::Lost | Self::Exhausted => {
                tracing::error!(module, %error, "the database cannot be worked with");
                BusError::Unavailable { port: module.into() }
            }
            Self::Other => BusError::failed(error),
        }
    }
}
