//! Opening and migrating: what is refused, and what two processes may do to each other.

use crate::world::{Home, Migrator, SHOP, count, set};
use bus::Sources;
use bus_durable::{
    OpenError, SchemaState,
    sea_orm::{ConnectionTrait as _, DbErr},
};
use sea_orm_migration::{
    MigrationName, MigrationTrait, MigratorTrait, SchemaManager, async_trait as migration_trait,
};

/// A program that is one release ahead.
struct Newer;

#[migration_trait::async_trait]
impl MigratorTrait for Newer {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        let mut migrations = Migrator::migrations();
        migrations.push(Box::new(More));
        migrations
    }
}

struct More;

impl MigrationName for More {
    fn name(&self) -> &'static str {
        "m0003_more"
    }
}

#[migration_trait::async_trait]
impl MigrationTrait for More {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared("CREATE TABLE more (id BIGINT)").await.map(|_| ())
    }
}

/// A program whose last migration breaks half-way.
struct Broken;

#[migration_trait::async_trait]
impl MigratorTrait for Broken {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        let mut migrations = Migrator::migrations();
        migrations.push(Box::new(HalfWay));
        migrations
    }
}

struct HalfWay;

impl MigrationName for HalfWay {
    fn name(&self) -> &'static str {
        "m0003_half_way"
    }
}

#[migration_trait::async_trait]
impl MigrationTrait for HalfWay {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared("CREATE TABLE half (id BIGINT)").await?;
        Err(DbErr::Custom("the power went".into()))
    }
}

async fn bare(home: &Home) -> bus_durable::Database {
    home.try_open("shop", &[SHOP], Sources::system()).await.expect("opens")
}

/// F26: a database that a newer program has migrated is refused and left as it is; what is pending is told.
async fn a_newer_schema_is_refused(home: Home) {
    let database = bare(&home).await;
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let state = database.schema_state::<Newer>().await.expect("read");
    let pending = names(&["m0001_durable", "m0002_effects", "m0003_lean", "m0003_more", "m0004_trim"]);
    assert_eq!(state, SchemaState { pending, unknown: vec![] });
    database.migrate::<Newer>().await.expect("migrates");
    database.migrate::<Newer>().await.expect("once more changes nothing");
    let state = database.schema_state::<Migrator>().await.expect("read");
    assert_eq!(state, SchemaState { pending: vec![], unknown: names(&["m0003_more"]) });
    match database.migrate::<Migrator>().await {
        Err(OpenError::NewerSchema { unknown, .. }) => assert_eq!(unknown, names(&["m0003_more"])),
        other => panic!("{other:?}"),
    }
    assert_eq!(count(&database, "more", "1 = 1").await, 0, "still there");
}

/// F26, K-M1: a migration that breaks half-way leaves nothing behind, so that the next start can go on.
async fn a_migration_that_breaks_leaves_nothing(home: Home) {
    let database = bare(&home).await;
    assert!(matches!(database.migrate::<Broken>().await, Err(OpenError::Database { .. })));
    let state = database.schema_state::<Broken>().await.expect("read");
    assert_eq!(state.pending.len(), Broken::migrations().len(), "nothing is left: {state:?}");
    database.migrate::<Newer>().await.expect("migrates");
    set(&database, "row", 1).await.expect("written");
}

/// F26, topology T7: processes that start at the same time migrate one after the other.
async fn processes_that_start_together_migrate_once(home: Home) {
    let first = bare(&home).await;
    let second = if home.is_postgres() { bare(&home).await } else { first.clone() };
    let third = if home.is_postgres() { bare(&home).await } else { first.clone() };
    let (a, b, c) = futures::join!(
        first.migrate::<Migrator>(),
        second.migrate::<Migrator>(),
        third.migrate::<Migrator>()
    );
    assert!(a.is_ok() && b.is_ok() && c.is_ok(), "{a:?} {b:?} {c:?}");
    set(&second, "row", 1).await.expect("written");
}

/// Nobody can cancel a migration half-way: it goes on when its caller has gone.
async fn a_migration_survives_its_caller(home: Home) {
    let database = bare(&home).await;
    let migrating = database.migrate::<Migrator>();
    // Begun, and perhaps done already; then its caller is gone.
    let _ = futures::poll!(Box::pin(migrating));
    let done = async || database.schema_state::<Migrator>().await.is_ok_and(|state| state.pending.is_empty());
    bus_testkit::eventually("the migration is through", crate::world::SOON, done).await;
    set(&database, "row", 1).await.expect("written");
}

crate::on_both! {
    /// F26.
    a_newer_schema_is_refused;
    /// F26, K-M1.
    a_migration_that_breaks_leaves_nothing;
    /// F26.
    processes_that_start_together_migrate_once;
    /// B4.
    a_migration_survives_its_caller;
}

/// B1: a database that forgets everything is no database.
#[tokio::test]
async fn a_database_in_memory_is_refused() {
    let settings = bus_durable::DatabaseSettings::new("shop", "sqlite::memory:");
    let opened = bus_durable::Database::open(settings, crate::world::catalogue(&[]), Sources::system()).await;
    assert!(matches!(opened, Err(OpenError::Unsafe { setting: "journal_mode", .. })), "{opened:?}");
    let settings = bus_durable::DatabaseSettings::new("shop", "mysql://here");
    let opened = bus_durable::Database::open(settings, crate::world::catalogue(&[]), Sources::system()).await;
    assert!(matches!(opened, Err(OpenError::Url { .. })), "{opened:?}");
}

/// B1: a server that answers COMMIT before the write is durable is refused.
#[tokio::test]
#[ignore = "needs PostgreSQL"]
async fn a_server_that_may_lose_commits_is_refused() {
    use sqlx::Connection as _;
    let home = Home::postgres().await;
    let name = home.url().rsplit('/').next().expect("a name").to_owned();
    let mut connection = sqlx::PgConnection::connect(home.url()).await.expect("connects");
    let sql = format!("ALTER DATABASE {name} SET synchronous_commit = off");
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut connection).await.expect("altered");
    match home.try_open("shop", &[SHOP], Sources::system()).await {
        Err(OpenError::Unsafe { setting: "synchronous_commit", found, .. }) => assert_eq!(found, "off"),
        other => panic!("{other:?}"),
    }
}

/// Design section 4: one process per SQLite file, the second is told so; whoever comes after it may have it.
#[tokio::test]
async fn a_file_in_use_is_refused() {
    let home = Home::sqlite();
    let database = home.open().await;
    set(&database, "row", 1).await.expect("written");
    let second = home.try_open("shop", &[SHOP], Sources::system()).await;
    assert!(matches!(second, Err(OpenError::InUse { module: "shop" })), "{second:?}");
    assert_eq!(crate::power_cut::child("open", home.url()), "in use\n");
    set(&database, "row", 2).await.expect("the first is not disturbed");
    database.close().await;
    drop(database);
    let again = home.open().await;
    assert_eq!(count(&again, "note", "value = 2").await, 1);
}
