//! What payments tells the other modules. The key is the order's id.

use crate::{Payment, Refund};
use bus::{Event, Subscription};
use serde::{Deserialize, Serialize};

/// The events that payments publishes.
pub const EVENTS: &[&str] = &[PaymentSettled::NAME, PaymentRefunded::NAME];

/// Payments subscribes to nothing.
pub const SUBSCRIPTIONS: &[Subscription] = &[];

/// An outcome that nobody was told when it was asked for has become known: the buyer approved, a lost answer
/// was found, a late success was undone. Outcomes that a caller of the port was told are not published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PaymentSettled {
    /// The payment as it is now.
    pub payment: Payment,
}

impl Event for PaymentSettled {
    const NAME: &'static str = "payments.payment_settled.v1";

    fn key(&self) -> String {
        self.payment.order_id.to_string()
    }

    fn sequence(&self) -> i64 {
        self.payment.version
    }
}

/// Money went back to the buyer. Published for every refund, told or not: others write to the buyer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PaymentRefunded {
    /// The payment as it is now.
    pub payment: Payment,
    /// What went back.
    pub refund: Refund,
}

impl Event for PaymentRefunded {
    const NAME: &'static str = "payments.payment_refunded.v1";

    fn key(&self) -> String {
        self.payment.order_id.to_string()
    }

    fn sequence(&self) -> i64 {
        self.payment.version
    }
}
