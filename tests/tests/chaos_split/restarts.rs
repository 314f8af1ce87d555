//! Every service is restarted under load, as when a new version is rolled out: B27, C17.

use crate::{HEALED, ONE, orders, stocked};
use serde_json::json;
use tests::{
    topology::{Adapter, Databases, MODULES, Plan},
    verdict::judge,
};

/// Restarts of each service.
const ROUNDS: usize = 20;

/// No failed request at the edge, and nothing is a dead letter.
async fn nobody_notices(adapter: Adapter) {
    let _one = ONE.lock().await;
    // A debug build on a busy machine takes its time to stop and to start, and whoever waits for it is not slow.
    let plan = Plan::six(adapter, Databases::Sqlite)
        .patient()
        .with("CLEAVE__WIRE__PATIENCE", "15s")
        .with("CLEAVE__BUS__BREAKER__SLOW_AFTER", "18s");
    let topology = plan.start().await;
    let stocked = stocked(&topology.shop).await;
    let load = orders(&topology.shop, &stocked, 12, &["tok_ok"]).await;
    load.goes_on(10).await;
    for _ in 0..ROUNDS {
        for name in MODULES {
            let ended = topology.server(name).stop().await.expect("it ends");
            assert!(ended, "{name} ended badly: {}", topology.server(name).said());
            topology.server(name).start_again().await.unwrap_or_else(|error| panic!("{name}: {error}"));
            load.goes_on(4).await;
        }
    }
    let history = load.stop().await;
    let failures = history.failures();
    let (count, first): (_, Vec<_>) = (failures.len(), failures.iter().take(10).collect());
    let (orders, looks) = (history.attempts.len(), history.looks);
    assert_eq!(count, 0, "of {orders} orders and {looks} looks so many failed: {first:#?}");
    topology.shop.settles_within(HEALED).await;
    let dead = topology.shop.look("/api/v1/admin/dead-letters").await;
    assert_eq!(dead["data"], json!([]));
    let verdict = judge(&topology.shop, &history, &stocked).await;
    assert_eq!(verdict.placed, history.attempts.len(), "every order was placed: {verdict:?}");
    topology.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn restarts_are_not_noticed_over_http() {
    nobody_notices(Adapter::Http).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs NATS"]
async fn restarts_are_not_noticed_over_nats() {
    nobody_notices(Adapter::Nats).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs RabbitMQ"]
async fn restarts_are_not_noticed_over_amqp() {
    nobody_notices(Adapter::Amqp).await;
}
