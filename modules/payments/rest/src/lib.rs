//! Payments over HTTP, and the way in for a provider's webhooks; written against payments' port only.

mod body;
mod payments;
mod webhooks;

use actix_web::web;
use bus::Bus;
use edge::Problem;
use payments_ports::{PaymentsError, PaymentsPort};
use std::sync::Arc;
use utoipa::OpenApi;

/// What the handlers need.
#[derive(Clone)]
struct Payments {
    port: Arc<dyn PaymentsPort>,
}

/// The routes, answered by whatever serves the port on this bus.
pub fn routes(bus: &Bus) -> impl Fn(&mut web::ServiceConfig) + Clone + Send + 'static {
    let data = Payments { port: Arc::new(bus.clone()) };
    move |app| {
        app.app_data(web::Data::new(data.clone()))
            .service(payments::list)
            .service(payments::get)
            .service(webhooks::receive);
    }
}

/// The routes' description.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    #[derive(OpenApi)]
    #[openapi(paths(payments::list, payments::get, webhooks::receive))]
    struct Document;
    Document::openapi()
}

/// The one place that turns the port's errors into problems.
fn problem(error: PaymentsError) -> Problem {
    match &error {
        PaymentsError::Declined { code, .. } => {
            Problem::of(&error, "payment_declined").with("decline_code", code)
        }
        PaymentsError::NotFound => Problem::not_found(),
        PaymentsError::InvalidTransition { status } => {
            Problem::of(&error, "invalid_transition").with("payment_status", status)
        }
        PaymentsError::RefundExceedsCaptured { refundable } => {
            Problem::of(&error, "refund_exceeds_captured").with("refundable", refundable)
        }
        PaymentsError::InvalidSignature => Problem::of(&error, "invalid_signature"),
        PaymentsError::AttemptInFlight { payment_id } => {
            Problem::of(&error, "payment_in_flight").with("payment_id", payment_id)
        }
        PaymentsError::NotSettled { .. }
        | PaymentsError::IdReused
        | PaymentsError::InvalidAmount
        | PaymentsError::Unavailable(_) => Problem::from_error(&error),
    }
}

#[cfg(test)]
mod tests;
