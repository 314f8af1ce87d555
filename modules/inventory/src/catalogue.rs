//! Changes of the catalogue: products are added, changed and archived, never removed.

use crate::{
    entities::{movement, product, product_word, variant},
    products, rows,
    store::{Read, Values},
    valid, words,
};
use bus::{BusError, Timestamp};
use bus_durable::Tx;
use inventory_ports::{
    Actor, ArchiveProduct, CreateProduct, InventoryError, MovementKind, Product, ProductStatus,
    UpdateProduct, Variant, VariantChange,
};
use kernel::{Money, ProductId, Sku};
use sea_orm::{ActiveValue::Set, Value};
use std::collections::{BTreeMap, BTreeSet};

/// Adds a product; answers with the one that is there where the id is not new.
pub(crate) async fn create(request: &CreateProduct, tx: &Tx<'_>) -> Result<Product, InventoryError> {
    match products::find(tx, request.product_id).await {
        Err(InventoryError::ProductNotFound) => {}
        found => return found,
    }
    let skus: Vec<&Sku> = request.variants.iter().map(|variant| &variant.sku).collect();
    refuse_taken(&skus, tx).await?;
    let now = tx.now();
    tx.insert_later(product::ActiveModel {
        id: Set(request.product_id.0),
        title: Set(request.title.clone()),
        title_key: Set(title_key(&request.title)),
        description: Set(request.description.clone()),
        status: Set(request.status.as_str().into()),
        created_at: Set(now.micros()),
        version: Set(1),
    });
    let mut variants = Vec::new();
    for (place, new) in request.variants.iter().enumerate() {
        let row = variant_row(request.product_id, place, &new.sku, &new.title, new.price, new.on_hand);
        tx.insert_later(row);
        first_stock(&new.sku, new.on_hand, request.actor, now, tx);
        let title = new.title.as_ref().unwrap_or(&request.title).clone();
        variants.push(Variant { sku: new.sku.clone(), title, price: new.price, available: new.on_hand });
    }
    for word in words::of_product(&request.title, skus) {
        tx.insert_later(word_row(word, request.product_id));
    }
    Ok(Product {
        id: request.product_id,
        title: request.title.clone(),
        description: request.description.clone(),
        status: request.status,
        variants,
        created_at: now,
        version: 1,
    })
}

/// Changes a product; a change that changes nothing leaves the version as it is.
pub(crate) async fn update(request: &UpdateProduct, tx: &Tx<'_>) -> Result<Product, InventoryError> {
    let old = products::find(tx, request.product_id).await?;
    let wrong = request.expected_version.filter(|version| *version != old.version);
    if wrong.is_some() {
        return Err(InventoryError::VersionMismatch { current: old.version });
    }
    let changes = changes(request, &old, tx).await?;
    let title = request.title.as_ref().unwrap_or(&old.title);
    let description = request.description.as_ref().unwrap_or(&old.description);
    let status = request.status.unwrap_or(old.status);
    let same = *title == old.title && *description == old.description && status == old.status;
    if same && changes.changed.is_empty() && changes.added.is_empty() {
        return Ok(old);
    }
    let sql = "UPDATE product SET title = $1, title_key = $2, description = $3, status = $4, version = version + 1 \
               WHERE id = $5 AND version = $6";
    let values: [Value; 6] = [
        title.as_str().into(),
        title_key(title).into(),
        description.as_str().into(),
        status.as_str().into(),
        old.id.0.into(),
        old.version.into(),
    ];
    if tx.execute(sql, values).await? == 0 {
        // The product is locked and was read: only a writer that takes no lock can have been here.
        return Err(InventoryError::VersionMismatch { current: old.version + 1 });
    }
    for change in &changes.changed {
        change_variant(change, tx).await?;
    }
    let now = tx.now();
    for (place, (new, price)) in (old.variants.len()..).zip(&changes.added) {
        let on_hand = new.on_hand.unwrap_or(0);
        tx.insert(variant_row(old.id, place, &new.sku, &new.title, *price, on_hand)).await?;
        first_stock(&new.sku, on_hand, request.actor, now, tx);
    }
    if *title != old.title || !changes.added.is_empty() {
        let added = changes.added.iter().map(|(new, _)| &new.sku);
        let skus = old.variants.iter().map(|variant| &variant.sku).chain(added);
        replace_words(old.id, words::of_product(title, skus), tx).await?;
    }
    products::find(tx, old.id).await
}

/// Takes a product off sale.
pub(crate) async fn archive(request: &ArchiveProduct, tx: &Tx<'_>) -> Result<Product, InventoryError> {
    let update_to_archived = UpdateProduct {
        product_id: request.product_id,
        expected_version: request.expected_version,
        title: None,
        description: None,
        status: Some(ProductStatus::Archived),
        variants: Vec::new(),
        actor: Actor::System,
    };
    update(&update_to_archived, tx).await
}

/// What a request does to the variants.
struct Changes<'a> {
    changed: Vec<&'a VariantChange>,
    added: Vec<(&'a VariantChange, Money)>,
}

async fn changes<'a>(
    request: &'a UpdateProduct,
    old: &Product,
    tx: &Tx<'_>,
) -> Result<Changes<'a>, InventoryError> {
    let known: BTreeMap<&Sku, &Variant> =
        old.variants.iter().map(|variant| (&variant.sku, variant)).collect();
    let mut faults = valid::Faults::default();
    let mut changes = Changes { changed: Vec::new(), added: Vec::new() };
    for (i, change) in request.variants.iter().enumerate() {
        match (known.get(&change.sku), change.price) {
            (Some(_), _) if change.on_hand.is_some() => {
                faults.add(
                    format!("/variants/{i}/on_hand"),
                    "invalid_value",
                    "stock is changed by adjustments",
                );
            }
            (Some(variant), price) => {
                let price = price.is_some_and(|price| price != variant.price);
                let title = change.title.as_ref().is_some_and(|title| *title != variant.title);
                if price || title {
                    changes.changed.push(change);
                }
            }
            (None, Some(price)) => changes.added.push((change, price)),
            (None, None) => {
                faults.add(format!("/variants/{i}/price"), "missing_field", "a new variant has a price");
            }
        }
    }
    if old.variants.len() + changes.added.len() > valid::MOST_VARIANTS {
        faults.add("/variants", "invalid_value", format!("at most {}", valid::MOST_VARIANTS));
    }
    faults.into_result()?;
    let skus: Vec<&Sku> = changes.added.iter().map(|(change, _)| &change.sku).collect();
    refuse_taken(&skus, tx).await?;
    Ok(changes)
}

async fn refuse_taken(skus: &[&Sku], tx: &Tx<'_>) -> Result<(), InventoryError> {
    if skus.is_empty() {
        return Ok(());
    }
    let mut values = Values::default();
    let texts: Vec<&str> = skus.iter().map(|sku| sku.as_str()).collect();
    let sql = format!("SELECT sku FROM variant WHERE sku IN ({}) ORDER BY sku", values.list(&texts));
    let taken = tx.select(&sql, values.into_vec()).await?;
    let skus: Vec<Sku> = taken.iter().map(rows::sku).collect::<Result<_, _>>()?;
    if skus.is_empty() { Ok(()) } else { Err(InventoryError::SkuTaken { skus }) }
}

async fn change_variant(change: &VariantChange, tx: &Tx<'_>) -> Result<(), BusError> {
    let mut values = Values::default();
    let mut set = Vec::new();
    if let Some(title) = &change.title {
        set.push(format!("title = {}", values.bind(title.as_str())));
    }
    if let Some(price) = change.price {
        set.push(format!("price = {}", values.bind(price.amount)));
        set.push(format!("currency = {}", values.bind(price.currency.code())));
    }
    let sku = values.bind(change.sku.as_str());
    let sql = format!("UPDATE variant SET {} WHERE sku = {sku}", set.join(", "));
    tx.execute(&sql, values.into_vec()).await.map(|_| ())
}

async fn replace_words(id: ProductId, words: BTreeSet<String>, tx: &Tx<'_>) -> Result<(), BusError> {
    tx.execute("DELETE FROM product_word WHERE product_id = $1", [id.0.into()]).await?;
    for word in words {
        // At once: another change of this product in the same group must find them.
        tx.insert(word_row(word, id)).await?;
    }
    Ok(())
}

fn title_key(title: &str) -> String {
    title.trim().to_lowercase()
}

fn word_row(word: String, id: ProductId) -> product_word::ActiveModel {
    product_word::ActiveModel { word: Set(word), product_id: Set(id.0) }
}

fn variant_row(
    product: ProductId,
    place: usize,
    sku: &Sku,
    title: &Option<String>,
    price: Money,
    on_hand: i64,
) -> variant::ActiveModel {
    variant::ActiveModel {
        sku: Set(sku.to_string()),
        product_id: Set(product.0),
        place: Set(i64::try_from(place).unwrap_or(i64::MAX)),
        title: Set(title.clone()),
        price: Set(price.amount),
        currency: Set(price.currency.code().into()),
        on_hand: Set(on_hand),
        reserved: Set(0),
        version: Set(1),
    }
}

/// The ledger begins with what is there to begin with.
fn first_stock(sku: &Sku, on_hand: i64, actor: Actor, now: Timestamp, tx: &Tx<'_>) {
    if on_hand > 0 {
        tx.insert_later(movement::ActiveModel {
            id: Set(tx.id()),
            sku: Set(sku.to_string()),
            kind: Set(MovementKind::Initial.as_str().into()),
            delta: Set(on_hand),
            reason: Set("first stock".into()),
            order_id: Set(None),
            actor: Set(actor.to_string()),
            at: Set(now.micros()),
        });
    }
}
