//! gzip for answers that gain by it. Requests are never decompressed: 316 bytes of brotli can be 200 MB (D9),
//! so actix's own compression, which brings that along, is switched off.

use actix_web::{
    HttpResponse,
    body::{BodySize, BoxBody, MessageBody as _},
    http::header::{self, HeaderMap, HeaderValue},
};
use flate2::{Compression, write::GzEncoder};
use std::io::Write as _;

/// Smaller bodies do not gain.
const SMALLEST: u64 = 1024;

/// Whether the client takes gzip.
pub(crate) fn accepted(headers: &HeaderMap) -> bool {
    headers.get_all(header::ACCEPT_ENCODING).filter_map(|value| value.to_str().ok()).any(|value| {
        value.split(',').any(|item| {
            let mut parts = item.split(';').map(str::trim);
            let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
            let refused = parts.any(|parameter| {
                let quality = parameter.strip_prefix("q=").or_else(|| parameter.strip_prefix("Q="));
                quality
                    .is_some_and(|quality| quality.trim().parse::<f32>().is_ok_and(|quality| quality == 0.0))
            });
            named && !refused
        })
    })
}

/// Compresses a body that is all there; streams stay as they are.
pub(crate) fn gzip(response: HttpResponse<BoxBody>, accepted: bool) -> HttpResponse<BoxBody> {
    let large = matches!(response.body().size(), BodySize::Sized(length) if length >= SMALLEST);
    if !large
        || response.headers().contains_key(header::CONTENT_ENCODING)
        || !compressible(response.headers())
    {
        return response;
    }
    let (mut response, body) = response.into_parts();
    response.headers_mut().append(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    if !accepted {
        return response.set_body(body);
    }
    match body.try_into_bytes() {
        Ok(bytes) => {
            let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 4), Compression::fast());
            // Writing to memory does not fail; if it did, the plain body is right too.
            let packed = encoder.write_all(&bytes).and_then(|()| encoder.finish());
            let Ok(packed) = packed else { return response.set_body(BoxBody::new(bytes)) };
            let headers = response.headers_mut();
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            headers.remove(header::CONTENT_LENGTH);
            weaken(headers);
            response.set_body(BoxBody::new(packed))
        }
        Err(body) => response.set_body(body),
    }
}

/// Other bytes are another representation: a strong tag would promise the same ones.
fn weaken(headers: &mut HeaderMap) {
    let weak = headers
        .get(header::ETAG)
        .and_then(|tag| tag.to_str().ok())
        .filter(|tag| tag.starts_with('"'))
        .and_then(|tag| HeaderValue::try_from(format!("W/{tag}")).ok());
    if let Some(weak) = weak {
        headers.insert(header::ETAG, weak);
    }
}

fn compressible(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind.starts_with("text/") && kind != "text/event-stream"
        || kind.ends_with("json")
        || kind.ends_with("javascript")
        || kind == "image/svg+xml"
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    #[test]
    fn a_client_says_whether_it_takes_gzip() {
        let takes = |value: &str| {
            accepted(
                TestRequest::get()
                    .insert_header((header::ACCEPT_ENCODING, value))
                    .to_http_request()
                    .headers(),
            )
        };
        assert!(takes("gzip") && takes("br, GZIP;q=0.5, *") && takes("deflate,gzip;q=1"));
        assert!(!takes("identity") && !takes("gzip;q=0") && !takes("gzip;q=0.0, br") && !takes(""));
    }

    #[test]
    fn a_compressed_body_has_a_weak_tag() {
        let plain = || {
            HttpResponse::Ok()
                .insert_header((header::ETAG, "\"3\""))
                .content_type("application/json")
                .body("x".repeat(2000))
        };
        let packed = gzip(plain(), true);
        assert_eq!(packed.headers().get(header::CONTENT_ENCODING).expect("packed"), "gzip");
        assert_eq!(packed.headers().get(header::ETAG).expect("kept"), "W/\"3\"");
        assert!(matches!(packed.body().size(), BodySize::Sized(length) if length < 200));
        let kept = gzip(plain(), false);
        assert!(!kept.headers().contains_key(header::CONTENT_ENCODING));
        assert_eq!(kept.headers().get(header::VARY).expect("varies"), "Accept-Encoding");
        let small = gzip(HttpResponse::Ok().content_type("application/json").body("{}"), true);
        assert!(!small.headers().contains_key(header::CONTENT_ENCODING));
    }
}
