//! Inventory's port: what can be asked of it, what it answers, what it subscribes to.
#![warn(missing_docs)]

mod actor;
#[cfg(feature = "contract")]
mod contract;
mod error;
mod integrity;
mod product;
mod reservation;
mod stock;

pub use actor::{Actor, InvalidActor};
#[cfg(feature = "contract")]
pub use contract::contract;
pub use error::{InvalidField, InventoryError, Shortage};
pub use integrity::{CheckInventory, RepairInventory, RepairedInventory, RepairedStock};
pub use product::{
    ArchiveProduct, CreateProduct, GetProduct, ListProducts, NewVariant, Product, ProductSort, ProductStatus,
    UpdateProduct, Variant, VariantChange,
};
pub use reservation::{
    OrderMovements, Quote, QuotedItem, ReleaseStock, ReleasedStock, Reservation, ReservationExpired,
    ReserveStock, StockLine,
};
pub use stock::{AdjustStock, AdjustedStock, GetStock, ListMovements, Movement, MovementKind, Stock};

use bus::{Event as _, OnDeadLetter, Subscription};
use kernel::{IntegrityCheck, Page};

bus::port! {
    /// Products, the stock of their variants, and the reservations held against it.
    "inventory" pub trait InventoryPort {
        #[query]
        /// What these SKUs are called and cost, and how many can be had; in the order of the request.
        async fn quote(&self, request: Quote) -> Result<Vec<QuotedItem>, InventoryError>;
        #[command]
        /// Holds stock for an order, all lines or none. Asking twice for one order holds it once.
        async fn reserve(&self, request: ReserveStock) -> Result<Reservation, InventoryError>;
        #[command]
        /// Undoes whatever was done for an order: what is held is let go, what was shipped goes back to the
        /// shelf, and a reservation that comes later is refused.
        async fn release(&self, request: ReleaseStock) -> Result<ReleasedStock, InventoryError>;
        #[query]
        /// The ledger lines of an order, oldest first.
        async fn order_movements(&self, request: OrderMovements) -> Result<Vec<Movement>, InventoryError>;
        #[command]
        /// Adds a product with its variants and their first stock.
        async fn create_product(&self, request: CreateProduct) -> Result<Product, InventoryError>;
        #[command]
        /// Changes a product, its variants' titles and prices, and adds variants.
        async fn update_product(&self, request: UpdateProduct) -> Result<Product, InventoryError>;
        #[command]
        /// Takes a product off sale for good; its past stays.
        async fn archive_product(&self, request: ArchiveProduct) -> Result<Product, InventoryError>;
        #[query]
        /// One product.
        async fn product(&self, request: GetProduct) -> Result<Product, InventoryError>;
        #[query]
        /// A page of products.
        async fn products(&self, request: ListProducts) -> Result<Page<Product>, InventoryError>;
        #[query]
        /// The stock of one SKU.
        async fn stock(&self, request: GetStock) -> Result<Stock, InventoryError>;
        #[command]
        /// Corrects the stock on hand by hand.
        async fn adjust(&self, request: AdjustStock) -> Result<AdjustedStock, InventoryError>;
        #[query]
        /// A page of a SKU's ledger, oldest first.
        async fn movements(&self, request: ListMovements) -> Result<Page<Movement>, InventoryError>;
        #[query]
        /// Every invariant with its violations, each confirmed by a second look.
        async fn check(&self, request: CheckInventory) -> Result<Vec<IntegrityCheck>, InventoryError>;
        #[command]
        /// Puts right what can be derived: the stock on hand from the ledger, the reserved stock from the
        /// reservations.
        async fn repair(&self, request: RepairInventory) -> Result<RepairedInventory, InventoryError>;
    }
}

/// The events that inventory publishes.
pub const EVENTS: &[&str] = &[ReservationExpired::NAME];

/// Stock leaves the shelf when an order is placed.
pub const SHIP_STOCK: Subscription = Subscription {
    id: "inventory.ship_stock",
    module: "inventory",
    event: "orders.order_placed.v1",
    on_dead_letter: OnDeadLetter::Block,
};

/// What inventory subscribes to.
pub const SUBSCRIPTIONS: &[Subscription] = &[SHIP_STOCK];
