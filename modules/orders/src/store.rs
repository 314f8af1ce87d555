//! Orders in their table.

use crate::entities::{order, order_event};
use bus::{BusError, Timestamp};
use bus_durable::{
    Database, Tx,
    sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect},
};
use kernel::{Currency, Money, OrderId, Page};
use orders_ports::{ListOrders, Order, OrderPaymentStatus, OrderStatus, OrdersError, Viewer};

/// The row of a new order.
pub(crate) fn new_row(order: &Order) -> Result<order::ActiveModel, BusError> {
    let address = order.shipping_address.as_ref().map(json).transpose()?;
    Ok(order::ActiveModel {
        id: Set(order.id.0),
        number: Set(order.number),
        user_id: Set(order.user_id.0),
        status: Set(order.status.name().to_owned()),
        reason: Set(order.reason.clone()),
        payment_id: Set(order.payment_id.0),
        payment_status: Set(order.payment_status.name().to_owned()),
        lines: Set(json(&order.lines)?),
        total: Set(order.total.amount),
        currency: Set(order.total.currency.code().to_owned()),
        refunded: Set(order.refunded.amount),
        shipping_address: Set(address),
        note: Set(order.note.clone()),
        action_url: Set(order.action_url.clone()),
        cancellation_id: Set(None),
        cancelled_by: Set(None),
        placed_at: Set(order.placed_at.map(Timestamp::micros)),
        created_at: Set(order.created_at.micros()),
        version: Set(order.version),
    })
}

/// The order in a row.
pub(crate) fn order(row: order::Model) -> Result<Order, BusError> {
    let unreadable = |what: &str| BusError::failed(&format_args!("order {}: unreadable {what}", row.id));
    let currency: Currency = row.currency.parse().map_err(|_| unreadable("currency"))?;
    Ok(Order {
        id: row.id.into(),
        number: row.number,
        user_id: row.user_id.into(),
        status: OrderStatus::from_name(&row.status).ok_or_else(|| unreadable("status"))?,
        reason: row.reason,
        payment_id: row.payment_id.into(),
        payment_status: OrderPaymentStatus::from_name(&row.payment_status)
            .ok_or_else(|| unreadable("payment status"))?,
        lines: serde_json::from_str(&row.lines).map_err(|_| unreadable("lines"))?,
        total: Money::new(row.total, currency),
        refunded: Money::new(row.refunded, currency),
        shipping_address: row
            .shipping_address
            .as_deref()
            .map(serde_json::from_str)
            .transpose()
            .map_err(|_| unreadable("shipping address"))?,
        note: row.note,
        action_url: row.action_url,
        placed_at: row.placed_at.map(Timestamp::from_micros),
        created_at: Timestamp::from_micros(row.created_at),
        version: row.version,
    })
}

/// An order's row as it is committed.
pub(crate) async fn row(database: &Database, id: OrderId) -> Result<Option<order::Model>, BusError> {
    database.reader().one(order::Entity::find_by_id(id.0)).await
}

/// An order, whoever looks.
pub(crate) async fn find(database: &Database, id: OrderId) -> Result<Option<Order>, BusError> {
    row(database, id).await?.map(order).transpose()
}

/// An order, if this viewer may see it.
pub(crate) async fn visible(database: &Database, id: OrderId, viewer: Viewer) -> Result<Order, OrdersError> {
    match find(database, id).await? {
        Some(order) if viewer.sees(order.user_id) => Ok(order),
        _ => Err(OrdersError::NotFound),
    }
}

/// An order's row as this transaction sees it.
pub(crate) async fn row_in(tx: &Tx<'_>, id: OrderId) -> Result<Option<order::Model>, BusError> {
    tx.one(order::Entity::find_by_id(id.0)).await
}

/// A page of orders, newest first.
pub(crate) async fn list(database: &Database, request: ListOrders) -> Result<Page<Order>, OrdersError> {
    let mut select = order::Entity::find().order_by_desc(order::Column::Id).limit(request.page.limit.probe());
    let only = match request.viewer {
        Viewer::Buyer(user) => Some(user),
        Viewer::Staff(_) => request.user_id,
    };
    if let Some(user) = only {
        select = select.filter(order::Column::UserId.eq(user.0));
    }
    if let Some(status) = request.status {
        select = select.filter(order::Column::Status.eq(status.name()));
    }
    if let Some(cursor) = &request.page.cursor {
        let last: OrderId = cursor.key().map_err(|_| OrdersError::InvalidCursor)?;
        select = select.filter(order::Column::Id.lt(last.0));
    }
    let rows = database.reader().all(select).await?;
    let orders = rows.into_iter().map(order).collect::<Result<Vec<_>, _>>()?;
    Ok(Page::cut(orders, request.page.limit, |order| order.id))
}

/// Notes something for the timeline.
pub(crate) fn note(tx: &Tx<'_>, order: OrderId, kind: &str, detail: &str, actor: &str) {
    tx.insert_later(order_event::ActiveModel {
        id: Set(tx.id()),
        order_id: Set(order.0),
        kind: Set(kind.to_owned()),
        detail: Set(detail.to_owned()),
        actor: Set(actor.to_owned()),
        at: Set(tx.now().micros()),
    });
}

/// The refusal to do something that the order's status does not allow.
pub(crate) fn not_allowed(status: OrderStatus) -> OrdersError {
    let allowed = status.next_actions().iter().map(|action| (*action).to_owned()).collect();
    OrdersError::InvalidTransition { status, allowed }
}

fn json<T: serde::Serialize>(value: &T) -> Result<String, BusError> {
    serde_json::to_string(value).map_err(|error| BusError::failed(&error))
}
