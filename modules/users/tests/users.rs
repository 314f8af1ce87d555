//! Users on SQLite and on PostgreSQL: the contract suite in every placement, and what goes beyond it.

#[path = "users/world.rs"]
#[macro_use]
mod world;
#[path = "users/accounts.rs"]
mod accounts;
#[path = "users/contract.rs"]
mod contract;
#[path = "users/idempotency.rs"]
mod idempotency;
#[path = "users/keys.rs"]
mod keys;
#[path = "users/secrets.rs"]
mod secrets;
#[path = "users/sessions.rs"]
mod sessions;
