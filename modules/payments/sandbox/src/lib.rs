//! The sandbox payment provider: a small payment service with a database of its own that behaves by the token.
//!
//! It stands where a real provider would, so that a shop can be tried out whole, and it is the
//! independent witness of fault tests: its ledger says what really was done, whatever the caller heard.
#![warn(missing_docs)]

mod batch;
mod books;
mod charge;
mod database;
mod delivery;
mod entities;
mod error;
mod migration;
mod pages;
mod rules;
mod service;
mod store;
mod token;
mod webhook;
mod writer;

pub use charge::{
    AuthorizeCharge, CaptureCharge, ChargeOutcome, ChargeStatus, RefundCharge, Transaction, TransactionKind,
    TransactionStatus, VoidCharge,
};
pub use error::SandboxError;
pub use pages::{Page, answer, show};
pub use service::{Sandbox, SandboxSettings, Sources};
pub use webhook::{SignedWebhook, WebhookSink, backoff, sign};
