//! The one place that turns orders' errors into problems.

use edge::Problem;
use orders_ports::OrdersError;

pub(crate) fn problem(error: OrdersError) -> Problem {
    match &error {
        OrdersError::InsufficientStock { order_id, shortages } => {
            Problem::of(&error, "insufficient_stock").with("order_id", order_id).with("shortages", shortages)
        }
        OrdersError::PaymentDeclined { order_id, decline_code } => Problem::of(&error, "payment_declined")
            .with("order_id", order_id)
            .with("decline_code", decline_code),
        OrdersError::NotPlaced { order_id, dependency } => Problem::of(&error, "dependency_unavailable")
            .with("order_id", order_id)
            .with("dependency", dependency)
            .retry_after(1),
        OrdersError::UnknownSku { skus } => Problem::of(&error, "unknown_sku").with("skus", skus),
        OrdersError::MixedCurrencies => Problem::of(&error, "mixed_currencies"),
        OrdersError::AmountTooLarge => Problem::of(&error, "amount_too_large"),
        OrdersError::InvalidTransition { allowed, .. } => {
            Problem::of(&error, "invalid_transition").with("allowed", allowed)
        }
        OrdersError::RefundExceedsCaptured { refundable } => {
            Problem::of(&error, "refund_exceeds_captured").with("refundable", refundable)
        }
        OrdersError::VersionMismatch { current } => {
            Problem::of(&error, "version_mismatch").with("current", current)
        }
        OrdersError::InvalidCursor => Problem::of(&error, "invalid_cursor"),
        OrdersError::Invalid { .. } | OrdersError::NotFound | OrdersError::Unavailable(_) => {
            Problem::from_error(&error)
        }
    }
}
