//! The one place that maps what an error means to a status (C24).

use crate::Problem;
use actix_web::http::StatusCode;
use bus::{BusError, ErrorKind, PortError};

/// The status of a kind of error, and the code that it has unless the resource names a better one.
#[must_use]
pub fn status(kind: ErrorKind) -> (StatusCode, &'static str) {
    match kind {
        ErrorKind::Invalid => (StatusCode::UNPROCESSABLE_ENTITY, "invalid"),
        ErrorKind::Unauthenticated => (StatusCode::UNAUTHORIZED, "unauthenticated"),
        ErrorKind::Forbidden => (StatusCode::FORBIDDEN, "forbidden"),
        ErrorKind::NotFound => (StatusCode::NOT_FOUND, "not_found"),
        ErrorKind::Conflict => (StatusCode::CONFLICT, "conflict"),
        ErrorKind::Stale => (StatusCode::PRECONDITION_FAILED, "version_mismatch"),
        ErrorKind::PaymentDeclined => (StatusCode::PAYMENT_REQUIRED, "payment_declined"),
        ErrorKind::RateLimited => (StatusCode::TOO_MANY_REQUESTS, "rate_limited"),
        ErrorKind::Overloaded => (StatusCode::SERVICE_UNAVAILABLE, "overloaded"),
        ErrorKind::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "dependency_unavailable"),
        ErrorKind::DeadlineExceeded => (StatusCode::GATEWAY_TIMEOUT, "deadline_exceeded"),
        ErrorKind::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
    }
}

impl Problem {
    /// The problem of a port's error with its kind's code: for errors that the resource has nothing to add to.
    pub fn from_error(error: &impl PortError) -> Self {
        Self::of(error, status(error.kind()).1)
    }

    /// The problem of a port's error with a code of its own. The status is the kind's. What the bus itself
    /// says (unreachable, overloaded, a key used twice) keeps the bus's code, whatever `code` is.
    pub fn of(error: &impl PortError, code: &'static str) -> Self {
        if let Some(error) = error.bus() {
            return error.into();
        }
        match status(error.kind()) {
            (StatusCode::INTERNAL_SERVER_ERROR, _) => Self::internal(bus::Incident::log(error)),
            (status, _) => Self::new(status, code).detail(error.to_string()),
        }
    }
}

impl From<&BusError> for Problem {
    fn from(error: &BusError) -> Self {
        let (status, code) = status(error.kind());
        match error {
            BusError::KeyReused => Self::new(status, "idempotency_key_reused").detail(sentence(error)),
            BusError::KeyInUse => {
                Self::new(status, "idempotency_key_in_use").detail(sentence(error)).retry_after(1)
            }
            BusError::Unavailable { port } => {
                Self::new(status, code).detail(sentence(error)).with("dependency", port).retry_after(1)
            }
            BusError::Overloaded { retry_after_ms, .. } => {
                Self::new(status, code).detail(sentence(error)).retry_after(retry_after_ms.div_ceil(1000))
            }
            BusError::DeadlineExceeded { .. } => Self::new(status, code)
                .detail("No answer came in time. The request may still be carried out."),
            BusError::Failed { incident } | BusError::Died { incident, .. } => Self::internal(*incident),
            // The rest is a fault of ours: logged here, since it has no incident yet.
            _ => Self::internal(bus::Incident::log(error)),
        }
    }
}

impl From<BusError> for Problem {
    fn from(error: BusError) -> Self {
        (&error).into()
    }
}

fn sentence(error: &BusError) -> String {
    let mut text = error.to_string();
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    text + "."
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header;
    use serde::{Deserialize, Serialize};

    #[derive(Debug, thiserror::Error, Serialize, Deserialize)]
    enum Failure {
        #[error("{0:?} happened")]
        Kind(ErrorKind),
        #[error(transparent)]
        Bus(#[from] BusError),
    }

    impl PortError for Failure {
        fn kind(&self) -> ErrorKind {
            match self {
                Self::Kind(kind) => *kind,
                Self::Bus(error) => error.kind(),
            }
        }

        fn bus(&self) -> Option<&BusError> {
            match self {
                Self::Kind(_) => None,
                Self::Bus(error) => Some(error),
            }
        }
    }

    /// C24: the table itself.
    #[test]
    fn every_kind_has_its_status_and_code() {
        for (kind, expected, code) in [
            (ErrorKind::Invalid, 422, "invalid"),
            (ErrorKind::Unauthenticated, 401, "unauthenticated"),
            (ErrorKind::Forbidden, 403, "forbidden"),
            (ErrorKind::NotFound, 404, "not_found"),
            (ErrorKind::Conflict, 409, "conflict"),
            (ErrorKind::Stale, 412, "version_mismatch"),
            (ErrorKind::PaymentDeclined, 402, "payment_declined"),
            (ErrorKind::RateLimited, 429, "rate_limited"),
            (ErrorKind::Overloaded, 503, "overloaded"),
            (ErrorKind::Unavailable, 503, "dependency_unavailable"),
            (ErrorKind::DeadlineExceeded, 504, "deadline_exceeded"),
            (ErrorKind::Internal, 500, "internal"),
        ] {
            let problem = Problem::from_error(&Failure::Kind(kind));
            assert_eq!((problem.status().as_u16(), problem.code()), (expected, code), "{kind:?}");
            let own = Problem::of(&Failure::Kind(kind), "own_code");
            assert_eq!(own.status().as_u16(), expected);
            assert_eq!(own.code() == "own_code", kind != ErrorKind::Internal);
        }
    }

    /// C24: a 401 challenges, and what makes one wait says how long.
    #[test]
    fn a_problem_brings_the_headers_of_its_status() {
        let has = |kind, name| {
            let problem = Problem::from_error(&Failure::Kind(kind));
            problem.headers().iter().any(|(known, _)| *known == name)
        };
        assert!(has(ErrorKind::Unauthenticated, header::WWW_AUTHENTICATE));
        assert!(has(ErrorKind::RateLimited, header::RETRY_AFTER));
        assert!(has(ErrorKind::Overloaded, header::RETRY_AFTER));
        assert!(!has(ErrorKind::NotFound, header::RETRY_AFTER));
    }

    /// C21, C24: the bus's own errors keep their meaning whatever code the resource would give.
    #[test]
    fn the_bus_errors_keep_their_codes() {
        let of = |error: BusError| {
            let problem = Problem::of(&Failure::Bus(error), "order_refused");
            (problem.status().as_u16(), problem.code(), problem.document())
        };
        let (status, code, document) = of(BusError::Unavailable { port: "payments".into() });
        assert_eq!(
            (status, code, document["dependency"].as_str()),
            (503, "dependency_unavailable", Some("payments"))
        );
        let (status, code, _) = of(BusError::KeyReused);
        assert_eq!((status, code), (422, "idempotency_key_reused"));
        let (status, code, _) = of(BusError::KeyInUse);
        assert_eq!((status, code), (409, "idempotency_key_in_use"));
        let (status, code, document) = of(BusError::Codec { name: "orders.secret".into() });
        assert_eq!((status, code), (500, "internal"));
        assert!(!document.to_string().contains("secret"), "what went wrong inside stays inside");
        let overloaded = BusError::Overloaded { port: "orders".into(), retry_after_ms: 1500 };
        let problem = Problem::from(overloaded);
        assert!(problem.headers().iter().any(|(n, v)| *n == header::RETRY_AFTER && v == "2"));
    }
}
