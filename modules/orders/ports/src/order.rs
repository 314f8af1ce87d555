//! An order and its parts.

use bus::Timestamp;
use kernel::{Money, OrderId, PaymentId, RefundId, Sku, UserId};
use serde::{Deserialize, Serialize};

/// Where an order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum OrderStatus {
    /// On its way to being placed.
    Processing,
    /// Waits for its buyer (3-D Secure).
    RequiresAction,
    /// Paid, numbered, stock taken.
    Placed,
    /// Sent.
    Fulfilled,
    /// Refused, with a reason.
    Rejected,
    /// Its buyer did not come back in time.
    Expired,
    /// Taken back.
    Cancelled,
}

impl OrderStatus {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Processing,
        Self::RequiresAction,
        Self::Placed,
        Self::Fulfilled,
        Self::Rejected,
        Self::Expired,
        Self::Cancelled,
    ];

    /// The status's name in the database and in the contract.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Processing => "processing",
            Self::RequiresAction => "requires_action",
            Self::Placed => "placed",
            Self::Fulfilled => "fulfilled",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
        }
    }

    /// The status of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }

    /// What can be done with an order in this status.
    #[must_use]
    pub fn next_actions(self) -> &'static [&'static str] {
        match self {
            Self::RequiresAction => &["pay", "cancel"],
            Self::Placed => &["cancel", "refund"],
            Self::Fulfilled => &["refund"],
            Self::Processing | Self::Rejected | Self::Expired | Self::Cancelled => &[],
        }
    }
}

/// What is known of an order's money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum OrderPaymentStatus {
    /// Nothing is decided.
    Pending,
    /// Held at the provider.
    Authorized,
    /// Taken.
    Paid,
    /// Given back in part.
    PartiallyRefunded,
    /// Given back.
    Refunded,
    /// The hold was given up.
    Voided,
    /// Declined, or never came to be.
    Failed,
}

impl OrderPaymentStatus {
    const ALL: [Self; 7] = [
        Self::Pending,
        Self::Authorized,
        Self::Paid,
        Self::PartiallyRefunded,
        Self::Refunded,
        Self::Voided,
        Self::Failed,
    ];

    /// The status's name in the database and in the contract.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Authorized => "authorized",
            Self::Paid => "paid",
            Self::PartiallyRefunded => "partially_refunded",
            Self::Refunded => "refunded",
            Self::Voided => "voided",
            Self::Failed => "failed",
        }
    }

    /// The status of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }
}

/// A line of an order, at the price that it was bought for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OrderLine {
    /// What.
    pub sku: Sku,
    /// Its title when it was bought.
    pub title: String,
    /// How many.
    pub quantity: u32,
    /// What one costs.
    pub unit_price: Money,
    /// What the line costs.
    pub total: Money,
}

/// Where an order goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ShippingAddress {
    /// Who receives it.
    pub name: String,
    /// Street and number.
    pub line1: String,
    /// More of it.
    pub line2: Option<String>,
    /// Town.
    pub city: String,
    /// Postal code.
    pub postal_code: String,
    /// State or region.
    pub region: Option<String>,
    /// ISO 3166-1 alpha-2.
    pub country: String,
    /// For the carrier.
    pub phone: Option<String>,
}

/// An order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Order {
    /// Its id.
    pub id: OrderId,
    /// Short, unique, gap-free; assigned when it is placed.
    pub number: Option<i64>,
    /// Its buyer.
    pub user_id: UserId,
    /// Where it stands.
    pub status: OrderStatus,
    /// Why it was rejected, expired or cancelled.
    pub reason: Option<String>,
    /// Its payment's id.
    pub payment_id: PaymentId,
    /// What is known of its money.
    pub payment_status: OrderPaymentStatus,
    /// What is bought.
    pub lines: Vec<OrderLine>,
    /// What it costs.
    pub total: Money,
    /// What has been given back.
    pub refunded: Money,
    /// Where it goes.
    pub shipping_address: Option<ShippingAddress>,
    /// What the buyer wrote.
    pub note: Option<String>,
    /// Where the buyer has to go (3-D Secure).
    pub action_url: Option<String>,
    /// When it was placed.
    pub placed_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Ascends with every change.
    pub version: i64,
}

/// Money given back for an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OrderRefund {
    /// Its id.
    pub id: RefundId,
    /// Of which order.
    pub order_id: OrderId,
    /// How much.
    pub amount: Money,
    /// Why.
    pub reason: String,
    /// `succeeded`, or `processing` while the provider's answer is not known.
    pub status: String,
    /// When.
    pub at: Timestamp,
}

/// Something that happened to an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TimelineEntry {
    /// When.
    pub at: Timestamp,
    /// `order.placed`, `saga.reserve`, `payment.captured`, `stock.sale`, `notification.order_confirmation`.
    pub kind: String,
    /// More, in words.
    pub detail: String,
    /// Who: a user's id, or `system`.
    pub actor: String,
}

/// What orders believes of one order's money and stock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Settlement {
    /// Which order.
    pub order_id: OrderId,
    /// Where it stands.
    pub status: OrderStatus,
    /// What is known of its money.
    pub payment_status: OrderPaymentStatus,
    /// Its payment.
    pub payment_id: PaymentId,
    /// What it costs.
    pub total: Money,
    /// What has been given back.
    pub refunded: Money,
    /// Whether a saga works on it now, which explains a difference.
    pub in_progress: bool,
}
