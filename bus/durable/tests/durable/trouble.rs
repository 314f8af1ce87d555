//! What databases do to their users: lost connections, deadlocks, full disks.

use crate::world::{Home, SOON, count, note, number, set};
use bus::BusError;
use bus_durable::{Database, Tx};
use bus_testkit::eventually;
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

/// Ends the connection at the commit of whoever inserts a note of the name `fatal`.
pub(crate) const DIES_AT_COMMIT: &str = "CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS \
    $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$; \
    CREATE CONSTRAINT TRIGGER die AFTER INSERT ON note DEFERRABLE INITIALLY DEFERRED \
    FOR EACH ROW WHEN (NEW.name = 'fatal') EXECUTE FUNCTION die()";

pub(crate) async fn other_session(home: &Home, sql: &str) {
    use sqlx::Connection as _;
    let mut connection = sqlx::PgConnection::connect(home.url()).await.expect("connects");
    let _ = sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.expect(sql);
}

/// Waits until one session waits for an advisory lock that another has.
pub(crate) async fn one_waits_for_a_lock(database: &Database) {
    let waiting = "SELECT count(*) AS n FROM pg_locks WHERE locktype = 'advisory' AND NOT granted \
                   AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    eventually("it waits", SOON, async || number(database, waiting).await == 1).await;
}

/// B12: connections that the server closed while they were idle cost another try, and nobody sees it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL"]
async fn a_connection_that_was_lost_while_idle_costs_nobody_a_failure() {
    let home = Home::postgres().await;
    let database = home.open().await;
    for i in 0..5 {
        set(&database, "row", i).await.expect("written");
        let kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                    WHERE datname = current_database() AND pid <> pg_backend_pid()";
        other_session(&home, kill).await;
        set(&database, "row", i).await.expect("a lost connection costs another try only");
    }
}

/// B2, B12: a connection that goes in the middle of a group takes nothing with it: the group runs again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL"]
async fn a_connection_that_is_lost_before_the_commit_is_made_good() {
    let home = Home::postgres().await;
    let database = home.open().await;
    let runs = Arc::new(AtomicUsize::new(0));
    let written = database.write(Arc::clone(&runs), |runs, tx| {
        Box::pin(async move {
            note(tx, "row", 1).await?;
            if runs.fetch_add(1, Ordering::SeqCst) == 0 {
                tx.row("SELECT pg_terminate_backend(pg_backend_pid())", []).await?;
            }
            Ok::<(), BusError>(())
        })
    });
    written.await.expect("written at the second try");
    assert_eq!(runs.load(Ordering::SeqCst), 2);
    assert_eq!(count(&database, "note", "1 = 1").await, 1);
}

/// B2, design section 4: where the COMMIT's answer is lost nobody is told that it failed for good or that it is
/// there, and it is not carried out a second time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL"]
async fn a_commit_whose_answer_is_lost_is_not_tried_again() {
    let home = Home::postgres().await;
    let database = home.open().await;
    other_session(&home, DIES_AT_COMMIT).await;
    let runs = Arc::new(AtomicUsize::new(0));
    let written = database.write(Arc::clone(&runs), |runs, tx| {
        Box::pin(async move {
            runs.fetch_add(1, Ordering::SeqCst);
            note(tx, "fatal", 1).await
        })
    });
    let written: Result<(), BusError> = written.await;
    assert!(matches!(written, Err(BusError::Unavailable { .. })), "no answer came: {written:?}");
    assert_eq!(runs.load(Ordering::SeqCst), 1, "it might have been there");
    set(&database, "later", 1).await.expect("the writer goes on");
}

/// Locks two rows, one after the other, when everybody has the first.
async fn lock_both(
    database: Database,
    names: [&'static str; 2],
    have_first: Arc<tokio::sync::Barrier>,
    runs: Arc<AtomicUsize>,
) -> Result<(), BusError> {
    database
        .write((names, have_first, runs), |(names, have_first, runs), tx| {
            Box::pin(async move {
                let first = runs.fetch_add(1, Ordering::SeqCst) < 2;
                raise(tx, names[0]).await?;
                if first {
                    have_first.wait().await;
                }
                raise(tx, names[1]).await
            })
        })
        .await
}

async fn raise(tx: &Tx<'_>, name: &str) -> Result<(), BusError> {
    tx.execute("UPDATE note SET value = value + 1 WHERE name = $1", [name.into()]).await.map(|_| ())
}

/// Design section 4: PostgreSQL's deadlocks (40P01) are cleared by running the unit again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL"]
async fn a_deadlock_of_two_processes_is_run_again() {
    let home = Home::postgres().await;
    let (here, there) = (home.open().await, home.open().await);
    set(&here, "a", 0).await.expect("written");
    set(&here, "b", 0).await.expect("written");
    let (barrier, runs) = (Arc::new(tokio::sync::Barrier::new(2)), Arc::new(AtomicUsize::new(0)));
    let (left, right) = futures::join!(
        lock_both(here.clone(), ["a", "b"], Arc::clone(&barrier), Arc::clone(&runs)),
        lock_both(there, ["b", "a"], barrier, Arc::clone(&runs)),
    );
    assert_eq!((left, right), (Ok(()), Ok(())));
    assert!(runs.load(Ordering::SeqCst) > 2, "there was a deadlock");
    assert_eq!(number(&here, "SELECT CAST(SUM(value) AS BIGINT) AS n FROM note").await.min(4), 4);
}

/// B26, F-ENOSPC: on a full disk writes answer that the module is unavailable, nothing acknowledged is lost,
/// and it recovers by itself when there is space again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_unavailable_and_recovers() {
    let home = Home::sqlite();
    let database = home.open().await;
    set(&database, "before", 1).await.expect("written");
    let limit = async |pages: i64| {
        let pragma = format!("PRAGMA max_page_count = {pages}");
        let set =
            database.write(pragma, |sql, tx| Box::pin(async move { tx.row(sql, []).await.map(|_| ()) }));
        let set: Result<(), BusError> = set.await;
        set.expect("limited");
    };
    limit(1).await;
    let big = "x".repeat(10_000);
    let mut written = 0;
    let refused = loop {
        match set(&database, &format!("{big}{written}"), 1).await {
            Ok(()) => written += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, BusError::Unavailable { .. }), "{refused:?}");
    assert_eq!(count(&database, "note", "1 = 1").await, written + 1, "what was acknowledged is there");
    limit(1_000_000).await;
    eventually("writes go on", SOON, async || set(&database, &big, 1).await.is_ok()).await;
}

/// Unlucky units are answered in bounded time, not never: a row that somebody holds for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL"]
async fn a_server_that_is_away_is_told_within_bounds() {
    let home = Home::postgres().await;
    let database = home.open().await;
    other_session(
        &Home::postgres().await,
        &format!(
            "ALTER DATABASE {} ALLOW_CONNECTIONS false",
            home.url().rsplit('/').next().expect("a database's name")
        ),
    )
    .await;
    let admin = Home::postgres().await;
    let name = home.url().rsplit('/').next().expect("a database's name").to_owned();
    let kill = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'");
    other_session(&admin, &kill).await;
    let refused =
        tokio::time::timeout(Duration::from_secs(25), set(&database, "row", 1)).await.expect("bounded");
    assert!(refused.is_err());
    other_session(&admin, &format!("ALTER DATABASE {name} ALLOW_CONNECTIONS true")).await;
    eventually("writes go on", SOON, async || set(&database, "row", 1).await.is_ok()).await;
}
