//! Answers that can cross threads: a status, headers and a JSON body.

use crate::etag::entity_tag;
use actix_web::{
    HttpRequest, HttpResponse, Responder, ResponseError as _,
    body::BoxBody,
    http::{
        StatusCode,
        header::{self, HeaderName, HeaderValue},
    },
};
use bytes::Bytes;
use kernel::{Cursor, Page};
use serde::Serialize;

/// What a handler answers with. Unlike actix's own response it can be made by a detached write.
#[derive(Debug, Clone)]
pub struct Reply {
    status: StatusCode,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Option<Bytes>,
}

impl Reply {
    /// A JSON body with this status.
    pub fn json(status: StatusCode, body: &impl Serialize) -> Self {
        match serde_json::to_vec(body) {
            Ok(bytes) => Self { status, headers: Vec::new(), body: Some(bytes.into()) },
            Err(error) => {
                // Cannot happen with types that derive: a fault of ours, never of the request.
                let response = crate::Problem::internal(bus::Incident::log(&error)).error_response();
                Self { status: response.status(), headers: Vec::new(), body: None }
            }
        }
    }

    /// 200 with a body.
    pub fn ok(body: &impl Serialize) -> Self {
        Self::json(StatusCode::OK, body)
    }

    /// 201 with a body and where the new thing is.
    pub fn created(location: impl AsRef<str>, body: &impl Serialize) -> Self {
        Self::json(StatusCode::CREATED, body).location(location)
    }

    /// 202 with a body: it goes on.
    pub fn accepted(body: &impl Serialize) -> Self {
        Self::json(StatusCode::ACCEPTED, body)
    }

    /// 204.
    #[must_use]
    pub fn no_content() -> Self {
        Self { status: StatusCode::NO_CONTENT, headers: Vec::new(), body: None }
    }

    /// Says where the thing is.
    #[must_use]
    pub fn location(self, location: impl AsRef<str>) -> Self {
        match HeaderValue::try_from(location.as_ref()) {
            Ok(value) => self.header(header::LOCATION, value),
            Err(_) => self,
        }
    }

    /// Gives the version as `ETag`.
    #[must_use]
    pub fn etag(self, version: impl Into<i64>) -> Self {
        self.header(header::ETAG, entity_tag(version.into()))
    }

    /// Adds or replaces a header.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.retain(|(known, _)| *known != name);
        self.headers.push((name, value));
        self
    }
}

impl Responder for Reply {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse<BoxBody> {
        let mut response = HttpResponse::build(self.status);
        for pair in self.headers {
            response.insert_header(pair);
        }
        match self.body {
            Some(body) => response.content_type("application/json").body(body),
            None => response.finish(),
        }
    }
}

/// A page of a list as clients see it.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Listing<T> {
    /// The rows, in the list's order.
    pub data: Vec<T>,
    /// What to send as `cursor` for the next page; null on the last.
    #[schema(value_type = Option<String>)]
    pub next_cursor: Option<Cursor>,
}

impl<T> From<Page<T>> for Listing<T> {
    fn from(page: Page<T>) -> Self {
        Self { data: page.data, next_cursor: page.next_cursor }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;
    use kernel::PageLimit;

    #[test]
    fn a_reply_says_where_and_which_version() {
        let request = TestRequest::post().to_http_request();
        let response = Reply::created("/api/v1/orders/1", &"x").etag(3).respond_to(&request);
        assert_eq!(response.status(), StatusCode::CREATED);
        assert_eq!(response.headers().get(header::LOCATION).expect("there"), "/api/v1/orders/1");
        assert_eq!(response.headers().get(header::ETAG).expect("there"), "\"3\"");
        assert_eq!(response.headers().get(header::CONTENT_TYPE).expect("there"), "application/json");
    }

    #[test]
    fn the_last_page_says_null() {
        let page = Page::cut(vec![1], PageLimit::default(), |row| *row);
        let text = serde_json::to_string(&Listing::from(page)).expect("serialises");
        assert_eq!(text, r#"{"data":[1],"next_cursor":null}"#);
    }
}
