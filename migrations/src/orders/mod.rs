//! Orders' schema.

mod m0002_orders;

crate::migrator!("orders_migrations", [m0002_orders]);
