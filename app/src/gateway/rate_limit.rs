//! Rate limits per caller and per address (draft-ietf-httpapi-ratelimit-headers), counted in this process.

use super::settings::RateLimit;
use actix_web::http::{
    StatusCode,
    header::{HeaderName, HeaderValue},
};
use edge::Problem;
use governor::{
    Quota, RateLimiter,
    clock::{Clock as _, DefaultClock},
    middleware::StateInformationMiddleware,
    state::keyed::DefaultKeyedStateStore,
};
use std::{
    hash::Hash,
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};
use uuid::Uuid;

/// After so many requests, forget those whose allowance is whole again.
const SWEEP_EVERY: u32 = 10_000;

/// The limits in force.
pub(crate) struct Limits {
    caller: Option<Limit<Uuid>>,
    ip: Option<Limit<IpAddr>>,
}

impl Limits {
    pub(crate) fn new(caller: Option<RateLimit>, ip: Option<RateLimit>) -> Self {
        Self {
            caller: caller.and_then(|rate| Limit::new("caller", rate)),
            ip: ip.and_then(|rate| Limit::new("ip", rate)),
        }
    }

    /// The same for callers and addresses, under one name.
    pub(crate) fn named(name: &'static str, rate: RateLimit) -> Self {
        Self { caller: Limit::new(name, rate), ip: Limit::new(name, rate) }
    }

    pub(crate) fn ip(&self, ip: IpAddr) -> Option<Standing> {
        self.ip.as_ref().map(|limit| limit.take(&network(ip)))
    }

    pub(crate) fn caller(&self, user: Uuid) -> Option<Standing> {
        self.caller.as_ref().map(|limit| limit.take(&user))
    }
}

/// One IPv6 customer has a whole /64 of addresses.
fn network(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V6(ip) => match ip.to_ipv4_mapped() {
            Some(mapped) => mapped.into(),
            None => Ipv6Addr::from_bits(ip.to_bits() & (u128::MAX << 64)).into(),
        },
        v4 @ IpAddr::V4(_) => v4,
    }
}

struct Limit<K: Hash + Eq + Clone> {
    name: &'static str,
    rate: RateLimit,
    limiter: RateLimiter<K, DefaultKeyedStateStore<K>, DefaultClock, StateInformationMiddleware>,
    since_sweep: AtomicU32,
}

impl<K: Hash + Eq + Clone> Limit<K> {
    fn new(name: &'static str, rate: RateLimit) -> Option<Self> {
        let burst = NonZeroU32::new(rate.requests)?;
        let quota = Quota::with_period(rate.window / rate.requests)?.allow_burst(burst);
        let limiter = RateLimiter::dashmap(quota).with_middleware::<StateInformationMiddleware>();
        Some(Self { name, rate, limiter, since_sweep: AtomicU32::new(0) })
    }

    fn take(&self, key: &K) -> Standing {
        if self.since_sweep.fetch_add(1, Ordering::Relaxed) == SWEEP_EVERY {
            self.since_sweep.store(0, Ordering::Relaxed);
            self.limiter.retain_recent();
        }
        let (left, wait) = match self.limiter.check_key(key) {
            Ok(state) => (Some(state.remaining_burst_capacity()), Duration::ZERO),
            Err(not_yet) => (None, not_yet.wait_time_from(DefaultClock::default().now())),
        };
        Standing { name: self.name, rate: self.rate, left, wait }
    }
}

/// How a client stands with one limit, this request counted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Standing {
    name: &'static str,
    rate: RateLimit,
    /// How many are left; `None` where this one was too many.
    left: Option<u32>,
    wait: Duration,
}

impl Standing {
    pub(crate) fn exceeded(&self) -> Option<Problem> {
        if self.left.is_some() {
            return None;
        }
        let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited")
            .detail("Too many requests. Wait as long as Retry-After says.")
            .with("violated-policies", &[self.name])
            .retry_after(self.reset());
        Some(problem)
    }

    /// Seconds until the allowance is whole again, or until there is one at all.
    fn reset(&self) -> u64 {
        let time = match self.left {
            Some(left) => self.rate.window / self.rate.requests * self.rate.requests.saturating_sub(left),
            None => self.wait,
        };
        time.as_secs() + u64::from(time.subsec_nanos() > 0)
    }

    fn policy(&self) -> String {
        let window = self.rate.window.as_secs_f64().ceil();
        format!("\"{}\";q={};w={window}", self.name, self.rate.requests)
    }

    fn state(&self) -> String {
        format!("\"{}\";r={};t={}", self.name, self.left.unwrap_or(0), self.reset())
    }
}

/// The two headers, as structured fields (RFC 9651).
pub(crate) fn headers(standings: &[Standing]) -> Vec<(HeaderName, HeaderValue)> {
    if standings.is_empty() {
        return Vec::new();
    }
    let list = |item: fn(&Standing) -> String| standings.iter().map(item).collect::<Vec<_>>().join(", ");
    [("ratelimit-policy", list(Standing::policy)), ("ratelimit", list(Standing::state))]
        .into_iter()
        .filter_map(|(name, value)| Some((HeaderName::from_static(name), HeaderValue::try_from(value).ok()?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Section 5.6: the allowance shrinks to zero and no further, and the refusal says how long.
    #[test]
    fn an_allowance_runs_out() {
        let rate = RateLimit { requests: 3, window: Duration::from_secs(60) };
        let limits = Limits::new(Some(rate), None);
        let user = Uuid::from_u128(1);
        for left in ["2", "1", "0"] {
            let standing = limits.caller(user).expect("limited");
            assert!(standing.exceeded().is_none());
            assert!(standing.state().starts_with(&format!("\"caller\";r={left};t=")));
        }
        let standing = limits.caller(user).expect("limited");
        let problem = standing.exceeded().expect("too many");
        assert_eq!((problem.status().as_u16(), problem.code()), (429, "rate_limited"));
        assert!((1..=20).contains(&standing.reset()), "{}", standing.reset());
        assert_eq!(standing.policy(), "\"caller\";q=3;w=60");
        assert!(limits.caller(Uuid::from_u128(2)).expect("limited").exceeded().is_none());
        assert!(limits.ip([127, 0, 0, 1].into()).is_none());
    }

    /// O-FAIR: one customer's addresses are one.
    #[test]
    fn a_network_is_one_client() {
        let of = |text: &str| network(text.parse().expect("an address"));
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:1"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("::ffff:10.0.0.1"), of("10.0.0.1"));
    }
}
