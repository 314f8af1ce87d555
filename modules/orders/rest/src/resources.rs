//! The handlers.

use crate::{
    Orders,
    body::{BuyerBody, EntryBody, NewOrder, NewRefund, OrderBody, RefundBody, TimelineBody},
    problem::problem,
};
use actix_web::{HttpRequest, get, http::StatusCode, post, web};
use bus::{Caller, Role};
use edge::{IfMatch, Json, List, Listing, MaybeJson, Path, Problem, Query, Reply, SignedIn, Staff};
use kernel::{OrderId, UserId};
use orders_ports::{
    CancelOrder, GetOrder, GetTimeline, ListOrders, Order, OrderStatus, PlaceOrder, RefundOrder, Viewer,
};
use serde::Deserialize;
use std::time::Duration;
use users_ports::GetUser;
use utoipa::{IntoParams, ToSchema};

/// How long an expansion may take: the order itself does not wait for it.
const EXPANSION: Duration = Duration::from_secs(2);

fn viewer(caller: Caller) -> Viewer {
    match caller.role {
        Role::Customer => Viewer::Buyer(UserId(caller.user)),
        Role::Staff | Role::Admin => Viewer::Staff(UserId(caller.user)),
    }
}

/// `201` for an order that is placed, `202` for one that is on its way.
fn placed(order: Order) -> Reply {
    let status = match order.status {
        OrderStatus::Processing | OrderStatus::RequiresAction => StatusCode::ACCEPTED,
        _ => StatusCode::CREATED,
    };
    let (location, version) = (format!("/api/v1/orders/{}", order.id), order.version);
    Reply::json(status, &OrderBody::from(order)).location(location).etag(version)
}

/// Places an order.
#[utoipa::path(tag = "orders", request_body = NewOrder,
    params(
        ("Idempotency-Key" = Option<String>, Header, description = "Makes the request safe to repeat"),
        ("Prefer" = Option<String>, Header, description = "`respond-async` answers 202 at once")),
    responses(
        (status = 201, body = OrderBody, description = "placed"),
        (status = 202, body = OrderBody, description = "processing, or the buyer has to act"),
        (status = 402, body = edge::schema::Problem, description = "payment_declined"),
        (status = 409, body = edge::schema::Problem, description = "insufficient_stock"),
        (status = 422, body = edge::schema::Problem, description = "unknown_sku, mixed_currencies, amount_too_large"),
        (status = 503, body = edge::schema::Problem, description = "dependency_unavailable")))]
#[post("/api/v1/orders")]
pub(crate) async fn place(
    request: HttpRequest,
    SignedIn(caller): SignedIn,
    Json(new): Json<NewOrder>,
    orders: web::Data<Orders>,
) -> Result<Reply, Problem> {
    let wish = new.check().map_err(Problem::invalid_fields)?;
    let respond_async = request
        .headers()
        .get_all("prefer")
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|preference| preference.trim().eq_ignore_ascii_case("respond-async"));
    edge::command(&request, async move {
        let wish = PlaceOrder {
            order_id: orders.sources.id(),
            user_id: UserId(caller.user),
            lines: wish.lines,
            payment_token: wish.token,
            shipping_address: wish.shipping_address,
            note: wish.note,
            respond_async,
        };
        orders.port.place(wish).await.map(placed).map_err(problem)
    })
    .await
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    #[param(value_type = Option<String>)]
    status: Option<OrderStatus>,
    /// Staff only: the orders of one buyer.
    #[param(value_type = Option<uuid::Uuid>)]
    user_id: Option<UserId>,
}

/// The caller's orders, newest first; staff see all.
#[utoipa::path(tag = "orders", params(Filter,
        ("limit" = Option<u16>, Query, description = "1 to 100, 20 unless told"),
        ("cursor" = Option<String>, Query, description = "where the page before stopped")),
    responses((status = 200, body = Vec<OrderBody>, description = "{data, next_cursor}")))]
#[get("/api/v1/orders")]
pub(crate) async fn list(
    SignedIn(caller): SignedIn,
    List { filter, page }: List<Filter>,
    orders: web::Data<Orders>,
) -> Result<Reply, Problem> {
    let Filter { status, user_id } = filter;
    let request = ListOrders { viewer: viewer(caller), user_id, status, page };
    let found = orders.port.list(request).await.map_err(problem)?;
    Ok(Reply::ok(&Listing::from(found.map(OrderBody::from))))
}

#[derive(Deserialize, ToSchema, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Expand {
    User,
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Shown {
    expand: Option<Expand>,
}

/// One order.
#[utoipa::path(tag = "orders", params(("id" = uuid::Uuid, Path), Shown),
    responses((status = 200, body = OrderBody), (status = 404, body = edge::schema::Problem)))]
#[get("/api/v1/orders/{id}")]
pub(crate) async fn get(
    SignedIn(caller): SignedIn,
    Path(order_id): Path<OrderId>,
    Query(shown): Query<Shown>,
    orders: web::Data<Orders>,
) -> Result<Reply, Problem> {
    let order = orders.port.get(GetOrder { order_id, viewer: viewer(caller) }).await.map_err(problem)?;
    let (user_id, version) = (order.user_id, order.version);
    let mut body = OrderBody::from(order);
    if shown.expand == Some(Expand::User) {
        let asked = bus::within(EXPANSION, orders.users.get_user(GetUser { user_id })).await;
        body.user = Some(asked.map_or_else(|_| BuyerBody::unavailable(user_id), BuyerBody::known));
        // The buyer may change while the order does not: such an answer has no tag.
        return Ok(Reply::ok(&body));
    }
    Ok(Reply::ok(&body).etag(version))
}

/// Everything that happened to an order, over all modules, oldest first.
#[utoipa::path(tag = "orders", params(("id" = uuid::Uuid, Path)),
    responses((status = 200, body = TimelineBody), (status = 404, body = edge::schema::Problem)))]
#[get("/api/v1/orders/{id}/timeline")]
pub(crate) async fn timeline(
    SignedIn(caller): SignedIn,
    Path(order_id): Path<OrderId>,
    orders: web::Data<Orders>,
) -> Result<Reply, Problem> {
    let request = GetTimeline { order_id, viewer: viewer(caller) };
    let entries = orders.port.timeline(request).await.map_err(problem)?;
    Ok(Reply::ok(&TimelineBody { data: entries.into_iter().map(EntryBody::from).collect() }))
}

#[derive(Deserialize, Default, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cancel {
    /// Why; `cancelled` unless told.
    #[serde(default)]
    reason: Option<String>,
}

/// Cancels an order: stock back, money voided or refunded.
#[utoipa::path(tag = "orders", params(("id" = uuid::Uuid, Path),
        ("If-Match" = Option<String>, Header, description = "only if this is still its version")),
    request_body = Option<Cancel>,
    responses((status = 200, body = OrderBody), (status = 404, body = edge::schema::Problem),
        (status = 409, body = edge::schema::Problem, description = "invalid_transition"),
        (status = 412, body = edge::schema::Problem, description = "version_mismatch")))]
#[post("/api/v1/orders/{id}/cancel")]
pub(crate) async fn cancel(
    request: HttpRequest,
    SignedIn(caller): SignedIn,
    Path(order_id): Path<OrderId>,
    IfMatch(expected_version): IfMatch,
    MaybeJson(body): MaybeJson<Cancel>,
    orders: web::Data<Orders>,
) -> Result<Reply, Problem> {
    let Cancel { reason } = body.unwrap_or_default();
    let reason = reason.unwrap_or_else(|| "cancelled".to_owned());
    if !(1..=500).contains(&reason.trim().chars().count()) {
        return Err(Problem::invalid("/reason", "invalid_value", "a reason has 1 to 500 characters"));
    }
    edge::command(&request, async move {
        let cancellation_id = orders.sources.id();
        let viewer = viewer(caller);
        let wish = CancelOrder { cancellation_id, order_id, viewer, reason, expected_version };
        let order = orders.port.cancel(wish).await.map_err(problem)?;
        let version = order.version;
        Ok(Reply::ok(&OrderBody::from(order)).etag(version))
    })
    .await
}

/// Gives money back.
#[utoipa::path(tag = "orders", params(("id" = uuid::Uuid, Path)), request_body = NewRefund,
    responses((status = 201, body = RefundBody), (status = 404, body = edge::schema::Problem),
        (status = 409, body = edge::schema::Problem, description = "refund_exceeds_captured")))]
#[post("/api/v1/orders/{id}/refunds")]
pub(crate) async fn refund(
    request: HttpRequest,
    Staff(caller): Staff,
    Path(order_id): Path<OrderId>,
    Json(new): Json<NewRefund>,
    orders: web::Data<Orders>,
) -> Result<Reply, Problem> {
    let (scope, reason) = new.scope().map_err(Problem::invalid_fields)?;
    edge::command(&request, async move {
        let refund_id = orders.sources.id();
        let wish = RefundOrder { refund_id, order_id, scope, reason, actor: UserId(caller.user) };
        let refund = orders.port.refund(wish).await.map_err(problem)?;
        Ok(Reply::created(format!("/api/v1/orders/{order_id}"), &RefundBody::from(refund)))
    })
    .await
}
