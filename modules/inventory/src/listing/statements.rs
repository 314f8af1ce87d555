//! F17: the number of statements of a list does not depend on the size of its page.

use super::products;
use crate::{Service, Settings, store::Read};
use async_trait::async_trait;
use bus::{BusError, Sources};
use bus_durable::{Catalogue, Database, DatabaseSettings, Reader, Row};
use inventory_ports::{
    Actor, CreateProduct, InventoryPort as _, ListProducts, NewVariant, ProductSort, ProductStatus,
};
use kernel::{Currency, Money, PageLimit, PageRequest};
use sea_orm::Value;
use std::sync::{Arc, Mutex};

/// Notes every statement.
struct Noting<'a> {
    reader: &'a Reader,
    statements: Mutex<Vec<String>>,
}

#[async_trait]
impl Read for Noting<'_> {
    async fn select(&self, sql: &str, values: Vec<Value>) -> Result<Vec<Row>, BusError> {
        self.statements.lock().expect("no panic holds it").push(sql.to_owned());
        self.reader.select(sql, values).await
    }
}

async fn shop(directory: &tempfile::TempDir, count: usize) -> Database {
    let url = format!("sqlite://{}", directory.path().join("inventory.db").display());
    let catalogue = Catalogue::new([], []).expect("a catalogue");
    let settings = DatabaseSettings::new("inventory", url);
    let database = Database::open(settings, Arc::new(catalogue), Sources::system()).await.expect("opens");
    database.migrate::<migrations::inventory::Migrator>().await.expect("migrates");
    let service = Service::start(database.clone(), Settings::default()).await.expect("starts");
    let create = |i: usize| CreateProduct {
        product_id: database.sources().id(),
        title: format!("Shirt number {i}"),
        description: String::new(),
        status: ProductStatus::Active,
        variants: ["S", "M"].map(|size| variant(i, size)).into(),
        actor: Actor::System,
    };
    let created = (0..count).map(|i| service.create_product(create(i)));
    futures::future::try_join_all(created).await.expect("created");
    database
}

fn variant(i: usize, size: &str) -> NewVariant {
    NewVariant {
        sku: format!("SHIRT-{i}-{size}").parse().expect("a SKU"),
        title: Some(size.into()),
        price: Money::new(1000, Currency::EUR),
        on_hand: 1,
    }
}

/// F17: constant in the page's size, with a search and without; and nothing is counted.
#[tokio::test]
async fn a_list_takes_as_many_statements_for_a_hundred_rows_as_for_one() {
    let directory = tempfile::tempdir().expect("a directory");
    let database = shop(&directory, 120).await;
    for (q, statements) in [(None, 2), (Some("shirt"), 3), (Some("shi num"), 3)] {
        for rows in [1, 20, 100] {
            let noting = Noting { reader: database.reader(), statements: Mutex::default() };
            let limit = PageLimit::try_from(rows).expect("in range");
            let list = ListProducts {
                q: q.map(str::to_owned),
                status: Some(ProductStatus::Active),
                sort: ProductSort::Title,
                page: PageRequest { limit, cursor: None },
            };
            let page = products(&noting, &list).await.expect("a page");
            assert_eq!(page.data.len(), usize::from(rows));
            assert!(page.data.iter().all(|product| product.variants.len() == 2));
            let noted = noting.statements.into_inner().expect("no panic held it");
            assert_eq!(noted.len(), statements, "{q:?}, {rows} rows: {noted:#?}");
            assert!(noted.iter().all(|sql| !sql.contains("COUNT(") && !sql.contains("OFFSET $")));
        }
    }
}
