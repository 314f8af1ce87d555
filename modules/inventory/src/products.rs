//! Reading products with their variants: two statements, however many they are.

use crate::{
    rows,
    store::{Read, Values},
};
use bus::{BusError, Timestamp};
use bus_durable::Row;
use inventory_ports::{InventoryError, Product, Variant};
use kernel::ProductId;
use sea_orm::Value;
use std::collections::BTreeMap;
use uuid::Uuid;

/// The columns that [`without_variants`] reads.
pub(crate) const COLUMNS: &str =
    "p.id, p.title, p.title_key, p.description, p.status, p.created_at, p.version";

pub(crate) fn without_variants(row: &Row) -> Result<Product, BusError> {
    Ok(Product {
        id: ProductId(row.get("id")?),
        title: row.get("title")?,
        description: row.get("description")?,
        status: rows::status(row)?,
        variants: Vec::new(),
        created_at: Timestamp::from_micros(row.get("created_at")?),
        version: row.get("version")?,
    })
}

/// Gives products their variants: one statement for all of them.
pub(crate) async fn add_variants<'a>(
    read: &impl Read,
    products: impl IntoIterator<Item = &'a mut Product> + Send,
) -> Result<(), BusError> {
    let mut products: BTreeMap<Uuid, &mut Product> =
        products.into_iter().map(|product| (product.id.0, product)).collect();
    if products.is_empty() {
        return Ok(());
    }
    let mut values = Values::default();
    let ids: Vec<Uuid> = products.keys().copied().collect();
    let sql = format!(
        "SELECT product_id, sku, title, price, currency, on_hand - reserved AS available \
         FROM variant WHERE product_id IN ({}) ORDER BY product_id, place",
        values.list(&ids)
    );
    for row in read.select(&sql, values.into_vec()).await? {
        if let Some(product) = products.get_mut(&row.get::<Uuid>("product_id")?) {
            let title = row.get::<Option<String>>("title")?;
            let variant = Variant {
                sku: rows::sku(&row)?,
                title: title.unwrap_or_else(|| product.title.clone()),
                price: rows::price(&row)?,
                available: row.get("available")?,
            };
            product.variants.push(variant);
        }
    }
    Ok(())
}

/// One product, if there is one.
pub(crate) async fn find(read: &impl Read, id: ProductId) -> Result<Product, InventoryError> {
    let sql = format!("SELECT {COLUMNS} FROM product p WHERE p.id = $1");
    let found = read.select(&sql, vec![Value::from(id.0)]).await?;
    let row = found.first().ok_or(InventoryError::ProductNotFound)?;
    let mut product = without_variants(row)?;
    add_variants(read, [&mut product]).await?;
    Ok(product)
}
