//! A saga over a world that does what it is told: refuses, loses answers, panics, hangs, comes late.

use crate::world::{Home, Moved, SOON, note, quick};
use async_trait::async_trait;
use bus::{BusError, Timestamp};
use bus_durable::{
    Database, Tx,
    saga::{Acted, Driven, Engine, Phase, Saga, SagaSettings, SagaView, Step},
};
use bus_testkit::eventually;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};
use tokio::sync::watch;

pub(crate) const STEPS: usize = 3;
const NAMES: [&str; STEPS] = ["reserve", "authorize", "capture"];

/// Where something can go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Point {
    BeforeAct(usize),
    AfterAct(usize),
    BeforeUndo(usize),
    AfterUndo(usize),
    /// Inside the transaction of the end, before it writes and after.
    BeforeEnd,
    AfterEnd,
}

/// What goes wrong there.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    Refuse,
    /// No answer; before the act, or its undo, it was not carried out, after it it was.
    Unknown,
    Fail,
    Panic,
    /// The process dies here.
    Crash,
    /// Says that it has got here, and goes on when it is let.
    Pause(Pause),
    /// Wait for something outside, until then.
    Wait(Timestamp),
}

#[derive(Debug, Clone)]
pub(crate) struct Pause {
    reached: Arc<watch::Sender<bool>>,
    let_go: Arc<watch::Sender<bool>>,
}

impl Pause {
    pub(crate) fn new() -> Self {
        Self { reached: Arc::new(watch::Sender::new(false)), let_go: Arc::new(watch::Sender::new(false)) }
    }

    /// One that lets everybody pass.
    pub(crate) fn open() -> Self {
        let pause = Self::new();
        pause.let_go();
        pause
    }

    pub(crate) async fn reached(&self) {
        let mut reached = self.reached.subscribe();
        tokio::time::timeout(SOON, reached.wait_for(|reached| *reached))
            .await
            .expect("in time")
            .expect("reached");
    }

    pub(crate) fn let_go(&self) {
        self.let_go.send_replace(true);
    }
}

/// What is elsewhere, and outlives the process that drives the saga.
#[derive(Clone, Default)]
pub(crate) struct Elsewhere(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    steps: [Remote; STEPS],
    faults: BTreeMap<Point, VecDeque<Fault>>,
    fired: usize,
    crashed: Option<Arc<watch::Sender<bool>>>,
    twice: bool,
}

/// One step's counterpart in another module.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Remote {
    /// It is in effect.
    pub(crate) on: bool,
    /// Its undo came: nothing takes effect any more.
    pub(crate) closed: bool,
    /// How often it has taken effect.
    pub(crate) effects: usize,
    pub(crate) acts: usize,
    pub(crate) undos: usize,
}

impl Elsewhere {
    pub(crate) fn with(faults: impl IntoIterator<Item = (Point, Fault)>) -> Self {
        let elsewhere = Self::default();
        faults.into_iter().for_each(|(point, fault)| elsewhere.add(point, fault));
        elsewhere
    }

    /// One more fault.
    pub(crate) fn add(&self, point: Point, fault: Fault) {
        self.inner().faults.entry(point).or_default().push_back(fault);
    }

    /// Everything is asked twice.
    pub(crate) fn twice(self) -> Self {
        self.inner().twice = true;
        self
    }

    pub(crate) fn steps(&self) -> [Remote; STEPS] {
        self.inner().steps
    }

    pub(crate) fn fired(&self) -> usize {
        self.inner().fired
    }

    pub(crate) fn assert_all_fired(&self) {
        let inner = self.inner();
        let left: Vec<_> = inner.faults.iter().filter(|(_, faults)| !faults.is_empty()).collect();
        assert!(left.is_empty(), "these never fired: {left:?}");
    }

    /// Everything took effect once and is in effect.
    pub(crate) fn assert_done_once(&self, what: &str) {
        for remote in self.steps() {
            assert!(remote.on && !remote.closed && remote.effects == 1, "{what}: {:?}", self.steps());
        }
    }

    /// Nothing is in effect, and nothing can take effect late.
    pub(crate) fn assert_undone(&self, what: &str, from: usize) {
        for (i, remote) in self.steps().into_iter().enumerate() {
            assert!(!remote.on && remote.effects <= 1, "{what}: {:?}", self.steps());
            assert!(
                remote.closed || i > from,
                "{what}: a late request would find the door open: {:?}",
                self.steps()
            );
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    async fn pass(&self, point: Point) -> Option<Fault> {
        let fault = {
            let mut inner = self.inner();
            let fault = inner.faults.get_mut(&point).and_then(VecDeque::pop_front);
            inner.fired += usize::from(fault.is_some());
            fault
        };
        match fault {
            Some(Fault::Panic) => panic!("told to panic at {point:?}"),
            Some(Fault::Crash) => {
                let crashed = self.inner().crashed.clone().expect("a life that can end");
                crashed.send_replace(true);
                std::future::pending().await
            }
            Some(Fault::Pause(pause)) => {
                pause.reached.send_replace(true);
                let mut let_go = pause.let_go.subscribe();
                let _ = let_go.wait_for(|let_go| *let_go).await;
                None
            }
            fault => fault,
        }
    }
}

/// What the steps know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Facts {
    pub(crate) thing: String,
    pub(crate) learnt: Vec<usize>,
}

struct Scripted {
    index: usize,
    elsewhere: Elsewhere,
}

#[async_trait]
impl Step<Facts> for Scripted {
    fn name(&self) -> &'static str {
        NAMES[self.index]
    }

    async fn act(&self, facts: &mut Facts) -> Acted {
        match self.elsewhere.pass(Point::BeforeAct(self.index)).await {
            Some(Fault::Refuse) => return Acted::Refused("told to refuse".into()),
            Some(Fault::Unknown) => return Acted::Unknown("the request got lost".into()),
            Some(Fault::Wait(until)) => return Acted::Wait(until),
            _ => {}
        }
        {
            let mut inner = self.elsewhere.inner();
            for _ in 0..=usize::from(inner.twice) {
                let remote = &mut inner.steps[self.index];
                remote.acts += 1;
                if remote.closed {
                    return Acted::Refused("its undo came first".into());
                }
                remote.effects += usize::from(!remote.on);
                remote.on = true;
            }
        }
        match self.elsewhere.pass(Point::AfterAct(self.index)).await {
            Some(Fault::Unknown) => return Acted::Unknown("the answer got lost".into()),
            Some(Fault::Wait(until)) => return Acted::Wait(until),
            _ => {}
        }
        facts.learnt.push(self.index);
        Acted::Done
    }

    async fn undo(&self, _: &mut Facts) -> Result<(), BusError> {
        let fails = |fault| match fault {
            Some(Fault::Fail) => Err(BusError::DeadlineExceeded { name: "undo".into() }),
            Some(Fault::Unknown) => Err(BusError::Unavailable { port: "elsewhere".into() }),
            _ => Ok(()),
        };
        fails(self.elsewhere.pass(Point::BeforeUndo(self.index)).await)?;
        {
            let mut inner = self.elsewhere.inner();
            for _ in 0..=usize::from(inner.twice) {
                let remote = &mut inner.steps[self.index];
                (remote.on, remote.closed) = (false, true);
                remote.undos += 1;
            }
        }
        fails(self.elsewhere.pass(Point::AfterUndo(self.index)).await)
    }
}

/// The saga: three steps, whose ends are counted in notes and told in an event.
pub(crate) struct Scripts {
    steps: Vec<Box<dyn Step<Facts>>>,
    elsewhere: Elsewhere,
}

impl Scripts {
    async fn end(&self, facts: &Facts, end: &str, tx: &Tx<'_>) -> Result<(), BusError> {
        if let Some(Fault::Fail) = self.elsewhere.pass(Point::BeforeEnd).await {
            return Err(BusError::failed(&"told to fail"));
        }
        let sql = "INSERT INTO note (name, value) VALUES ($1, 1) ON CONFLICT (name) DO UPDATE SET value = note.value + 1";
        tx.execute(sql, [format!("{end} {}", facts.thing).into()]).await?;
        tx.publish(&Moved { thing: facts.thing.clone(), step: 1 })?;
        match self.elsewhere.pass(Point::AfterEnd).await {
            Some(Fault::Fail) => Err(BusError::failed(&"told to fail after writing")),
            _ => Ok(()),
        }
    }
}

#[async_trait]
impl Saga for Scripts {
    const KIND: &'static str = "shop.scripted";
    type State = Facts;

    fn steps(&self) -> &[Box<dyn Step<Facts>>] {
        &self.steps
    }

    async fn completed(&self, facts: &Facts, tx: &Tx<'_>) -> Result<(), BusError> {
        self.end(facts, "completed", tx).await
    }

    async fn compensated(&self, facts: &Facts, tx: &Tx<'_>) -> Result<(), BusError> {
        self.end(facts, "compensated", tx).await
    }

    async fn waiting(&self, facts: &Facts, tx: &Tx<'_>) -> Result<(), BusError> {
        note(tx, &format!("waiting {}", facts.thing), 1).await
    }
}

/// A short lease, so that crashed sagas are taken over soon.
pub(crate) fn settings() -> SagaSettings {
    let (lease, poll) = (Duration::from_millis(150), Duration::from_millis(5));
    SagaSettings { lease, poll, step_timeout: SOON }
}

pub(crate) fn engine(database: &Database, elsewhere: &Elsewhere, settings: SagaSettings) -> Engine<Scripts> {
    let step = |index| Box::new(Scripted { index, elsewhere: elsewhere.clone() }) as Box<dyn Step<Facts>>;
    let saga = Scripts { steps: (0..STEPS).map(step).collect(), elsewhere: elsewhere.clone() };
    Engine::new(database.clone(), saga, settings)
}

/// Begins a saga about `thing` and drives it.
pub(crate) async fn begin(
    engine: &Engine<Scripts>,
    database: &Database,
    thing: &str,
) -> tokio::task::JoinHandle<Driven<Facts>> {
    let saga = Arc::new(engine.prepare(thing.to_owned(), Facts { thing: thing.to_owned(), learnt: vec![] }));
    let state = (engine.clone(), Arc::clone(&saga));
    let begun = database.write(state, |(engine, saga), tx| Box::pin(async move { engine.begin(saga, tx) }));
    let begun: Result<(), BusError> = begun.await;
    begun.expect("begun");
    engine.drive(Arc::into_inner(saga).expect("nobody else holds it"))
}

/// Ends an engine's workers, so that they take up no saga that is begun later.
pub(crate) async fn end_workers(stop: &watch::Sender<bool>, workers: Vec<tokio::task::JoinHandle<()>>) {
    stop.send_replace(true);
    futures::future::join_all(workers).await;
}

pub(crate) async fn view(database: &Database, thing: &str) -> SagaView {
    database.sagas_about(thing).await.expect("read").pop().expect("there is one")
}

pub(crate) async fn phase_is(database: &Database, thing: &str, phase: Phase) {
    let what = format!("the saga is {}", phase.name());
    eventually(&what, SOON, async || view(database, thing).await.state == phase).await;
}

/// The outcomes in a saga's history, as `step outcome`.
pub(crate) fn history(view: &SagaView) -> Vec<String> {
    view.history.iter().map(|entry| format!("{} {}", entry.what, entry.outcome)).collect()
}

/// Lets a saga live until it has ended, through as many processes as its crashes need. Gives what is left of it.
pub(crate) async fn live_through(home: &Arc<Home>, elsewhere: &Elsewhere, thing: &str) -> SagaView {
    for life in 0.. {
        assert!(life < 10, "it dies too often");
        let (home, elsewhere, thing) = (Arc::clone(home), elsewhere.clone(), thing.to_owned());
        let lived = tokio::task::spawn_blocking(move || one_life(&home, &elsewhere, &thing, life == 0));
        if let Some(view) = lived.await.expect("lives") {
            return view;
        }
    }
    unreachable!("it ends or dies too often")
}

fn one_life(home: &Home, elsewhere: &Elsewhere, thing: &str, first: bool) -> Option<SagaView> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("starts");
    let (crash, mut crashed) = watch::channel(false);
    elsewhere.inner().crashed = Some(Arc::new(crash));
    let ended = runtime.block_on(async {
        let database = home.open().await;
        let engine = engine(&database, elsewhere, settings());
        let (_stop, stopped) = watch::channel(false);
        let _workers = engine.workers(stopped);
        if first {
            drop(begin(&engine, &database, thing).await);
        }
        let ends = async {
            loop {
                let view = view(&database, thing).await;
                if view.state.is_end() || view.state == Phase::NeedsAttention {
                    return view;
                }
                tokio::time::sleep(quick().poll).await;
            }
        };
        tokio::select! {
            view = tokio::time::timeout(SOON, ends) => {
                database.close().await;
                Some(view.expect("it ends"))
            }
            _ = crashed.wait_for(|crashed| *crashed) => None,
        }
    });
    // A crash: every task is dropped where it stands, every transaction with it.
    runtime.shutdown_background();
    ended
}
