//! An upstream's answer as the client gets it: unchanged, but for what concerns the connection.

use super::{
    download::{Download, Held, Relayed},
    headers,
    pool::Lease,
};
use actix_http::RequestHead;
use actix_web::{
    HttpResponse,
    body::{BodySize, BoxBody},
    http::{ConnectionType, Method, StatusCode, Version, header::HeaderValue},
};
use hyper::{Response, body::Body as _, body::Incoming, header};
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// What an answer's body is held to.
pub(crate) struct Terms {
    pub(crate) deadline: Instant,
    pub(crate) idle: Duration,
    pub(crate) left: CancellationToken,
}

/// Passes the answer on.
pub(crate) fn relay(
    answer: Response<Incoming>,
    lease: Lease,
    held: Held,
    request: &RequestHead,
    terms: Terms,
    name: &str,
) -> HttpResponse<BoxBody> {
    let (head, body) = answer.into_parts();
    let status = StatusCode::from_u16(head.status.as_u16()).unwrap_or(StatusCode::BAD_GATEWAY);
    let length = if request.method == Method::HEAD {
        // How long it would be. There is nothing to read.
        head.headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok())
    } else {
        body.size_hint().exact()
    };
    let size = match length {
        _ if matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) => BodySize::None,
        Some(length) => BodySize::Sized(length),
        None => BodySize::Stream,
    };
    let body = Download::new(body, size, lease, held, terms);
    let mut response = HttpResponse::with_body(status, BoxBody::new(body));
    if size == BodySize::Stream && request.version == Version::HTTP_10 {
        // RFC 9112, section 6.1: such a client knows of no chunks; the end of the connection ends the body.
        response.head_mut().no_chunking(true);
        response.head_mut().set_connection_type(ConnectionType::Close);
    }
    headers::answered(&head.headers, name, response.headers_mut());
    response.extensions_mut().insert(Relayed);
    response
}

/// Tells the client that its offer to change the protocol is taken.
pub(crate) fn switch(answer: &Response<Incoming>, protocol: &str, name: &str) -> HttpResponse<BoxBody> {
    let mut response = HttpResponse::new(StatusCode::SWITCHING_PROTOCOLS);
    headers::answered(answer.headers(), name, response.headers_mut());
    if let Ok(protocol) = HeaderValue::from_str(protocol) {
        response.headers_mut().insert(actix_web::http::header::UPGRADE, protocol);
    }
    response.extensions_mut().insert(Relayed);
    response
}
