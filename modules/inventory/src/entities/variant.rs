//! A variant with its price and its stock.

use sea_orm::entity::prelude::*;

#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "variant")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub sku: String,
    pub product_id: Uuid,
    /// Where it stands among the product's variants.
    pub place: i64,
    /// `None` where it is called as its product.
    pub title: Option<String>,
    pub price: i64,
    pub currency: String,
    pub on_hand: i64,
    pub reserved: i64,
    /// One more with every change of the two before.
    pub version: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
