//! Payments' schema.

mod m0002_payments;
mod m0005_indexes;

crate::migrator!("payments_migrations", [m0002_payments], [m0005_indexes]);
