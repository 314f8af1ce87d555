//! Groups that are a single statement on PostgreSQL, which is then the transaction: no BEGIN, no COMMIT.

use crate::{
    group::later,
    trouble::{DIES_AT_COMMIT, one_waits_for_a_lock, other_session},
    world::{Home, SOON, count, note, number, set},
};
use bus::BusError;
use bus_durable::{Counter, Database, sea_orm::Set};
use bus_testkit::eventually;
use sqlx::{Connection as _, PgConnection};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

static NUMBER: Counter = Counter { table: "note", name: "numbers" };

/// A key that would end a text, a statement and a JSON string if it could.
const KEY: &str = "it's \"one\"; ROLLBACK; -- \\ $1 $$ é";

/// What the writer has sent last, and what it is at.
async fn last_sent(home: &Home) -> (String, String) {
    let mut other = PgConnection::connect(home.url()).await.expect("connects");
    let sql = "SELECT query, state FROM pg_stat_activity WHERE datname = current_database() \
               AND application_name LIKE 'cleave-%' AND query NOT LIKE 'SELECT%' AND query <> '' \
               ORDER BY state_change DESC LIMIT 1";
    sqlx::query_as(sql).fetch_one(&mut other).await.expect("the writer has written")
}

/// Leaves a row to the end of the group, after it has written one now where it is told to.
async fn leave(database: &Database, name: &str, writes_now: bool) -> Result<(), BusError> {
    let state = (name.to_owned(), writes_now);
    database
        .write_locking(vec![KEY.into()], state, |(name, writes_now), tx| {
            Box::pin(async move {
                if *writes_now {
                    note(tx, &format!("{name}, now"), 1).await?;
                }
                tx.insert_later(later::ActiveModel { name: Set(name.clone()), value: Set(1) });
                Ok(())
            })
        })
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL"]
async fn what_is_left_to_the_end_is_one_statement_and_committed() {
    let home = Home::postgres().await;
    let database = home.open().await;
    leave(&database, "later", false).await.expect("written");
    let (query, state) = last_sent(&home).await;
    assert!(query.starts_with("WITH locked"), "{query}");
    assert_eq!(state, "idle", "in no transaction");
    leave(&database, "both", true).await.expect("written");
    assert_eq!(last_sent(&home).await, ("COMMIT".into(), "idle".into()));
    assert_eq!(count(&database, "note", "1 = 1").await, 3);
    leave(&database, "later", false).await.expect_err("the row is there");
    leave(&database, "again", false).await.expect("the writer goes on");
    assert_eq!(count(&database, "note", "1 = 1").await, 4);
}

/// C10: a lock that another process holds is waited for before anything is written, in either form.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL"]
async fn locks_hold_in_either_form() {
    let home = Home::postgres().await;
    let database = home.open().await;
    for (name, writes_now) in [("alone", false), ("with another", true)] {
        let mut other = PgConnection::connect(home.url()).await.expect("connects");
        let mut holder = other.begin().await.expect("begins");
        let lock = sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))").bind(KEY);
        let _ = lock.execute(&mut *holder).await.expect("locked");
        let here = database.clone();
        let write = bus::spawn(async move { leave(&here, name, writes_now).await });
        one_waits_for_a_lock(&database).await;
        assert!(!write.is_finished());
        assert_eq!(count(&database, "note", &format!("name LIKE '{name}%'")).await, 0, "nothing yet");
        holder.commit().await.expect("lets go");
        write.await.expect("runs").expect("written");
    }
}

/// A database that is closed lets go of its connections also where others go on to write.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL"]
async fn closing_ends_while_others_write() {
    let home = Home::postgres().await;
    let database = home.open().await;
    let write = |task: usize| {
        let database = database.clone();
        async move {
            let mut written = 0;
            while leave(&database, &format!("{task} {written}"), written % 2 == 0).await.is_ok() {
                written += 1;
            }
            written
        }
    };
    let tasks: Vec<_> = (0..4).map(|task| bus::spawn(write(task))).collect();
    let writing = "SELECT COUNT(DISTINCT LEFT(name, 1)) AS n FROM note";
    eventually("all of them write", SOON, async || number(&database, writing).await == 4).await;
    eventually("they write", SOON, async || count(&database, "note", "1 = 1").await > 20).await;
    tokio::time::timeout(SOON, database.close()).await.expect("it closes");
    for task in tasks {
        assert!(task.await.expect("ends") > 0);
    }
}

/// F1: two processes take turns and race, each remembers the number that it took last; no number is given twice or left
/// out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL"]
async fn numbers_of_two_processes_have_no_gaps() {
    let home = Home::postgres().await;
    let databases = [home.open().await, home.open().await];
    set(&databases[0], "numbers", 0).await.expect("set");
    let one = async |turn: usize| {
        let taken = databases[turn % 2].write((), |(), tx| Box::pin(tx.next_number(&NUMBER)));
        let taken: Result<i64, BusError> = taken.await;
        taken.expect("a number")
    };
    let mut numbers = Vec::new();
    // Long enough that each is optimistic again after it was so in vain.
    for turn in 0..50 {
        numbers.push(one(turn / 3).await);
    }
    numbers.extend(futures::future::join_all((0..50).map(one)).await);
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=100).collect::<Vec<_>>());
    assert_eq!(number(&databases[0], "SELECT value AS n FROM note WHERE name = 'numbers'").await, 100);
}

/// B2: where the answer to such a statement is lost nobody is told that it failed for good or that it is there, and it
/// is not carried out a second time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL"]
async fn a_lost_answer_is_not_tried_again() {
    let home = Home::postgres().await;
    let database = home.open().await;
    other_session(&home, DIES_AT_COMMIT).await;
    let runs = Arc::new(AtomicUsize::new(0));
    let written = database.write(Arc::clone(&runs), |runs, tx| {
        Box::pin(async move {
            runs.fetch_add(1, Ordering::SeqCst);
            tx.insert_later(later::ActiveModel { name: Set("fatal".into()), value: Set(1) });
            Ok::<(), BusError>(())
        })
    });
    let written = written.await;
    assert!(matches!(written, Err(BusError::Unavailable { .. })), "no answer came: {written:?}");
    assert_eq!(runs.load(Ordering::SeqCst), 1, "it might have been there");
    set(&database, "later", 1).await.expect("the writer goes on");
    leave(&database, "alone again", false).await.expect("also alone");
}
