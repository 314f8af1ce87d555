//! Five processes and an edge before them: killed, cut off and restarted under load.
#![expect(clippy::print_stderr, reason = "what a run saw is for whoever reads its output")]

mod brokers;
mod degraded;
mod kills;
mod restarts;

use std::time::Duration;
use tests::{
    load::{Demand, Load},
    shop::Shop,
};
use tokio::sync::Mutex;

/// How long after the last fault every saga has ended.
const HEALED: Duration = Duration::from_secs(30);

/// One topology at a time: each has processes enough for the machine.
static ONE: Mutex<()> = Mutex::const_new(());

/// Goods that are bought, and how many there are of each.
async fn stocked(shop: &Shop) -> Vec<(String, i64)> {
    let stocked: Vec<_> = (0..3).map(|i| (format!("CHAOS-{i}"), 50_000)).collect();
    for (sku, on_hand) in &stocked {
        shop.stock(sku, 1100, *on_hand).await;
    }
    stocked
}

/// Orders that keep coming.
async fn orders(shop: &Shop, stocked: &[(String, i64)], rate: u32, tokens: &'static [&'static str]) -> Load {
    let skus = stocked.iter().map(|(sku, _)| sku.clone()).collect();
    Load::start(&shop.server, Demand { rate, tokens, skus }).await.expect("a buyer")
}
