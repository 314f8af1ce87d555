//! What can be asked of payments.

use kernel::{Money, OrderId, PaymentId, RefundId, UserId};
use serde::{Deserialize, Serialize};

/// Asks for a buyer's money to be set aside for an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AuthorizePayment {
    /// Names the attempt: asked twice, it is one charge.
    pub payment_id: PaymentId,
    /// What is paid for. An order has one attempt in flight at a time.
    pub order_id: OrderId,
    /// Who pays.
    pub user_id: UserId,
    /// How much; more than nothing.
    pub amount: Money,
    /// The means of payment: a token that the provider gave out.
    pub token: String,
    /// Whether the caller takes the money as soon as it is set aside. That it will is stored with the outcome, so that
    /// the capture need not be announced in a commit of its own; should the caller not come, it is carried out all the
    /// same, unless the payment is undone.
    #[serde(default)]
    pub capture_next: bool,
}

/// Takes the money that was set aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CapturePayment {
    /// The payment.
    pub payment_id: PaymentId,
}

/// Undoes a payment, whatever became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct VoidPayment {
    /// The payment; it need not be known.
    pub payment_id: PaymentId,
}

/// Gives money back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RefundPayment {
    /// Names the refund: asked twice, the money goes back once.
    pub refund_id: RefundId,
    /// The payment.
    pub payment_id: PaymentId,
    /// How much; more than nothing.
    pub amount: Money,
    /// Why, for people.
    pub reason: String,
}

/// Asks for a payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct GetPayment {
    /// The payment.
    pub payment_id: PaymentId,
}

/// Asks for the payments of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ListPayments {
    /// The order.
    pub order_id: OrderId,
}

/// Asks what happened to the payments of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PaymentHistory {
    /// The order.
    pub order_id: OrderId,
}

/// A webhook as it came in, by the Standard Webhooks specification: three headers and the bytes of the body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReceiveWebhook {
    /// The provider, from the path.
    pub provider: String,
    /// `webhook-id`: the event's id, the same however often it is sent.
    pub id: String,
    /// `webhook-timestamp`: unix seconds, as they were written.
    pub timestamp: String,
    /// `webhook-signature`: one or several signatures, separated by spaces.
    pub signature: String,
    /// The body, to the byte.
    pub body: String,
}

/// Asks how the books stand.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CheckPayments {}
