//! The order as it will be, with the server's prices.

use crate::Settings;
use bus::Sources;
use inventory_ports::{InventoryError, InventoryPort, Quote, QuotedItem};
use kernel::{Money, MoneyError, Sku};
use orders_ports::{
    Order, OrderLine, OrderPaymentStatus, OrderStatus, OrdersError, PlaceOrder, RequestedLine,
};
use std::collections::{BTreeMap, BTreeSet};

/// Asks for the prices and adds them up; writes nothing.
pub(crate) async fn draft(
    inventory: &dyn InventoryPort,
    settings: &Settings,
    sources: &Sources,
    request: &PlaceOrder,
) -> Result<Order, OrdersError> {
    check(&request.lines)?;
    let skus: BTreeSet<Sku> = request.lines.iter().map(|line| line.sku.clone()).collect();
    let quoted = inventory.quote(Quote { skus: skus.into_iter().collect() }).await.map_err(refused)?;
    let quoted: BTreeMap<&Sku, &QuotedItem> = quoted.iter().map(|item| (&item.sku, item)).collect();
    let mut lines: Vec<OrderLine> = Vec::with_capacity(request.lines.len());
    for line in &request.lines {
        let item =
            quoted.get(&line.sku).ok_or_else(|| OrdersError::UnknownSku { skus: vec![line.sku.clone()] })?;
        lines.push(OrderLine {
            sku: line.sku.clone(),
            title: item.title.clone(),
            quantity: line.quantity,
            unit_price: item.price,
            total: item.price.times(line.quantity).map_err(too_large)?,
        });
    }
    let total = total(&lines)?;
    if total.amount > settings.max_total {
        return Err(OrdersError::AmountTooLarge);
    }
    Ok(Order {
        id: request.order_id,
        number: None,
        user_id: request.user_id,
        status: OrderStatus::Processing,
        reason: None,
        payment_id: sources.id(),
        payment_status: OrderPaymentStatus::Pending,
        total,
        refunded: Money::zero(total.currency),
        lines,
        shipping_address: request.shipping_address.clone(),
        note: request.note.clone(),
        action_url: None,
        placed_at: None,
        created_at: sources.now(),
        version: 1,
    })
}

fn check(lines: &[RequestedLine]) -> Result<(), OrdersError> {
    if !(1..=100).contains(&lines.len()) {
        return Err(OrdersError::Invalid { detail: "an order has 1 to 100 lines".into() });
    }
    if lines.iter().any(|line| !(1..=1000).contains(&line.quantity)) {
        return Err(OrdersError::Invalid { detail: "a line has a quantity of 1 to 1000".into() });
    }
    Ok(())
}

/// The sum of the lines.
pub(crate) fn total(lines: &[OrderLine]) -> Result<Money, OrdersError> {
    let (first, rest) = lines
        .split_first()
        .ok_or_else(|| OrdersError::Invalid { detail: "an order has 1 to 100 lines".into() })?;
    rest.iter().try_fold(first.total, |sum, line| sum.plus(line.total)).map_err(too_large)
}

fn too_large(error: MoneyError) -> OrdersError {
    match error {
        MoneyError::TooLarge => OrdersError::AmountTooLarge,
        MoneyError::MixedCurrencies(..) => OrdersError::MixedCurrencies,
    }
}

fn refused(error: InventoryError) -> OrdersError {
    match error {
        InventoryError::UnknownSkus { skus } => OrdersError::UnknownSku { skus },
        InventoryError::Unavailable(error) => OrdersError::Unavailable(error),
        other => OrdersError::Invalid { detail: other.to_string() },
    }
}
