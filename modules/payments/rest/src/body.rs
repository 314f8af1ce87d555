//! What goes over the wire, field by field.

use bus::Timestamp;
use kernel::{Money, OrderId, PaymentId, UserId};
use payments_ports::{Payment, PaymentStatus};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An attempt to pay for an order.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Payment)]
pub(crate) struct PaymentBody {
    #[schema(value_type = uuid::Uuid)]
    pub(crate) id: PaymentId,
    #[schema(value_type = uuid::Uuid)]
    order_id: OrderId,
    #[schema(value_type = uuid::Uuid)]
    user_id: UserId,
    #[schema(value_type = edge::schema::Money)]
    amount: Money,
    /// What was taken.
    #[schema(value_type = edge::schema::Money)]
    captured: Money,
    /// What went back of it.
    #[schema(value_type = edge::schema::Money)]
    refunded: Money,
    /// `processing`, `requires_action`, `authorized`, `captured`, `partially_refunded`, `refunded`, `voided`,
    /// `declined` or `failed`.
    #[schema(value_type = String, example = "captured")]
    status: PaymentStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    decline_code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_action: Option<PaymentAction>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    version: i64,
}

/// What the buyer has to do.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PaymentAction {
    /// `redirect`: open the page.
    r#type: &'static str,
    url: String,
}

impl From<Payment> for PaymentBody {
    fn from(payment: Payment) -> Self {
        let next_action = payment.action_url.map(|url| PaymentAction { r#type: "redirect", url });
        Self {
            id: payment.id,
            order_id: payment.order_id,
            user_id: payment.user_id,
            amount: payment.amount,
            captured: payment.captured,
            refunded: payment.refunded,
            status: payment.status,
            decline_code: payment.decline_code,
            next_action,
            created_at: payment.created_at,
            version: payment.version,
        }
    }
}

/// A page of payments.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes edge::Listing in the document")]
pub(crate) struct PaymentPage {
    data: Vec<PaymentBody>,
    /// What to send as `cursor` for the next page; null on the last.
    next_cursor: Option<String>,
}

/// Which payments are listed.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Filter {
    pub(crate) order_id: OrderId,
}

/// That a webhook is stored.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WebhookBody {
    /// Whether it is about a payment that is known here.
    pub(crate) matched: bool,
}
