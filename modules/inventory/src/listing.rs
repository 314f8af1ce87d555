//! Lists of products: by keyset, filtered by words, never counted. The number of statements does not depend on
//! the size of the page (F17): one for each word of a search, one for the products, one for all their variants.

use crate::{
    products,
    store::{Read, Values},
    words,
};
use bus::BusError;
use inventory_ports::{InventoryError, ListProducts, Product, ProductSort};
use kernel::{Cursor, Page};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A word in more products than this is common: it is looked up product by product, in the list's order.
/// A rarer one leads to its products, which are then sorted.
const COMMON: u32 = 1000;

/// Where a page stopped. Names its order, so that a cursor of another list is recognised.
#[derive(Clone, Serialize, Deserialize)]
#[serde(tag = "sort", content = "after")]
enum Place {
    #[serde(rename = "created_at")]
    Oldest(i64, Uuid),
    #[serde(rename = "-created_at")]
    Newest(i64, Uuid),
    #[serde(rename = "title")]
    Title(String, Uuid),
    #[serde(rename = "-title")]
    TitleDescending(String, Uuid),
}

impl Place {
    fn of(sort: ProductSort, created_at: i64, title_key: String, id: Uuid) -> Self {
        match sort {
            ProductSort::Oldest => Self::Oldest(created_at, id),
            ProductSort::Newest => Self::Newest(created_at, id),
            ProductSort::Title => Self::Title(title_key, id),
            ProductSort::TitleDescending => Self::TitleDescending(title_key, id),
        }
    }
}

/// The column that a list is sorted by, and the words that make it go backwards.
fn order(sort: ProductSort) -> (&'static str, bool) {
    match sort {
        ProductSort::Oldest => ("p.created_at", false),
        ProductSort::Newest => ("p.created_at", true),
        ProductSort::Title => ("p.title_key", false),
        ProductSort::TitleDescending => ("p.title_key", true),
    }
}

/// The condition that a row comes after the cursor.
fn after(cursor: &Cursor, sort: ProductSort, values: &mut Values) -> Result<String, InventoryError> {
    let place = cursor.key::<Place>().map_err(|_| InventoryError::InvalidCursor)?;
    let (key, id) = match (sort, place) {
        (ProductSort::Oldest, Place::Oldest(at, id)) | (ProductSort::Newest, Place::Newest(at, id)) => {
            (values.bind(at), id)
        }
        (ProductSort::Title, Place::Title(title, id))
        | (ProductSort::TitleDescending, Place::TitleDescending(title, id)) => (values.bind(title), id),
        _ => return Err(InventoryError::InvalidCursor),
    };
    let (column, backwards) = order(sort);
    let beyond = if backwards { "<" } else { ">" };
    Ok(format!("({column}, p.id) {beyond} ({key}, {})", values.bind(id)))
}

/// A page of products.
pub(crate) async fn products(
    read: &impl Read,
    request: &ListProducts,
) -> Result<Page<Product>, InventoryError> {
    let sort = request.sort;
    let (column, backwards) = order(sort);
    let mut values = Values::default();
    let mut conditions = Vec::new();
    if let Some(status) = request.status {
        conditions.push(format!("p.status = {}", values.bind(status.as_str())));
    }
    if let Some(cursor) = &request.page.cursor {
        conditions.push(after(cursor, sort, &mut values)?);
    }
    let mut driver = String::new();
    match words::of_query(request.q.as_deref())? {
        Some(words) if words.is_empty() => return Ok(Page { data: Vec::new(), next_cursor: None }),
        Some(words) => driver = search(read, words, &mut conditions, &mut values).await?,
        None => {}
    }
    let filter =
        if conditions.is_empty() { String::new() } else { format!(" WHERE {}", conditions.join(" AND ")) };
    let direction = if backwards { " DESC" } else { "" };
    let limit = values.bind(i64::try_from(request.page.limit.probe()).unwrap_or(i64::MAX));
    let sql = format!(
        "SELECT {} FROM {driver}product p{filter} ORDER BY {column}{direction}, p.id{direction} LIMIT {limit}",
        products::COLUMNS
    );
    let mut found = Vec::new();
    for row in read.select(&sql, values.into_vec()).await? {
        let product = products::without_variants(&row)?;
        let place = Place::of(sort, row.get("created_at")?, row.get("title_key")?, product.id.0);
        found.push((place, product));
    }
    let page = Page::cut(found, request.page.limit, |(place, _)| place.clone());
    let mut page = page.map(|(_, product)| product);
    products::add_variants(read, &mut page.data).await?;
    Ok(page)
}

/// Adds the conditions that every word begins a word of the product; gives what the products are led by, if one
/// of the words is rare.
async fn search(
    read: &impl Read,
    words: Vec<String>,
    conditions: &mut Vec<String>,
    values: &mut Values,
) -> Result<String, BusError> {
    let mut driver = String::new();
    for word in words {
        let common = !driver.is_empty() || is_common(read, &word).await?;
        let (from, to) = (values.bind(word.as_str()), values.bind(words::after_prefix(&word)));
        if common {
            // Not EXISTS: PostgreSQL would gather every product of the word first, for a page of twenty.
            conditions.push(format!(
                "(SELECT w.word FROM product_word w WHERE w.product_id = p.id AND w.word >= {from} AND w.word < {to} \
                 LIMIT 1) IS NOT NULL"
            ));
        } else {
            // CROSS JOIN is how SQLite is told which table comes first.
            driver = format!(
                "(SELECT DISTINCT product_id FROM product_word WHERE word >= {from} AND word < {to}) f CROSS JOIN "
            );
            conditions.push("p.id = f.product_id".into());
        }
    }
    Ok(driver)
}

/// Whether more than [`COMMON`] words of products begin so; reads no more of the index than that.
async fn is_common(read: &impl Read, word: &str) -> Result<bool, BusError> {
    let sql =
        format!("SELECT 1 AS one FROM product_word WHERE word >= $1 AND word < $2 LIMIT 1 OFFSET {COMMON}");
    let values = vec![word.into(), words::after_prefix(word).into()];
    Ok(!read.select(&sql, values).await?.is_empty())
}

#[cfg(test)]
mod statements;
