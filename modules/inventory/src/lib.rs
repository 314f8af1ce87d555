//! Inventory: products, the stock of their variants, and the reservations held against it.
//!
//! Stock is decided by one conditional UPDATE with a CHECK behind it. The stock on hand is the sum of an
//! append-only ledger, the reserved stock the sum of the reservations that are held.

mod catalogue;
mod entities;
mod expiry;
mod integrity;
mod listing;
mod products;
mod reservations;
mod rows;
mod service;
mod settings;
mod stock;
mod store;
mod subscriptions;
mod valid;
mod words;

pub use service::Service;
pub use settings::Settings;

/// The module's name.
pub const NAME: &str = "inventory";
