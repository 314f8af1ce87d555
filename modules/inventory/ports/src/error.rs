//! What inventory refuses, and why.

use bus::{BusError, ErrorKind, PortError};
use kernel::{OrderId, Sku};
use serde::{Deserialize, Serialize};

/// A line that asks for more than can be had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Shortage {
    /// The SKU.
    pub sku: Sku,
    /// How many were asked for, all lines of the SKU together.
    pub requested: i64,
    /// How many can be had.
    pub available: i64,
}

/// A field of a request that cannot be as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct InvalidField {
    /// The way to the field (RFC 6901): `/variants/0/price`.
    pub pointer: String,
    /// What is wrong, stable: `invalid_value`.
    pub code: String,
    /// What is wrong, for people.
    pub detail: String,
}

/// Why inventory did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "error", content = "detail", rename_all = "snake_case")]
pub enum InventoryError {
    /// SKUs that do not exist or are not on sale.
    #[error("there are SKUs that are not on sale")]
    UnknownSkus {
        /// Which.
        skus: Vec<Sku>,
    },
    /// More is asked for than can be had; nothing is held.
    #[error("there is not enough stock")]
    InsufficientStock {
        /// Every line that is short.
        shortages: Vec<Shortage>,
    },
    /// The order's reservation was released or has expired before: it holds nothing any more.
    #[error("the reservation of order {order_id} is closed")]
    ReservationClosed {
        /// The order.
        order_id: OrderId,
    },
    /// No such product, or not for this caller.
    #[error("there is no such product")]
    ProductNotFound,
    /// No such SKU.
    #[error("there is no such SKU")]
    SkuNotFound,
    /// SKUs that another variant has.
    #[error("there are SKUs that are taken")]
    SkuTaken {
        /// Which.
        skus: Vec<Sku>,
    },
    /// What is to be changed has changed since it was seen.
    #[error("it has changed since; its version is {current}")]
    VersionMismatch {
        /// The version that it has.
        current: i64,
    },
    /// The request makes no sense as it stands.
    #[error("the request is not valid")]
    Invalid {
        /// Every field that is wrong.
        errors: Vec<InvalidField>,
    },
    /// A cursor that this list did not hand out.
    #[error("the cursor is not one that this list handed out")]
    InvalidCursor,
    /// No answer.
    #[error(transparent)]
    Unavailable(#[from] BusError),
}

impl PortError for InventoryError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::UnknownSkus { .. } | Self::Invalid { .. } | Self::InvalidCursor => ErrorKind::Invalid,
            Self::InsufficientStock { .. } | Self::ReservationClosed { .. } | Self::SkuTaken { .. } => {
                ErrorKind::Conflict
            }
            Self::ProductNotFound | Self::SkuNotFound => ErrorKind::NotFound,
            Self::VersionMismatch { .. } => ErrorKind::Stale,
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
