//! What payments answers with.

use bus::Timestamp;
use kernel::{Money, OrderId, PaymentId, RefundId, UserId};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// How a payment stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum PaymentStatus {
    /// The provider's answer is not known.
    Processing,
    /// The buyer has to approve at the provider.
    RequiresAction,
    /// The money is set aside.
    Authorized,
    /// The money was taken.
    Captured,
    /// A part of it went back.
    PartiallyRefunded,
    /// All of it went back.
    Refunded,
    /// It was called off before any money was taken.
    Voided,
    /// The provider refused.
    Declined,
    /// The provider never heard of it.
    Failed,
}

/// A text that names no [`PaymentStatus`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a payment's status")]
pub struct UnknownStatus;

impl PaymentStatus {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Processing,
        Self::RequiresAction,
        Self::Authorized,
        Self::Captured,
        Self::PartiallyRefunded,
        Self::Refunded,
        Self::Voided,
        Self::Declined,
        Self::Failed,
    ];

    /// The word for it, as in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Processing => "processing",
            Self::RequiresAction => "requires_action",
            Self::Authorized => "authorized",
            Self::Captured => "captured",
            Self::PartiallyRefunded => "partially_refunded",
            Self::Refunded => "refunded",
            Self::Voided => "voided",
            Self::Declined => "declined",
            Self::Failed => "failed",
        }
    }

    /// Whether money was taken, wherever it is by now.
    #[must_use]
    pub const fn was_captured(self) -> bool {
        matches!(self, Self::Captured | Self::PartiallyRefunded | Self::Refunded)
    }

    /// Whether no money was taken and none will be.
    #[must_use]
    pub const fn came_to_nothing(self) -> bool {
        matches!(self, Self::Voided | Self::Declined | Self::Failed)
    }
}

impl fmt::Display for PaymentStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for PaymentStatus {
    type Err = UnknownStatus;

    fn from_str(text: &str) -> Result<Self, UnknownStatus> {
        Self::ALL.into_iter().find(|status| status.as_str() == text).ok_or(UnknownStatus)
    }
}

/// One attempt to pay for an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Payment {
    /// The attempt.
    pub id: PaymentId,
    /// What is paid for. The nil id where the payment was voided before it was ever asked for.
    pub order_id: OrderId,
    /// Who pays.
    pub user_id: UserId,
    /// What was asked for.
    pub amount: Money,
    /// What was taken.
    pub captured: Money,
    /// What went back of it.
    pub refunded: Money,
    /// How it stands.
    pub status: PaymentStatus,
    /// Why the provider refused, if it did.
    pub decline_code: Option<String>,
    /// Where the buyer has to approve, while that is so.
    pub action_url: Option<String>,
    /// Ascends with every change.
    pub version: i64,
    /// When it was first asked for.
    pub created_at: Timestamp,
}

/// How a refund stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum RefundStatus {
    /// The provider's answer is not known; the amount is held.
    Processing,
    /// The money went back.
    Succeeded,
    /// The provider refused; the amount can be refunded otherwise.
    Failed,
}

impl RefundStatus {
    /// The word for it, as in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Processing => "processing",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
        }
    }
}

/// Money on its way back, or arrived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Refund {
    /// The refund.
    pub id: RefundId,
    /// The payment whose money it is.
    pub payment_id: PaymentId,
    /// The order that was paid for.
    pub order_id: OrderId,
    /// How much.
    pub amount: Money,
    /// How it stands.
    pub status: RefundStatus,
    /// Why, for people.
    pub reason: String,
    /// When it was asked for.
    pub created_at: Timestamp,
}

/// Something that happened to a payment; a row of an append-only table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PaymentEvent {
    /// The payment.
    pub payment_id: PaymentId,
    /// When.
    pub at: Timestamp,
    /// What: `authorized`, `captured`, `voided`, `refunded`, `declined`, `failed`, `processing`,
    /// `requires_action`, `void_requested`, `refund_requested`, `refund_failed`, `capture_declined`,
    /// `late_success`, `attention`.
    pub kind: String,
    /// More about it, for people.
    pub detail: String,
    /// How much money it is about.
    pub amount: Money,
    /// Who made it happen: a user's id, `provider` or `reconciler`.
    pub actor: String,
}

/// That a webhook is stored, now or earlier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WebhookReceipt {
    /// Whether it is about a payment of ours. What is not is kept, and changes nothing.
    pub matched: bool,
}
