//! What the shop tells its customers: one notification for each occurrence, however often its event is repeated.
//!
//! An event becomes a row under a unique occurrence, in the transaction that marks the event as handled. With the
//! `log` channel the row is the delivery, so it is written as sent: one insert per order and nothing after it. With
//! `smtp` it waits for the sender, which claims, sends and marks in batches. A crash between sending and marking
//! sends again, under the same Message-ID, which is what lets the receiving side tell (K-N1); the row stays one.
#![warn(missing_docs)]

mod address;
mod entities;
mod integrity;
mod journal;
mod occasion;
mod port;
mod post;
mod sender;
mod service;
mod settings;
mod smtp;
mod store;
mod subscriptions;
mod templates;

pub use service::{Service, StartError};
pub use settings::{Secret, Settings, SmtpSettings, TlsMode};

/// The module's name.
pub const NAME: &str = "notifications";
