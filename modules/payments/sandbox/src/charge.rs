//! The provider's language: what is asked of it, what came of it, and what its ledger says.

use crate::error::SandboxError;
use kernel::Money;
use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

pub use crate::entities::transactions::{TransactionKind, TransactionStatus};

/// Asks for money to be set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorizeCharge {
    /// Names the request: asked twice, it is carried out once.
    pub idempotency_key: String,
    /// What the money is for, in the caller's words: the order's id.
    pub reference: String,
    /// How much.
    pub amount: Money,
    /// The means of payment; in the sandbox it says how the charge behaves.
    pub token: String,
}

/// Takes authorized money, once per charge, all of it or less.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaptureCharge {
    /// Names the request.
    pub idempotency_key: String,
    /// The charge.
    pub charge: Uuid,
    /// How much.
    pub amount: Money,
}

/// Lets authorized money go. Also calls off a charge that waits for its buyer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VoidCharge {
    /// Names the request.
    pub idempotency_key: String,
    /// The charge.
    pub charge: Uuid,
}

/// Gives captured money back, in parts or whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefundCharge {
    /// Names the request.
    pub idempotency_key: String,
    /// The charge.
    pub charge: Uuid,
    /// How much.
    pub amount: Money,
}

/// What became of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChargeOutcome {
    /// The charge that was asked about.
    pub charge: Uuid,
    /// What was done.
    pub status: ChargeStatus,
}

/// The answer to one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChargeStatus {
    /// The money is set aside.
    Authorized,
    /// The money is taken.
    Captured,
    /// The money was let go.
    Voided,
    /// The money was given back.
    Refunded,
    /// Refused, for good: the same request will never be carried out.
    Declined {
        /// Why, as a stable word.
        code: String,
    },
    /// The buyer has to approve first.
    RequiresAction {
        /// The page to send the buyer to.
        url: String,
    },
}

/// A row of the provider's append-only ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Transaction {
    /// The row's id; the webhook that tells of it is `evt_<id>`.
    pub id: Uuid,
    /// The charge.
    pub charge: Uuid,
    /// The caller's reference: the order's id.
    pub reference: String,
    /// What was asked.
    pub kind: TransactionKind,
    /// How much of it.
    pub amount: Money,
    /// What came of it.
    pub status: TransactionStatus,
    /// Microseconds since the epoch.
    pub at: i64,
}

/// One piece of work for the writer.
#[derive(Debug, Clone)]
pub(crate) enum Task {
    Authorize(AuthorizeCharge),
    Capture(CaptureCharge),
    Void(VoidCharge),
    Refund(RefundCharge),
    /// The buyer's word on the challenge page.
    Answer {
        charge: Uuid,
        approve: bool,
    },
}

impl Task {
    pub(crate) fn key(&self) -> Option<&str> {
        match self {
            Self::Authorize(request) => Some(&request.idempotency_key),
            Self::Capture(request) => Some(&request.idempotency_key),
            Self::Void(request) => Some(&request.idempotency_key),
            Self::Refund(request) => Some(&request.idempotency_key),
            Self::Answer { .. } => None,
        }
    }

    /// The charge that must be read before this can be decided.
    pub(crate) fn charge(&self) -> Option<Uuid> {
        match self {
            Self::Authorize(_) => None,
            Self::Capture(request) => Some(request.charge),
            Self::Void(request) => Some(request.charge),
            Self::Refund(request) => Some(request.charge),
            Self::Answer { charge, .. } => Some(*charge),
        }
    }

    /// The request's parameters in one canonical text, to tell a repeated request from a reused key.
    pub(crate) fn fingerprint(&self) -> String {
        match self {
            Self::Authorize(r) => {
                json!(["authorize", r.reference, r.amount.amount, r.amount.currency.code(), r.token])
            }
            Self::Capture(r) => json!(["capture", r.charge, r.amount.amount, r.amount.currency.code()]),
            Self::Void(r) => json!(["void", r.charge]),
            Self::Refund(r) => json!(["refund", r.charge, r.amount.amount, r.amount.currency.code()]),
            Self::Answer { charge, approve } => json!(["answer", charge, approve]),
        }
        .to_string()
    }

    pub(crate) fn validate(&self) -> Result<(), SandboxError> {
        let word = |text: &str| (1..=255).contains(&text.len()) && !text.chars().any(char::is_control);
        if !self.key().is_none_or(word) {
            return Err(SandboxError::InvalidRequest("an idempotency key has 1 to 255 printable characters"));
        }
        match self {
            Self::Authorize(r) if !word(&r.reference) || !word(&r.token) => Err(
                SandboxError::InvalidRequest("a reference and a token have 1 to 255 printable characters"),
            ),
            _ => Ok(()),
        }
    }
}
