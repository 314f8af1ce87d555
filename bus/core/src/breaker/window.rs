//! What a closed breaker remembers: the last attempts by count, those of the last seconds, and failures in a row.

use super::{BreakerRule, Outcome};
use std::{collections::VecDeque, time::Duration};
use tokio::time::Instant;

/// How long the window by count remembers: an evening's failures say nothing about the next morning.
const MEMORY: Duration = Duration::from_secs(600);

/// Into how many slices the window by time is cut; the oldest goes as a whole.
const SLICES: u32 = 10;

#[derive(Debug, Default)]
pub(crate) struct Window {
    calls: VecDeque<(Instant, Outcome)>,
    slices: VecDeque<Slice>,
    /// Failures in a row: how many, and since when.
    run: Option<(u32, Instant)>,
}

#[derive(Debug)]
struct Slice {
    from: Instant,
    tally: Tally,
}

impl Window {
    pub(crate) fn note(&mut self, outcome: Outcome, rule: &BreakerRule, now: Instant) {
        if outcome == Outcome::Ignored {
            return;
        }
        self.run = match (outcome, self.run) {
            (Outcome::Failure, Some((count, since))) => Some((count.saturating_add(1), since)),
            (Outcome::Failure, None) => Some((1, now)),
            _ => None,
        };
        self.calls.push_back((now, outcome));
        while self.calls.len() > usize::try_from(rule.window_calls).unwrap_or(usize::MAX) {
            self.calls.pop_front();
        }
        while self.slices.front().is_some_and(|slice| is_older(slice.from, rule.window_time, now)) {
            self.slices.pop_front();
        }
        if self.slices.back().is_none_or(|slice| is_older(slice.from, rule.window_time / SLICES, now)) {
            self.slices.push_back(Slice { from: now, tally: Tally::default() });
        }
        if let Some(slice) = self.slices.back_mut() {
            slice.tally.add(outcome, now);
        }
    }

    /// Whether what it remembers is bad enough.
    pub(crate) fn trips(&self, rule: &BreakerRule, now: Instant) -> bool {
        let in_a_row = self.run.is_some_and(|(count, since)| {
            count >= rule.consecutive && now.saturating_duration_since(since) >= rule.spread
        });
        in_a_row || self.by_count(now).trips(rule) || self.by_time(rule, now).trips(rule)
    }

    /// Attempts and failures of the last seconds.
    pub(crate) fn recent(&self, rule: &BreakerRule, now: Instant) -> (u32, u32) {
        let tally = self.by_time(rule, now);
        (tally.calls, tally.failures.count)
    }

    fn by_count(&self, now: Instant) -> Tally {
        let mut sum = Tally::default();
        for (at, outcome) in self.calls.iter().filter(|(at, _)| !is_older(*at, MEMORY, now)) {
            sum.add(*outcome, *at);
        }
        sum
    }

    fn by_time(&self, rule: &BreakerRule, now: Instant) -> Tally {
        let mut sum = Tally::default();
        for slice in self.slices.iter().filter(|slice| !is_older(slice.from, rule.window_time, now)) {
            sum.calls = sum.calls.saturating_add(slice.tally.calls);
            sum.failures.join(&slice.tally.failures);
            sum.slow.join(&slice.tally.slow);
        }
        sum
    }
}

fn is_older(at: Instant, than: Duration, now: Instant) -> bool {
    now.saturating_duration_since(at) >= than
}

#[derive(Debug, Default)]
struct Tally {
    calls: u32,
    failures: Spread,
    slow: Spread,
}

/// How many there were, and when the first and the last was.
#[derive(Debug, Default)]
struct Spread {
    count: u32,
    ends: Option<(Instant, Instant)>,
}

impl Tally {
    fn add(&mut self, outcome: Outcome, at: Instant) {
        self.calls = self.calls.saturating_add(1);
        let one = Spread { count: 1, ends: Some((at, at)) };
        match outcome {
            Outcome::Failure => self.failures.join(&one),
            Outcome::Slow => self.slow.join(&one),
            Outcome::Success | Outcome::Ignored => {}
        }
    }

    fn trips(&self, rule: &BreakerRule) -> bool {
        let too_many = |of: &Spread, rate: u8| {
            u64::from(of.count) * 100 >= u64::from(self.calls) * u64::from(rate) && of.spans(rule.spread)
        };
        self.calls >= rule.min_calls
            && (too_many(&self.failures, rule.failure_rate) || too_many(&self.slow, rule.slow_rate))
    }
}

impl Spread {
    fn join(&mut self, later: &Self) {
        self.count = self.count.saturating_add(later.count);
        self.ends = match (self.ends, later.ends) {
            (Some((first, _)), Some((_, last))) => Some((first, last)),
            (own, None) => own,
            (None, other) => other,
        };
    }

    fn spans(&self, spread: Duration) -> bool {
        self.ends.is_some_and(|(first, last)| last.saturating_duration_since(first) >= spread)
    }
}

#[cfg(test)]
mod tests;
