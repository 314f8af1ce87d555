//! Request bodies: bounded before and while they are read, strict JSON, no card numbers.

use crate::{Problem, decode, idempotency, json, pan};
use actix_web::{
    FromRequest, HttpMessage as _, HttpRequest,
    dev::Payload,
    error::PayloadError,
    http::{StatusCode, header},
};
use bytes::{Bytes, BytesMut};
use futures::{FutureExt as _, StreamExt as _, future::LocalBoxFuture};
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};
use std::io;

/// How many bytes a body may have; 1 MiB unless the app's data says otherwise.
#[derive(Debug, Clone, Copy)]
pub struct BodyLimit(pub usize);

impl Default for BodyLimit {
    fn default() -> Self {
        Self(1 << 20)
    }
}

/// A JSON body as `T`, which should deny unknown fields.
///
/// Refuses with 415 what does not say that it is JSON, 413 what is too large, 400 what is not JSON, and 422
/// with a pointer what is not a `T` or holds a card number.
#[derive(Debug, Clone)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned> FromRequest for Json<T> {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        async move {
            check_json(&request)?;
            let bytes = collect(&request, payload).await?;
            let value = json::parse(&bytes).map_err(|error| {
                // serde_json's text may hold a piece of the body: only the place is told.
                let place = format!("Not JSON at line {}, column {}.", error.line(), error.column());
                Problem::bad_request("malformed_json", place)
            })?;
            if let Some(pointer) = pan::find(&value) {
                let detail = "This looks like a card number. Send the payment provider's token.";
                return Err(Problem::invalid(pointer, "pan_not_allowed", detail));
            }
            if idempotency::has_key(&request) {
                note_digest(&request, json::canonical(&value).as_bytes());
            }
            decode::from_json(value).map(Json).map_err(|field| Problem::invalid_fields(vec![field]))
        }
        .boxed_local()
    }
}

/// A JSON body that may be left out; one that is there is read as [`Json`] reads it.
#[derive(Debug, Clone)]
pub struct MaybeJson<T>(pub Option<T>);

impl<T: DeserializeOwned + 'static> FromRequest for MaybeJson<T> {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let headers = request.headers();
        let is_empty = headers.get(header::CONTENT_LENGTH).is_none_or(|length| length == "0")
            && !headers.contains_key(header::TRANSFER_ENCODING);
        if is_empty {
            return futures::future::ready(Ok(Self(None))).boxed_local();
        }
        Json::from_request(request, payload).map(|read| read.map(|Json(body)| Self(Some(body)))).boxed_local()
    }
}

/// A body as it came, for signatures over its bytes. Bounded as every body is; not looked into.
#[derive(Debug, Clone)]
pub struct RawBody(pub Bytes);

impl FromRequest for RawBody {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        async move {
            let bytes = collect(&request, payload).await?;
            if idempotency::has_key(&request) {
                note_digest(&request, &bytes);
            }
            Ok(Self(bytes))
        }
        .boxed_local()
    }
}

/// The digest of a body, for the fingerprint of the request.
#[derive(Clone, Copy)]
pub(crate) struct BodyDigest(pub(crate) [u8; 32]);

fn note_digest(request: &HttpRequest, body: &[u8]) {
    request.extensions_mut().insert(BodyDigest(Sha256::digest(body).into()));
}

fn check_json(request: &HttpRequest) -> Result<(), Problem> {
    let text = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let mut parts = text.unwrap_or_default().split(';').map(str::trim);
    let is_json = parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case("application/json"));
    // JSON is UTF-8 (RFC 8259, section 8.1); another charset is another reading of the same bytes.
    let is_utf8 = parts.all(|parameter| match parameter.split_once('=') {
        Some((name, value)) if name.eq_ignore_ascii_case("charset") => {
            value.trim_matches('"').eq_ignore_ascii_case("utf-8")
        }
        _ => true,
    });
    if is_json && is_utf8 {
        Ok(())
    } else {
        Err(Problem::unsupported_media_type("The body must be application/json in UTF-8."))
    }
}

async fn collect(request: &HttpRequest, mut payload: Payload) -> Result<Bytes, Problem> {
    let BodyLimit(limit) = request.app_data::<BodyLimit>().copied().unwrap_or_default();
    let announced = request
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.parse::<u64>().ok());
    if announced.is_some_and(|length| length > limit as u64) {
        return Err(Problem::body_too_large(limit));
    }
    let mut body = BytesMut::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|error| unread(&error, limit))?;
        if body.len() + chunk.len() > limit {
            return Err(Problem::body_too_large(limit));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

/// Why a body could not be read to its end.
fn unread(error: &PayloadError, limit: usize) -> Problem {
    match error {
        PayloadError::Overflow => Problem::body_too_large(limit),
        PayloadError::Io(error) if error.kind() == io::ErrorKind::TimedOut => {
            Problem::new(StatusCode::REQUEST_TIMEOUT, "request_timeout")
                .detail("The body did not arrive in time.")
        }
        _ => Problem::bad_request("malformed_request", "The body ended early or is badly framed."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::{http::StatusCode, test::TestRequest};
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Note {
        text: String,
    }

    async fn read(content_type: Option<&str>, body: &str, limit: usize) -> Result<Json<Note>, Problem> {
        let mut request = TestRequest::post().app_data(BodyLimit(limit)).set_payload(body.to_owned());
        if let Some(content_type) = content_type {
            request = request.insert_header((header::CONTENT_TYPE, content_type));
        }
        let (request, mut payload) = request.to_http_parts();
        Json::from_request(&request, &mut payload).await
    }

    /// Section 5.9: a body says what it is, and is what it says.
    #[actix_web::test]
    async fn a_body_is_refused_for_what_is_wrong_with_it() {
        let good = r#"{"text":"x"}"#;
        for (content_type, body, limit, status, code) in [
            (None, good, 100, 415, "unsupported_media_type"),
            (Some("text/plain"), good, 100, 415, "unsupported_media_type"),
            (Some("application/json; charset=utf-7"), good, 100, 415, "unsupported_media_type"),
            (Some("application/jsonp"), good, 100, 415, "unsupported_media_type"),
            (Some("application/json"), good, 11, 413, "body_too_large"),
            (Some("application/json"), "{", 100, 400, "malformed_json"),
            (Some("application/json"), "", 100, 400, "malformed_json"),
            (Some("application/json"), r#"{"text":"x","text":"y"}"#, 100, 400, "malformed_json"),
            (Some("application/json"), r#"{"text":1}"#, 100, 422, "invalid_type"),
            (Some("application/json"), r#"{"text":"4111 1111 1111 1111"}"#, 100, 422, "pan_not_allowed"),
        ] {
            let problem = read(content_type, body, limit).await.expect_err("refused");
            assert_eq!(
                (problem.status().as_u16(), problem.code()),
                (status, code),
                "{content_type:?} {body}"
            );
            assert!(!problem.document().to_string().contains("4111"));
        }
        for content_type in
            ["application/json", "Application/JSON;charset=UTF-8", "application/json; charset=\"utf-8\""]
        {
            assert_eq!(read(Some(content_type), good, 12).await.expect("read").0.text, "x");
        }
    }

    /// Section 5.9: a length that is announced is judged before a byte is read.
    #[actix_web::test]
    async fn an_announced_length_is_enough_to_refuse() {
        let (request, mut payload) = TestRequest::post()
            .insert_header((header::CONTENT_TYPE, "application/json"))
            .insert_header((header::CONTENT_LENGTH, "99999999999"))
            .to_http_parts();
        let problem = Json::<Note>::from_request(&request, &mut payload).await.expect_err("refused");
        assert_eq!(problem.status(), StatusCode::PAYLOAD_TOO_LARGE);
    }
}
