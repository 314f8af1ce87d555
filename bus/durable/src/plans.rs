//! Every query that runs again and again uses an index, on both databases, whatever has piled up (F23).

use crate::{
    Catalogue, Database, DatabaseSettings, admin,
    batch::{self, Piece},
    inbox,
    later::Mark,
    outbox::binds,
    query::statement,
    relay,
    saga::store,
};
use bus::{BusError, OnDeadLetter, Phase, Sources, Timestamp};
use sea_orm::{ConnectionTrait as _, DatabaseBackend, QueryTrait as _, Statement, Value};
use sqlx::{AssertSqlSafe, postgres::PgArguments};
use std::sync::Arc;

/// How many settled rows lie in every table.
const PILE: i64 = 100_000;

struct Migrator;

#[sea_orm_migration::async_trait::async_trait]
impl sea_orm_migration::MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn sea_orm_migration::MigrationTrait>> {
        vec![
            Box::new(migrations::durable::Migration),
            Box::new(migrations::lean::Migration),
            Box::new(migrations::trim::Migration),
        ]
    }
}

fn file_in(directory: &tempfile::TempDir) -> String {
    format!("sqlite://{}", directory.path().join("rows.db").display())
}

async fn migrated(url: &str) -> Database {
    let catalogue = Arc::new(Catalogue::default());
    let opened = Database::open(DatabaseSettings::new("shop", url), catalogue, Sources::system()).await;
    let database = opened.expect("opens");
    database.migrate::<Migrator>().await.expect("migrates");
    database
}

/// SQLite knows nothing of its tables unless it is told to look, and nobody tells it; PostgreSQL looks by itself.
async fn piled(url: &str) -> Database {
    let database = migrated(url).await;
    let id = match database.backend() {
        DatabaseBackend::Postgres => "gen_random_uuid()",
        _ => "randomblob(16)",
    };
    let rows = format!("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {PILE})");
    // One in a thousand is still to be done.
    let state = |settled: &str| format!("CASE WHEN i % 1000 = 0 THEN 'pending' ELSE '{settled}' END");
    let (done, ended) = (state("done"), "CASE WHEN i % 1000 = 0 THEN 'running' ELSE 'completed' END");
    for sql in [
        format!(
            "INSERT INTO outbox (id, name, source, key, sequence, at, data) {rows} \
             SELECT {id}, 'shop.moved.v1', 'shop', 'key ' || (i % 5000), i, i, '{{}}' FROM n"
        ),
        format!(
            "INSERT INTO outbox_delivery (position, subscription, module, state, at, key) {rows} \
             SELECT i, 'post.moved', 'post', {done}, i, 'key' FROM n"
        ),
        format!(
            "INSERT INTO inbox (message_id, subscription, name, source, key, sequence, at, data, state, due_at, received_at) \
             {rows} SELECT {id}, 'shop.moved', 'shop.moved.v1', 'shop', 'key ' || (i % 5000), i, i, '{{}}', {done}, i, i FROM n"
        ),
        format!(
            "INSERT INTO idempotency (id, fingerprint, outcome, at) {rows} SELECT 'key ' || i, '', '', i FROM n"
        ),
        format!(
            "INSERT INTO saga (id, kind, key, state, phase, step, attempts, due_at, version, history, created_at, updated_at) \
             {rows} SELECT {id}, 'shop.scripted', 'key ' || i, '', {ended}, 0, 0, i, 1, '[]', i, i FROM n"
        ),
        if database.backend() == DatabaseBackend::Postgres { "ANALYZE" } else { "SELECT 1" }.to_owned(),
    ] {
        let ran =
            database.write(sql, |sql, tx| Box::pin(async move { tx.execute(sql, []).await.map(|_| ()) }));
        let ran: Result<(), BusError> = ran.await;
        ran.expect("piled");
    }
    database
}

/// What is asked for a plan.
enum Asked {
    Statement(Statement),
    /// A writer's message to PostgreSQL.
    Message(String, PgArguments),
}

impl From<Statement> for Asked {
    fn from(statement: Statement) -> Self {
        Self::Statement(statement)
    }
}

fn piece(backend: DatabaseBackend, piece: Piece) -> Asked {
    if backend != DatabaseBackend::Postgres {
        return Asked::Statement(batch::on_sqlite(piece));
    }
    let (sql, arguments) = batch::on_postgres(piece);
    Asked::Message(sql, arguments)
}

/// The queries, and the index that each is to use first; on PostgreSQL any index will do.
fn queries(backend: DatabaseBackend) -> Vec<(&'static str, &'static str, Asked)> {
    let text = |sql: &str, values: Vec<Value>| Asked::from(statement(backend, sql, values));
    let ready = |on| {
        text(
            &inbox::ready(backend, on),
            vec!["shop.moved".into(), PILE.into(), "[\"key 7\"]".into(), 128_i64.into()],
        )
    };
    let due = |orphans| {
        store::due_by(Timestamp::from_micros(PILE), "shop.scripted", orphans, 64).build(backend).into()
    };
    let attention = store::newest(&[Phase::NeedsAttention, Phase::Compensated], None, 50).build(backend);
    let wake = "UPDATE saga SET due_at = $1 WHERE key = $2 AND kind = $3 AND phase IN ('waiting', 'running')";
    let mark = |place: i64| vec![place.into(), "post.moved".into(), "done".into(), 1_i64.into()];
    let mark = vec![mark(1000), mark(2000)];
    let mark = Piece { sql: relay::MARK.sql.into(), rows: mark, must_match: false };
    let handled =
        inbox::handled(&[1000, 2000].map(|position| Mark { position, at: Timestamp::from_micros(1) }));
    let renew = format!(
        "UPDATE saga SET due_at = $1 WHERE phase IN ('running', 'unwinding') AND id IN ({})",
        binds(1, 2)
    );
    let [of_outbox, of_inbox] = admin::oldest_pending();
    let nil = || Value::from(uuid::Uuid::nil());
    vec![
        ("relay", "outbox_delivery_pending", text(relay::PENDING, vec!["post".into(), 256_i64.into()])),
        ("mark", "outbox_delivery", piece(backend, mark)),
        ("ready, block", "inbox_pending", ready(OnDeadLetter::Block)),
        ("ready, skip", "inbox_pending", ready(OnDeadLetter::Skip)),
        ("handled", "", piece(backend, handled)),
        ("dead letters", "inbox_dead", text(admin::DEAD, vec![0_i64.into(), 50_i64.into()])),
        (
            "parked",
            "outbox_delivery_parked",
            text(admin::PARKED, vec![0_i64.into(), "".into(), 50_i64.into()]),
        ),
        ("lag of the outbox", "outbox_delivery_pending", text(&of_outbox, vec![])),
        ("lag of the inbox", "inbox_pending", text(&of_inbox, vec![])),
        ("sweep of the outbox", "", text(admin::SETTLED[0], vec![1000_i64.into(), 500_i64.into()])),
        ("sweep of the inbox", "", text(admin::SETTLED[1], vec![1000_i64.into(), 500_i64.into()])),
        (
            "sweep of the keys",
            "idempotency_at",
            text(admin::SETTLED[2], vec![1000_i64.into(), 500_i64.into()]),
        ),
        ("the oldest saga", "saga_phase", text(admin::OLDEST_SAGA, vec!["running".into()])),
        ("sagas that need attention", "saga_phase", attention.into()),
        ("due sagas", "saga_due", due(false)),
        ("orphans", "saga_due", due(true)),
        ("wake", "saga_key", text(wake, vec![1_i64.into(), "key 7".into(), "shop.scripted".into()])),
        ("renew", "saga", text(&renew, vec![1_i64.into(), nil(), nil()])),
    ]
}

async fn plan(database: &Database, asked: Asked) -> String {
    let reader = database.reader();
    let lines: Vec<String> = match asked {
        Asked::Statement(query) => {
            let (explain, column) = match query.db_backend {
                DatabaseBackend::Postgres => ("EXPLAIN", "QUERY PLAN"),
                _ => ("EXPLAIN QUERY PLAN", "detail"),
            };
            let values = query.values.map(|values| values.0).unwrap_or_default();
            let explain = statement(query.db_backend, &format!("{explain} {}", query.sql), values);
            let rows = reader.connection().query_all_raw(explain).await.expect("explains");
            rows.iter().map(|row| row.try_get("", column).expect("a line")).collect()
        }
        Asked::Message(sql, arguments) => {
            let explain = sqlx::query_scalar_with(AssertSqlSafe(format!("EXPLAIN {sql}")), arguments);
            let pool = reader.connection().get_postgres_connection_pool();
            explain.fetch_all(pool).await.expect("explains")
        }
    };
    lines.join("\n")
}

async fn every_query_uses_an_index(url: &str) {
    let database = piled(url).await;
    let mut without = Vec::new();
    for (name, index, query) in queries(database.backend()) {
        let plan = plan(&database, query).await;
        let walks = |line: &str| match database.backend() {
            DatabaseBackend::Postgres => line.contains("Seq Scan on"),
            // The rows that the statement brings along, or finds, are walked through; and a walk through a partial index is one
            // through what is still to be done.
            _ => {
                let own = ["SCAN v", "SCAN own", "SCAN front"].contains(&line)
                    || line.contains("VALUES CLAUSE")
                    || line.contains("json_each");
                line.starts_with("SCAN") && !own && !line.contains("USING")
            }
        };
        let is_named = database.backend() == DatabaseBackend::Postgres || plan.contains(index);
        if plan.lines().any(walks) || !is_named {
            without.push(format!("{name}, which should use {index}:\n{plan}"));
        }
    }
    assert!(without.is_empty(), "{}", without.join("\n\n"));
    database.close().await;
}

/// On PostgreSQL a plan is made while the tables are small and nothing is known of them, and kept: whether a message's key
/// waits for an earlier one is asked of its key's messages alone, whatever else piles up after that.
async fn a_backlog_is_walked_through_once(url: &str) {
    let database = migrated(url).await;
    for on in [OnDeadLetter::Block, OnDeadLetter::Skip] {
        let values = vec!["shop.moved".into(), 1_i64.into(), "[]".into(), 128_i64.into()];
        let plan = plan(
            &database,
            statement(database.backend(), &inbox::ready(database.backend(), on), values).into(),
        );
        let plan = plan.await;
        assert_eq!(
            (plan.matches("inbox_pending").count(), plan.matches("inbox_key").count()),
            (1, 1),
            "{plan}"
        );
    }
    database.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backlog_is_walked_through_once_on_sqlite() {
    let directory = tempfile::tempdir().expect("a directory");
    a_backlog_is_walked_through_once(&file_in(&directory)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL"]
async fn a_backlog_is_walked_through_once_on_postgres() {
    let (url, _keep) = bus_testkit::postgres::fresh_postgres("plans").await;
    a_backlog_is_walked_through_once(&url).await;
}

/// F23: with 100,000 settled rows in every table.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_query_uses_an_index_on_sqlite() {
    let directory = tempfile::tempdir().expect("a directory");
    every_query_uses_an_index(&file_in(&directory)).await;
}

/// F23.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL"]
async fn every_query_uses_an_index_on_postgres() {
    let (url, _keep) = bus_testkit::postgres::fresh_postgres("plans").await;
    every_query_uses_an_index(&url).await;
}
