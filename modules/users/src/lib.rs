//! Users: who people are, their sessions, the tokens that say so, and what they may do.
//!
//! The module keeps no secret that it could do without: a password is an argon2id hash, a refresh token a
//! SHA-256 digest, and a reply that holds tokens is sealed before it is stored under an idempotency key. The
//! keys that sign access tokens are the exception; they are in the module's own database, whose file or server is
//! therefore as secret as they are.

mod accounts;
mod credentials;
mod entities;
mod first_admin;
mod keys;
mod passwords;
mod profile;
mod sealing;
mod service;
mod sessions;
mod settings;
mod sign_in;
mod throttle;
mod tokens;

pub use first_admin::FirstAdmin;
pub use keys::Rotation;
pub use service::{Service, StartError, Started};
pub use settings::{AdminSettings, Settings};

/// The module's name: of its port, its database and its settings.
pub const NAME: &str = "users";
