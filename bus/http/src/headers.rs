//! The bus's headers as HTTP's: `cleave-<name>`, with whatever HTTP would not carry percent-encoded (RFC 3986,
//! section 2.1). The caller and the command are JSON and may hold any text.

use bus::Headers;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use std::{borrow::Cow, fmt::Display};

const PREFIX: &str = "cleave-";

/// Spaces too: HTTP cuts those at the ends.
const VALUE: &AsciiSet = &CONTROLS.add(b' ').add(b'%');

const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'.').remove(b'_').remove(b'-');

/// Adds the bus's headers; `None` where one of them has a name that HTTP does not know how to write.
pub(crate) fn write(headers: &Headers, to: &mut HeaderMap) -> Option<()> {
    to.reserve(headers.len());
    for (name, value) in headers {
        let name = HeaderName::try_from(format!("{PREFIX}{name}")).ok()?;
        let value = Cow::from(utf8_percent_encode(value, VALUE));
        to.insert(name, HeaderValue::from_str(&value).ok()?);
    }
    Some(())
}

/// The bus's headers out of a request's, and nothing of what HTTP says for itself. `None` where one of them comes
/// twice or cannot be read: whoever sent that is none of ours.
pub(crate) fn read(from: &HeaderMap) -> Option<Headers> {
    let mut headers = Headers::new();
    for (name, value) in from {
        if let Some(name) = name.as_str().strip_prefix(PREFIX) {
            let value = percent_decode_str(value.to_str().ok()?).decode_utf8().ok()?;
            if headers.insert(name.to_owned(), value.into_owned()).is_some() {
                return None;
            }
        }
    }
    Some(headers)
}

/// A request's name as a segment of a path.
pub(crate) fn write_segment(name: &str) -> impl Display {
    utf8_percent_encode(name, SEGMENT)
}

/// The name that a segment of a path stands for.
pub(crate) fn read_segment(segment: &str) -> Option<String> {
    if segment.is_empty() || segment.contains('/') {
        return None;
    }
    percent_decode_str(segment).decode_utf8().ok().map(Cow::into_owned)
}
