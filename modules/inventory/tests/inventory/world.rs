//! A migrated database with inventory on it, and words to say what happens there.

use bus::{Bus, Policies, Sources, Timestamp};
use bus_durable::{Catalogue, Database, DatabaseSettings, Dispatch, DispatchSettings, RetryPolicy};
use bus_testkit::{ManualClock, postgres};
use inventory::{Service, Settings};
use inventory_ports::{
    Actor, CheckInventory, CreateProduct, GetStock, InventoryError, InventoryPort, NewVariant, Product,
    ProductStatus, ReleaseStock, Reservation, ReserveStock, Stock, StockLine,
};
use kernel::{Currency, Money, OrderId, Sku};
use std::{any::Any, sync::Arc, time::Duration};
use uuid::Uuid;

/// Far longer than any state needs to come about.
pub(crate) const SOON: Duration = Duration::from_secs(30);
/// How long reservations hold in these tests.
pub(crate) const TTL: Duration = Duration::from_secs(900);

pub(crate) struct World {
    pub(crate) database: Database,
    pub(crate) service: Arc<Service>,
    pub(crate) clock: ManualClock,
    url: String,
    /// What removes the database.
    _keep: Box<dyn Any + Send>,
}

fn settings() -> Settings {
    Settings { reservation_ttl: TTL, sweep_every: Duration::from_millis(5) }
}

async fn open(url: &str, clock: &ManualClock) -> Database {
    let events = [inventory_ports::EVENTS, orders_ports::EVENTS].concat();
    let subscriptions = inventory_ports::SUBSCRIPTIONS.iter().copied();
    let catalogue = Arc::new(Catalogue::new(events, subscriptions).expect("a catalogue"));
    let sources = Sources::with_clock(Arc::new(clock.clone()));
    let database = Database::open(DatabaseSettings::new("inventory", url), catalogue, sources).await;
    let database = database.expect("opens");
    database.migrate::<migrations::inventory::Migrator>().await.expect("migrates");
    database
}

impl World {
    pub(crate) async fn sqlite() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let url = format!("sqlite://{}", directory.path().join("inventory.db").display());
        Self::at(url, Box::new(directory)).await
    }

    pub(crate) async fn postgres() -> Self {
        let (url, guard) = postgres::fresh_postgres("inventory").await;
        Self::at(url, Box::new(guard)).await
    }

    async fn at(url: String, keep: Box<dyn Any + Send>) -> Self {
        let clock = ManualClock::default();
        let database = open(&url, &clock).await;
        let service = Service::start(database.clone(), settings()).await.expect("starts");
        Self { database, service, clock, url, _keep: keep }
    }

    pub(crate) fn is_postgres(&self) -> bool {
        self.url.starts_with("postgres")
    }

    /// The service as another process sees the same rows; the same one where a file has one process only.
    pub(crate) async fn elsewhere(&self) -> (Database, Arc<Service>) {
        if !self.is_postgres() {
            return (self.database.clone(), Arc::clone(&self.service));
        }
        let database = open(&self.url, &self.clock).await;
        let service = Service::start(database.clone(), settings()).await.expect("starts");
        (database, service)
    }

    /// Starts moving messages. Failed ones are tried again at once, and are soon dead letters.
    pub(crate) fn dispatch(&self) -> Dispatch {
        let retry = RetryPolicy { max_attempts: 2, base: Duration::ZERO, ..RetryPolicy::default() };
        let poll = Duration::from_millis(5);
        let settings = DispatchSettings { retry, poll, ..DispatchSettings::default() };
        Dispatch::start(&self.database, &Bus::new(Policies::default()), self.service.subscribers(), &settings)
    }

    pub(crate) fn id<T: From<Uuid>>(&self) -> T {
        self.database.sources().id()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.database.sources().now()
    }

    /// A product on sale with one variant for each SKU.
    pub(crate) async fn product(&self, title: &str, skus: &[(&str, i64)]) -> Product {
        let variant = |(sku, on_hand): &(&str, i64)| NewVariant {
            sku: sku.parse().expect("a SKU"),
            title: None,
            price: Money::new(1000, Currency::EUR),
            on_hand: *on_hand,
        };
        let create = CreateProduct {
            product_id: self.id(),
            title: title.into(),
            description: String::new(),
            status: ProductStatus::Active,
            variants: skus.iter().map(variant).collect(),
            actor: Actor::System,
        };
        self.service.create_product(create).await.expect("created")
    }

    pub(crate) async fn stock(&self, sku: &str) -> Stock {
        let sku: Sku = sku.parse().expect("a SKU");
        self.service.stock(GetStock { sku }).await.expect("a stock row")
    }

    /// On hand and reserved.
    pub(crate) async fn shelf(&self, sku: &str) -> (i64, i64) {
        let stock = self.stock(sku).await;
        (stock.on_hand, stock.reserved)
    }

    pub(crate) async fn reserve(
        &self,
        order_id: OrderId,
        lines: &[(&str, u32)],
    ) -> Result<Reservation, InventoryError> {
        self.service.reserve(ReserveStock { order_id, lines: to_lines(lines) }).await
    }

    pub(crate) async fn release(&self, order_id: OrderId) {
        let release = ReleaseStock { order_id, reason: "a test".into() };
        self.service.release(release).await.expect("released");
    }

    /// Every invariant holds.
    pub(crate) async fn adds_up(&self) {
        let checks = self.service.check(CheckInventory {}).await.expect("checked");
        assert!(checks.iter().all(|check| check.violations == 0), "{checks:#?}");
    }
}

pub(crate) fn to_lines(lines: &[(&str, u32)]) -> Vec<StockLine> {
    let line =
        |(sku, quantity): &(&str, u32)| StockLine { sku: sku.parse().expect("a SKU"), quantity: *quantity };
    lines.iter().map(line).collect()
}
