//! Idempotency keys: read, scoped to the caller, and never written down in clear.

use crate::{ClientIp, Problem, body::BodyDigest};
use actix_web::{HttpMessage as _, HttpRequest};
use bus::{Caller, Command};
use sha2::{Digest as _, Sha256};

/// The request's header.
pub const KEY_HEADER: &str = "idempotency-key";
/// The answer's header where it came out of the store.
pub const REPLAYED_HEADER: &str = "idempotent-replayed";

/// A key that is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an idempotency key is one header of 1 to 255 printable ASCII characters")]
pub struct InvalidKey;

impl From<InvalidKey> for Problem {
    fn from(error: InvalidKey) -> Self {
        Self::bad_request("invalid_idempotency_key", error.to_string())
    }
}

pub(crate) fn has_key(request: &HttpRequest) -> bool {
    request.headers().contains_key(KEY_HEADER)
}

/// What makes this request safe to repeat, where it has a key. Called when the body has been read.
pub(crate) fn command(request: &HttpRequest) -> Result<Option<Command>, Problem> {
    let mut keys = request.headers().get_all(KEY_HEADER);
    let Some(key) = keys.next() else { return Ok(None) };
    if keys.next().is_some() {
        return Err(InvalidKey.into());
    }
    let key = parse(key.as_bytes())?;
    let caller = request.extensions().get::<Caller>().copied();
    let scope = match (caller, ClientIp::of(request)) {
        (Some(caller), _) => caller.user.to_string(),
        (None, Some(ip)) => format!("anonymous-{ip}"),
        (None, None) => "anonymous".to_owned(),
    };
    let body = request.extensions().get::<BodyDigest>().map(|digest| digest.0).unwrap_or_default();
    let fingerprint = Sha256::new()
        .chain_update(request.method().as_str())
        .chain_update([0])
        .chain_update(request.path())
        .chain_update([0])
        .chain_update(body)
        .finalize();
    Ok(Some(Command {
        id: format!("{scope}:{}", hex(&Sha256::digest(key.as_bytes()))),
        fingerprint: hex(&fingerprint),
    }))
}

/// Reads a key: a bare token of visible characters, or an RFC 8941 string, which names the same key.
fn parse(bytes: &[u8]) -> Result<String, InvalidKey> {
    let text = std::str::from_utf8(bytes).map_err(|_| InvalidKey)?.trim_matches(' ');
    let key = match text.strip_prefix('"') {
        Some(quoted) => unquote(quoted)?,
        None if text.bytes().all(|byte| byte.is_ascii_graphic()) => text.to_owned(),
        None => return Err(InvalidKey),
    };
    if (1..=255).contains(&key.len()) { Ok(key) } else { Err(InvalidKey) }
}

fn unquote(quoted: &str) -> Result<String, InvalidKey> {
    let mut key = String::new();
    let mut rest = quoted.chars();
    loop {
        match rest.next().ok_or(InvalidKey)? {
            '"' if rest.as_str().is_empty() => return Ok(key),
            '\\' => key.push(rest.next().filter(|c| matches!(c, '"' | '\\')).ok_or(InvalidKey)?),
            c @ ' '..='~' if c != '"' => key.push(c),
            _ => return Err(InvalidKey),
        }
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;
    use bus::Role;
    use uuid::Uuid;

    /// Section 5.5: which keys are keys.
    #[test]
    fn keys_are_visible_ascii_or_quoted() {
        let longest = "k".repeat(255);
        let too_long = "k".repeat(256);
        for (text, key) in [
            ("abc", Some("abc")),
            ("\"abc\"", Some("abc")),
            ("\"a b\"", Some("a b")),
            ("\"a\\\"b\"", Some("a\"b")),
            ("018f-!#$%&'()*+,./:;<=>?@[]^_`{|}~", Some("018f-!#$%&'()*+,./:;<=>?@[]^_`{|}~")),
            (longest.as_str(), Some(longest.as_str())),
            (too_long.as_str(), None),
            ("", None),
            ("\"\"", None),
            ("a b", None),
            ("'; DROP TABLE", None),
            ("\"open", None),
            ("\"a\"b", None),
            ("\"a\\n\"", None),
            ("schl\u{fc}ssel", None),
            ("\u{1f600}", None),
            ("a\tb", None),
            ("\"a\u{7f}\"", None),
        ] {
            assert_eq!(parse(text.as_bytes()).ok().as_deref(), key, "{text}");
        }
        assert_eq!(parse(b"\xff"), Err(InvalidKey));
    }

    fn request(user: u128, path: &str, key: &str, body: &[u8]) -> Command {
        let request = TestRequest::post().uri(path).insert_header((KEY_HEADER, key)).to_http_request();
        let caller = Caller { user: Uuid::from_u128(user), role: Role::Customer, session: Uuid::nil() };
        request.extensions_mut().insert(caller);
        request.extensions_mut().insert(BodyDigest(Sha256::digest(body).into()));
        command(&request).expect("a good key").expect("a key")
    }

    /// B20, section 5.5: the id is the caller's and the key's, the fingerprint the request's.
    #[test]
    fn a_key_is_scoped_to_its_caller() {
        let first = request(1, "/orders", "secret-key", b"{}");
        assert_eq!(first, request(1, "/orders", "\"secret-key\"", b"{}"));
        assert_ne!(first.id, request(2, "/orders", "secret-key", b"{}").id);
        assert_ne!(first.id, request(1, "/orders", "other-key", b"{}").id);
        for other in [request(1, "/users", "secret-key", b"{}"), request(1, "/orders", "secret-key", b"[]")] {
            assert_eq!(first.id, other.id);
            assert_ne!(first.fingerprint, other.fingerprint);
        }
        assert!(!first.id.contains("secret"), "the key itself is nowhere");
        assert!(first.id.len() < 128);
    }

    /// Section 5.5: two headers are no key.
    #[test]
    fn two_keys_are_none() {
        let request = TestRequest::post()
            .append_header((KEY_HEADER, "a"))
            .append_header((KEY_HEADER, "a"))
            .to_http_request();
        let problem = command(&request).expect_err("refused");
        assert_eq!((problem.status().as_u16(), problem.code()), (400, "invalid_idempotency_key"));
        assert_eq!(command(&TestRequest::post().to_http_request()).expect("none is fine"), None);
    }
}
