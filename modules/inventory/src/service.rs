//! The port's methods: each validates its request and hands it to where it belongs.

use crate::{
    Settings, catalogue, expiry, integrity, listing, products,
    reservations::{self, Hold},
    rows, stock,
    store::Values,
    subscriptions::ShipStock,
    valid,
};
use async_trait::async_trait;
use bus::BusError;
use bus_durable::{Batched, Database, Reader, Subscribers};
use futures::future::join_all;
use inventory_ports::{
    AdjustStock, AdjustedStock, ArchiveProduct, CheckInventory, CreateProduct, GetProduct, GetStock,
    InventoryError, InventoryPort, ListMovements, ListProducts, Movement, OrderMovements, Product,
    ProductStatus, Quote, QuotedItem, ReleaseStock, ReleasedStock, RepairInventory, RepairedInventory,
    Reservation, ReserveStock, SHIP_STOCK, Stock, UpdateProduct,
};
use kernel::{IntegrityCheck, Page, Sku};
use sea_orm::Value;
use std::{collections::BTreeMap, sync::Arc};
use tokio::{sync::watch, task::JoinHandle};

/// Inventory, on its database.
#[derive(Debug)]
pub struct Service {
    database: Database,
    settings: Settings,
    quotes: Batched<Sku, QuotedItem>,
    /// By the request as JSON.
    lists: Batched<String, Result<Page<Product>, InventoryError>>,
}

impl Service {
    /// Inventory on a database that is migrated.
    ///
    /// # Errors
    /// None yet; a module may refuse to start.
    pub async fn start(database: Database, settings: Settings) -> Result<Arc<Self>, BusError> {
        let reader = database.reader().clone();
        let quotes = Batched::new(move |skus| Box::pin(quotes(reader.clone(), skus)));
        let reader = database.reader().clone();
        let lists = Batched::new(move |requests| Box::pin(lists(reader.clone(), requests)));
        Ok(Arc::new(Self { database, settings, quotes, lists }))
    }

    /// What handles inventory's subscriptions.
    #[must_use]
    pub fn subscribers(self: &Arc<Self>) -> Subscribers {
        Subscribers::default().with(SHIP_STOCK, ShipStock)
    }

    /// The work that nobody asks for: reservations expire. Ends when told; safe in several processes at once.
    #[must_use]
    pub fn workers(self: &Arc<Self>, stop: watch::Receiver<bool>) -> Vec<JoinHandle<()>> {
        vec![bus::spawn(expiry::run(self.database.clone(), self.settings.sweep_every, stop))]
    }
}

/// What can be bought of these, at what price.
async fn quotes(reader: Reader, skus: Vec<Sku>) -> Result<BTreeMap<Sku, QuotedItem>, BusError> {
    let mut values = Values::default();
    let skus: Vec<&str> = skus.iter().map(Sku::as_str).collect();
    let sql = format!(
        "SELECT v.sku, v.title, p.title AS product, v.price, v.currency, v.on_hand - v.reserved AS available \
         FROM variant v JOIN product p ON p.id = v.product_id WHERE v.sku IN ({}) AND p.status = 'active'",
        values.list(&skus)
    );
    let mut found = BTreeMap::new();
    for row in reader.rows(&sql, values.into_vec()).await? {
        let (sku, product) = (rows::sku(&row)?, row.get::<String>("product")?);
        let title = match row.get::<Option<String>>("title")? {
            Some(own) if own != product => format!("{product} \u{2013} {own}"),
            _ => product,
        };
        let (price, available) = (rows::price(&row)?, row.get("available")?);
        found.insert(sku.clone(), QuotedItem { sku, title, price, available });
    }
    Ok(found)
}

/// Pages that were asked for at the same time, each once, however many ask for it.
async fn lists(
    reader: Reader,
    requests: Vec<String>,
) -> Result<BTreeMap<String, Result<Page<Product>, InventoryError>>, BusError> {
    let reader = &reader;
    let pages = requests.into_iter().map(|key| async move {
        let page = match serde_json::from_str(&key) {
            Ok(request) => listing::products(reader, &request).await,
            Err(error) => Err(BusError::failed(&error).into()),
        };
        (key, page)
    });
    Ok(join_all(pages).await.into_iter().collect())
}

fn sku_locks<'a>(skus: impl IntoIterator<Item = &'a Sku>) -> Vec<String> {
    skus.into_iter().map(|sku| format!("sku:{sku}")).collect()
}

#[async_trait]
impl InventoryPort for Service {
    async fn quote(&self, request: Quote) -> Result<Vec<QuotedItem>, InventoryError> {
        valid::quote(&request)?;
        let mut found: BTreeMap<Sku, (QuotedItem, bool)> = BTreeMap::new();
        for (sku, item) in self.quotes.get_all(&request.skus).await? {
            found.insert(sku, (item, false));
        }
        let (mut items, mut unknown) = (Vec::new(), Vec::new());
        for sku in request.skus {
            match found.get_mut(&sku) {
                Some((_, true)) => {}
                Some((item, given)) => {
                    *given = true;
                    items.push(item.clone());
                }
                None => unknown.push(sku),
            }
        }
        if unknown.is_empty() { Ok(items) } else { Err(InventoryError::UnknownSkus { skus: unknown }) }
    }

    async fn reserve(&self, request: ReserveStock) -> Result<Reservation, InventoryError> {
        let lines = valid::summed(&request.lines)?;
        let locks = reservations::locks(request.order_id, &lines);
        let hold = Hold { order_id: request.order_id, lines, ttl: self.settings.reservation_ttl };
        let unit =
            self.database.write_locking(locks, hold, |hold, tx| Box::pin(reservations::hold(hold, tx)));
        unit.await
    }

    async fn release(&self, request: ReleaseStock) -> Result<ReleasedStock, InventoryError> {
        // A look ahead tells which SKUs to lock; what counts is read again under the locks.
        let sql = "SELECT lines FROM reservation WHERE order_id = $1";
        let row = self.database.reader().row(sql, [Value::from(request.order_id.0)]).await?;
        let lines = row.map_or(Ok(Vec::new()), |row| rows::lines(&row))?;
        let locks = reservations::locks(request.order_id, &lines);
        let unit = self
            .database
            .write_locking(locks, request, |request, tx| Box::pin(reservations::release(request, tx)));
        Ok(unit.await?)
    }

    async fn order_movements(&self, request: OrderMovements) -> Result<Vec<Movement>, InventoryError> {
        Ok(stock::order_movements(self.database.reader(), request.order_id).await?)
    }

    async fn create_product(&self, request: CreateProduct) -> Result<Product, InventoryError> {
        valid::create(&request)?;
        let mut locks = sku_locks(request.variants.iter().map(|variant| &variant.sku));
        locks.push(format!("product:{}", request.product_id));
        let unit =
            self.database.command(locks, request, |request, tx| Box::pin(catalogue::create(request, tx)));
        unit.await
    }

    async fn update_product(&self, request: UpdateProduct) -> Result<Product, InventoryError> {
        valid::update(&request)?;
        let mut locks = sku_locks(request.variants.iter().map(|variant| &variant.sku));
        locks.push(format!("product:{}", request.product_id));
        let unit =
            self.database.command(locks, request, |request, tx| Box::pin(catalogue::update(request, tx)));
        unit.await
    }

    async fn archive_product(&self, request: ArchiveProduct) -> Result<Product, InventoryError> {
        let locks = vec![format!("product:{}", request.product_id)];
        let unit =
            self.database.command(locks, request, |request, tx| Box::pin(catalogue::archive(request, tx)));
        unit.await
    }

    async fn product(&self, request: GetProduct) -> Result<Product, InventoryError> {
        let product = products::find(self.database.reader(), request.product_id).await?;
        if request.active_only && product.status != ProductStatus::Active {
            return Err(InventoryError::ProductNotFound);
        }
        Ok(product)
    }

    async fn products(&self, request: ListProducts) -> Result<Page<Product>, InventoryError> {
        // A search may take its time, and nobody else is to wait for it.
        if request.q.is_some() {
            return listing::products(self.database.reader(), &request).await;
        }
        let key = serde_json::to_string(&request).map_err(|error| BusError::failed(&error))?;
        match self.lists.get(key).await? {
            Some(page) => page,
            None => Err(BusError::failed(&"a page was not read").into()),
        }
    }

    async fn stock(&self, request: GetStock) -> Result<Stock, InventoryError> {
        stock::stock(self.database.reader(), &request.sku).await
    }

    async fn adjust(&self, request: AdjustStock) -> Result<AdjustedStock, InventoryError> {
        valid::adjust(&request)?;
        let locks = sku_locks([&request.sku]);
        let unit = self.database.command(locks, request, |request, tx| Box::pin(stock::adjust(request, tx)));
        unit.await
    }

    async fn movements(&self, request: ListMovements) -> Result<Page<Movement>, InventoryError> {
        stock::movements(self.database.reader(), &request).await
    }

    async fn check(&self, _: CheckInventory) -> Result<Vec<IntegrityCheck>, InventoryError> {
        Ok(integrity::check(&self.database, self.settings.sweep_every).await?)
    }

    async fn repair(&self, _: RepairInventory) -> Result<RepairedInventory, InventoryError> {
        Ok(integrity::repair(&self.database).await?)
    }
}
