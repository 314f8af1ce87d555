//! What piles up: settled rows, and the write-ahead log.

use crate::world::{Home, SHOP, SOON, bus, count, effect, quick, run, set};
use bus::{BusError, Sources};
use bus_durable::{Database, Dispatch, Subscribers};
use bus_testkit::{ManualClock, eventually};
use std::{sync::Arc, time::Duration};

/// Puts `number` events into the outbox, each with a delivery in `state`, and as many messages into the inbox.
async fn pile(database: &Database, number: i64, at: i64, state: &str, in_inbox: &str) {
    let id = if database.backend() == bus_durable::sea_orm::DatabaseBackend::Postgres {
        "gen_random_uuid()"
    } else {
        "randomblob(16)"
    };
    let rows = format!("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {number})");
    run(
        database,
        &format!(
            "INSERT INTO outbox (id, name, source, key, sequence, at, data) {rows} \
             SELECT {id}, 'shop.moved.v1', 'shop', '{state}', i, {at}, '{{}}' FROM n"
        ),
    )
    .await;
    run(
        database,
        &format!(
            "INSERT INTO outbox_delivery (position, subscription, module, state, at, key) \
             SELECT position, 'away.moved', 'away', '{state}', at, key FROM outbox WHERE key = '{state}' AND at = {at}"
        ),
    )
    .await;
    run(
        database,
        &format!(
            "INSERT INTO inbox (message_id, subscription, name, source, key, sequence, at, data, state, due_at, received_at) \
             {rows} SELECT {id}, 'shop.forgotten', 'shop.moved.v1', 'shop', '{in_inbox}', i, {at}, '{{}}', '{in_inbox}', 0, {at} FROM n"
        ),
    )
    .await;
}

/// F23: what was settled is swept away after its retention, in pieces, and nothing else is: not what is pending,
/// dead or parked, however old, and not what was settled lately.
async fn only_what_is_settled_and_old_is_swept_and_in_pieces(home: Home) {
    let clock = ManualClock::default();
    let database = home.open_with("shop", &[SHOP], Sources::with_clock(Arc::new(clock.clone()))).await;
    let old = database.sources().now().micros();
    pile(&database, 20_000, old, "done", "done").await;
    pile(&database, 50, old, "pending", "pending").await;
    pile(&database, 50, old, "parked", "dead").await;
    pile(&database, 50, old, "discarded", "discarded").await;
    clock.advance(Duration::from_secs(6 * 24 * 3600));
    let new = database.sources().now().micros();
    pile(&database, 70, new, "done", "done").await;
    for (id, at, outcome) in [("old", old, "'1'"), ("running", old, "NULL"), ("new", new, "'1'")] {
        let sql = format!(
            "INSERT INTO idempotency (id, fingerprint, outcome, at) VALUES ('{id}', '', {outcome}, {at})"
        );
        run(&database, &sql).await;
    }
    clock.advance(Duration::from_secs(24 * 3600 + 1));
    run(
        &database,
        &format!("UPDATE idempotency SET at = {} WHERE id = 'new'", database.sources().now().micros()),
    )
    .await;
    let dispatch = Dispatch::start(&database, &bus(), Subscribers::default(), &quick());
    let left = async || count(&database, "outbox", "1 = 1").await;
    eventually("a piece is gone", SOON, async || left().await < 20_220).await;
    assert!(left().await > 170, "and not all at once");
    set(&database, "meanwhile", 1).await.expect("others write in between");
    eventually("it is swept", SOON, async || left().await == 170).await;
    eventually("it is swept", SOON, async || count(&database, "inbox", "1 = 1").await == 170).await;
    dispatch.stop().await;
    assert_eq!(count(&database, "outbox_delivery", "state = 'pending'").await, 50);
    assert_eq!(count(&database, "outbox_delivery", "state = 'parked'").await, 50);
    assert_eq!(
        count(&database, "outbox_delivery", "state = 'done'").await,
        70,
        "its deliveries go with an event"
    );
    assert_eq!(count(&database, "inbox", "state = 'pending'").await, 50);
    assert_eq!(count(&database, "inbox", "state = 'dead'").await, 50);
    assert_eq!(count(&database, "inbox", "state = 'done'").await, 70);
    assert_eq!(count(&database, "idempotency", "id = 'old'").await, 0);
    assert_eq!(count(&database, "idempotency", "1 = 1").await, 2);
}

crate::on_both! {
    /// F23.
    only_what_is_settled_and_old_is_swept_and_in_pieces;
}

/// B25: a reader that stays long makes the write-ahead log grow; once it has gone the log is cut back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_is_bounded_after_a_long_reader() {
    use sqlx::Connection as _;
    const BOUND: u64 = 64 * 1024 * 1024;
    let home = Home::sqlite();
    let database = home.open().await;
    set(&database, "row", 1).await.expect("written");
    let log = home.directory().join("rows.db-wal");
    let size = || std::fs::metadata(&log).expect("the log").len();
    let options =
        sqlx::sqlite::SqliteConnectOptions::new().filename(home.directory().join("rows.db")).read_only(true);
    let mut reader = sqlx::SqliteConnection::connect_with(&options).await.expect("opens");
    sqlx::raw_sql("BEGIN; SELECT COUNT(*) FROM note").execute(&mut reader).await.expect("reads");
    let big = Arc::new("x".repeat(500_000));
    while size() <= BOUND + BOUND / 8 {
        let many = (0..8).map(|_| {
            let written = database
                .write(Arc::clone(&big), |big, tx| Box::pin(async move { effect(tx, "big", big, 1).await }));
            async { Result::<(), BusError>::expect(written.await, "written") }
        });
        futures::future::join_all(many).await;
    }
    reader.close().await.expect("closes");
    let mut value = 1;
    eventually("the log is cut back", SOON, async || {
        // Changed each time: what stays as it is, SQLite does not write.
        value += 1;
        set(&database, "row", value).await.expect("written");
        size() <= BOUND
    })
    .await;
}
