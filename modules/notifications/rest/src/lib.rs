//! Notifications over HTTP, for staff; written against the port only.

use actix_web::{HttpRequest, get, post, web};
use bus::{Bus, Timestamp};
use edge::{List, Listing, MaybeJson, Path, Problem, Reply, Staff};
use kernel::{NotificationId, OrderId};
use notifications_ports::{
    Channel, ListNotifications, Notification, NotificationStatus, NotificationsError, NotificationsPort,
    ResendNotification, Template,
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, OpenApi, ToSchema};

/// The routes, answered by whatever serves the port on this bus.
pub fn routes(bus: &Bus) -> impl Fn(&mut web::ServiceConfig) + Clone + Send + 'static {
    let port: Arc<dyn NotificationsPort> = Arc::new(bus.clone());
    move |app| {
        app.app_data(web::Data::new(Arc::clone(&port))).service(list).service(resend);
    }
}

/// The routes' description.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    #[derive(OpenApi)]
    #[openapi(paths(list, resend))]
    struct Document;
    Document::openapi()
}

/// The one place that turns the port's errors into problems.
fn problem(error: NotificationsError) -> Problem {
    match &error {
        NotificationsError::NobodyToTell => Problem::of(&error, "nobody_to_tell"),
        NotificationsError::InvalidCursor => Problem::of(&error, "invalid_cursor"),
        NotificationsError::NotFound | NotificationsError::Unavailable(_) => Problem::from_error(&error),
    }
}

/// One occurrence of a message to a person.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Notification)]
struct NotificationBody {
    #[schema(value_type = uuid::Uuid)]
    id: NotificationId,
    /// `order_confirmation`, `order_cancelled`, `order_expired`, `refund_issued` or `welcome`.
    #[schema(value_type = String, example = "order_confirmation")]
    template: Template,
    /// The address; null where it is not known yet, or the user is gone.
    recipient: Option<String>,
    /// `log` or `smtp`.
    #[schema(value_type = String, example = "smtp")]
    channel: Channel,
    /// `pending`, `sent`, `failed` or `skipped`.
    #[schema(value_type = String, example = "sent")]
    status: NotificationStatus,
    /// How often it was tried to send it.
    attempts: u32,
    #[schema(value_type = Option<uuid::Uuid>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    order_id: Option<OrderId>,
    /// When it came to be.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
}

impl From<Notification> for NotificationBody {
    fn from(known: Notification) -> Self {
        Self {
            id: known.id,
            template: known.template,
            recipient: known.recipient.map(|recipient| recipient.0),
            channel: known.channel,
            status: known.status,
            attempts: known.attempts,
            order_id: known.order_id,
            at: known.at,
        }
    }
}

/// A page of notifications.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes edge::Listing in the document")]
struct NotificationPage {
    data: Vec<NotificationBody>,
    /// What to send as `cursor` for the next page; null on the last.
    next_cursor: Option<String>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// The notifications of one order.
    #[param(value_type = Option<uuid::Uuid>)]
    order_id: Option<OrderId>,
}

/// What was sent, the newest first. Staff.
#[utoipa::path(tag = "notifications",
    params(Filter,
        ("limit" = Option<u16>, Query, description = "1 to 100, 20 unless told"),
        ("cursor" = Option<String>, Query, description = "where the page before stopped")),
    responses(
        (status = 200, body = NotificationPage),
        (status = 401, body = edge::schema::Problem, description = "unauthenticated"),
        (status = 403, body = edge::schema::Problem, description = "forbidden"),
        (status = 422, body = edge::schema::Problem, description = "invalid_cursor, invalid_value, unknown_field")))]
#[get("/api/v1/notifications")]
async fn list(
    _staff: Staff,
    List { filter, page }: List<Filter>,
    port: web::Data<Arc<dyn NotificationsPort>>,
) -> Result<Reply, Problem> {
    let found = port.list(ListNotifications { order_id: filter.order_id, page }).await.map_err(problem)?;
    Ok(Reply::ok(&Listing::from(found.map(NotificationBody::from))))
}

/// A request without members.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

/// Sends a notification again: the same row under the same Message-ID. Staff.
#[utoipa::path(tag = "notifications",
    params(
        ("id" = uuid::Uuid, Path),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes the request safe to repeat")),
    responses(
        (status = 202, body = NotificationBody, description = "it is sent, or will be"),
        (status = 401, body = edge::schema::Problem, description = "unauthenticated"),
        (status = 403, body = edge::schema::Problem, description = "forbidden"),
        (status = 404, body = edge::schema::Problem, description = "not_found"),
        (status = 409, body = edge::schema::Problem, description = "nobody_to_tell: its user is gone")))]
#[post("/api/v1/notifications/{id}/resend")]
async fn resend(
    request: HttpRequest,
    _staff: Staff,
    Path(notification_id): Path<NotificationId>,
    _body: MaybeJson<Nothing>,
    port: web::Data<Arc<dyn NotificationsPort>>,
) -> Result<Reply, Problem> {
    edge::command(&request, async move {
        let again = port.resend(ResendNotification { notification_id }).await.map_err(problem)?;
        Ok(Reply::accepted(&NotificationBody::from(again)))
    })
    .await
}

#[cfg(test)]
mod tests;
