//! The circuit breaker: a target that does not answer is not asked for a while. The thin shell around `machine`.

mod machine;
mod window;

use machine::{Machine, Ticket};
use serde::Serialize;
use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// When a breaker opens, and how it closes again.
///
/// It judges whether a target answers, not what: an attempt that could not reach it or had no answer in time is a
/// failure, every answer is a success, domain errors and panics included (one poisoned request must not take a module
/// away from everybody). `Overloaded` is neither: a target that sheds load would lose the rest of it too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerRule {
    /// Whether there is one.
    pub enabled: bool,
    /// At how many failures in a hundred attempts it opens.
    pub failure_rate: u8,
    /// At how many slow answers in a hundred attempts it opens.
    pub slow_rate: u8,
    /// When an answer is slow.
    pub slow_after: Duration,
    /// How many attempts a window needs to say anything about rates.
    pub min_calls: u32,
    /// How many attempts the window by count holds: it sees what few calls an hour would not show to the other.
    pub window_calls: u32,
    /// How far the window by time goes back: it sees what many calls a second would push out of the other.
    pub window_time: Duration,
    /// At how many failures in a row it opens, whatever the windows say.
    pub consecutive: u32,
    /// How far apart the first and the last of these failures must be. One connection that breaks fails everything that
    /// is under way on it, and is still only one failure.
    pub spread: Duration,
    /// How long it stays open after the first time; twice as long after each probe that fails.
    pub open_for: Duration,
    /// How long at most: so much later than the target it is back.
    pub open_longest: Duration,
    /// How many probes it takes to close it.
    pub probes: u32,
    /// How long probes may be under way before they are taken for lost.
    pub probe_longest: Duration,
}

impl Default for BreakerRule {
    fn default() -> Self {
        Self {
            enabled: true,
            failure_rate: 50,
            slow_rate: 90,
            slow_after: Duration::from_secs(4),
            min_calls: 10,
            window_calls: 20,
            window_time: Duration::from_secs(10),
            consecutive: 5,
            spread: Duration::from_secs(1),
            open_for: Duration::from_secs(1),
            open_longest: Duration::from_secs(5),
            probes: 3,
            probe_longest: Duration::from_secs(10),
        }
    }
}

impl BreakerRule {
    /// What it does when nobody says anything.
    fn unforced(&self) -> Forced {
        if self.enabled { Forced::Auto } else { Forced::Closed }
    }
}

/// What an operator has said about a breaker.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Forced {
    /// Nothing: it decides by itself.
    #[default]
    Auto,
    /// Let nothing through.
    Open,
    /// Let everything through.
    Closed,
    /// Let everything through, and count how often it would have opened.
    MetricsOnly,
}

/// How a breaker stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BreakerState {
    /// Everything goes through.
    Closed,
    /// A few probes go through.
    HalfOpen,
    /// Nothing goes through for a while.
    Open,
    /// Everything goes through, because somebody said so.
    ForcedClosed,
    /// Nothing goes through, because somebody said so.
    ForcedOpen,
    /// Everything goes through, and how often it would have opened is counted.
    MetricsOnly,
}

impl BreakerState {
    /// The state's name in metrics and in the log.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::HalfOpen => "half_open",
            Self::Open => "open",
            Self::ForcedClosed => "forced_closed",
            Self::ForcedOpen => "forced_open",
            Self::MetricsOnly => "metrics_only",
        }
    }

    /// What the gauge shows: 0 lets through, 1 probes, 2 does not.
    fn level(self) -> f64 {
        match self {
            Self::Closed | Self::ForcedClosed | Self::MetricsOnly => 0.0,
            Self::HalfOpen => 1.0,
            Self::Open | Self::ForcedOpen => 2.0,
        }
    }
}

/// How a breaker stands, for the admin API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct BreakerStatus {
    /// Its state.
    pub state: BreakerState,
    /// How long until it lets a probe through, where it is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probe_in_ms: Option<u64>,
    /// Attempts in its window by time.
    pub calls: u32,
    /// How many of these failed.
    pub failures: u32,
}

/// How an attempt went, as a breaker sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// An answer.
    Success,
    /// An answer that took long.
    Slow,
    /// No answer.
    Failure,
    /// It says nothing about the target.
    Ignored,
}

/// Lets attempts through, or not.
#[derive(Debug)]
pub(crate) struct Breaker {
    port: String,
    rule: BreakerRule,
    machine: Mutex<Machine>,
}

impl Breaker {
    pub(crate) fn new(port: &str, rule: BreakerRule) -> Self {
        let machine = Mutex::new(Machine::new(rule.unforced()));
        let breaker = Self { port: port.to_owned(), rule, machine };
        breaker.show(breaker.lock().state());
        breaker
    }

    /// Lets an attempt through. What becomes of it is told by the pass, also where it is dropped.
    pub(crate) fn admit(&self) -> Option<Pass<'_>> {
        let ticket = self.step(|machine| machine.admit(&self.rule, Instant::now(), rand::random()))?;
        Some(Pass { breaker: self, ticket, outcome: Outcome::Ignored })
    }

    pub(crate) fn force(&self, forced: Forced) {
        let forced = if forced == Forced::Auto { self.rule.unforced() } else { forced };
        self.step(|machine| machine.force(forced));
    }

    pub(crate) fn status(&self) -> BreakerStatus {
        self.lock().status(&self.rule, Instant::now())
    }

    /// State and gauge change in one step: both under the lock.
    fn step<T>(&self, change: impl FnOnce(&mut Machine) -> T) -> T {
        let mut machine = self.lock();
        let (before, earlier) = (machine.state(), machine.would_have_opened());
        let done = change(&mut machine);
        let after = machine.state();
        if machine.would_have_opened() > earlier {
            metrics::counter!("bus_breaker_would_open_total", "port" => self.port.clone()).increment(1);
        }
        if before != after {
            self.show(after);
            metrics::counter!("bus_breaker_transitions_total", "port" => self.port.clone(), "to" => after.name())
                .increment(1);
            tracing::warn!(port = self.port, from = before.name(), to = after.name(), "breaker");
        }
        done
    }

    fn show(&self, state: BreakerState) {
        metrics::gauge!("bus_breaker_state", "port" => self.port.clone()).set(state.level());
    }

    fn lock(&self) -> MutexGuard<'_, Machine> {
        self.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to one attempt. Given back when dropped, whatever became of the attempt: a caller that left, a panic and
/// an error that nobody looked at leave no probe behind.
#[derive(Debug)]
pub(crate) struct Pass<'a> {
    breaker: &'a Breaker,
    ticket: Ticket,
    outcome: Outcome,
}

impl Pass<'_> {
    /// Says how the attempt went.
    pub(crate) fn tell(mut self, outcome: Outcome) {
        self.outcome = outcome;
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        let Self { breaker, ticket, outcome } = self;
        breaker
            .step(|machine| machine.done(*ticket, *outcome, &breaker.rule, Instant::now(), rand::random()));
    }
}

#[cfg(test)]
mod tests;
