//! The resource of an order's payments: for its buyer and for staff.

use crate::{
    Payments,
    body::{Filter, PaymentBody, PaymentPage},
    problem,
};
use actix_web::{get, web};
use bus::{Caller, Role};
use edge::{List, Listing, Path, Problem, Reply, SignedIn};
use kernel::{Page, PaymentId};
use payments_ports::{GetPayment, ListPayments, Payment};
use std::collections::VecDeque;

/// A payment. Its buyer, and staff.
#[utoipa::path(tag = "payments",
    params(("id" = uuid::Uuid, Path)),
    responses(
        (status = 200, body = PaymentBody),
        (status = 401, body = edge::schema::Problem, description = "unauthenticated"),
        (status = 404, body = edge::schema::Problem, description = "not_found")))]
#[get("/api/v1/payments/{id}")]
pub(crate) async fn get(
    SignedIn(caller): SignedIn,
    Path(payment_id): Path<PaymentId>,
    payments: web::Data<Payments>,
) -> Result<Reply, Problem> {
    let payment = payments.port.get_payment(GetPayment { payment_id }).await.map_err(problem)?;
    if !may_see(&caller, &payment) {
        return Err(Problem::not_found());
    }
    let version = payment.version;
    Ok(Reply::ok(&PaymentBody::from(payment)).etag(version))
}

/// The payments for an order, oldest first. Its buyer, and staff.
#[utoipa::path(tag = "payments",
    params(("order_id" = uuid::Uuid, Query), edge::schema::PageParams),
    responses(
        (status = 200, body = PaymentPage),
        (status = 401, body = edge::schema::Problem, description = "unauthenticated"),
        (status = 404, body = edge::schema::Problem, description = "not_found"),
        (status = 422, body = edge::schema::Problem, description = "missing_field, invalid_value, unknown_field")))]
#[get("/api/v1/payments")]
pub(crate) async fn list(
    SignedIn(caller): SignedIn,
    List { filter, page }: List<Filter>,
    payments: web::Data<Payments>,
) -> Result<Reply, Problem> {
    let Filter { order_id } = filter;
    let after: Option<PaymentId> = match page.cursor {
        Some(cursor) => Some(cursor.key().map_err(|_| {
            Problem::invalid("/cursor", "invalid_value", "the cursor is not one that this list handed out")
        })?),
        None => None,
    };
    let found = payments.port.list_payments(ListPayments { order_id }).await.map_err(problem)?;
    // An order has a handful of attempts: the port gives them all, and they are cut here.
    let mut seen: VecDeque<Payment> = found.into_iter().filter(|payment| may_see(&caller, payment)).collect();
    if seen.is_empty() && caller.role < Role::Staff {
        return Err(Problem::not_found());
    }
    while seen.front().is_some_and(|payment| after.is_some_and(|after| payment.id <= after)) {
        seen.pop_front();
    }
    let cut = Page::cut(seen.into(), page.limit, |payment: &Payment| payment.id);
    Ok(Reply::ok(&Listing::from(cut.map(PaymentBody::from))))
}

/// Whoever may not see a payment is told that there is none.
fn may_see(caller: &Caller, payment: &Payment) -> bool {
    caller.role >= Role::Staff || payment.user_id.0 == caller.user
}
