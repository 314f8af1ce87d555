//! Why orders does not do what it is asked.

use crate::OrderStatus;
use bus::{BusError, ErrorKind, PortError};
use kernel::{Money, OrderId, Sku};
use serde::{Deserialize, Serialize};

/// A SKU of which there is not enough.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Shortage {
    /// Which.
    pub sku: Sku,
    /// How many were asked for.
    pub requested: i64,
    /// How many there are.
    pub available: i64,
}

/// Why orders does not do what it is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "error", content = "detail", rename_all = "snake_case")]
pub enum OrdersError {
    /// There is no such order, or not for this viewer.
    #[error("there is no such order")]
    NotFound,
    /// Not all of it is there.
    #[error("there is not enough stock")]
    InsufficientStock {
        /// The order that was rejected for it.
        order_id: OrderId,
        /// What is short.
        shortages: Vec<Shortage>,
    },
    /// The payment was declined.
    #[error("the payment was declined")]
    PaymentDeclined {
        /// The order that was rejected for it.
        order_id: OrderId,
        /// The provider's reason.
        decline_code: String,
    },
    /// A module that the order needs did not answer; everything was undone.
    #[error("the order could not be placed for now")]
    NotPlaced {
        /// The order that was rejected for it.
        order_id: OrderId,
        /// The module that did not answer.
        dependency: String,
    },
    /// These are not sold here.
    #[error("these are not sold here")]
    UnknownSku {
        /// Which.
        skus: Vec<Sku>,
    },
    /// One order has one currency.
    #[error("the lines have more than one currency")]
    MixedCurrencies,
    /// The total is more than can be charged.
    #[error("the total is more than can be charged")]
    AmountTooLarge,
    /// The order's status does not allow it.
    #[error("an order that is {} does not allow that", status.name())]
    InvalidTransition {
        /// The order's status.
        status: OrderStatus,
        /// What it allows.
        allowed: Vec<String>,
    },
    /// The order has changed since.
    #[error("the order has changed since")]
    VersionMismatch {
        /// Its version now.
        current: i64,
    },
    /// More than was taken cannot be given back.
    #[error("more than was captured cannot be refunded")]
    RefundExceedsCaptured {
        /// What is left to give back.
        refundable: Money,
    },
    /// A request that cannot be carried out as it stands.
    #[error("{detail}")]
    Invalid {
        /// What is wrong.
        detail: String,
    },
    /// The cursor is not of this list.
    #[error("the cursor is not one that this list handed out")]
    InvalidCursor,
    /// No answer came.
    #[error(transparent)]
    Unavailable(#[from] BusError),
}

impl PortError for OrdersError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NotFound => ErrorKind::NotFound,
            Self::InsufficientStock { .. }
            | Self::InvalidTransition { .. }
            | Self::RefundExceedsCaptured { .. } => ErrorKind::Conflict,
            Self::PaymentDeclined { .. } => ErrorKind::PaymentDeclined,
            Self::NotPlaced { .. } => ErrorKind::Unavailable,
            Self::VersionMismatch { .. } => ErrorKind::Stale,
            Self::UnknownSku { .. }
            | Self::MixedCurrencies
            | Self::AmountTooLarge
            | Self::Invalid { .. }
            | Self::InvalidCursor => ErrorKind::Invalid,
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
