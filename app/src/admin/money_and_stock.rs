//! The invariants between modules: what orders believes of its money and stock is what payments and inventory did.
//!
//! Payments itself holds its books against the provider's; so captured at the provider = paid, by two steps.

use super::{
    Desk,
    integrity::{Check, Extent, lag},
};
use bus::PortError;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use inventory_ports::{Movement, MovementKind, OrderMovements};
use kernel::OrderId;
use orders_ports::{ListSettlements, OrderStatus, Settlement};
use payments_ports::{ListPayments, Payment, PaymentStatus};
use std::{collections::BTreeSet, time::Duration};
use tokio::time::Instant;
use uuid::Uuid;

const MONEY: &str = "an order's money = what was captured and refunded for it";
const STOCK: &str = "an order's stock has left the shelf or is back on it";

/// So many of the newest orders are looked at while the shop is open.
const NEWEST: u16 = 1000;
const PAGE: u16 = 500;
const AT_ONCE: usize = 32;
/// How long messages that were on their way at the first look have to arrive before the second.
const UNDERWAY: Duration = Duration::from_secs(2);
const LOOK_AGAIN: Duration = Duration::from_millis(25);

/// Looks at every order within the extent, where all three modules can be asked.
pub(crate) async fn checks(desk: &Desk, extent: Extent) -> Vec<Check> {
    if !["orders", "payments", "inventory"].iter().all(|port| desk.bus.has(port)) {
        return Vec::new();
    }
    match look(desk, extent).await {
        Ok(checks) => checks.into(),
        Err(Missing { module, error }) => {
            tracing::warn!(module, %error, "money and stock could not be compared");
            [MONEY, STOCK].map(|invariant| Check::unavailable(invariant, module)).into()
        }
    }
}

/// A module that did not answer.
struct Missing {
    module: &'static str,
    error: String,
}

fn missing<E: PortError>(module: &'static str) -> impl Fn(E) -> Missing {
    move |error| Missing { module, error: error.to_string() }
}

/// What is wrong with an order.
#[derive(Debug, Clone, Default)]
struct Wrong {
    money: Option<String>,
    stock: Option<String>,
}

async fn look(desk: &Desk, extent: Extent) -> Result<[Check; 2], Missing> {
    let settlements = match extent {
        Extent::Newest => page(desk, None, NEWEST).await?,
        Extent::Everything => everything(desk).await?,
    };
    let looked_at = Instant::now();
    let mut wrong = differences(desk, settlements).await?;
    if wrong.is_empty() {
        return Ok([MONEY, STOCK].map(|invariant| Check::found(invariant, &BTreeSet::new())));
    }
    let underway = underway(desk, extent, looked_at).await;
    let again = stream::iter(wrong.into_iter().map(|(order, _)| one(desk, order)))
        .buffer_unordered(AT_ONCE)
        .try_collect::<Vec<_>>()
        .await?;
    wrong = differences(desk, again.into_iter().flatten().collect()).await?;
    let sample = |pick: fn(&Wrong) -> &Option<String>| -> BTreeSet<String> {
        let said = |(order, wrong): &(OrderId, Wrong)| {
            pick(wrong).as_ref().map(|what| format!("order {order}: {what}"))
        };
        wrong.iter().filter_map(said).collect()
    };
    // What a message that is still on its way may explain cannot be judged.
    let judged = |invariant: &str, found: BTreeSet<String>| {
        let check = Check::found(invariant, &found);
        if underway && !found.is_empty() { Check { violations: None, ..check } } else { check }
    };
    Ok([judged(MONEY, sample(|wrong| &wrong.money)), judged(STOCK, sample(|wrong| &wrong.stock))])
}

/// Waits until what was on its way at the first look has arrived. `true` where it has not.
async fn underway(desk: &Desk, extent: Extent, since: Instant) -> bool {
    let passed = async |part: fn((Duration, Duration)) -> Duration, modules: &[&str], since: Instant| {
        loop {
            let mut oldest = Duration::ZERO;
            for module in modules {
                match lag(desk, module).await {
                    Ok(found) => oldest = oldest.max(part(found)),
                    // Not known: as good as on its way.
                    Err(_) => oldest = Duration::MAX,
                }
            }
            if oldest.is_zero() || oldest < since.elapsed() {
                return true;
            }
            if extent == Extent::Everything || since.elapsed() > UNDERWAY {
                return false;
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    };
    // First out of the outboxes; what then waits in an inbox came no later than now.
    if !passed(|(outbox, _)| outbox, &["orders", "payments"], since).await {
        return true;
    }
    !passed(|(_, inbox)| inbox, &["orders", "inventory"], Instant::now()).await
}

async fn differences(desk: &Desk, settlements: Vec<Settlement>) -> Result<Vec<(OrderId, Wrong)>, Missing> {
    let settled = settlements.into_iter().filter(|settlement| !settlement.in_progress);
    let found = settled.map(|settlement| async move {
        let order_id = settlement.order_id;
        let payments = desk.bus.call(ListPayments { order_id });
        let payments = payments.await.map_err(missing("payments"))?;
        let movements = desk.bus.call(OrderMovements { order_id });
        let movements = movements.await.map_err(missing("inventory"))?;
        let wrong = Wrong { money: money(&settlement, &payments), stock: stock(&settlement, &movements) };
        Ok((order_id, wrong))
    });
    let found: Vec<_> = stream::iter(found).buffer_unordered(AT_ONCE).try_collect().await?;
    Ok(found.into_iter().filter(|(_, wrong)| wrong.money.is_some() || wrong.stock.is_some()).collect())
}

/// Whether an order in this status has been paid and keeps what it bought.
fn stands(status: OrderStatus) -> Option<bool> {
    match status {
        OrderStatus::Placed | OrderStatus::Fulfilled => Some(true),
        OrderStatus::Rejected | OrderStatus::Expired | OrderStatus::Cancelled => Some(false),
        // On its way; orders itself says whether a saga is at it.
        OrderStatus::Processing | OrderStatus::RequiresAction => None,
    }
}

fn money(order: &Settlement, payments: &[Payment]) -> Option<String> {
    let captured: i64 = payments.iter().map(|payment| payment.captured.amount).sum();
    let refunded: i64 = payments.iter().map(|payment| payment.refunded.amount).sum();
    if stands(order.status)? {
        if !payments.iter().any(|payment| payment.id == order.payment_id) {
            return Some("it has no payment".into());
        }
        let expected = (order.total.amount, order.refunded.amount);
        return ((captured, refunded) != expected).then(|| {
            let (total, back) = expected;
            format!("total {total}, refunded {back}; captured {captured}, refunded {refunded} by payments")
        });
    }
    let open = |payment: &&Payment| {
        use PaymentStatus::{Authorized, Processing, RequiresAction};
        matches!(payment.status, Authorized | Processing | RequiresAction)
    };
    if let Some(payment) = payments.iter().find(open) {
        return Some(format!("it is {}, and its payment is {}", order.status.name(), payment.status));
    }
    (captured != refunded)
        .then(|| format!("it is {}, and {captured} was captured, {refunded} given back", order.status.name()))
}

fn stock(order: &Settlement, movements: &[Movement]) -> Option<String> {
    let moved: i64 = movements.iter().map(|movement| movement.delta).sum();
    if stands(order.status)? {
        let sold = movements.iter().any(|movement| movement.kind == MovementKind::Sale);
        return (!sold || moved >= 0).then(|| "its stock is still on the shelf, or back on it".into());
    }
    (moved != 0).then(|| format!("it is {}, and {} are off the shelf for it", order.status.name(), -moved))
}

async fn everything(desk: &Desk) -> Result<Vec<Settlement>, Missing> {
    let mut all: Vec<Settlement> = Vec::new();
    loop {
        let before = all.last().map(|settlement| settlement.order_id);
        let page = page(desk, before, PAGE).await?;
        let done = page.len() < usize::from(PAGE);
        all.extend(page);
        if done {
            return Ok(all);
        }
    }
}

/// One order as it is now.
async fn one(desk: &Desk, order: OrderId) -> Result<Option<Settlement>, Missing> {
    let before = OrderId(Uuid::from_u128(order.0.as_u128().saturating_add(1)));
    let found = page(desk, Some(before), 1).await?;
    Ok(found.into_iter().find(|settlement| settlement.order_id == order))
}

/// A page of orders, the newest first.
async fn page(desk: &Desk, before: Option<OrderId>, limit: u16) -> Result<Vec<Settlement>, Missing> {
    desk.bus.call(ListSettlements { before, limit }).await.map_err(missing("orders"))
}
