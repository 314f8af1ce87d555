//! Inventory's schema.

mod m0002_stock;

crate::migrator!("inventory_migrations", [m0002_stock]);
