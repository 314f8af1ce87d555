//! Users' schema.

mod m0002_users;

crate::migrator!("users_migrations", [m0002_users]);
