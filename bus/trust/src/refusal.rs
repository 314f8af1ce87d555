//! Why something is not taken: said in the log, never to the sender, and in the log no more than so often.

use bus::BusError;
use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// So many lines in so much time; whoever sends rubbish by the thousand does not fill the disk.
const MOST_LINES: u32 = 20;
const WINDOW: Duration = Duration::from_secs(10);

/// Names come from outside: of a long one this much is logged.
const LONGEST_NAME: usize = 100;

/// Why something was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("there is no seal")]
    Missing,
    #[error("the seal cannot be read")]
    Malformed,
    #[error("the sender is not known")]
    Unknown,
    #[error("the seal is for another module")]
    Audience,
    #[error("the seal is from the future: do the clocks agree?")]
    Future,
    #[error("the seal has expired")]
    Expired,
    #[error("the seal would be good for too long")]
    TooLong,
    #[error("the signature is not by the sender's key, or not for this call")]
    Signature,
    #[error("the seal was seen before")]
    Replayed,
    #[error("the clock went back: this seal may have been seen before")]
    Forgotten,
    #[error("the sender may not call this module")]
    NotAllowed,
    #[error("the sender may not move or operate modules")]
    NoControl,
    #[error("the batch of events cannot be read")]
    Unreadable,
    #[error("the sender may not speak for an event's source")]
    Source,
    #[error("more seals than can be remembered")]
    Full,
    #[error("the answer is not signed")]
    UnsignedAnswer,
    #[error("the answer is not signed by who runs the module")]
    ForeignAnswer,
}

impl Refusal {
    /// The label of the metric.
    fn label(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Malformed => "malformed",
            Self::Unknown => "unknown_sender",
            Self::Audience => "audience",
            Self::Future => "future",
            Self::Expired => "expired",
            Self::TooLong => "too_long",
            Self::Signature => "signature",
            Self::Replayed => "replayed",
            Self::Forgotten => "clock_went_back",
            Self::NotAllowed => "not_allowed",
            Self::NoControl => "no_control",
            Self::Unreadable => "unreadable",
            Self::Source => "source",
            Self::Full => "full",
            Self::UnsignedAnswer => "unsigned_answer",
            Self::ForeignAnswer => "foreign_answer",
        }
    }
}

/// Counts and logs refusals, and turns each into what the sender is told.
#[derive(Default)]
pub(crate) struct Reporter(Mutex<Window>);

#[derive(Default)]
struct Window {
    began: Option<Instant>,
    lines: u32,
}

impl Reporter {
    pub(crate) fn refuse(&self, name: &str, sender: Option<&str>, refusal: Refusal) -> BusError {
        metrics::counter!("bus_refused_total", "reason" => refusal.label()).increment(1);
        if self.may_log() {
            let shown: String = name.chars().take(LONGEST_NAME).collect();
            tracing::warn!(name = ?shown, sender = sender.unwrap_or("unknown"), reason = %refusal, "not trusted");
        }
        match refusal {
            Refusal::Full => BusError::Overloaded { port: module(name).to_owned(), retry_after_ms: 1000 },
            _ => BusError::NotTrusted { name: name.into() },
        }
    }

    fn may_log(&self) -> bool {
        let mut window = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if window.began.is_none_or(|began| now.duration_since(began) >= WINDOW) {
            let silent = window.lines.saturating_sub(MOST_LINES);
            *window = Window { began: Some(now), lines: 0 };
            if silent > 0 {
                tracing::warn!(silent, "so many more were not trusted");
            }
        }
        window.lines = window.lines.saturating_add(1);
        window.lines <= MOST_LINES
    }
}

/// The module that a name belongs to: `inventory` of `inventory.reserve`.
pub(crate) fn module(name: &str) -> &str {
    name.split('.').next().unwrap_or(name)
}
