//! The routes against a port that a test holds.

use super::*;
use actix_web::{
    App, HttpMessage as _,
    http::StatusCode,
    test::{self, TestRequest},
};
use async_trait::async_trait;
use bus::{Caller, Direct, Policies, Role, Served};
use kernel::{IntegrityCheck, Page, UserId};
use notifications_ports::{CheckNotifications, NotificationsOf, Recipient};
use serde_json::{Value, json};
use uuid::Uuid;

/// Knows one notification, of order 2 for user 3.
struct One;

fn one() -> Notification {
    Notification {
        id: NotificationId(Uuid::from_u128(1)),
        template: Template::OrderConfirmation,
        recipient: Some(Recipient("ada@example.test".into())),
        channel: Channel::Smtp,
        status: NotificationStatus::Sent,
        attempts: 1,
        user_id: UserId(Uuid::from_u128(3)),
        order_id: Some(OrderId(Uuid::from_u128(2))),
        message_id: "<1@shop.test>".into(),
        at: Timestamp::from_micros(1_767_225_600_000_000),
    }
}

#[async_trait]
impl NotificationsPort for One {
    async fn list(&self, request: ListNotifications) -> Result<Page<Notification>, NotificationsError> {
        if request.page.cursor.is_some() {
            return Err(NotificationsError::InvalidCursor);
        }
        let data = if request.order_id == one().order_id { vec![one()] } else { Vec::new() };
        Ok(Page { data, next_cursor: None })
    }

    async fn of_order(&self, _: NotificationsOf) -> Result<Vec<Notification>, NotificationsError> {
        Ok(Vec::new())
    }

    async fn resend(&self, request: ResendNotification) -> Result<Notification, NotificationsError> {
        match request.notification_id.0.as_u128() {
            1 => Ok(Notification { attempts: 2, ..one() }),
            2 => Err(NotificationsError::NobodyToTell),
            _ => Err(NotificationsError::NotFound),
        }
    }

    async fn check(&self, _: CheckNotifications) -> Result<Vec<IntegrityCheck>, NotificationsError> {
        Ok(Vec::new())
    }
}

async fn ask(role: Option<Role>, request: TestRequest) -> (StatusCode, Value) {
    let bus = Bus::new(Policies::default());
    let port: Arc<dyn NotificationsPort> = Arc::new(One);
    bus.serve(Served::new(port, Arc::new(Direct), &Policies::default()));
    let app = test::init_service(App::new().configure(routes(&bus))).await;
    let request = request.to_request();
    if let Some(role) = role {
        request.extensions_mut().insert(Caller { user: Uuid::nil(), role, session: Uuid::nil() });
    }
    let response = test::call_service(&app, request).await;
    let status = response.status();
    let body = test::read_body(response).await;
    (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
}

fn get(query: &str) -> TestRequest {
    TestRequest::get().uri(&format!("/api/v1/notifications{query}"))
}

fn resend_of(id: u128) -> TestRequest {
    TestRequest::post().uri(&format!("/api/v1/notifications/{}/resend", Uuid::from_u128(id)))
}

#[actix_web::test]
async fn staff_see_an_orders_notifications_exactly_as_promised() {
    let query = format!("?order_id={}", Uuid::from_u128(2));
    let (status, body) = ask(Some(Role::Staff), get(&query)).await;
    assert_eq!(status, StatusCode::OK);
    let expected = json!({
        "id": Uuid::from_u128(1), "template": "order_confirmation", "recipient": "ada@example.test",
        "channel": "smtp", "status": "sent", "attempts": 1, "order_id": Uuid::from_u128(2),
        "at": "2026-01-01T00:00:00Z",
    });
    assert_eq!(body, json!({ "data": [expected], "next_cursor": null }));
}

/// Section 5.1, API5 and API3: nobody, customers, and what is not asked right.
#[actix_web::test]
async fn everybody_else_and_everything_else_is_refused() {
    for (role, status) in [(None, 401), (Some(Role::Customer), 403)] {
        assert_eq!(ask(role, get("")).await.0.as_u16(), status);
        assert_eq!(ask(role, resend_of(1)).await.0.as_u16(), status);
    }
    let staff = Some(Role::Admin);
    for (request, status, code) in [
        (get("?order_id=1"), 422, "invalid_value"),
        (get("?recipient=a"), 422, "unknown_field"),
        (get("?cursor=x"), 422, "invalid_cursor"),
        (resend_of(9), 404, "not_found"),
        (resend_of(2), 409, "nobody_to_tell"),
        (TestRequest::post().uri("/api/v1/notifications/x/resend"), 404, "not_found"),
        (resend_of(1).set_json(json!({ "to": "evil@example.test" })), 422, "unknown_field"),
    ] {
        let (answered, body) = ask(staff, request).await;
        assert_eq!((answered.as_u16(), body["code"].as_str()), (status, Some(code)), "{body}");
    }
}

#[actix_web::test]
async fn a_notification_is_sent_again() {
    let (status, body) = ask(Some(Role::Staff), resend_of(1)).await;
    assert_eq!((status, body["attempts"].as_u64()), (StatusCode::ACCEPTED, Some(2)));
    assert_eq!(ask(Some(Role::Staff), resend_of(1).set_json(json!({}))).await.0, StatusCode::ACCEPTED);
}

#[test]
fn the_document_knows_both_routes() {
    let document = serde_json::to_value(openapi()).expect("serialises");
    assert!(document["paths"]["/api/v1/notifications"]["get"].is_object());
    assert!(document["paths"]["/api/v1/notifications/{id}/resend"]["post"].is_object());
    let schema = &document["components"]["schemas"]["Notification"]["properties"];
    let mut fields: Vec<&String> = schema.as_object().expect("a schema").keys().collect();
    fields.sort();
    assert_eq!(fields, ["at", "attempts", "channel", "id", "order_id", "recipient", "status", "template"]);
}
