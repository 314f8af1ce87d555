//! Payments' schema.

mod m0002_payments;

crate::migrator!("payments_migrations", [m0002_payments]);
