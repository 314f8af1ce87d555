//! Modules move out of a running shop and back, while orders keep coming.
#![expect(clippy::print_stderr, reason = "what a run saw is for whoever reads its output")]

mod kills;
mod refusals;
mod steady;
mod stranger;

use std::time::Duration;
use tests::{
    load::{Demand, Load},
    shop::Shop,
    topology::{Process, Topology},
};
use tokio::sync::Mutex;

/// How long a shop may take to come to rest: every saga has ended by then.
const SOON: Duration = Duration::from_secs(30);

/// One topology at a time: each has processes enough for the machine.
static ONE: Mutex<()> = Mutex::const_new(());

/// Where a module's data are when it moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Data {
    /// Each process has a directory of its own: files are copied.
    Copied,
    /// Both name the same file, and one has it open at a time.
    Handed,
    /// Both reach the same PostgreSQL database.
    Shared,
}

/// A process that a module can be moved to.
fn standing_by(topology: &Topology, name: &str, module: &str, data: Data) -> Process {
    let process = Process::standing_by(name, module);
    if data != Data::Handed {
        return process;
    }
    let databases = [module].into_iter().chain((module == "payments").then_some("sandbox"));
    databases.fold(process, |process, database| {
        let file = topology.data("shop").join(format!("{database}.db"));
        let key = format!("CLEAVE__{}__DATABASE_URL", database.to_uppercase());
        process.with(&key, format!("sqlite://{}", file.display()))
    })
}

/// Goods that are bought, and how many there are of each.
async fn stocked(shop: &Shop) -> Vec<(String, i64)> {
    let stocked: Vec<_> = (0..3).map(|i| (format!("MOVED-{i}"), 50_000)).collect();
    for (sku, on_hand) in &stocked {
        shop.stock(sku, 1100, *on_hand).await;
    }
    stocked
}

/// Orders that keep coming.
async fn orders(shop: &Shop, stocked: &[(String, i64)], rate: u32) -> Load {
    let skus = stocked.iter().map(|(sku, _)| sku.clone()).collect();
    Load::start(&shop.server, Demand { rate, tokens: &["tok_ok"], skus }).await.expect("a buyer")
}
