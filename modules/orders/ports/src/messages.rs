//! What orders can be asked.

use crate::{OrderStatus, ShippingAddress};
use kernel::{Money, OrderId, PageRequest, RefundId, Sku, UserId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Who looks. Another's order is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Viewer {
    /// A buyer, who sees his own orders.
    Buyer(UserId),
    /// Somebody of the shop, who sees all.
    Staff(UserId),
}

impl Viewer {
    /// Who it is.
    #[must_use]
    pub fn user(self) -> UserId {
        match self {
            Self::Buyer(user) | Self::Staff(user) => user,
        }
    }

    /// Whether this viewer may see what belongs to `owner`.
    #[must_use]
    pub fn sees(self, owner: UserId) -> bool {
        match self {
            Self::Buyer(user) => user == owner,
            Self::Staff(_) => true,
        }
    }
}

/// A line that is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RequestedLine {
    /// What.
    pub sku: Sku,
    /// How many: 1 to 1000.
    pub quantity: u32,
}

/// Place an order. The prices are the server's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PlaceOrder {
    /// The order's id, which makes the request safe to repeat.
    pub order_id: OrderId,
    /// The buyer.
    pub user_id: UserId,
    /// 1 to 100 lines.
    pub lines: Vec<RequestedLine>,
    /// The payment provider's token.
    pub payment_token: String,
    /// Where it goes.
    pub shipping_address: Option<ShippingAddress>,
    /// What the buyer wrote.
    pub note: Option<String>,
    /// Answer as soon as the order is stored.
    pub respond_async: bool,
}

/// Get one order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct GetOrder {
    /// Which.
    pub order_id: OrderId,
    /// Who looks.
    pub viewer: Viewer,
}

/// List orders, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ListOrders {
    /// Who looks.
    pub viewer: Viewer,
    /// Only this buyer's.
    pub user_id: Option<UserId>,
    /// Only those in this status.
    pub status: Option<OrderStatus>,
    /// Which page.
    pub page: PageRequest,
}

/// Get all that happened to an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct GetTimeline {
    /// Which order.
    pub order_id: OrderId,
    /// Who looks.
    pub viewer: Viewer,
}

/// Cancel an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CancelOrder {
    /// The cancellation's id, which makes the request safe to repeat; another one finds the order cancelled.
    pub cancellation_id: Uuid,
    /// Which.
    pub order_id: OrderId,
    /// Who wants it.
    pub viewer: Viewer,
    /// Why.
    pub reason: String,
    /// Only if this is still its version.
    pub expected_version: Option<i64>,
}

/// How much is given back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum RefundScope {
    /// All that is left.
    Everything,
    /// This much.
    Amount(Money),
    /// These lines, at the prices that they were bought for.
    Lines(Vec<RequestedLine>),
}

/// Give money back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RefundOrder {
    /// The refund's id, which makes the request safe to repeat.
    pub refund_id: RefundId,
    /// Of which order.
    pub order_id: OrderId,
    /// How much.
    pub scope: RefundScope,
    /// Why.
    pub reason: String,
    /// Who of the shop.
    pub actor: UserId,
}

/// Check orders' own invariants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CheckOrders {}

/// List what orders believes of money and stock, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ListSettlements {
    /// Before this order.
    pub before: Option<OrderId>,
    /// How many at most.
    pub limit: u16,
}
