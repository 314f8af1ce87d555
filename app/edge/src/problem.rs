//! Problem documents (RFC 9457): the one shape of every error.

use actix_web::{
    HttpResponse, ResponseError,
    body::BoxBody,
    http::{
        StatusCode,
        header::{self, HeaderName, HeaderValue},
    },
};
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::fmt;

/// Where the codes are documented: `type` is this and the code.
const TYPES: &str = "https://cleave.dev/problems/";

/// An error as a client sees it. Never holds what the client sent.
///
/// A clone travels in the response's extensions, so that the gateway can add what only it knows.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem(Box<Parts>);

#[derive(Debug, Clone, PartialEq)]
struct Parts {
    status: StatusCode,
    code: &'static str,
    detail: Option<String>,
    instance: Option<String>,
    errors: Vec<FieldError>,
    members: Map<String, Value>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// What is wrong with one field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct FieldError {
    /// JSON Pointer (RFC 6901) into the body, or `/name` of a query parameter.
    pub pointer: String,
    /// Stable code: `missing_field`, `invalid_type`, …
    pub code: &'static str,
    /// For people.
    pub detail: String,
}

impl FieldError {
    /// `code` at `pointer`.
    pub fn new(pointer: impl Into<String>, code: &'static str, detail: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), code, detail: detail.into() }
    }
}

impl Problem {
    /// A problem with a stable code.
    #[must_use]
    pub fn new(status: StatusCode, code: &'static str) -> Self {
        Self(Box::new(Parts {
            status,
            code,
            detail: None,
            instance: None,
            errors: Vec::new(),
            members: Map::new(),
            headers: Vec::new(),
        }))
    }

    /// 422 for one field; its code is the problem's.
    pub fn invalid(pointer: impl Into<String>, code: &'static str, detail: impl Into<String>) -> Self {
        Self::invalid_fields(vec![FieldError::new(pointer, code, detail)])
    }

    /// 422 for some fields; the first one's code is the problem's.
    #[must_use]
    pub fn invalid_fields(errors: Vec<FieldError>) -> Self {
        let code = errors.first().map_or("invalid", |error| error.code);
        let mut problem = Self::new(StatusCode::UNPROCESSABLE_ENTITY, code);
        problem.0.detail = errors.first().map(|error| error.detail.clone());
        problem.0.errors = errors;
        problem
    }

    /// 400 with a code.
    pub fn bad_request(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code).detail(detail)
    }

    /// 401: nobody is signed in.
    #[must_use]
    pub fn unauthenticated() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthenticated").detail("Sign in and send the access token.")
    }

    /// 401: the token that was sent is no good.
    #[must_use]
    pub fn invalid_token() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthenticated")
            .detail("The access token is not valid.")
            .header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer error=\"invalid_token\""))
    }

    /// 403.
    #[must_use]
    pub fn forbidden() -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden").detail("The caller may not do this.")
    }

    /// 404, also for what the caller may not see.
    #[must_use]
    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found").detail("There is no such thing here.")
    }

    /// 413 for a body of more than `limit` bytes.
    #[must_use]
    pub fn body_too_large(limit: usize) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large")
            .detail(format!("The body may have at most {limit} bytes."))
    }

    /// 415.
    pub fn unsupported_media_type(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type").detail(detail)
    }

    /// 500 for what happened inside; the cause is in the log under the incident.
    #[must_use]
    pub fn internal(incident: bus::Incident) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal")
            .detail("Something went wrong inside.")
            .with("incident", &incident)
    }

    /// Says more, for people.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.0.detail = Some(detail.into());
        self
    }

    /// Adds an extension member: `shortages`, `order_id`, `allowed`.
    #[must_use]
    pub fn with(mut self, member: &str, value: &(impl Serialize + ?Sized)) -> Self {
        self.0.members.insert(member.to_owned(), serde_json::to_value(value).unwrap_or(Value::Null));
        self
    }

    /// Adds or replaces a response header.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.retain(|(known, _)| *known != name);
        self.0.headers.push((name, value));
        self
    }

    /// When asking again makes sense; at least a second.
    #[must_use]
    pub fn retry_after(self, seconds: u64) -> Self {
        self.header(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)))
    }

    /// Names the request that this is about: its path.
    #[must_use]
    pub fn instance(mut self, path: &str) -> Self {
        self.0.instance = Some(path.chars().take(512).collect());
        self
    }

    /// The status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.0.code
    }

    /// The document.
    #[must_use]
    pub fn document(&self) -> Value {
        let Parts { status, code, detail, instance, errors, members, .. } = &*self.0;
        let mut document = members.clone();
        document.insert("type".into(), format!("{TYPES}{code}").into());
        document.insert("title".into(), title(code).into());
        document.insert("status".into(), status.as_u16().into());
        document.insert("code".into(), (*code).into());
        document.insert("trace_id".into(), bus::Context::current().trace.trace_id().into());
        if let Some(detail) = detail {
            document.insert("detail".into(), detail.as_str().into());
        }
        if let Some(instance) = instance {
            document.insert("instance".into(), instance.as_str().into());
        }
        if !errors.is_empty() {
            document.insert("errors".into(), json!(errors));
        }
        Value::Object(document)
    }

    /// The headers that belong to it, beside the content type.
    #[must_use]
    pub fn headers(&self) -> Vec<(HeaderName, HeaderValue)> {
        let mut headers = self.0.headers.clone();
        let has = |name: &HeaderName| headers.iter().any(|(known, _)| known == name);
        let challenge = self.0.status == StatusCode::UNAUTHORIZED && !has(&header::WWW_AUTHENTICATE);
        let busy = matches!(self.0.code, "rate_limited" | "overloaded" | "idempotency_key_in_use")
            && !has(&header::RETRY_AFTER);
        if challenge {
            // RFC 9110, section 15.5.2: a 401 always says how to authenticate.
            headers.push((header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")));
        }
        if busy {
            headers.push((header::RETRY_AFTER, HeaderValue::from_static("1")));
        }
        headers
    }
}

/// A code as a sentence: `insufficient_stock` reads "Insufficient stock".
fn title(code: &str) -> String {
    let mut title = code.replace('_', " ");
    if let Some(first) = title.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    title
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0.status.as_u16(), self.0.code)
    }
}

impl std::error::Error for Problem {}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.0.status
    }

    fn error_response(&self) -> HttpResponse<BoxBody> {
        let mut response = HttpResponse::build(self.0.status);
        for pair in self.headers() {
            response.insert_header(pair);
        }
        let mut response =
            response.content_type("application/problem+json").body(self.document().to_string());
        response.extensions_mut().insert(self.clone());
        response
    }
}
