//! Durations as people write them in settings: `500ms`, `5s`, `15m`, `24h`, `7d`. For serde: `#[serde(with = "kernel::duration")]`.

use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};
use std::time::Duration;

/// A text that is no duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a duration is a whole number above zero with its unit, ms, s, m, h or d: 500ms, 15m")]
pub struct InvalidDuration;

const UNITS: [(&str, u64); 5] = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// Reads a duration: a whole number above zero, and its unit.
///
/// # Errors
/// [`InvalidDuration`] for anything else: no time at all is never what a setting means.
pub fn parse(text: &str) -> Result<Duration, InvalidDuration> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let (_, millis) = UNITS.iter().find(|(name, _)| *name == unit).ok_or(InvalidDuration)?;
    let number: u64 = number.parse().map_err(|_| InvalidDuration)?;
    match number.checked_mul(*millis) {
        Some(millis) if millis > 0 => Ok(Duration::from_millis(millis)),
        _ => Err(InvalidDuration),
    }
}

/// Writes a duration in its largest whole unit.
#[must_use]
pub fn text(duration: Duration) -> String {
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let whole = UNITS.iter().rev().find(|(_, unit)| millis.is_multiple_of(*unit));
    let (name, unit) = whole.unwrap_or(&UNITS[0]);
    format!("{}{name}", millis / unit)
}

/// For serde.
///
/// # Errors
/// What the serializer says.
pub fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&text(*duration))
}

/// For serde.
///
/// # Errors
/// Where the value is no text, or not one that [`parse`] reads.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::{Deserialize, Serialize};

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Settings {
        #[serde(with = "crate::duration")]
        every: Duration,
    }

    #[test]
    fn durations_are_read_and_written_as_people_do() {
        let good = [("500ms", 500), ("5s", 5000), ("15m", 900_000), ("24h", 86_400_000), ("7d", 604_800_000)];
        for (written, millis) in good {
            assert_eq!(parse(written), Ok(Duration::from_millis(millis)), "{written}");
        }
        for written in ["500ms", "5s", "15m", "36h", "7d", "90s"] {
            assert_eq!(text(parse(written).expect("a duration")), written);
        }
    }

    #[test]
    fn nothing_and_nonsense_are_refused() {
        for bad in [
            "",
            "0s",
            "00ms",
            "5",
            "s",
            "-5s",
            "1.5s",
            "5 s",
            " 5s",
            "5S",
            "5y",
            "five s",
            "99999999999999999d",
        ] {
            assert_eq!(parse(bad), Err(InvalidDuration), "{bad}");
        }
    }

    #[test]
    fn a_setting_is_text() {
        let settings = Settings { every: Duration::from_secs(900) };
        let json = serde_json::to_string(&settings).expect("serialises");
        assert_eq!(json, r#"{"every":"15m"}"#);
        assert_eq!(serde_json::from_str::<Settings>(&json).expect("parses"), settings);
        assert!(serde_json::from_str::<Settings>(r#"{"every":5}"#).is_err());
    }
}
