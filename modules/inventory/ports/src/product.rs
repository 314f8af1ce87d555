//! Products and their variants.

use crate::Actor;
use bus::Timestamp;
use kernel::{Money, PageRequest, ProductId, Sku};
use serde::{Deserialize, Serialize};

/// Where a product is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ProductStatus {
    /// Not on sale yet.
    Draft,
    /// On sale.
    Active,
    /// On sale no more.
    Archived,
}

impl ProductStatus {
    /// As it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Active => "active",
            Self::Archived => "archived",
        }
    }
}

/// What is sold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Product {
    /// Its id.
    pub id: ProductId,
    /// What it is called.
    pub title: String,
    /// What is to be said of it.
    pub description: String,
    /// Where it is in its life.
    pub status: ProductStatus,
    /// In which forms it is sold, in the order in which they were added.
    pub variants: Vec<Variant>,
    /// Since when it exists.
    pub created_at: Timestamp,
    /// How often it was changed, from 1; stock and reservations do not count.
    pub version: i64,
}

/// One form in which a product is sold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Variant {
    /// Its stock keeping unit.
    pub sku: Sku,
    /// What it is called; the product's title where it has none of its own.
    pub title: String,
    /// What one costs.
    pub price: Money,
    /// How many can be had: on hand and not reserved.
    pub available: i64,
}

/// Adds a product. Repeated under the same id it answers with the product that is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CreateProduct {
    /// The product's id, chosen by the caller: it makes the command safe to repeat.
    pub product_id: ProductId,
    /// What it is called.
    pub title: String,
    /// What is to be said of it.
    pub description: String,
    /// Where it begins its life.
    pub status: ProductStatus,
    /// In which forms it is sold.
    pub variants: Vec<NewVariant>,
    /// Who adds it, for the ledger.
    pub actor: Actor,
}

/// A form in which a product will be sold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NewVariant {
    /// Its stock keeping unit.
    pub sku: Sku,
    /// What it is called, if not as the product.
    pub title: Option<String>,
    /// What one costs.
    pub price: Money,
    /// How many are there to begin with.
    pub on_hand: i64,
}

/// Changes a product; what is `None` stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct UpdateProduct {
    /// Which.
    pub product_id: ProductId,
    /// Refuse unless this is the product's version.
    pub expected_version: Option<i64>,
    /// The new title.
    pub title: Option<String>,
    /// The new description.
    pub description: Option<String>,
    /// The new status.
    pub status: Option<ProductStatus>,
    /// Variants to change or, where the SKU is new, to add. Those not named stay as they are.
    pub variants: Vec<VariantChange>,
    /// Who changes it, for the ledger.
    pub actor: Actor,
}

/// A change of a variant, or a new one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct VariantChange {
    /// Which.
    pub sku: Sku,
    /// The new title.
    pub title: Option<String>,
    /// The new price; a new variant must have one.
    pub price: Option<Money>,
    /// How many are there to begin with: for a new variant only.
    pub on_hand: Option<i64>,
}

/// Takes a product off sale for good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ArchiveProduct {
    /// Which.
    pub product_id: ProductId,
    /// Refuse unless this is the product's version.
    pub expected_version: Option<i64>,
}

/// Asks for one product.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct GetProduct {
    /// Which.
    pub product_id: ProductId,
    /// Whether it must be on sale: the public sees no other.
    pub active_only: bool,
}

/// Asks for a page of products.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ListProducts {
    /// Words; each has to begin a word of the title or of a SKU, whatever its case.
    pub q: Option<String>,
    /// Only those in this status. The public is given active ones.
    pub status: Option<ProductStatus>,
    /// In which order.
    pub sort: ProductSort,
    /// Which page.
    pub page: PageRequest,
}

/// The order of a list of products.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum ProductSort {
    /// Oldest first.
    #[default]
    #[serde(rename = "created_at")]
    Oldest,
    /// Newest first.
    #[serde(rename = "-created_at")]
    Newest,
    /// By title, whatever its case.
    #[serde(rename = "title")]
    Title,
    /// By title, backwards.
    #[serde(rename = "-title")]
    TitleDescending,
}
