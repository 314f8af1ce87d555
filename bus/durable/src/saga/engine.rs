//! Carries out what [`decide`](super::decide) decides: runs steps, saves, takes over what others left.

use super::{
    Acted, Effect, Input, NotUndone, Phase, Saga, decide,
    store::{self, Held},
};
use crate::{Database, Tx, bell::Bell};
use bus::{BusError, Context, Incident, TraceContext};
use futures::FutureExt;
use sea_orm::DatabaseBackend;
use std::{
    collections::BTreeSet,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{sync::watch, task::JoinHandle};
use uuid::Uuid;

/// How sagas are looked after.
#[derive(Debug, Clone, Copy)]
pub struct SagaSettings {
    /// How long a process that died keeps its sagas at most; PostgreSQL only.
    pub lease: Duration,
    /// How often due sagas are looked for.
    pub poll: Duration,
    /// How long one step may take.
    pub step_timeout: Duration,
}

impl Default for SagaSettings {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(4),
            poll: Duration::from_millis(200),
            step_timeout: Duration::from_secs(10),
        }
    }
}

/// Where a saga stood when its driver let go of it.
#[derive(Debug, Clone)]
pub struct Driven<S> {
    /// Its phase: ended, waiting, or resting until an undo is tried again.
    pub phase: Phase,
    /// What its steps have learnt.
    pub state: S,
}

/// Drives the sagas of one kind. Cheap to clone.
pub struct Engine<S: Saga>(Arc<Inner<S>>);

struct Inner<S: Saga> {
    database: Database,
    saga: S,
    settings: SagaSettings,
    /// The sagas that this process drives now.
    driven: Mutex<BTreeSet<Uuid>>,
    woken: Bell,
}

impl<S: Saga> Clone for Engine<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// A saga that has been written and not yet been driven.
#[must_use = "a saga that is not driven waits for its lease to end"]
pub struct Begun<S: Saga> {
    held: Held<S::State>,
    driving: Driving<S>,
}

impl<S: Saga> Engine<S> {
    /// An engine for this kind.
    #[must_use]
    pub fn new(database: Database, saga: S, settings: SagaSettings) -> Self {
        Self(Arc::new(Inner { database, saga, settings, driven: Mutex::default(), woken: Bell::default() }))
    }

    /// Prepares a saga; [`Engine::begin`] writes it.
    pub fn prepare(&self, key: String, state: S::State) -> Begun<S> {
        let sources = self.0.database.sources();
        let held = Held::begin(sources.id(), key, state, sources.now().after(self.0.settings.lease));
        // From here on, so that the search for what a crash has left does not take it over.
        Begun { driving: Driving::new(self.clone(), held.id), held }
    }

    /// Writes a saga's start into the transaction that begins it.
    ///
    /// # Errors
    /// Where the state has no JSON form.
    pub fn begin(&self, saga: &Begun<S>, tx: &Tx<'_>) -> Result<(), BusError> {
        store::begin(tx, S::KIND, &saga.held)
    }

    /// Drives a saga whose start is committed, to its end or until it waits. It goes on when nobody waits for it.
    pub fn drive(&self, saga: Begun<S>) -> JoinHandle<Driven<S::State>> {
        let engine = self.clone();
        let context = Context::current().detached();
        let Begun { held, driving } = saga;
        let work = async move { engine.run(held, driving).await };
        bus::spawn(context.scope(work))
    }

    /// Makes the waiting sagas about `key` due, in this transaction. One that is being driven may have asked
    /// before this was known, and be about to wait: it is made to ask again. Call [`Engine::ring`] once it is committed.
    ///
    /// # Errors
    /// As [`Tx::execute`].
    pub async fn wake(&self, key: &str, tx: &Tx<'_>) -> Result<(), BusError> {
        let sql = "UPDATE saga SET due_at = $1, \
                   version = version + CASE phase WHEN 'running' THEN 1 ELSE 0 END \
                   WHERE key = $2 AND kind = $3 AND phase IN ('waiting', 'running')";
        tx.execute(sql, [tx.now().micros().into(), key.into(), S::KIND.into()]).await.map(|_| ())
    }

    /// What the newest saga about `key` has learnt, whether or not it has ended.
    ///
    /// # Errors
    /// What the database said.
    pub async fn state_of(&self, key: &str) -> Result<Option<S::State>, BusError> {
        store::state_of(&self.0.database, S::KIND, key).await
    }

    /// Looks for due sagas now, instead of at the next poll.
    pub fn ring(&self) {
        self.0.woken.ring();
    }

    /// Starts the tasks that resume due sagas and renew the hold on slow ones.
    #[must_use]
    pub fn workers(&self, stop: watch::Receiver<bool>) -> Vec<JoinHandle<()>> {
        vec![bus::spawn(self.clone().resume(stop.clone())), bus::spawn(self.clone().renew(stop))]
    }

    /// How many sagas this process drives now.
    #[must_use]
    pub fn driving(&self) -> usize {
        self.driven().len()
    }

    async fn resume(self, mut stop: watch::Receiver<bool>) {
        let mut woken = self.0.woken.listen();
        // A SQLite file is this process's alone: whatever runs in it and is not driven here was left by a crash.
        let mut orphans = self.0.database.backend() == DatabaseBackend::Sqlite;
        loop {
            match self.take_over(orphans).await {
                Ok(()) => orphans = false,
                Err(error) => tracing::warn!(kind = S::KIND, %error, "due sagas could not be looked for"),
            }
            tokio::select! {
                () = tokio::time::sleep(self.0.settings.poll) => {}
                () = woken.heard() => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
        }
    }

    async fn take_over(&self, orphans: bool) -> Result<(), BusError> {
        const AT_ONCE: u64 = 64;
        loop {
            let rows = store::due(&self.0.database, S::KIND, orphans, AT_ONCE).await?;
            let full = u64::try_from(rows.len()).is_ok_and(|count| count == AT_ONCE);
            let mut taken = 0;
            let claims = rows.into_iter().filter(|row| !self.driven().contains(&row.id)).map(|row| {
                let until = self.0.database.sources().now().after(self.0.settings.lease);
                store::claim(&self.0.database, row, until)
            });
            for claimed in futures::future::join_all(claims).await {
                // One that cannot be claimed or read, because a newer program wrote it, holds no other up.
                let held = match claimed.and_then(|row| row.map(Held::read).transpose()) {
                    Ok(Some(held)) => held,
                    Ok(None) => continue,
                    Err(error) => {
                        tracing::error!(kind = S::KIND, %error, "a due saga could not be taken up");
                        continue;
                    }
                };
                let trace = held.trace.as_deref().and_then(TraceContext::parse);
                let mut context = Context::default();
                context.trace = trace.unwrap_or(context.trace);
                let engine = self.clone();
                taken += 1;
                let driving = Driving::new(engine.clone(), held.id);
                drop(bus::spawn(context.scope(async move { engine.run(held, driving).await })));
            }
            if !full || taken == 0 {
                return Ok(());
            }
        }
    }

    async fn renew(self, mut stop: watch::Receiver<bool>) {
        let third = self.0.settings.lease / 3;
        let mut before = BTreeSet::new();
        while tokio::time::timeout(third, stop.wait_for(|stop| *stop)).await.is_err() {
            let now = self.driven().clone();
            // Only those that were there the last time too: most are over long before.
            let slow: Vec<Uuid> = now.intersection(&before).copied().collect();
            before = now;
            let until = self.0.database.sources().now().after(self.0.settings.lease);
            if !slow.is_empty()
                && let Err(error) = store::renew(&self.0.database, slow, until).await
            {
                tracing::warn!(kind = S::KIND, %error, "the hold on slow sagas could not be renewed");
            }
        }
    }

    fn driven(&self) -> std::sync::MutexGuard<'_, BTreeSet<Uuid>> {
        self.0.driven.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn run(&self, mut held: Held<S::State>, _driving: Driving<S>) -> Driven<S::State> {
        let steps = self.0.saga.steps();
        let names: Vec<&str> = steps.iter().map(|step| step.name()).collect();
        let mut input = Input::Resumed;
        loop {
            let now = self.0.database.sources().now();
            let effect = decide(&mut held.instance, input, &names, now, rand::random());
            input = match effect {
                Effect::Act(step) => Input::Acted(self.act(step, &mut held.state).await),
                Effect::ActAfter(step, pause) => {
                    tokio::time::sleep(pause).await;
                    Input::Acted(self.act(step, &mut held.state).await)
                }
                Effect::SaveAndUndo(step) => match self.save(&mut held).await {
                    Ok(()) => Input::Undone(self.undo(step, &mut held.state).await),
                    Err(error) => return self.let_go(held, &error),
                },
                Effect::Undo(step) => Input::Undone(self.undo(step, &mut held.state).await),
                Effect::Wait | Effect::Rest | Effect::Complete | Effect::Compensate => {
                    if held.instance.phase == Phase::NeedsAttention {
                        tracing::error!(saga = %held.id, key = held.key, "a saga needs attention");
                        metrics::counter!("sagas_needing_attention_total", "kind" => S::KIND).increment(1);
                    }
                    if let Err(error) = self.save(&mut held).await {
                        return self.let_go(held, &error);
                    }
                    return Driven { phase: held.instance.phase, state: held.state };
                }
                Effect::Nothing => return Driven { phase: held.instance.phase, state: held.state },
            };
        }
    }

    async fn act(&self, step: usize, state: &mut S::State) -> Acted {
        let Some(step) = self.0.saga.steps().get(step) else {
            return Acted::Unknown("no such step".into());
        };
        let work = AssertUnwindSafe(step.act(state)).catch_unwind();
        match tokio::time::timeout(self.0.settings.step_timeout, work).await {
            Ok(Ok(acted)) => acted,
            Ok(Err(_)) => {
                Acted::Unknown(format!("the step panicked ({})", Incident::log(&"a step panicked")))
            }
            Err(_) => Acted::Unknown("the step took too long".into()),
        }
    }

    async fn undo(&self, step: usize, state: &mut S::State) -> Result<(), NotUndone> {
        let failed = |why: String| Err(NotUndone::Failed(why));
        let Some(step) = self.0.saga.steps().get(step) else { return failed("no such step".into()) };
        let work = AssertUnwindSafe(step.undo(state)).catch_unwind();
        match tokio::time::timeout(self.0.settings.step_timeout, work).await {
            Ok(Ok(Ok(()))) => Ok(()),
            Ok(Ok(Err(error @ (BusError::Unavailable { .. } | BusError::Overloaded { .. })))) => {
                Err(NotUndone::Unreachable(error.to_string()))
            }
            Ok(Ok(Err(error))) => failed(error.to_string()),
            Ok(Err(_)) => failed(format!("the undo panicked ({})", Incident::log(&"an undo panicked"))),
            Err(_) => failed("the undo took too long".into()),
        }
    }

    /// Saves the saga with what its module writes at this turn, in one transaction.
    async fn save(&self, held: &mut Held<S::State>) -> Result<(), BusError> {
        let state = (self.clone(), held.clone());
        let locks = vec![held.key.clone()];
        let saved = self.0.database.write_locking(locks, state, |(engine, held), tx| {
            Box::pin(async move {
                store::save(tx, held)?;
                let saga = &engine.0.saga;
                match held.instance.phase {
                    Phase::Completed => saga.completed(&held.state, tx).await,
                    Phase::Compensated => saga.compensated(&held.state, tx).await,
                    Phase::Waiting => saga.waiting(&held.state, tx).await,
                    Phase::Running | Phase::Unwinding | Phase::NeedsAttention => Ok(()),
                }
            })
        });
        saved.await?;
        held.version += 1;
        Ok(())
    }

    /// The save failed: whoever owns the saga now, or this process once it is due, goes on from the row.
    fn let_go(&self, held: Held<S::State>, error: &BusError) -> Driven<S::State> {
        tracing::warn!(saga = %held.id, %error, "a saga could not be saved and is taken up again later");
        Driven { phase: Phase::Running, state: held.state }
    }
}

/// Marks a saga as driven here, until dropped.
struct Driving<S: Saga> {
    engine: Engine<S>,
    id: Uuid,
}

impl<S: Saga> Driving<S> {
    fn new(engine: Engine<S>, id: Uuid) -> Self {
        engine.driven().insert(id);
        Self { engine, id }
    }
}

impl<S: Saga> Drop for Driving<S> {
    fn drop(&mut self) {
        self.engine.driven().remove(&self.id);
    }
}
