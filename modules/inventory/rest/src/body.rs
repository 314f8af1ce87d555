//! What goes over the wire, field by field as the contract has it.

use bus::Timestamp;
use inventory_ports::{
    Actor, AdjustedStock, Movement, MovementKind, NewVariant, Product, ProductStatus, Stock, Variant,
    VariantChange,
};
use kernel::{Money, MovementId, OrderId, ProductId, Sku};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A product.
#[derive(Serialize, ToSchema)]
#[schema(as = Product)]
pub(crate) struct ProductBody {
    #[schema(value_type = uuid::Uuid)]
    id: ProductId,
    title: String,
    description: String,
    /// `draft`, `active` or `archived`.
    #[schema(value_type = String, example = "active")]
    status: ProductStatus,
    variants: Vec<VariantBody>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    version: i64,
}

/// One form in which a product is sold.
#[derive(Serialize, ToSchema)]
#[schema(as = Variant)]
pub(crate) struct VariantBody {
    #[schema(value_type = String, example = "SHIRT-RED-M")]
    sku: Sku,
    title: String,
    #[schema(value_type = edge::schema::Money)]
    price: Money,
    /// How many can be had: on hand and not reserved.
    available: i64,
}

impl From<Product> for ProductBody {
    fn from(from: Product) -> Self {
        let Product { id, title, description, status, variants, created_at, version } = from;
        let variants = variants
            .into_iter()
            .map(|Variant { sku, title, price, available }| VariantBody { sku, title, price, available })
            .collect();
        Self { id, title, description, status, variants, created_at, version }
    }
}

/// A page of products.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes edge::Listing in the document")]
pub(crate) struct ProductPage {
    data: Vec<ProductBody>,
    /// What to send as `cursor` for the next page; null on the last.
    next_cursor: Option<String>,
}

/// A new product.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewProduct)]
pub(crate) struct NewProductBody {
    /// 1 to 200 characters.
    pub(crate) title: String,
    /// At most 10,000 characters.
    #[serde(default)]
    pub(crate) description: String,
    /// `active` unless told.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "active")]
    pub(crate) status: Option<ProductStatus>,
    /// 1 to 100.
    pub(crate) variants: Vec<NewVariantBody>,
}

/// A form in which a new product is sold.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewVariant)]
pub(crate) struct NewVariantBody {
    #[schema(value_type = String, example = "SHIRT-RED-M", pattern = "^[A-Za-z0-9._-]{1,64}$")]
    sku: Sku,
    /// The product's title unless told.
    #[serde(default)]
    title: Option<String>,
    #[schema(value_type = edge::schema::Money)]
    price: Money,
    /// How many are there to begin with; none unless told.
    #[serde(default)]
    on_hand: Option<i64>,
}

impl From<NewVariantBody> for NewVariant {
    fn from(from: NewVariantBody) -> Self {
        let NewVariantBody { sku, title, price, on_hand } = from;
        Self { sku, title, price, on_hand: on_hand.unwrap_or(0) }
    }
}

/// Changes of a product; what is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ProductChange)]
pub(crate) struct ProductChangeBody {
    #[serde(default)]
    pub(crate) title: Option<String>,
    #[serde(default)]
    pub(crate) description: Option<String>,
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "archived")]
    pub(crate) status: Option<ProductStatus>,
    /// Variants to change or, where the SKU is new, to add. Those left out stay.
    #[serde(default)]
    pub(crate) variants: Option<Vec<VariantChangeBody>>,
}

/// A change of a variant, or a new one.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = VariantChange)]
pub(crate) struct VariantChangeBody {
    #[schema(value_type = String, example = "SHIRT-RED-M")]
    sku: Sku,
    #[serde(default)]
    title: Option<String>,
    /// Required for a new variant.
    #[serde(default)]
    #[schema(value_type = Option<edge::schema::Money>)]
    price: Option<Money>,
    /// For a new variant only: stock is changed by adjustments.
    #[serde(default)]
    on_hand: Option<i64>,
}

impl From<VariantChangeBody> for VariantChange {
    fn from(from: VariantChangeBody) -> Self {
        let VariantChangeBody { sku, title, price, on_hand } = from;
        Self { sku, title, price, on_hand }
    }
}

/// The stock of a SKU.
#[derive(Serialize, ToSchema)]
#[schema(as = Stock)]
pub(crate) struct StockBody {
    #[schema(value_type = String, example = "SHIRT-RED-M")]
    sku: Sku,
    on_hand: i64,
    reserved: i64,
    /// On hand and not reserved.
    available: i64,
    version: i64,
}

impl From<Stock> for StockBody {
    fn from(from: Stock) -> Self {
        let Stock { sku, on_hand, reserved, available, version } = from;
        Self { sku, on_hand, reserved, available, version }
    }
}

/// A correction of the stock on hand.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewAdjustment)]
pub(crate) struct NewAdjustmentBody {
    /// By how much; not zero.
    pub(crate) delta: i64,
    /// 1 to 500 characters.
    pub(crate) reason: String,
}

/// A line of the ledger.
#[derive(Serialize, ToSchema)]
#[schema(as = Movement)]
pub(crate) struct MovementBody {
    #[schema(value_type = uuid::Uuid)]
    id: MovementId,
    /// `initial`, `adjustment`, `sale` or `return`.
    #[schema(value_type = String, example = "sale")]
    kind: MovementKind,
    delta: i64,
    reason: String,
    #[schema(value_type = Option<uuid::Uuid>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    order_id: Option<OrderId>,
    /// A user's id, or `system`.
    #[schema(value_type = String)]
    actor: Actor,
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
}

impl From<Movement> for MovementBody {
    fn from(from: Movement) -> Self {
        let Movement { id, sku: _, kind, delta, reason, order_id, actor, at } = from;
        Self { id, kind, delta, reason, order_id, actor, at }
    }
}

/// A page of a ledger.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes edge::Listing in the document")]
pub(crate) struct MovementPage {
    data: Vec<MovementBody>,
    /// What to send as `cursor` for the next page; null on the last.
    next_cursor: Option<String>,
}

/// An adjustment: its line of the ledger, and the stock after it.
#[derive(Serialize, ToSchema)]
#[schema(as = Adjustment)]
pub(crate) struct AdjustmentBody {
    #[serde(flatten)]
    movement: MovementBody,
    #[serde(flatten)]
    stock: StockBody,
}

impl From<AdjustedStock> for AdjustmentBody {
    fn from(from: AdjustedStock) -> Self {
        Self { movement: from.movement.into(), stock: from.stock.into() }
    }
}
