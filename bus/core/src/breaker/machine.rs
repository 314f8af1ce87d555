//! The breaker's states. Pure: the rule, the time and a random number come from outside, and nothing runs by itself.

use super::{BreakerRule, BreakerState, BreakerStatus, Forced, Outcome, window::Window};
use std::time::Duration;
use tokio::time::Instant;

/// What a breaker knows.
#[derive(Debug)]
pub(crate) struct Machine {
    forced: Forced,
    state: State,
    /// Changes with the state, so that an attempt which began before does not count after.
    epoch: u64,
    /// How often in a row it has opened without closing in between.
    opened: u32,
    /// How often it would have opened, had it not been told to look on.
    would_have_opened: u64,
}

#[derive(Debug)]
enum State {
    Closed(Window),
    Open { until: Instant },
    HalfOpen(Trial),
}

/// The probes of a breaker that is half open.
#[derive(Debug)]
struct Trial {
    since: Instant,
    under_way: u32,
    good: u32,
}

/// The state in which an attempt was let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ticket {
    epoch: u64,
}

impl Machine {
    pub(crate) fn new(forced: Forced) -> Self {
        Self { forced, state: State::Closed(Window::default()), epoch: 0, opened: 0, would_have_opened: 0 }
    }

    pub(crate) fn state(&self) -> BreakerState {
        match (self.forced, &self.state) {
            (Forced::Open, _) => BreakerState::ForcedOpen,
            (Forced::Closed, _) => BreakerState::ForcedClosed,
            (Forced::MetricsOnly, _) => BreakerState::MetricsOnly,
            (Forced::Auto, State::Closed(_)) => BreakerState::Closed,
            (Forced::Auto, State::Open { .. }) => BreakerState::Open,
            (Forced::Auto, State::HalfOpen(_)) => BreakerState::HalfOpen,
        }
    }

    /// Whether an attempt goes through. `random` is in 0..1.
    pub(crate) fn admit(&mut self, rule: &BreakerRule, now: Instant, random: f64) -> Option<Ticket> {
        match self.forced {
            Forced::Open => return None,
            Forced::Closed | Forced::MetricsOnly => return Some(self.ticket()),
            Forced::Auto => {}
        }
        if matches!(self.state, State::Open { until } if until <= now) {
            self.turn(State::HalfOpen(Trial { since: now, under_way: 0, good: 0 }));
        }
        match &mut self.state {
            State::Closed(_) => Some(self.ticket()),
            State::Open { .. } => None,
            // Never more probes than it takes, however many ask.
            State::HalfOpen(trial) if trial.under_way + trial.good < rule.probes => {
                trial.under_way += 1;
                Some(self.ticket())
            }
            State::HalfOpen(trial) => {
                if now.saturating_duration_since(trial.since) >= rule.probe_longest {
                    self.open(rule, now, random);
                }
                None
            }
        }
    }

    /// An attempt that was let through has ended.
    pub(crate) fn done(
        &mut self,
        ticket: Ticket,
        outcome: Outcome,
        rule: &BreakerRule,
        now: Instant,
        random: f64,
    ) {
        if matches!(self.forced, Forced::Open | Forced::Closed) || ticket != self.ticket() {
            return;
        }
        match &mut self.state {
            State::Open { .. } => {}
            State::Closed(window) => {
                window.note(outcome, rule, now);
                if matches!(outcome, Outcome::Failure | Outcome::Slow) && window.trips(rule, now) {
                    if self.forced == Forced::MetricsOnly {
                        self.would_have_opened += 1;
                        self.turn(State::Closed(Window::default()));
                    } else {
                        self.open(rule, now, random);
                    }
                }
            }
            State::HalfOpen(trial) => {
                trial.under_way = trial.under_way.saturating_sub(1);
                match outcome {
                    Outcome::Ignored => {}
                    Outcome::Failure | Outcome::Slow => self.open(rule, now, random),
                    Outcome::Success => {
                        trial.good += 1;
                        if trial.good >= rule.probes {
                            self.opened = 0;
                            self.turn(State::Closed(Window::default()));
                        }
                    }
                }
            }
        }
    }

    /// An operator decides, or lets it decide by itself again, from the beginning.
    pub(crate) fn force(&mut self, forced: Forced) {
        if forced != self.forced {
            self.forced = forced;
            self.opened = 0;
            self.turn(State::Closed(Window::default()));
        }
    }

    pub(crate) fn would_have_opened(&self) -> u64 {
        self.would_have_opened
    }

    pub(crate) fn status(&self, rule: &BreakerRule, now: Instant) -> BreakerStatus {
        let (calls, failures) = match &self.state {
            State::Closed(window) => window.recent(rule, now),
            State::Open { .. } | State::HalfOpen(_) => (0, 0),
        };
        let wait = |until: Instant| until.saturating_duration_since(now).as_millis();
        let probe_in_ms = match self.state {
            State::Open { until } => Some(u64::try_from(wait(until)).unwrap_or(u64::MAX)),
            State::Closed(_) | State::HalfOpen(_) => None,
        };
        BreakerStatus { state: self.state(), probe_in_ms, calls, failures }
    }

    fn open(&mut self, rule: &BreakerRule, now: Instant, random: f64) {
        let wait = wait(rule, self.opened, random);
        self.opened = self.opened.saturating_add(1);
        self.turn(State::Open { until: now + wait });
    }

    fn turn(&mut self, state: State) {
        self.state = state;
        self.epoch += 1;
    }

    fn ticket(&self) -> Ticket {
        Ticket { epoch: self.epoch }
    }
}

/// How long it stays open after it has opened `before` times in a row. A fifth of it by chance: processes that lost a
/// target together should not all knock together.
fn wait(rule: &BreakerRule, before: u32, random: f64) -> Duration {
    let longest = rule.open_for.saturating_mul(2_u32.saturating_pow(before.min(20))).min(rule.open_longest);
    longest.mul_f64(0.8 + 0.2 * random.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests;
