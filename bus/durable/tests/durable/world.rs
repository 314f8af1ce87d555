//! A test's own database, the events that it speaks of, and subscribers that do what they are told.

use async_trait::async_trait;
use bus::{Bus, BusError, Event, OnDeadLetter, Policies, Sources, Subscription};
use bus_durable::{
    Catalogue, Database, DatabaseSettings, Dispatch, DispatchSettings, OpenError, RetryPolicy, Subscriber,
    Subscribers, Tx,
    sea_orm::{ConnectionTrait as _, DbErr, Value},
};
use bus_testkit::{eventually, postgres};
use sea_orm_migration::{
    MigrationName, MigrationTrait, MigratorTrait, SchemaManager, async_trait as migration_trait,
};
use serde::{Deserialize, Serialize};
use std::{
    any::Any,
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

/// Far longer than any state needs to come about.
pub(crate) const SOON: Duration = Duration::from_secs(30);

/// Something has moved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Moved {
    pub(crate) thing: String,
    pub(crate) step: i64,
}

impl Event for Moved {
    const NAME: &'static str = "shop.moved.v1";
    fn key(&self) -> String {
        self.thing.clone()
    }
    fn sequence(&self) -> i64 {
        self.step
    }
}

/// What a handler says when it has heard of a move.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Echoed {
    pub(crate) thing: String,
    pub(crate) step: i64,
}

impl Event for Echoed {
    const NAME: &'static str = "post.echoed.v1";
    fn key(&self) -> String {
        self.thing.clone()
    }
    fn sequence(&self) -> i64 {
        self.step
    }
}

/// Declared, and nobody subscribes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Unheard;

impl Event for Unheard {
    const NAME: &'static str = "shop.unheard.v1";
    fn key(&self) -> String {
        "unheard".into()
    }
    fn sequence(&self) -> i64 {
        1
    }
}

/// Not in the catalogue.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Undeclared;

impl Event for Undeclared {
    const NAME: &'static str = "shop.undeclared.v1";
    fn key(&self) -> String {
        "undeclared".into()
    }
    fn sequence(&self) -> i64 {
        1
    }
}

const fn subscription(
    id: &'static str,
    module: &'static str,
    event: &'static str,
    on_dead_letter: OnDeadLetter,
) -> Subscription {
    Subscription { id, module, event, on_dead_letter }
}

/// The shop's own, whose keys wait for their dead letters.
pub(crate) const SHOP: Subscription =
    subscription("shop.moved", "shop", "shop.moved.v1", OnDeadLetter::Block);
/// Another module's, whose keys go on.
pub(crate) const POST: Subscription = subscription("post.moved", "post", "shop.moved.v1", OnDeadLetter::Skip);
/// A third module's, to what the second says.
pub(crate) const LOG: Subscription = subscription("log.echoed", "log", "post.echoed.v1", OnDeadLetter::Skip);

pub(crate) fn catalogue(subscriptions: &[Subscription]) -> Arc<Catalogue> {
    let events = [Moved::NAME, Echoed::NAME, Unheard::NAME];
    Arc::new(Catalogue::new(events, subscriptions.iter().copied()).expect("a catalogue"))
}

/// The durable layer's tables, and those that effects are written to.
pub(crate) struct Migrator;

#[migration_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(migrations::durable::Migration),
            Box::new(Effects),
            Box::new(migrations::lean::Migration),
            Box::new(migrations::trim::Migration),
        ]
    }
}

struct Effects;

impl MigrationName for Effects {
    fn name(&self) -> &'static str {
        "m0002_effects"
    }
}

#[migration_trait::async_trait]
impl MigrationTrait for Effects {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for sql in [
            "CREATE TABLE note (name TEXT NOT NULL PRIMARY KEY, value BIGINT NOT NULL CHECK (value >= 0))",
            // Nothing unique: whatever happens twice is seen twice.
            "CREATE TABLE effect (subscription TEXT NOT NULL, thing TEXT NOT NULL, step BIGINT NOT NULL, \
             number BIGINT NOT NULL)",
        ] {
            manager.get_connection().execute_unprepared(sql).await?;
        }
        Ok(())
    }
}

/// Where a database is, for as long as its test runs.
pub(crate) struct Home {
    url: String,
    keep: Box<dyn Any + Send + Sync>,
}

impl Home {
    pub(crate) fn sqlite() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let url = format!("sqlite://{}", directory.path().join("rows.db").display());
        Self { url, keep: Box::new(directory) }
    }

    pub(crate) async fn postgres() -> Self {
        let (url, guard) = postgres::fresh_postgres("durable").await;
        Self { url, keep: Box::new(guard) }
    }

    /// Where somebody else looks after it.
    pub(crate) fn at(url: String) -> Self {
        Self { url, keep: Box::new(()) }
    }

    /// Another one, of the same kind.
    pub(crate) async fn other(&self) -> Self {
        if self.is_postgres() { Self::postgres().await } else { Self::sqlite() }
    }

    pub(crate) fn is_postgres(&self) -> bool {
        self.url.starts_with("postgres")
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The directory of a SQLite file.
    pub(crate) fn directory(&self) -> &std::path::Path {
        self.keep.downcast_ref::<tempfile::TempDir>().expect("a file's directory").path()
    }

    pub(crate) async fn open(&self) -> Database {
        self.open_as("shop", &[SHOP]).await
    }

    pub(crate) async fn open_as(&self, module: &'static str, subscriptions: &[Subscription]) -> Database {
        self.open_with(module, subscriptions, Sources::system()).await
    }

    pub(crate) async fn open_with(
        &self,
        module: &'static str,
        subscriptions: &[Subscription],
        sources: Sources,
    ) -> Database {
        let mut opened = self.try_open(module, subscriptions, sources.clone()).await;
        let deadline = tokio::time::Instant::now() + SOON;
        // What was crashed in this process lets go of its file when its tasks are dropped.
        while matches!(opened, Err(OpenError::InUse { .. })) && tokio::time::Instant::now() < deadline {
            tokio::task::yield_now().await;
            opened = self.try_open(module, subscriptions, sources.clone()).await;
        }
        let database = opened.expect("opens");
        database.migrate::<Migrator>().await.expect("migrates");
        database
    }

    pub(crate) async fn try_open(
        &self,
        module: &'static str,
        subscriptions: &[Subscription],
        sources: Sources,
    ) -> Result<Database, OpenError> {
        Database::open(DatabaseSettings::new(module, &self.url), catalogue(subscriptions), sources).await
    }
}

/// Publishes a move, in a unit of work of its own.
pub(crate) async fn publish(database: &Database, thing: &str, step: i64) {
    let moved = Moved { thing: thing.into(), step };
    let published = database.write(moved, |moved, tx| Box::pin(async { tx.publish(moved).map(|_| ()) }));
    let published: Result<(), BusError> = published.await;
    published.expect("published");
}

/// The first column of the first row, a number.
pub(crate) async fn number(database: &Database, sql: &str) -> i64 {
    let row = database.reader().row(sql, []).await.expect("reads").expect("a row");
    row.get::<i64>("n").expect("a number")
}

pub(crate) async fn count(database: &Database, table: &str, condition: &str) -> i64 {
    number(database, &format!("SELECT COUNT(*) AS n FROM {table} WHERE {condition}")).await
}

/// Sets a note, in a unit of work of its own.
pub(crate) async fn set(database: &Database, name: &str, value: i64) -> Result<(), BusError> {
    let state = (name.to_owned(), value);
    database.write(state, |(name, value), tx| Box::pin(async move { note(tx, name, *value).await })).await
}

pub(crate) async fn note(tx: &Tx<'_>, name: &str, value: i64) -> Result<(), BusError> {
    let sql = "INSERT INTO note (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    tx.execute(sql, [Value::from(name), value.into()]).await.map(|_| ())
}

/// Carries out one statement, in a unit of work of its own.
pub(crate) async fn run(database: &Database, sql: &str) {
    let ran = database
        .write(sql.to_owned(), |sql, tx| Box::pin(async move { tx.execute(sql, []).await.map(|_| ()) }));
    let ran: Result<(), BusError> = ran.await;
    ran.expect(sql);
}

/// What the effects of a subscription are, in their order.
pub(crate) async fn effects(database: &Database, subscription: Subscription) -> Vec<(String, i64)> {
    let sql = "SELECT thing, step FROM effect WHERE subscription = $1 ORDER BY number";
    let rows = database.reader().rows(sql, [subscription.id.into()]).await.expect("reads");
    rows.iter().map(|row| (row.get("thing").expect("a thing"), row.get("step").expect("a step"))).collect()
}

/// The effects' steps for one thing.
pub(crate) async fn steps(database: &Database, subscription: Subscription, thing: &str) -> Vec<i64> {
    let all = effects(database, subscription).await;
    all.into_iter().filter(|(of, _)| of == thing).map(|(_, step)| step).collect()
}

pub(crate) async fn effects_reach(database: &Database, subscription: Subscription, count: usize) {
    let what = format!("{count} effects of {}", subscription.id);
    eventually(&what, SOON, async || effects(database, subscription).await.len() >= count).await;
}

/// What a handler does with one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Handle,
    /// Handle it, and say so in an event of its own.
    Echo,
    /// Refuse before anything is written.
    Fail,
    /// Write the effect, then refuse.
    FailAfterwards,
    /// A module that is needed is away.
    Away,
    Panic,
    PanicAfterwards,
    /// Never come back from asking others.
    Hang,
}

type Decide = Arc<dyn Fn(&Moved, usize) -> Verdict + Send + Sync>;

/// Told what to do with each message; remembers what it was asked.
#[derive(Clone)]
pub(crate) struct Handler {
    pub(crate) subscription: Subscription,
    verdict: Decide,
    tries: Arc<Mutex<BTreeMap<(String, i64), usize>>>,
}

impl Handler {
    /// Decides by the message and by how often it has been tried before.
    pub(crate) fn new(
        subscription: Subscription,
        verdict: impl Fn(&Moved, usize) -> Verdict + Send + Sync + 'static,
    ) -> Self {
        Self { subscription, verdict: Arc::new(verdict), tries: Arc::default() }
    }

    pub(crate) fn good(subscription: Subscription) -> Self {
        Self::new(subscription, |_, _| Verdict::Handle)
    }

    pub(crate) fn subscribers(&self) -> Subscribers {
        Subscribers::default().with(self.subscription, self.clone())
    }

    /// How often a message was tried.
    pub(crate) fn tries(&self, thing: &str, step: i64) -> usize {
        self.tries.lock().expect("lock").get(&(thing.to_owned(), step)).copied().unwrap_or(0)
    }

    pub(crate) fn all_tries(&self) -> usize {
        self.tries.lock().expect("lock").values().sum()
    }
}

#[async_trait]
impl Subscriber for Handler {
    type Event = Moved;
    type Prepared = (Moved, Verdict);

    async fn prepare(&self, event: Moved) -> Result<(Moved, Verdict), BusError> {
        let tried = {
            let mut tries = self.tries.lock().expect("lock");
            let tried = tries.entry((event.thing.clone(), event.step)).or_default();
            *tried += 1;
            *tried - 1
        };
        let verdict = (self.verdict)(&event, tried);
        match verdict {
            Verdict::Fail => Err(BusError::failed(&"told to fail")),
            Verdict::Away => Err(BusError::Unavailable { port: "elsewhere".into() }),
            Verdict::Panic => panic!("told to panic"),
            Verdict::Hang => std::future::pending().await,
            _ => Ok((event, verdict)),
        }
    }

    async fn apply(&self, (event, verdict): &(Moved, Verdict), tx: &Tx<'_>) -> Result<(), BusError> {
        effect(tx, self.subscription.id, &event.thing, event.step).await?;
        match verdict {
            Verdict::FailAfterwards => Err(BusError::failed(&"told to fail after writing")),
            Verdict::PanicAfterwards => panic!("told to panic after writing"),
            Verdict::Echo => tx.publish(&Echoed { thing: event.thing.clone(), step: event.step }).map(|_| ()),
            _ => Ok(()),
        }
    }
}

/// Writes the effect of a message.
pub(crate) async fn effect(tx: &Tx<'_>, subscription: &str, thing: &str, step: i64) -> Result<(), BusError> {
    let sql = "INSERT INTO effect (subscription, thing, step, number) \
               SELECT $1, $2, $3, COUNT(*) FROM effect";
    tx.execute(sql, [subscription.into(), thing.into(), step.into()]).await.map(|_| ())
}

/// Dispatch that loses no time: three tries, short pauses.
pub(crate) fn quick() -> DispatchSettings {
    let retry =
        RetryPolicy { max_attempts: 3, base: Duration::from_millis(10), cap: Duration::from_millis(20) };
    DispatchSettings {
        retry,
        poll: Duration::from_millis(5),
        lease: Duration::from_millis(500),
        patience: Duration::from_secs(5),
        ..DispatchSettings::default()
    }
}

/// A bus on which a module has its own and others' inboxes.
pub(crate) fn bus() -> Bus {
    Bus::new(Policies::default())
}

/// The shop, dispatching to itself.
pub(crate) fn dispatch(database: &Database, handler: &Handler) -> Dispatch {
    Dispatch::start(database, &bus(), handler.subscribers(), &quick())
}
