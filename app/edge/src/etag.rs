//! Versions as entity tags: `ETag: "7"`, `If-Match`, `If-None-Match` (RFC 9110, section 13).

use crate::Problem;
use actix_web::{
    FromRequest, HttpRequest,
    dev::Payload,
    http::header::{self, HeaderMap, HeaderName, HeaderValue},
};
use std::future::{Ready, ready};

/// No resource has this version: a tag that is not one of ours matches nothing.
const NEVER: i64 = -1;

/// The version that the client expects to change; `None` where it does not say, or says `*`.
///
/// Of a list the highest is taken: versions only grow, so an older one would not be the current one for long.
/// A tag of somebody else's making is a version that nothing has. Weak tags count, since a compressed answer
/// carries one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IfMatch(pub Option<i64>);

impl FromRequest for IfMatch {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Ok(Self(expected(request.headers()))))
    }
}

fn expected(headers: &HeaderMap) -> Option<i64> {
    let mut highest = None;
    for tag in tags(headers, &header::IF_MATCH) {
        if tag == "*" {
            return None;
        }
        let version = opaque(tag).and_then(|text| text.parse::<i64>().ok()).unwrap_or(NEVER);
        highest = highest.max(Some(version));
    }
    highest
}

/// The tag of a version.
#[must_use]
pub fn entity_tag(version: i64) -> HeaderValue {
    HeaderValue::try_from(format!("\"{version}\"")).unwrap_or(HeaderValue::from_static("\"\""))
}

/// Whether the client has this representation already: `If-None-Match` names its tag, strong or weak.
#[must_use]
pub fn none_match(headers: &HeaderMap, tag: &HeaderValue) -> bool {
    let Some(current) = tag.to_str().ok().and_then(opaque) else { return false };
    tags(headers, &header::IF_NONE_MATCH).any(|tag| tag == "*" || opaque(tag) == Some(current))
}

/// The tags of a header, given once or several times. Ours hold no comma.
fn tags<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    headers.get_all(name).flat_map(|value| value.to_str().unwrap_or("?").split(',')).map(str::trim)
}

/// What is between the quotes.
fn opaque(tag: &str) -> Option<&str> {
    tag.strip_prefix("W/").unwrap_or(tag).strip_prefix('"')?.strip_suffix('"')
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    /// F22: what `If-Match` may look like.
    #[test]
    fn the_expected_version_is_read() {
        for (text, version) in [
            ("\"7\"", Some(7)),
            ("W/\"7\"", Some(7)),
            ("\"6\", \"8\" , W/\"7\"", Some(8)),
            ("*", None),
            ("\"6\", *", None),
            ("\"other\"", Some(NEVER)),
            ("7", Some(NEVER)),
            ("", Some(NEVER)),
        ] {
            let request = TestRequest::patch().insert_header((header::IF_MATCH, text)).to_http_request();
            assert_eq!(expected(request.headers()), version, "{text}");
        }
        assert_eq!(expected(TestRequest::patch().to_http_request().headers()), None);
    }

    #[test]
    fn a_representation_is_recognised() {
        let knows = |text: &str| {
            let request = TestRequest::get().insert_header((header::IF_NONE_MATCH, text)).to_http_request();
            none_match(request.headers(), &entity_tag(7))
        };
        assert!(knows("\"7\"") && knows("W/\"7\"") && knows("\"1\", \"7\"") && knows("*"));
        assert!(!knows("\"8\"") && !knows("7") && !knows(""));
    }
}
