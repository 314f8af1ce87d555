//! The one place that turns the port's errors into problems.

use edge::{FieldError, Problem};
use inventory_ports::{InvalidField, InventoryError};

pub(crate) fn problem(error: InventoryError) -> Problem {
    match &error {
        InventoryError::UnknownSkus { skus } => Problem::of(&error, "unknown_sku").with("skus", skus),
        InventoryError::InsufficientStock { shortages } => {
            Problem::of(&error, "insufficient_stock").with("shortages", shortages)
        }
        InventoryError::ReservationClosed { order_id } => {
            Problem::of(&error, "reservation_closed").with("order_id", order_id)
        }
        InventoryError::SkuTaken { skus } => Problem::of(&error, "sku_taken").with("skus", skus),
        InventoryError::VersionMismatch { current } => {
            Problem::of(&error, "version_mismatch").with("current", current)
        }
        InventoryError::Invalid { errors } => Problem::invalid_fields(errors.iter().map(field).collect()),
        InventoryError::InvalidCursor => Problem::of(&error, "invalid_cursor"),
        InventoryError::ProductNotFound | InventoryError::SkuNotFound => Problem::not_found(),
        InventoryError::Unavailable(_) => Problem::from_error(&error),
    }
}

/// The codes of fields are the edge's own: what another version of the module may say is one of them here.
fn field(field: &InvalidField) -> FieldError {
    let code = match field.code.as_str() {
        "missing_field" => "missing_field",
        _ => "invalid_value",
    };
    FieldError::new(&field.pointer, code, &field.detail)
}
