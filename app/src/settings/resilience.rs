//! What is done where a call to another process fails, as settings.

use super::Span;
use bus::{BreakerRule, Resilience, RetryRule};
use serde::Deserialize;

/// `[bus.retry]`, `[bus.breaker]` and the like under `[bus.ports.inventory]`; what is missing is as everywhere.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "config/default.toml says what each is")]
pub struct RetrySection {
    pub attempts: Option<u32>,
    pub base: Option<Span>,
    pub cap: Option<Span>,
    pub budget_percent: Option<u32>,
    pub reserve: Option<u32>,
    pub refill: Option<Span>,
    pub burst: Option<u32>,
}

/// `[bus.breaker]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "config/default.toml says what each is")]
pub struct BreakerSection {
    pub enabled: Option<bool>,
    pub failure_rate: Option<u8>,
    pub slow_rate: Option<u8>,
    pub slow_after: Option<Span>,
    pub min_calls: Option<u32>,
    pub window_calls: Option<u32>,
    pub window_time: Option<Span>,
    pub consecutive: Option<u32>,
    pub spread: Option<Span>,
    pub open_for: Option<Span>,
    pub open_longest: Option<Span>,
    pub probes: Option<u32>,
    pub probe_longest: Option<Span>,
}

/// Takes what is said, and the rest as it is.
pub(super) fn applied(
    usual: Resilience,
    query_timeout: Option<Span>,
    command_timeout: Option<Span>,
    retry: &RetrySection,
    breaker: &BreakerSection,
) -> Resilience {
    let span = |own: Option<Span>, usual| own.map_or(usual, |span| span.0);
    let (r, b) = (usual.retry, usual.breaker);
    Resilience {
        query_timeout: query_timeout.map_or(usual.query_timeout, |span| Some(span.0)),
        command_timeout: command_timeout.map_or(usual.command_timeout, |span| Some(span.0)),
        retry: RetryRule {
            attempts: retry.attempts.unwrap_or(r.attempts),
            base: span(retry.base, r.base),
            cap: span(retry.cap, r.cap),
            budget_percent: retry.budget_percent.unwrap_or(r.budget_percent),
            reserve: retry.reserve.unwrap_or(r.reserve),
            refill: span(retry.refill, r.refill),
            burst: retry.burst.unwrap_or(r.burst),
        },
        breaker: BreakerRule {
            enabled: breaker.enabled.unwrap_or(b.enabled),
            failure_rate: breaker.failure_rate.unwrap_or(b.failure_rate),
            slow_rate: breaker.slow_rate.unwrap_or(b.slow_rate),
            slow_after: span(breaker.slow_after, b.slow_after),
            min_calls: breaker.min_calls.unwrap_or(b.min_calls),
            window_calls: breaker.window_calls.unwrap_or(b.window_calls),
            window_time: span(breaker.window_time, b.window_time),
            consecutive: breaker.consecutive.unwrap_or(b.consecutive),
            spread: span(breaker.spread, b.spread),
            open_for: span(breaker.open_for, b.open_for),
            open_longest: span(breaker.open_longest, b.open_longest),
            probes: breaker.probes.unwrap_or(b.probes),
            probe_longest: span(breaker.probe_longest, b.probe_longest),
        },
    }
}
