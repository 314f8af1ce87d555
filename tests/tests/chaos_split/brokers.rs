//! The broker between five processes is killed and started again, and loses all that it had: a broker is a fast path,
//! never the record. F-BROKER, B12, C18.

use crate::{HEALED, ONE, orders, stocked};
use std::time::Instant;
use tests::{
    topology::{Adapter, Databases, Plan},
    verdict::judge,
};

async fn outlives_its_broker(adapter: Adapter) {
    let _one = ONE.lock().await;
    let mut topology = Plan::five(adapter, Databases::Sqlite).with_own_broker().start().await;
    let stocked = stocked(&topology.shop).await;
    let load = orders(&topology.shop, &stocked, 10, &["tok_ok", "tok_ok", "tok_decline"]).await;
    load.goes_on(10).await;
    for is_wiped in [false, true] {
        let broker = topology.broker();
        broker.kill().await;
        if is_wiped {
            broker.wipe();
        }
        broker.start_again().await;
        load.goes_on(15).await;
    }
    let history = load.stop().await;
    let began = Instant::now();
    topology.shop.settles_within(HEALED).await;
    let verdict = judge(&topology.shop, &history, &stocked).await;
    eprintln!("{adapter:?}: {verdict:?}, {:?}, at rest after {:?}", history.statuses(), began.elapsed());
    assert!(verdict.placed > 20, "orders were placed");
    topology.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs nats-server"]
async fn five_processes_outlive_their_nats_server() {
    outlives_its_broker(Adapter::Nats).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs rabbitmq-server"]
async fn five_processes_outlive_their_rabbitmq() {
    outlives_its_broker(Adapter::Amqp).await;
}
