//! What goes over the wire, field by field as the contract has it.

use edge::FieldError;
use kernel::{Money, OrderId, RefundId, Sku, UserId};
use orders_ports::{
    Order, OrderPaymentStatus, OrderRefund, OrderStatus, RefundScope, RequestedLine, ShippingAddress,
    TimelineEntry,
};
use serde::{Deserialize, Serialize};
use users_ports::User;
use utoipa::ToSchema;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewLine {
    #[schema(value_type = String, example = "MUG-BLUE")]
    sku: Sku,
    /// 1 to 1000.
    #[schema(minimum = 1, maximum = 1000)]
    quantity: u32,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewPayment {
    /// The payment provider's token; never a card number.
    #[schema(example = "tok_ok")]
    token: String,
}

#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Address {
    name: String,
    line1: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    line2: Option<String>,
    city: String,
    postal_code: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    region: Option<String>,
    /// ISO 3166-1 alpha-2.
    #[schema(example = "DE", pattern = "^[A-Z]{2}$")]
    country: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    phone: Option<String>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewOrder {
    /// 1 to 100 lines.
    #[schema(min_items = 1, max_items = 100)]
    lines: Vec<NewLine>,
    payment: NewPayment,
    #[serde(default)]
    shipping_address: Option<Address>,
    #[serde(default)]
    note: Option<String>,
}

/// What is wanted, checked.
pub(crate) struct Wish {
    pub(crate) lines: Vec<RequestedLine>,
    pub(crate) token: String,
    pub(crate) shipping_address: Option<ShippingAddress>,
    pub(crate) note: Option<String>,
}

impl NewOrder {
    pub(crate) fn check(self) -> Result<Wish, Vec<FieldError>> {
        let mut errors = lines_errors(&self.lines, 1);
        if !(1..=200).contains(&self.payment.token.len()) {
            errors.push(FieldError::new(
                "/payment/token",
                "invalid_value",
                "a token has 1 to 200 characters",
            ));
        }
        if self.note.as_ref().is_some_and(|note| note.chars().count() > 1000) {
            errors.push(FieldError::new("/note", "too_long", "a note has at most 1000 characters"));
        }
        if let Some(address) = &self.shipping_address {
            address.check(&mut errors);
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        Ok(Wish {
            lines: requested(self.lines),
            token: self.payment.token,
            shipping_address: self.shipping_address.map(Address::into),
            note: self.note,
        })
    }
}

fn requested(lines: Vec<NewLine>) -> Vec<RequestedLine> {
    lines.into_iter().map(|line| RequestedLine { sku: line.sku, quantity: line.quantity }).collect()
}

fn lines_errors(lines: &[NewLine], least: usize) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if !(least..=100).contains(&lines.len()) {
        errors.push(FieldError::new("/lines", "out_of_range", "there are 1 to 100 lines"));
    }
    for (i, line) in lines.iter().enumerate() {
        if !(1..=1000).contains(&line.quantity) {
            let pointer = format!("/lines/{i}/quantity");
            errors.push(FieldError::new(pointer, "out_of_range", "a quantity is 1 to 1000"));
        }
    }
    errors
}

impl Address {
    fn check(&self, errors: &mut Vec<FieldError>) {
        let fields = [
            ("name", Some(&self.name), true),
            ("line1", Some(&self.line1), true),
            ("line2", self.line2.as_ref(), false),
            ("city", Some(&self.city), true),
            ("postal_code", Some(&self.postal_code), true),
            ("region", self.region.as_ref(), false),
            ("phone", self.phone.as_ref(), false),
        ];
        for (name, value, needed) in fields {
            let length = value.map_or(0, |value| value.trim().chars().count());
            if length > 200 || (needed && length == 0) {
                let pointer = format!("/shipping_address/{name}");
                errors.push(FieldError::new(pointer, "invalid_value", "1 to 200 characters"));
            }
        }
        if self.country.len() != 2 || !self.country.bytes().all(|b| b.is_ascii_uppercase()) {
            let detail = "an ISO 3166-1 alpha-2 code of two capital letters";
            errors.push(FieldError::new("/shipping_address/country", "invalid_value", detail));
        }
    }
}

impl From<Address> for ShippingAddress {
    fn from(from: Address) -> Self {
        let Address { name, line1, line2, city, postal_code, region, country, phone } = from;
        Self { name, line1, line2, city, postal_code, region, country, phone }
    }
}

impl From<ShippingAddress> for Address {
    fn from(from: ShippingAddress) -> Self {
        let ShippingAddress { name, line1, line2, city, postal_code, region, country, phone } = from;
        Self { name, line1, line2, city, postal_code, region, country, phone }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct LineBody {
    #[schema(value_type = String)]
    sku: Sku,
    title: String,
    quantity: u32,
    #[schema(value_type = edge::schema::Money)]
    unit_price: Money,
    #[schema(value_type = edge::schema::Money)]
    total: Money,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct NextAction {
    #[schema(example = "redirect")]
    r#type: &'static str,
    url: String,
}

/// The buyer, where he was asked for.
#[derive(Serialize, ToSchema)]
pub(crate) struct BuyerBody {
    #[schema(value_type = uuid::Uuid)]
    id: UserId,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// Whether users could not be asked.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    unavailable: bool,
}

impl BuyerBody {
    pub(crate) fn known(user: User) -> Self {
        Self { id: user.id, email: Some(user.email.to_string()), name: Some(user.name), unavailable: false }
    }

    pub(crate) fn unavailable(id: UserId) -> Self {
        Self { id, email: None, name: None, unavailable: true }
    }
}

/// An order.
#[derive(Serialize, ToSchema)]
pub(crate) struct OrderBody {
    #[schema(value_type = uuid::Uuid)]
    id: OrderId,
    /// Assigned when the order is placed.
    number: Option<i64>,
    #[schema(value_type = uuid::Uuid)]
    user_id: UserId,
    #[schema(value_type = String, example = "placed")]
    status: OrderStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[schema(value_type = String, example = "paid")]
    payment_status: OrderPaymentStatus,
    lines: Vec<LineBody>,
    #[schema(value_type = edge::schema::Money)]
    total: Money,
    #[schema(value_type = edge::schema::Money)]
    refunded: Money,
    #[serde(skip_serializing_if = "Option::is_none")]
    shipping_address: Option<Address>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_action: Option<NextAction>,
    next_actions: Vec<&'static str>,
    #[schema(value_type = Option<String>, format = DateTime)]
    placed_at: Option<bus::Timestamp>,
    #[schema(value_type = String, format = DateTime)]
    created_at: bus::Timestamp,
    pub(crate) version: i64,
    /// With `?expand=user`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) user: Option<BuyerBody>,
}

impl From<Order> for OrderBody {
    fn from(order: Order) -> Self {
        let next_action = match order.status {
            OrderStatus::RequiresAction => order.action_url.map(|url| NextAction { r#type: "redirect", url }),
            _ => None,
        };
        let line = |line: orders_ports::OrderLine| LineBody {
            sku: line.sku,
            title: line.title,
            quantity: line.quantity,
            unit_price: line.unit_price,
            total: line.total,
        };
        Self {
            id: order.id,
            number: order.number,
            user_id: order.user_id,
            status: order.status,
            reason: order.reason,
            payment_status: order.payment_status,
            lines: order.lines.into_iter().map(line).collect(),
            total: order.total,
            refunded: order.refunded,
            shipping_address: order.shipping_address.map(Address::from),
            note: order.note,
            next_action,
            next_actions: order.status.next_actions().to_vec(),
            placed_at: order.placed_at,
            created_at: order.created_at,
            version: order.version,
            user: None,
        }
    }
}

/// Something that happened to an order.
#[derive(Serialize, ToSchema)]
pub(crate) struct EntryBody {
    #[schema(value_type = String, format = DateTime)]
    at: bus::Timestamp,
    #[schema(example = "payment.captured")]
    kind: String,
    detail: String,
    actor: String,
}

impl From<TimelineEntry> for EntryBody {
    fn from(entry: TimelineEntry) -> Self {
        Self { at: entry.at, kind: entry.kind, detail: entry.detail, actor: entry.actor }
    }
}

#[derive(Serialize, ToSchema)]
pub(crate) struct TimelineBody {
    pub(crate) data: Vec<EntryBody>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewRefund {
    /// How much; without it and without lines, all that is left.
    #[serde(default)]
    #[schema(value_type = Option<edge::schema::Money>)]
    amount: Option<Money>,
    /// Which lines, at the prices that were paid.
    #[serde(default)]
    lines: Option<Vec<NewLine>>,
    pub(crate) reason: String,
}

impl NewRefund {
    pub(crate) fn scope(self) -> Result<(RefundScope, String), Vec<FieldError>> {
        let mut errors = self.lines.as_deref().map_or_else(Vec::new, |lines| lines_errors(lines, 1));
        if !(1..=500).contains(&self.reason.trim().chars().count()) {
            errors.push(FieldError::new("/reason", "invalid_value", "a reason has 1 to 500 characters"));
        }
        if self.amount.is_some_and(|amount| amount.amount <= 0) {
            errors.push(FieldError::new("/amount/amount", "out_of_range", "a refund is more than nothing"));
        }
        if self.amount.is_some() && self.lines.is_some() {
            errors.push(FieldError::new("/lines", "invalid_value", "either an amount or lines"));
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        let scope = match (self.amount, self.lines) {
            (Some(amount), _) => RefundScope::Amount(amount),
            (None, Some(lines)) => RefundScope::Lines(requested(lines)),
            (None, None) => RefundScope::Everything,
        };
        Ok((scope, self.reason))
    }
}

/// Money given back.
#[derive(Serialize, ToSchema)]
pub(crate) struct RefundBody {
    #[schema(value_type = uuid::Uuid)]
    id: RefundId,
    #[schema(value_type = uuid::Uuid)]
    order_id: OrderId,
    #[schema(value_type = edge::schema::Money)]
    amount: Money,
    reason: String,
    #[schema(example = "succeeded")]
    status: String,
    #[schema(value_type = String, format = DateTime)]
    at: bus::Timestamp,
}

impl From<OrderRefund> for RefundBody {
    fn from(refund: OrderRefund) -> Self {
        let OrderRefund { id, order_id, amount, reason, status, at } = refund;
        Self { id, order_id, amount, reason, status, at }
    }
}
