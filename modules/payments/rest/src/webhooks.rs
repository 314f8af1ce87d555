//! The way in for a provider's webhooks: the bytes as they are, since the signature is over them.

use crate::{Payments, body::WebhookBody, problem};
use actix_web::{HttpRequest, post, web};
use edge::{Path, Problem, RawBody, Reply};
use payments_ports::{PaymentsError, ReceiveWebhook};

/// Takes a provider's webhook, signed by the Standard Webhooks specification. Stored once for each event id.
#[utoipa::path(tag = "payments", security(()),
    params(("provider" = String, Path),
        ("webhook-id" = String, Header, description = "the event's id, the same however often it is sent"),
        ("webhook-timestamp" = String, Header, description = "unix seconds"),
        ("webhook-signature" = String, Header, description = "one or several `v1,<base64>`")),
    request_body(content = String, content_type = "application/json"),
    responses(
        (status = 200, body = WebhookBody, description = "stored, now or earlier"),
        (status = 202, body = WebhookBody, description = "stored, and about nothing that is known here"),
        (status = 401, body = edge::schema::Problem, description = "invalid_signature"),
        (status = 404, body = edge::schema::Problem, description = "not_found"),
        (status = 413, body = edge::schema::Problem, description = "body_too_large")))]
#[post("/api/v1/webhooks/payments/{provider}")]
pub(crate) async fn receive(
    request: HttpRequest,
    Path(provider): Path<String>,
    RawBody(body): RawBody,
    payments: web::Data<Payments>,
) -> Result<Reply, Problem> {
    let header = |name: &str| {
        let mut values = request.headers().get_all(name);
        let value = values.next().and_then(|value| value.to_str().ok());
        // Given twice, it cannot be said which one the signature is over.
        value.filter(|_| values.next().is_none()).map(str::to_owned)
    };
    let parts = (header("webhook-id"), header("webhook-timestamp"), header("webhook-signature"));
    let (Some(id), Some(timestamp), Some(signature)) = parts else {
        return Err(problem(PaymentsError::InvalidSignature));
    };
    let Ok(body) = String::from_utf8(body.to_vec()) else {
        return Err(problem(PaymentsError::InvalidSignature));
    };
    let webhook = ReceiveWebhook { provider, id, timestamp, signature, body };
    edge::command(&request, async move {
        let receipt = payments.port.receive_webhook(webhook).await.map_err(problem)?;
        let answer = WebhookBody { matched: receipt.matched };
        Ok(if receipt.matched { Reply::ok(&answer) } else { Reply::accepted(&answer) })
    })
    .await
}
