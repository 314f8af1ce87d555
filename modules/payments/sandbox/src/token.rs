//! The tokens and the behaviour that each asks for.

use std::time::Duration;

const LONGEST: Duration = Duration::from_secs(60);
const SLOW: Duration = Duration::from_millis(300);

/// How a charge behaves, from authorization to refund.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Token<'a> {
    /// `tok_ok`
    Ok,
    /// `tok_decline`, `tok_decline_<code>`
    Decline { code: &'a str },
    /// `tok_3ds`: the buyer approves or abandons on a page.
    Challenge,
    /// `tok_slow`, `tok_slow_<ms>`: authorizes after this time.
    Slow(Duration),
    /// `tok_lost_ok`: authorizes, and the answer is lost.
    LostOk,
    /// `tok_lost_fail`: the request is lost.
    LostFail,
    /// `tok_capture_decline`: authorizes, and refuses the capture.
    CaptureDecline,
    /// `tok_capture_lost_ok`: captures, and the answer is lost.
    CaptureLostOk,
    /// `tok_slow_capture`, `tok_slow_capture_<ms>`: captures after this time.
    SlowCapture(Duration),
    /// `tok_refund_fail` (always), `tok_refund_fail_<n>`: the first n refunds or voids end in an error.
    RefundFail(Option<u32>),
    /// Anything else.
    Invalid,
}

impl<'a> Token<'a> {
    pub(crate) fn parse(text: &'a str) -> Self {
        match text {
            "tok_ok" => return Self::Ok,
            "tok_decline" => return Self::Decline { code: "card_declined" },
            "tok_3ds" => return Self::Challenge,
            "tok_slow" => return Self::Slow(SLOW),
            "tok_lost_ok" => return Self::LostOk,
            "tok_lost_fail" => return Self::LostFail,
            "tok_capture_decline" => return Self::CaptureDecline,
            "tok_capture_lost_ok" => return Self::CaptureLostOk,
            "tok_slow_capture" => return Self::SlowCapture(SLOW),
            "tok_refund_fail" => return Self::RefundFail(None),
            _ => {}
        }
        let parsed = if let Some(code) = text.strip_prefix("tok_decline_") {
            is_code(code).then_some(Self::Decline { code })
        } else if let Some(wait) = text.strip_prefix("tok_slow_capture_") {
            millis(wait).map(Self::SlowCapture)
        } else if let Some(wait) = text.strip_prefix("tok_slow_") {
            millis(wait).map(Self::Slow)
        } else if let Some(times) = text.strip_prefix("tok_refund_fail_") {
            times.parse().ok().map(|times| Self::RefundFail(Some(times)))
        } else {
            None
        };
        parsed.unwrap_or(Self::Invalid)
    }
}

fn is_code(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

fn millis(text: &str) -> Option<Duration> {
    let millis: u64 = text.parse().ok()?;
    Some(Duration::from_millis(millis).min(LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_token_means_what_the_table_says() {
        let ms = Duration::from_millis;
        for (text, meaning) in [
            ("tok_ok", Token::Ok),
            ("tok_decline", Token::Decline { code: "card_declined" }),
            ("tok_decline_insufficient_funds", Token::Decline { code: "insufficient_funds" }),
            ("tok_decline_<b>", Token::Invalid),
            ("tok_3ds", Token::Challenge),
            ("tok_slow", Token::Slow(ms(300))),
            ("tok_slow_25", Token::Slow(ms(25))),
            ("tok_slow_99999999", Token::Slow(ms(60_000))),
            ("tok_slow_soon", Token::Invalid),
            ("tok_slow_capture", Token::SlowCapture(ms(300))),
            ("tok_slow_capture_7", Token::SlowCapture(ms(7))),
            ("tok_lost_ok", Token::LostOk),
            ("tok_lost_fail", Token::LostFail),
            ("tok_capture_decline", Token::CaptureDecline),
            ("tok_capture_lost_ok", Token::CaptureLostOk),
            ("tok_refund_fail", Token::RefundFail(None)),
            ("tok_refund_fail_3", Token::RefundFail(Some(3))),
            ("tok_refund_fail_x", Token::Invalid),
            ("tok_OK", Token::Invalid),
            ("", Token::Invalid),
        ] {
            assert_eq!(Token::parse(text), meaning, "{text}");
        }
    }
}
