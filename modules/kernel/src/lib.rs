//! The words that every module shares: money, ids, pages. No I/O, no clock, no randomness.
#![warn(missing_docs)]

pub mod duration;
mod id;
mod integrity;
mod money;
mod page;
mod sku;

pub use id::*;
pub use integrity::IntegrityCheck;
pub use money::{Currency, InvalidCurrency, Money, MoneyError};
pub use page::{Cursor, InvalidCursor, InvalidLimit, Page, PageLimit, PageRequest};
pub use sku::{InvalidSku, Sku};
