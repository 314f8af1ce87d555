//! Payments: authorize, capture, void and refund at a provider, each at most once, and never a lost answer.
//!
//! What is to be asked is committed before it is asked, under a key that never changes; no answer in time leaves
//! the payment `processing`, and the reconciler settles it by asking. See [`Provider`] for what a provider owes.

mod attempt;
mod authorize;
mod capture;
mod entities;
mod integrity;
mod provider;
mod recent;
mod reconcile;
mod refund_rows;
mod refunds;
mod service;
mod settings;
mod settle;
mod signature;
mod store;
mod undo;
mod webhook_worker;
mod webhooks;

pub use provider::{
    AuthorizeCharge, CaptureCharge, EntryKind, LedgerEntry, Provider, ProviderAnswer, ProviderError,
    ProviderEvent, RefundCharge, Verdict, VoidCharge,
};
pub use service::{Service, StartError};
pub use settings::{Secret, Settings};

/// The module's name, and its port's.
pub const NAME: &str = "payments";
