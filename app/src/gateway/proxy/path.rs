//! One spelling of a path, so that no other spelling of it finds another route (RFC 3986, section 6.2.2).
//!
//! Whoever stands behind the gateway may decode once more, fold slashes or cut at semicolons. A path that such a
//! reader could take for another one is refused: the gateway's decision has to hold there too.

use std::borrow::Cow;

/// The path with its encoding in the one spelling; `None` where it can be read in two ways.
pub(crate) fn canonical(path: &str) -> Option<Cow<'_, str>> {
    let bytes = path.as_bytes();
    if bytes.first() != Some(&b'/') {
        return None;
    }
    let plain = bytes.iter().all(|byte| is_plain(*byte) || *byte == b'/');
    let canonical = if plain { Cow::Borrowed(path) } else { Cow::Owned(spelled(bytes)?) };
    // A slash at the end is a name of its own; an empty name in the middle is not.
    let names = canonical[1..].strip_suffix('/').unwrap_or(&canonical[1..]);
    let clear = |name: &str| !matches!(name, "" | "." | "..");
    (canonical.len() == 1 || names.split('/').all(clear)).then_some(canonical)
}

/// Characters that stand for themselves, whatever reads them (unreserved, and what a path may hold besides).
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,=:@".contains(&byte)
}

fn spelled(bytes: &[u8]) -> Option<String> {
    let mut text = String::with_capacity(bytes.len() + 8);
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'%' => {
                let value = hex(rest.first())? << 4 | hex(rest.get(1))?;
                rest = &rest[2..];
                decoded.push(value);
                match value {
                    // Once more decoded it would be something else.
                    b'%' if hex(rest.first()).is_some() && hex(rest.get(1)).is_some() => return None,
                    b'/' | b'\\' | b';' | 0..b' ' | 0x7f => return None,
                    b'-' | b'.' | b'_' | b'~' => text.push(char::from(value)),
                    value if value.is_ascii_alphanumeric() => text.push(char::from(value)),
                    value => encode(value, &mut text),
                }
            }
            b';' | b'\\' => return None,
            b'/' => {
                decoded.push(b'/');
                text.push('/');
            }
            byte => {
                decoded.push(*byte);
                if is_plain(*byte) { text.push(char::from(*byte)) } else { encode(*byte, &mut text) }
            }
        }
    }
    // Overlong forms are other spellings of what is refused above.
    std::str::from_utf8(&decoded).ok().map(|_| text)
}

fn hex(byte: Option<&u8>) -> Option<u8> {
    let digit = char::from(*byte?).to_digit(16)?;
    u8::try_from(digit).ok()
}

fn encode(byte: u8, text: &mut String) {
    const DIGITS: [char; 16] =
        ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];
    text.push('%');
    text.push(DIGITS[usize::from(byte >> 4)]);
    text.push(DIGITS[usize::from(byte & 15)]);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Section 5.9: every spelling of a path is one path.
    #[test]
    fn spellings_of_a_path_become_one() {
        for (given, canonical) in [
            ("/", "/"),
            ("/a/b", "/a/b"),
            ("/a/b/", "/a/b/"),
            ("/%61/%62", "/a/b"),
            ("/a%7Eb%2db", "/a~b-b"),
            ("/caf%c3%a9", "/caf%C3%A9"),
            ("/a%20b%2b", "/a%20b%2B"),
            ("/a|b{c}", "/a%7Cb%7Bc%7D"),
            ("/100%25", "/100%25"),
            ("/100%25/x", "/100%25/x"),
            ("/...", "/..."),
        ] {
            assert_eq!(self::canonical(given).as_deref(), Some(canonical), "{given}");
            assert_eq!(self::canonical(canonical).as_deref(), Some(canonical), "{given}: stays as it is");
        }
    }

    /// Section 5.9: what can be read in two ways is no path.
    #[test]
    fn paths_with_two_readings_are_refused() {
        for path in [
            "",
            "*",
            "a",
            "//",
            "//a",
            "/a//b",
            "/a//",
            "/a/../b",
            "/..",
            "/a/..",
            "/./a",
            "/a/.",
            "/a/%2e%2e/b",
            "/a/.%2E/b",
            "/a/%2e",
            "/a%2fb",
            "/a%2Fb",
            "/a\\b",
            "/a%5cb",
            "/a;x/b",
            "/a%3bx",
            "/..;/a",
            "/a%00",
            "/a%0d%0aX:y",
            "/a%7f",
            "/a%",
            "/a%2",
            "/a%zz",
            "/%252e%252e/a",
            "/a%252fb",
            "/%c0%ae%c0%ae/a",
            "/%e0%80%ae",
            "/%ff",
            "/a/%2e%2e%2fb",
        ] {
            assert_eq!(canonical(path), None, "{path}");
        }
    }
}
