//! Who is thought to be down, from what calls hear of it (passive ejection). Pure.
//!
//! After the outlier detection of Envoy: an instance that cannot be reached is left alone for a time that doubles
//! with each strike, and an answer clears it. Calls that began before the ejection know nothing new: sixty calls that
//! find the same door shut are one strike, and one that ends well after the door was shut does not open it.

use std::time::Duration;
use tokio::time::Instant;

/// When an instance is left alone, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ejection {
    /// How long after the first strike.
    pub first: Duration,
    /// How long at most.
    pub longest: Duration,
    /// How many calls in a row may stay without an answer until their deadline.
    pub unanswered: u32,
}

impl Default for Ejection {
    fn default() -> Self {
        Self { first: Duration::from_secs(1), longest: Duration::from_secs(30), unanswered: 3 }
    }
}

/// What a call has heard of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Heard {
    /// An answer, of whatever kind.
    Answer,
    /// It could not be reached.
    Unreachable,
    /// Nothing until the deadline.
    Nothing,
}

/// What calls have heard of an instance so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Health {
    strikes: u32,
    unanswered: u32,
    /// From when until when it is left alone.
    ejected: Option<(Instant, Instant)>,
}

impl Health {
    /// After a call that began at `began` has heard this.
    pub(crate) fn after(mut self, heard: Heard, began: Instant, now: Instant, rule: &Ejection) -> Self {
        if self.ejected.is_some_and(|(since, until)| began < since || (now < until && heard != Heard::Answer))
        {
            return self;
        }
        match heard {
            Heard::Answer => Self::default(),
            Heard::Nothing if self.unanswered + 1 < rule.unanswered => {
                self.unanswered += 1;
                self
            }
            Heard::Unreachable | Heard::Nothing => {
                let pause = rule.first.saturating_mul(2_u32.saturating_pow(self.strikes.min(20)));
                Self {
                    strikes: self.strikes + 1,
                    unanswered: self.unanswered,
                    ejected: Some((now, now + pause.min(rule.longest))),
                }
            }
        }
    }

    /// Whether it is left alone.
    pub(crate) fn is_suspect(&self, now: Instant) -> bool {
        self.ejected.is_some_and(|(_, until)| now < until)
    }

    /// Whether there is anything that an answer would clear.
    pub(crate) fn is_spotless(&self) -> bool {
        *self == Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: Ejection =
        Ejection { first: Duration::from_secs(1), longest: Duration::from_secs(5), unanswered: 3 };

    /// Each step: what is heard, when the call began, when it ended, and until when it is left alone after that.
    type Step = (Heard, u64, u64, Option<u64>);

    #[test]
    fn an_instance_is_left_alone_for_a_while() {
        use Heard::{Answer, Nothing, Unreachable};
        let table: &[&[Step]] = &[
            &[(Answer, 0, 1, None), (Unreachable, 2, 2, Some(3))],
            // The time doubles up to the longest, and an answer clears it.
            &[
                (Unreachable, 0, 0, Some(1)),
                (Unreachable, 1, 1, Some(3)),
                (Unreachable, 3, 3, Some(7)),
                (Unreachable, 7, 7, Some(12)),
                (Answer, 12, 12, None),
                (Unreachable, 13, 13, Some(14)),
            ],
            // Calls that ran into the same shut door are one strike, and so is one that the panic rule sent there.
            &[(Unreachable, 5, 5, Some(6)), (Unreachable, 4, 5, Some(6)), (Unreachable, 5, 5, Some(6))],
            // A call from before the door was shut does not open it; one from after does.
            &[(Unreachable, 5, 5, Some(6)), (Answer, 4, 5, Some(6)), (Answer, 5, 5, None)],
            // Silence strikes at the third time in a row.
            &[(Nothing, 0, 1, None), (Nothing, 0, 1, None), (Nothing, 0, 1, Some(2))],
            &[(Nothing, 0, 1, None), (Nothing, 0, 1, None), (Answer, 1, 1, None), (Nothing, 1, 2, None)],
            // Still silent when it is tried again: at once.
            &[
                (Nothing, 0, 1, None),
                (Nothing, 0, 1, None),
                (Nothing, 0, 1, Some(2)),
                (Nothing, 2, 3, Some(5)),
            ],
        ];
        for history in table {
            let start = Instant::now();
            let at = |second: u64| start + Duration::from_secs(second);
            let mut health = Health::default();
            for (heard, began, ended, until) in *history {
                health = health.after(*heard, at(*began), at(*ended), &RULE);
                assert_eq!(health.ejected.map(|(_, until)| until), until.map(at), "{history:?}");
                assert_eq!(health.is_suspect(at(*ended)), until.is_some());
                if let Some(until) = until {
                    assert!(!health.is_suspect(at(*until)), "its time is up");
                }
            }
        }
    }
}
