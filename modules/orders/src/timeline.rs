//! "Where is order 42?": what every module knows of it, in one list.

use crate::{Service, entities::order_event};
use bus::Timestamp;
use bus_durable::{
    saga::SagaView,
    sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder},
};
use inventory_ports::OrderMovements;
use notifications_ports::NotificationsOf;
use orders_ports::{Order, OrdersError, TimelineEntry};
use payments_ports::PaymentHistory;

/// Everything that happened to an order, oldest first. A module that does not answer is named in its place.
pub(crate) async fn of(service: &Service, order: &Order) -> Result<Vec<TimelineEntry>, OrdersError> {
    let key = order.id.to_string();
    let mut entries = own(order);
    let select = order_event::Entity::find()
        .filter(order_event::Column::OrderId.eq(order.id.0))
        .order_by_asc(order_event::Column::Id);
    for event in service.database.reader().all(select).await? {
        let at = Timestamp::from_micros(event.at);
        entries.push(TimelineEntry { at, kind: event.kind, detail: event.detail, actor: event.actor });
    }
    for saga in service.database.sagas_about(&key).await? {
        entries.extend(steps(&saga));
    }
    let (payments, stock, notifications) = futures::join!(
        service.payments.payment_history(PaymentHistory { order_id: order.id }),
        service.inventory.order_movements(OrderMovements { order_id: order.id }),
        service.notifications.of_order(NotificationsOf { order_id: order.id }),
    );
    let now = service.database.sources().now();
    match payments {
        Ok(events) => entries.extend(events.into_iter().map(|event| {
            let detail = if event.amount.amount == 0 {
                event.detail
            } else {
                format!("{} {}", event.amount, event.detail).trim_end().to_owned()
            };
            entry(event.at, &format!("payment.{}", event.kind), detail, &event.actor)
        })),
        Err(error) => entries.push(missing(now, "payment", &error)),
    }
    match stock {
        Ok(movements) => entries.extend(movements.into_iter().map(|movement| {
            let detail = format!("{} {:+} {}", movement.sku, movement.delta, movement.reason);
            entry(
                movement.at,
                &format!("stock.{}", movement.kind.as_str()),
                detail,
                &movement.actor.to_string(),
            )
        })),
        Err(error) => entries.push(missing(now, "stock", &error)),
    }
    match notifications {
        Ok(sent) => entries.extend(sent.into_iter().map(|sent| {
            let detail = format!("{} by {}", sent.status, sent.channel);
            entry(sent.at, &format!("notification.{}", sent.template), detail, "system")
        })),
        Err(error) => entries.push(missing(now, "notification", &error)),
    }
    entries.sort_by_key(|entry| entry.at);
    Ok(entries)
}

/// What the order's own row tells.
fn own(order: &Order) -> Vec<TimelineEntry> {
    let buyer = order.user_id.to_string();
    let mut entries =
        vec![entry(order.created_at, "order.created", format!("{} to pay", order.total), &buyer)];
    if let (Some(at), Some(number)) = (order.placed_at, order.number) {
        entries.push(entry(at, "order.placed", format!("as number {number}"), "system"));
    }
    entries
}

fn steps(saga: &SagaView) -> Vec<TimelineEntry> {
    let mut entries: Vec<_> = saga
        .history
        .iter()
        .map(|step| {
            let detail = match &step.detail {
                Some(why) => format!("{}: {why}", step.outcome),
                None => step.outcome.clone(),
            };
            entry(step.at, &format!("saga.{}", step.what), detail, "system")
        })
        .collect();
    if saga.state.is_end() {
        let detail = saga.error.clone().unwrap_or_default();
        entries.push(entry(saga.updated_at, &format!("saga.{}", saga.state.name()), detail, "system"));
    }
    entries
}

fn entry(at: Timestamp, kind: &str, detail: String, actor: &str) -> TimelineEntry {
    TimelineEntry { at, kind: kind.to_owned(), detail, actor: actor.to_owned() }
}

fn missing(now: Timestamp, what: &str, error: &dyn std::error::Error) -> TimelineEntry {
    tracing::warn!(what, %error, "a part of a timeline is missing");
    entry(now, &format!("{what}.unavailable"), "this part cannot be had now".into(), "system")
}
