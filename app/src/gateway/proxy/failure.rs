//! Why there is no answer of an upstream to pass on, and what the client is told (C24).

use actix_web::http::StatusCode;
use edge::Problem;

/// Why there is no answer to pass on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// No instance could be connected to: nothing was sent.
    Unreachable,
    /// The route has no place for another request.
    Busy,
    /// No answer came in time.
    TimedOut,
    /// The connection was lost before there was an answer.
    Lost,
    /// What came is no HTTP/1.1.
    Garbage,
    /// The body is larger than the route takes.
    TooLarge,
    /// The client did not send its body in time.
    SlowBody,
    /// The client's body ended early or is badly framed.
    BrokenBody,
    /// The client has gone.
    ClientLeft,
    /// The request has been here before.
    Loop,
}

/// Every failure with its label, status and code.
const TABLE: [(Failure, &str, u16, &str); 10] = [
    (Failure::Unreachable, "unreachable", 503, "dependency_unavailable"),
    (Failure::Busy, "busy", 503, "overloaded"),
    (Failure::TimedOut, "timed_out", 504, "deadline_exceeded"),
    (Failure::Lost, "lost", 502, "bad_gateway"),
    (Failure::Garbage, "garbage", 502, "bad_gateway"),
    (Failure::TooLarge, "too_large", 413, "body_too_large"),
    (Failure::SlowBody, "slow_body", 408, "request_timeout"),
    (Failure::BrokenBody, "broken_body", 400, "malformed_request"),
    // nginx's number for an answer that nobody reads.
    (Failure::ClientLeft, "client_left", 499, "client_left"),
    (Failure::Loop, "loop", 508, "loop_detected"),
];

impl Failure {
    fn row(self) -> (&'static str, u16, &'static str) {
        let row = TABLE.iter().find(|row| row.0 == self);
        row.map_or(("unknown", 500, "internal"), |(_, label, status, code)| (*label, *status, *code))
    }

    /// As a metric's label.
    pub(crate) fn label(self) -> &'static str {
        self.row().0
    }

    /// What the client is told. `route` is the path as it is written in the settings: where upstreams are is
    /// nobody's business.
    pub(crate) fn problem(self, route: &str, max_body: u64) -> Problem {
        let (_, status, code) = self.row();
        let problem = Problem::new(StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY), code);
        match self {
            Self::Unreachable => problem
                .detail("The service behind this path cannot be reached. Nothing was done.")
                .with("dependency", route)
                .retry_after(1),
            Self::Busy => problem.detail("Too much to do. Nothing was done for this request.").retry_after(1),
            Self::TimedOut => problem
                .detail("No answer came in time. The request may still be carried out.")
                .with("dependency", route),
            Self::Lost | Self::Garbage => problem
                .detail("The service behind this path gave no proper answer. The request may have been carried out.")
                .with("dependency", route),
            Self::TooLarge => problem.detail(format!("The body may have at most {max_body} bytes.")),
            Self::SlowBody => problem.detail("The body did not arrive in time."),
            Self::BrokenBody => problem.detail("The body ended early or is badly framed."),
            Self::ClientLeft => problem.detail("The client closed its side of the connection."),
            Self::Loop => problem.detail("The request has come through here before."),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// C24: the table itself.
    #[test]
    fn every_failure_has_its_status_and_code() {
        let told: Vec<_> = TABLE
            .iter()
            .map(|row| {
                let problem = row.0.problem("/blog/{*rest}", 7);
                (row.0.label(), problem.status().as_u16(), problem.code())
            })
            .collect();
        assert_eq!(
            told,
            [
                ("unreachable", 503, "dependency_unavailable"),
                ("busy", 503, "overloaded"),
                ("timed_out", 504, "deadline_exceeded"),
                ("lost", 502, "bad_gateway"),
                ("garbage", 502, "bad_gateway"),
                ("too_large", 413, "body_too_large"),
                ("slow_body", 408, "request_timeout"),
                ("broken_body", 400, "malformed_request"),
                ("client_left", 499, "client_left"),
                ("loop", 508, "loop_detected"),
            ]
        );
        let document = Failure::Unreachable.problem("/blog/{*rest}", 7).document();
        assert_eq!(document["dependency"], "/blog/{*rest}");
    }
}
