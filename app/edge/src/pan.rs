//! Card numbers are refused wherever they turn up (PCI DSS): only the provider's tokens are kept.

use crate::json::pointer_step;
use serde_json::Value;

/// Where a card number is, if there is one.
pub(crate) fn find(value: &Value) -> Option<String> {
    let mut path = Vec::new();
    search(value, &mut path).then(|| path.concat())
}

fn search(value: &Value, path: &mut Vec<String>) -> bool {
    match value {
        Value::String(text) => looks_like_pan(text),
        Value::Array(items) => items.iter().enumerate().any(|(i, item)| within(i.to_string(), item, path)),
        Value::Object(map) => {
            // A key may hold one too; it is not repeated in the pointer.
            map.keys().any(|key| looks_like_pan(key))
                || map.iter().any(|(key, item)| within(key.clone(), item, path))
        }
        _ => false,
    }
}

fn within(step: String, item: &Value, path: &mut Vec<String>) -> bool {
    path.push(pointer_step(&step));
    let found = search(item, path);
    if !found {
        path.pop();
    }
    found
}

/// Whether the text holds a run of 13 to 19 digits, spaces and hyphens allowed between, that passes Luhn.
///
/// Ids and telephone numbers in international form are digits too, one in ten of which would pass by chance:
/// a UUID, and a run behind a plus sign, are let through.
fn looks_like_pan(text: &str) -> bool {
    if uuid::Uuid::try_parse(text).is_ok() {
        return false;
    }
    let mut digits: Vec<u8> = Vec::new();
    let mut before = None;
    let mut behind_plus = false;
    // One byte past the end closes the last run.
    for byte in text.bytes().chain([b'.']) {
        match byte {
            b'0'..=b'9' => {
                if digits.is_empty() {
                    behind_plus = before == Some(b'+');
                }
                digits.push(byte - b'0');
            }
            b' ' | b'-' if !digits.is_empty() => {}
            _ => {
                if !behind_plus && (13..=19).contains(&digits.len()) && luhn(&digits) {
                    return true;
                }
                digits.clear();
            }
        }
        before = Some(byte);
    }
    false
}

fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(i, digit)| {
            let value = u32::from(*digit) * if i % 2 == 1 { 2 } else { 1 };
            if value > 9 { value - 9 } else { value }
        })
        .sum();
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Section 5.12: test numbers of the card schemes, as people write them.
    #[test]
    fn card_numbers_are_found_however_they_are_written() {
        for pan in [
            "4111111111111111",
            "4111 1111 1111 1111",
            "4111-1111-1111-1111",
            "my card: 5555 5555 5555 4444.",
            "378282246310005",
            "4222222222222",
            "6304000000000000000",
            "note 4012888888881881\nthanks",
        ] {
            assert!(looks_like_pan(pan), "{pan}");
        }
        for fine in [
            "4111111111111112",
            "tok_ok",
            "411111111111",
            "41111111111111111111111",
            "+4915112345678",
            "00000000-0000-4000-8000-000000000000",
            "",
        ] {
            assert!(!looks_like_pan(fine), "{fine}");
        }
    }

    /// Section 5.12: the pointer names the field, nested or not, and never the number.
    #[test]
    fn the_pointer_leads_to_the_field() {
        let body = json!({"lines": [{"sku": "a"}, {"a/b": "4111 1111 1111 1111"}]});
        assert_eq!(find(&body).as_deref(), Some("/lines/1/a~1b"));
        let key = json!({"x": {"4111111111111111": 1}});
        assert_eq!(find(&key).as_deref(), Some("/x"));
        assert_eq!(find(&json!({"a": 4_111_111_111_111_111_u64, "b": ["x"]})), None);
    }

    proptest::proptest! {
        /// Section 5.12: any 13 to 19 digits that pass Luhn.
        #[test]
        fn any_number_that_passes_is_found(mut digits in proptest::collection::vec(0u8..10, 12..19)) {
            let check = (0..10).find(|check| {
                let mut all = digits.clone();
                all.push(*check);
                luhn(&all)
            });
            digits.extend(check);
            let text: String = digits.iter().map(|d| char::from(b'0' + d)).collect();
            proptest::prop_assert!(looks_like_pan(&text));
        }
    }
}
