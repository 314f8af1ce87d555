//! When a charge refuses what is asked of it, and what an outcome is called.

use crate::{
    charge::{ChargeOutcome, ChargeStatus},
    entities::{
        charges::{self, ChargeState},
        operations::{self, Outcome},
    },
    token::Token,
};
use uuid::Uuid;

pub(crate) fn capture_refusal(
    row: &charges::Model,
    token: Token<'_>,
    amount: i64,
    currency: &str,
) -> Option<&'static str> {
    match row.status {
        ChargeState::Captured => Some("already_captured"),
        ChargeState::Voided => Some("already_voided"),
        ChargeState::RequiresAction | ChargeState::Declined => Some("not_authorized"),
        ChargeState::Authorized if currency != row.currency => Some("currency_mismatch"),
        ChargeState::Authorized if amount <= 0 => Some("invalid_amount"),
        ChargeState::Authorized if amount > row.authorized => Some("amount_exceeds_authorized"),
        ChargeState::Authorized => (token == Token::CaptureDecline).then_some("capture_declined"),
    }
}

pub(crate) fn refund_refusal(row: &charges::Model, amount: i64, currency: &str) -> Option<&'static str> {
    match row.status {
        ChargeState::Captured if currency != row.currency => Some("currency_mismatch"),
        ChargeState::Captured if amount <= 0 => Some("invalid_amount"),
        ChargeState::Captured => (amount > row.captured - row.refunded).then_some("amount_exceeds_captured"),
        _ => Some("not_captured"),
    }
}

pub(crate) fn void_refusal(row: &charges::Model) -> Option<&'static str> {
    match row.status {
        ChargeState::Authorized | ChargeState::RequiresAction => None,
        ChargeState::Captured => Some("already_captured"),
        ChargeState::Voided => Some("already_voided"),
        ChargeState::Declined => Some("not_authorized"),
    }
}

/// What a stored row says to whoever asks again.
pub(crate) fn outcome(row: &operations::Model, public_url: &str) -> ChargeOutcome {
    ChargeOutcome { charge: row.charge, status: status(row.outcome, &row.code, row.charge, public_url) }
}

pub(crate) fn status(outcome: Outcome, code: &str, charge: Uuid, public_url: &str) -> ChargeStatus {
    match outcome {
        Outcome::Authorized => ChargeStatus::Authorized,
        Outcome::Captured => ChargeStatus::Captured,
        Outcome::Voided => ChargeStatus::Voided,
        Outcome::Refunded => ChargeStatus::Refunded,
        Outcome::Declined => ChargeStatus::Declined { code: code.to_owned() },
        Outcome::RequiresAction => ChargeStatus::RequiresAction {
            url: format!("{}/sandbox/challenges/{charge}", public_url.trim_end_matches('/')),
        },
    }
}
