//! The routes against a port that a test holds.

use super::*;
use actix_web::{
    App, HttpMessage as _,
    http::header,
    test::{self, TestRequest},
};
use async_trait::async_trait;
use bus::{BusError, Caller, Direct, Policies, Role, Served, Timestamp};
use kernel::{Currency, IntegrityCheck, Money, OrderId, PaymentId, UserId};
use payments_ports::*;
use serde_json::{Value, json};
use std::sync::Mutex;
use uuid::Uuid;

const ORDER: Uuid = Uuid::from_u128(2);
const BUYER: Uuid = Uuid::from_u128(3);

/// Knows three payments of one order, and one webhook; notes the webhooks.
#[derive(Default)]
struct Few {
    webhooks: Mutex<Vec<ReceiveWebhook>>,
}

fn payment(id: u128) -> Payment {
    let eur = |amount| Money::new(amount, Currency::EUR);
    Payment {
        id: PaymentId(Uuid::from_u128(id)),
        order_id: OrderId(ORDER),
        user_id: UserId(BUYER),
        amount: eur(1999),
        captured: eur(1999),
        refunded: eur(0),
        status: PaymentStatus::Captured,
        decline_code: None,
        action_url: None,
        version: 4,
        created_at: Timestamp::from_micros(1_767_225_600_000_000),
    }
}

fn not_here<T>() -> Result<T, PaymentsError> {
    Err(BusError::UnknownName { name: "not asked by these routes".into() }.into())
}

#[async_trait]
impl PaymentsPort for Few {
    async fn authorize(&self, _: AuthorizePayment) -> Result<Payment, PaymentsError> {
        not_here()
    }
    async fn capture(&self, _: CapturePayment) -> Result<Payment, PaymentsError> {
        not_here()
    }
    async fn void(&self, _: VoidPayment) -> Result<Payment, PaymentsError> {
        not_here()
    }
    async fn refund(&self, _: RefundPayment) -> Result<Refund, PaymentsError> {
        not_here()
    }
    async fn get_payment(&self, request: GetPayment) -> Result<Payment, PaymentsError> {
        if request.payment_id == payment(1).id { Ok(payment(1)) } else { Err(PaymentsError::NotFound) }
    }
    async fn list_payments(&self, request: ListPayments) -> Result<Vec<Payment>, PaymentsError> {
        let known = request.order_id == OrderId(ORDER);
        Ok(if known { (1..=3).map(payment).collect() } else { Vec::new() })
    }
    async fn payment_history(&self, _: PaymentHistory) -> Result<Vec<PaymentEvent>, PaymentsError> {
        not_here()
    }
    async fn receive_webhook(&self, request: ReceiveWebhook) -> Result<WebhookReceipt, PaymentsError> {
        let (provider, signature) = (request.provider.clone(), request.signature.clone());
        let matched = request.id != "evt_stray";
        self.webhooks.lock().expect("no panic").push(request);
        match (provider.as_str(), signature.as_str()) {
            ("sandbox", "good") => Ok(WebhookReceipt { matched }),
            ("sandbox", _) => Err(PaymentsError::InvalidSignature),
            _ => Err(PaymentsError::NotFound),
        }
    }
    async fn check_payments(&self, _: CheckPayments) -> Result<Vec<IntegrityCheck>, PaymentsError> {
        not_here()
    }
}

fn caller(user: Uuid, role: Role) -> Option<Caller> {
    Some(Caller { user, role, session: Uuid::nil() })
}

/// Status, entity tag and body of what is answered.
async fn ask(port: &Arc<Few>, request: TestRequest, by: Option<Caller>) -> (u16, Option<String>, Value) {
    let policies = Policies::default();
    let bus = Bus::new(policies.clone());
    let service: Arc<dyn PaymentsPort> = Arc::clone(port) as _;
    bus.serve(Served::new(service, Arc::new(Direct), &policies));
    let app = test::init_service(App::new().configure(routes(&bus))).await;
    let request = request.to_request();
    if let Some(caller) = by {
        request.extensions_mut().insert(caller);
    }
    let response = test::call_service(&app, request).await;
    let tag = response.headers().get(header::ETAG).map(|tag| tag.to_str().expect("text").to_owned());
    let status = response.status().as_u16();
    let body = test::read_body(response).await;
    (status, tag, serde_json::from_slice(&body).unwrap_or_default())
}

async fn get(path: &str, by: Option<Caller>) -> (u16, Option<String>, Value) {
    ask(&Arc::default(), TestRequest::get().uri(path), by).await
}

/// 5.1: an object that the caller may not see is not there.
#[actix_web::test]
async fn a_payment_is_seen_by_its_buyer_and_by_staff() {
    let (stranger, staff) = (caller(Uuid::from_u128(9), Role::Customer), caller(Uuid::nil(), Role::Staff));
    let buyer = caller(BUYER, Role::Customer);
    let one = format!("/api/v1/payments/{}", payment(1).id);
    let list = format!("/api/v1/payments?order_id={ORDER}");
    for path in [&one, &list] {
        assert_eq!(get(path, None).await.0, 401);
        let (status, _, body) = get(path, stranger).await;
        assert_eq!((status, body["code"].as_str()), (404, Some("not_found")));
        assert_eq!(get(path, buyer).await.0, 200);
        assert_eq!(get(path, staff).await.0, 200);
    }
    let (_, tag, body) = get(&one, buyer).await;
    assert_eq!(tag.as_deref(), Some("\"4\""));
    assert_eq!(body["status"], "captured");
    assert_eq!(body["captured"], json!({"amount": 1999, "currency": "EUR"}));
    assert_eq!(body["created_at"], "2026-01-01T00:00:00Z");
    assert_eq!(get("/api/v1/payments/not-an-id", buyer).await.0, 404);
    assert_eq!(get(&format!("/api/v1/payments/{}", Uuid::from_u128(8)), staff).await.0, 404);
}

#[actix_web::test]
async fn a_list_is_walked_by_its_cursor() {
    let staff = caller(Uuid::nil(), Role::Staff);
    let mut path = format!("/api/v1/payments?order_id={ORDER}&limit=2");
    let (_, _, first) = get(&path, staff).await;
    let ids = |body: &Value| -> Vec<String> {
        let rows = body["data"].as_array().expect("rows").iter();
        rows.map(|row| row["id"].as_str().expect("text").to_owned()).collect()
    };
    assert_eq!(ids(&first), [payment(1).id.to_string(), payment(2).id.to_string()]);
    path += &format!("&cursor={}", first["next_cursor"].as_str().expect("there is more"));
    let (_, _, second) = get(&path, staff).await;
    assert_eq!((ids(&second), &second["next_cursor"]), (vec![payment(3).id.to_string()], &Value::Null));
    let other = format!("/api/v1/payments?order_id={}", Uuid::from_u128(8));
    assert_eq!(get(&other, staff).await.2["data"], json!([]));
    for bad in ["/api/v1/payments", "/api/v1/payments?order_id=x", &format!("{path}&user_id=1")] {
        assert_eq!(get(bad, staff).await.0, 422, "{bad}");
    }
    let foreign = format!("/api/v1/payments?order_id={ORDER}&cursor=%25");
    assert_eq!(get(&foreign, staff).await.0, 422);
}

/// 5.7: the bytes reach the port as they came; what is unsigned or unknown is refused.
#[actix_web::test]
async fn a_webhook_reaches_the_port_to_the_byte() {
    let port = Arc::new(Few::default());
    let post = |provider: &str, id: &'static str, signature: &'static str| {
        TestRequest::post()
            .uri(&format!("/api/v1/webhooks/payments/{provider}"))
            .insert_header(("webhook-id", id))
            .insert_header(("webhook-timestamp", "1614265330"))
            .insert_header(("webhook-signature", signature))
            .set_payload("{ \"a\" : 1 }\n")
    };
    assert_eq!(ask(&port, post("sandbox", "evt_1", "good"), None).await.0, 200);
    let taken = port.webhooks.lock().expect("no panic")[0].clone();
    assert_eq!((taken.body.as_str(), taken.timestamp.as_str()), ("{ \"a\" : 1 }\n", "1614265330"));
    assert_eq!(ask(&port, post("sandbox", "evt_stray", "good"), None).await.0, 202);
    let (status, _, body) = ask(&port, post("sandbox", "evt_1", "bad"), None).await;
    assert_eq!((status, body["code"].as_str()), (401, Some("invalid_signature")));
    assert_eq!(ask(&port, post("nobody", "evt_1", "good"), None).await.0, 404);

    let asked = port.webhooks.lock().expect("no panic").len();
    let unsigned = TestRequest::post().uri("/api/v1/webhooks/payments/sandbox").set_payload("{}");
    assert_eq!(ask(&port, unsigned, None).await.0, 401);
    let twice = post("sandbox", "evt_1", "good").append_header(("webhook-id", "evt_2"));
    assert_eq!(ask(&port, twice, None).await.0, 401);
    assert_eq!(port.webhooks.lock().expect("no panic").len(), asked, "the port is not bothered");
}

#[actix_web::test]
async fn every_route_is_described() {
    let document = serde_json::to_value(openapi()).expect("a document");
    let paths: Vec<&String> = document["paths"].as_object().expect("paths").keys().collect();
    assert_eq!(paths, ["/api/v1/payments", "/api/v1/payments/{id}", "/api/v1/webhooks/payments/{provider}"]);
}
