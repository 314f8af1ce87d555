//! B28: what an older release has left in its databases, killed in the middle of orders, is carried on by this one.
//!
//! `sqlite/` and `postgres/` are dumps of a shop's databases after SIGKILL: sagas that run and unwind, payments whose outcome is
//! not known, and events that no subscriber has had yet. They stay as long as what wrote them may be upgraded from, and others
//! are recorded beside them: two products, REC-A and REC-B, of 500 each; placement.notifications at an address where nobody
//! listens, so that events stay; 16 orders at once with the sandbox's tokens; the kill a tenth of a second later; then `.dump`,
//! or `pg_dump --no-owner --no-privileges --rows-per-insert=200` without its comments and `SET` lines. The users' database is not
//! recorded: it holds keys.

use sea_orm_migration::sea_orm::{ConnectionTrait as _, Database, DatabaseConnection, DbBackend, Statement};
use std::{path::Path, time::Duration};
use tests::{
    load::{Attempt, History},
    process::{Setup, debug_binary, postgres_urls},
    shop::Shop,
    verdict::judge,
};

/// How long a shop may take to come to rest.
const SOON: Duration = Duration::from_secs(30);

const MODULES: [&str; 4] = ["orders", "inventory", "payments", "sandbox"];

async fn number(database: &DatabaseConnection, sql: &str) -> i64 {
    let backend = database.get_database_backend();
    let row = database.query_one_raw(Statement::from_string(backend, sql)).await.expect("answers");
    row.expect("one row").try_get("", "n").expect("a number")
}

/// Puts the recorded databases where their URLs say.
async fn restore(recorded: &str, url_of: impl Fn(&str) -> String) {
    for module in MODULES {
        let database = Database::connect(url_of(module)).await.expect("connects");
        let dump = format!("{}/tests/recorded/{recorded}/{module}.sql", env!("CARGO_MANIFEST_DIR"));
        let dump = std::fs::read_to_string(dump).expect("the dump");
        database.execute_unprepared(&dump).await.expect("restores");
        if module == "orders" {
            assert_eq!(database.get_database_backend() == DbBackend::Postgres, recorded == "postgres");
            let running = "SELECT COUNT(*) AS n FROM saga WHERE phase = 'running'";
            let unwinding = "SELECT COUNT(*) AS n FROM saga WHERE phase = 'unwinding'";
            let undelivered = "SELECT COUNT(*) AS n FROM outbox_delivery WHERE state = 'pending'";
            for fault in [running, unwinding, undelivered] {
                assert!(number(&database, fault).await > 0, "there is something to carry on: {fault}");
            }
        }
        database.close().await.expect("closes");
    }
}

async fn is_carried_on(setup: Setup) {
    let setup = setup
        .with("CLEAVE__PAYMENTS__RECONCILE_EVERY", "300ms")
        .with("CLEAVE__PAYMENTS__GIVE_UP_AFTER", "2s");
    let shop = Shop::of(setup.start().await.expect("starts")).await.expect("the admin signs in");
    shop.settles_within(SOON).await;
    // Of orders that nobody has been told the end of, either end is right; none is in the middle.
    let orders = shop.walk("/api/v1/orders").await;
    assert_eq!(orders.len(), 16, "all of them are here");
    let attempts = orders.iter().map(|order| {
        let id = order["id"].as_str().expect("an id").to_owned();
        let sku = order["lines"][0]["sku"].as_str().expect("a SKU").to_owned();
        Attempt { key: id.clone(), token: "", sku, heard: Some((202, id)), failures: Vec::new() }
    });
    let history = History { attempts: attempts.collect(), ..History::default() };
    let stocked = ["REC-A", "REC-B"].map(|sku| (sku.to_owned(), 500));
    let verdict = judge(&shop, &history, &stocked).await;
    assert!(verdict.placed >= 4, "what was placed is placed: {verdict:?}");
    assert!(shop.server.stop().await.expect("ends"), "it ends well");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_older_release_left_on_sqlite_is_carried_on() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = |data: &Path, module: &str| format!("sqlite://{}/{module}.db?mode=rwc", data.display());
    restore("sqlite", |module| file(directory.path(), module)).await;
    is_carried_on(Setup::new(debug_binary(), directory.path())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL"]
async fn what_an_older_release_left_on_postgres_is_carried_on() {
    let directory = tempfile::tempdir().expect("a directory");
    let (urls, _databases) = postgres_urls("recorded").await;
    let url_of = |module: &str| urls.iter().find(|(name, _)| name == module).expect("there is one").1.clone();
    restore("postgres", url_of).await;
    is_carried_on(Setup::new(debug_binary(), directory.path()).on_postgres(&urls)).await;
}
