//! What the clients of a load were told, held against what is there in the end.

use crate::{
    load::{Attempt, History},
    shop::Shop,
};
use futures::{StreamExt as _, stream};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Questions at once.
const AT_ONCE: usize = 16;

/// What there is in the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// How many orders there are.
    pub orders: usize,
    /// How many of them are placed.
    pub placed: usize,
}

/// Holds a load's history against the shop, which has settled: no acknowledged order is lost and none is there that
/// nobody was told of, nothing is charged twice or kept for nothing, nothing is oversold, nobody hears twice.
///
/// # Panics
/// Where something is off.
pub async fn judge(shop: &Shop, history: &History, stocked: &[(String, i64)]) -> Verdict {
    let skus: BTreeSet<&str> = stocked.iter().map(|(sku, _)| sku.as_str()).collect();
    let orders: BTreeMap<String, Value> = shop
        .walk("/api/v1/orders")
        .await
        .into_iter()
        .filter(|order| order["lines"][0]["sku"].as_str().is_some_and(|sku| skus.contains(sku)))
        .map(|order| (text(&order["id"]), order))
        .collect();
    acknowledged_orders_are_there(&history.attempts, &orders);
    stream::iter(orders.values()).for_each_concurrent(AT_ONCE, |order| money_is_right(shop, order)).await;
    let placed: BTreeSet<&str> =
        orders.iter().filter(|(_, order)| order["status"] == "placed").map(|(id, _)| id.as_str()).collect();
    everybody_heard_once(shop, &placed, &orders).await;
    for (sku, on_hand) in stocked {
        stock_is_right(shop, sku, *on_hand, &placed, &orders).await;
    }
    numbers_have_no_gaps(shop).await;
    Verdict { orders: orders.len(), placed: placed.len() }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is text")).to_owned()
}

fn acknowledged_orders_are_there(attempts: &[Attempt], orders: &BTreeMap<String, Value>) {
    let mut told = BTreeSet::new();
    for attempt in attempts {
        let Some((status, id)) = &attempt.heard else { panic!("nobody ever answered {attempt:?}") };
        let order = orders.get(id).unwrap_or_else(|| panic!("an acknowledged order is lost: {attempt:?}"));
        assert!(told.insert(id.as_str()), "two wishes, one order: {attempt:?}");
        match status {
            201 => assert_eq!(order["status"], "placed", "{attempt:?}: {order}"),
            402 | 409 => assert_eq!(order["status"], "rejected", "{attempt:?}: {order}"),
            _ => {
                assert!(order["status"] == "placed" || order["status"] == "rejected", "{attempt:?}: {order}")
            }
        }
    }
    // A request that was answered with 503 may have left a rejected order; a placed one somebody has heard of.
    for (id, order) in orders.iter().filter(|(id, _)| !told.contains(id.as_str())) {
        assert_eq!(order["status"], "rejected", "nobody was told of {id}: {order}");
    }
}

/// No double charge: what the provider kept is the total of what was placed, and nothing else.
async fn money_is_right(shop: &Shop, order: &Value) {
    let provider = shop.provider_sums(&text(&order["id"])).await;
    let sum = |kind: &str| provider.get(kind).copied().unwrap_or(0);
    let kept = sum("capture") - sum("refund");
    let total = order["total"]["amount"].as_i64().expect("a total");
    if order["status"] == "placed" {
        assert_eq!(kept, total, "{order}: {provider:?}");
    } else {
        assert_eq!(kept, 0, "{order}: {provider:?}");
        assert_eq!(sum("authorize") - sum("void") - sum("capture"), 0, "{order}: {provider:?}");
    }
}

/// F25: exactly one confirmation for each order that was placed, none for others.
async fn everybody_heard_once(shop: &Shop, placed: &BTreeSet<&str>, orders: &BTreeMap<String, Value>) {
    let mut confirmations: BTreeMap<String, usize> = BTreeMap::new();
    for sent in shop.walk("/api/v1/notifications").await {
        let order = sent["order_id"].as_str().unwrap_or_default();
        if sent["template"] == "order_confirmation" && orders.contains_key(order) {
            *confirmations.entry(order.to_owned()).or_default() += 1;
        }
    }
    let twice: Vec<_> = confirmations.iter().filter(|(_, count)| **count > 1).collect();
    assert!(twice.is_empty(), "nobody hears twice: {twice:?}");
    let heard: BTreeSet<&str> = confirmations.keys().map(String::as_str).collect();
    assert_eq!(&heard, placed, "each placed order was confirmed, and nothing else");
}

/// F1, F15: what is gone from the shelf was sold, each sale is in the ledger once, and nothing stays reserved.
async fn stock_is_right(
    shop: &Shop,
    sku: &str,
    stocked: i64,
    placed: &BTreeSet<&str>,
    orders: &BTreeMap<String, Value>,
) {
    let lines = placed.iter().flat_map(|id| orders[*id]["lines"].as_array().expect("lines"));
    let sold: i64 =
        lines.filter(|line| line["sku"] == sku).filter_map(|line| line["quantity"].as_i64()).sum();
    let stock = shop.look(&format!("/api/v1/stock/{sku}")).await;
    assert_eq!(
        (stock["on_hand"].as_i64(), stock["reserved"].as_i64()),
        (Some(stocked - sold), Some(0)),
        "{stock}"
    );
    let ledger = shop.walk(&format!("/api/v1/stock/{sku}/movements")).await;
    let mut sales: BTreeMap<String, usize> = BTreeMap::new();
    for movement in ledger.iter().filter(|movement| movement["kind"] == "sale") {
        *sales.entry(text(&movement["order_id"])).or_default() += 1;
    }
    let twice: Vec<_> = sales.iter().filter(|(_, count)| **count > 1).collect();
    assert!(twice.is_empty(), "nothing is taken from the shelf twice: {twice:?}");
    let moved: i64 = ledger.iter().filter_map(|movement| movement["delta"].as_i64()).sum();
    assert_eq!(moved, stocked - sold, "the ledger of {sku} adds up");
}

/// F6: numbers are given to placed orders only, and none is left out.
async fn numbers_have_no_gaps(shop: &Shop) {
    let orders = shop.walk("/api/v1/orders").await;
    let mut numbers: Vec<i64> = orders.iter().filter_map(|order| order["number"].as_i64()).collect();
    numbers.sort_unstable();
    let all = i64::try_from(numbers.len()).expect("few");
    assert_eq!(numbers, (1..=all).collect::<Vec<_>>(), "F6: numbers are gap-free");
}
