//! SIGKILL at random moments, and a network that is cut: B18, F-KILL, F-STOP.

use crate::{HEALED, ONE, orders, stocked};
use std::time::{Duration, Instant};
use tests::{
    topology::{Adapter, Databases, Plan},
    verdict::judge,
};

/// Kills of each run.
const ROUNDS: usize = 6;
/// How long two processes do not hear of each other: as long as a call may take, and longer than any lease.
const CUT: Duration = Duration::from_secs(10);

const TOKENS: &[&str] = &[
    "tok_ok",
    "tok_ok",
    "tok_ok",
    "tok_decline",
    "tok_slow_80",
    "tok_lost_ok",
    "tok_capture_decline",
    "tok_lost_fail",
];

fn random(from: u64, to: u64) -> Duration {
    Duration::from_millis(from + rand::random::<u64>() % (to - from))
}

/// No acknowledged order lost, no oversell, no double charge, nobody hears twice; every saga has ended in time.
async fn survives(adapter: Adapter, databases: Databases) {
    let _one = ONE.lock().await;
    let topology = Plan::five(adapter, databases).start().await;
    let stocked = stocked(&topology.shop).await;
    let load = orders(&topology.shop, &stocked, 15, TOKENS).await;
    let names = topology.names();
    for _ in 0..ROUNDS {
        tokio::time::sleep(random(200, 900)).await;
        let name = &names[rand::random::<u64>() as usize % names.len()];
        topology.server(name).kill().expect("killed");
        tokio::time::sleep(random(0, 500)).await;
        topology.server(name).start_again().await.unwrap_or_else(|error| panic!("{name}: {error}"));
        load.goes_on(5).await;
    }
    let killed = load.stop().await;
    let began = Instant::now();
    topology.shop.settles_within(HEALED).await;
    let verdict = judge(&topology.shop, &killed, &stocked).await;
    eprintln!(
        "{adapter:?}, {databases:?}: {verdict:?}, {:?}, at rest after {:?}",
        killed.statuses(),
        began.elapsed()
    );
    assert!(verdict.placed > 20, "orders were placed");
    topology.stop().await;
}

/// The same with processes that stand still in turn, as if their network was cut, and go on where they were.
async fn survives_cuts(adapter: Adapter, databases: Databases, names: &[&str]) {
    let _one = ONE.lock().await;
    let topology = Plan::five(adapter, databases).start().await;
    let stocked = stocked(&topology.shop).await;
    let load = orders(&topology.shop, &stocked, 10, TOKENS).await;
    load.goes_on(10).await;
    for name in names {
        topology.server(name).pause().expect("stopped");
        tokio::time::sleep(CUT).await;
        topology.server(name).resume().expect("goes on");
        load.goes_on(10).await;
    }
    let cut = load.stop().await;
    let began = Instant::now();
    topology.shop.settles_within(HEALED).await;
    let verdict = judge(&topology.shop, &cut, &stocked).await;
    eprintln!(
        "{adapter:?}, {databases:?}: {verdict:?}, {:?}, at rest after {:?}",
        cut.statuses(),
        began.elapsed()
    );
    assert!(verdict.placed > 20, "orders were placed");
    topology.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_through_kills_over_http() {
    survives(Adapter::Http, Databases::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL"]
async fn nothing_acknowledged_is_lost_through_kills_over_http_on_postgres() {
    survives(Adapter::Http, Databases::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs NATS"]
async fn nothing_acknowledged_is_lost_through_kills_over_nats() {
    survives(Adapter::Nats, Databases::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs RabbitMQ"]
async fn nothing_acknowledged_is_lost_through_kills_over_amqp() {
    survives(Adapter::Amqp, Databases::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_of_ten_seconds_heals_over_http() {
    survives_cuts(Adapter::Http, Databases::Sqlite, &["inventory", "orders"]).await;
}

/// B18: who stood still for longer than its lease is fenced off.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL"]
async fn a_cut_of_ten_seconds_heals_over_http_on_postgres() {
    survives_cuts(Adapter::Http, Databases::Postgres, &["orders", "payments"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs NATS"]
async fn a_cut_of_ten_seconds_heals_over_nats() {
    survives_cuts(Adapter::Nats, Databases::Sqlite, &["inventory", "orders"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs RabbitMQ"]
async fn a_cut_of_ten_seconds_heals_over_amqp() {
    survives_cuts(Adapter::Amqp, Databases::Sqlite, &["inventory", "orders"]).await;
}
