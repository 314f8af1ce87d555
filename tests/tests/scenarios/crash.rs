//! Processes that are killed while orders run, and start again.

use crate::SOON;
use tests::{
    load::{Demand, Load},
    topology::Topology,
    verdict::judge,
};

/// B19, B21, F12, F21, F25: each process is killed in turn and started again; whoever got no answer asks again.
pub(crate) async fn every_process_is_killed_in_turn(topology: &Topology) {
    let shop = &topology.shop;
    let stocked: Vec<_> = (0..3).map(|i| (format!("CRASH-{i}"), 5_000)).collect();
    for (sku, on_hand) in &stocked {
        shop.stock(sku, 1100, *on_hand).await;
    }
    let demand = Demand {
        rate: 12,
        tokens: &["tok_ok", "tok_ok", "tok_ok", "tok_decline", "tok_slow_80", "tok_lost_ok"],
        skus: stocked.iter().map(|(sku, _)| sku.clone()).collect(),
    };
    let load = Load::start(&shop.server, demand).await.expect("a buyer");
    load.goes_on(6).await;
    for name in topology.names() {
        topology.server(&name).kill().expect("killed");
        topology.server(&name).start_again().await.unwrap_or_else(|error| panic!("{name}: {error}"));
        load.goes_on(6).await;
    }
    let history = load.stop().await;
    shop.settles_within(SOON).await;
    let verdict = judge(shop, &history, &stocked).await;
    assert!(verdict.placed > 10, "orders were placed: {verdict:?}");
}
