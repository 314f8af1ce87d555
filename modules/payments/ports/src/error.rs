//! Why payments refuses.

use crate::PaymentStatus;
use bus::{BusError, ErrorKind, PortError};
use kernel::{Money, PaymentId};
use serde::{Deserialize, Serialize};

/// Why a request was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "error", content = "detail", rename_all = "snake_case")]
pub enum PaymentsError {
    /// The provider refused, for good.
    #[error("the payment was declined: {code}")]
    Declined {
        /// The payment.
        payment_id: PaymentId,
        /// Why, as a stable word.
        code: String,
    },
    /// There is no such payment or provider.
    #[error("no such payment")]
    NotFound,
    /// The payment's status does not allow it.
    #[error("a payment that is {status} does not allow this")]
    InvalidTransition {
        /// How the payment stands.
        status: PaymentStatus,
    },
    /// The provider's answer to an earlier step is not known; it is being asked.
    #[error("what the provider did is not known yet")]
    NotSettled {
        /// The payment.
        payment_id: PaymentId,
    },
    /// More than was captured and is not refunded yet.
    #[error("no more than {refundable} can be refunded")]
    RefundExceedsCaptured {
        /// What can be.
        refundable: Money,
    },
    /// The webhook is not the provider's, or too old.
    #[error("the webhook's signature is not valid")]
    InvalidSignature,
    /// The order has another payment that is alive.
    #[error("the order has a payment in flight")]
    AttemptInFlight {
        /// That payment.
        payment_id: PaymentId,
    },
    /// The id was used before, for something else.
    #[error("the id was used before for another request")]
    IdReused,
    /// The amount is none that can be paid.
    #[error("an amount of money to pay or refund is more than nothing")]
    InvalidAmount,
    /// No answer.
    #[error(transparent)]
    Unavailable(#[from] BusError),
}

impl PortError for PaymentsError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Declined { .. } => ErrorKind::PaymentDeclined,
            Self::NotFound => ErrorKind::NotFound,
            Self::InvalidTransition { .. }
            | Self::RefundExceedsCaptured { .. }
            | Self::AttemptInFlight { .. }
            | Self::IdReused => ErrorKind::Conflict,
            Self::NotSettled { .. } => ErrorKind::Unavailable,
            Self::InvalidSignature => ErrorKind::Unauthenticated,
            Self::InvalidAmount => ErrorKind::Invalid,
            Self::Unavailable(error) => error.kind(),
        }
    }

    fn bus(&self) -> Option<&BusError> {
        match self {
            Self::Unavailable(error) => Some(error),
            _ => None,
        }
    }
}
