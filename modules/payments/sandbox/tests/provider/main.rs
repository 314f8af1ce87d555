//! The provider through its public face, each test on SQLite and on PostgreSQL.

mod caps;
mod idempotency;
mod pages;
mod settings;
mod support;
mod tokens;
mod webhooks;
