//! The values of a policy by name: what may be set to what, and what is in force for a request.

use super::{InvalidPolicy, Policies, Resilience};
use serde::Serialize;
use std::time::Duration;

/// Which setting a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Everybody's.
    Bus,
    /// The port's own.
    Port,
    /// The request's own.
    Request,
}

/// One value of the policy in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explained {
    /// Its name under `[bus]` or `[bus.ports.<port>]`: `retry.attempts`.
    pub key: &'static str,
    /// The value, as it would be written in the settings.
    pub value: String,
    /// Where it comes from. A port's value that is the same as everybody's counts as everybody's.
    pub scope: Scope,
}

/// A value, its name, and what it must be.
struct Value {
    key: &'static str,
    text: String,
    wanted: &'static str,
    sound: bool,
}

const HOUR: Duration = Duration::from_secs(3600);
const TIME: &str = "more than zero and at most an hour";
const PERCENT: &str = "1 to 100";

impl Policies {
    /// The policy in force for a request (`inventory.reserve`): every value, by name, in the order in which a call
    /// meets them.
    #[must_use]
    pub fn explain(&self, port: &str, request: &str) -> Vec<Explained> {
        let (usual, own) = (self.default, self.port(port));
        let scope = |differs: bool| if differs { Scope::Port } else { Scope::Bus };
        let limit = |key, value: String, usual: String| {
            let scope = scope(value != usual);
            Explained { key, value, scope }
        };
        let mut all = vec![match self.deadlines.get(request) {
            Some(deadline) => Explained { key: "deadline", value: span(*deadline), scope: Scope::Request },
            None => limit("deadline", span(own.deadline), span(usual.deadline)),
        }];
        all.push(Explained {
            key: "retry",
            value: if self.repeats(request) { "on" } else { "off" }.into(),
            scope: if self.repeats(request) { Scope::Bus } else { Scope::Request },
        });
        let everybodys = values(&self.resilience);
        all.extend(values(&self.resilience(port)).into_iter().zip(everybodys).map(|(own, usual)| {
            Explained { scope: scope(own.text != usual.text), key: own.key, value: own.text }
        }));
        all.push(limit("concurrency", own.concurrency.to_string(), usual.concurrency.to_string()));
        all.push(limit("queue", own.queue.to_string(), usual.queue.to_string()));
        all
    }
}

pub(super) fn check(name: &str, resilience: &Resilience) -> Result<(), InvalidPolicy> {
    match values(resilience).into_iter().find(|value| !value.sound) {
        None => Ok(()),
        Some(Value { key, wanted, .. }) => Err(InvalidPolicy::Value { key: format!("{name}.{key}"), wanted }),
    }
}

fn values(of: &Resilience) -> Vec<Value> {
    let (retry, breaker) = (&of.retry, &of.breaker);
    let time = |key, value: Duration| Value {
        key,
        text: span(value),
        wanted: TIME,
        sound: !value.is_zero() && value <= HOUR,
    };
    let attempt = |key, value: Option<Duration>| match value {
        Some(value) => time(key, value),
        None => Value { key, text: "the deadline".into(), wanted: TIME, sound: true },
    };
    let number = |key, value: u32, wanted, sound| Value { key, text: value.to_string(), wanted, sound };
    let rate = |key, value: u8| number(key, value.into(), PERCENT, (1..=100).contains(&value));
    let at_least = |value: Value, least: Duration, of: Duration, wanted| Value {
        sound: value.sound && of >= least,
        wanted: if value.sound { wanted } else { value.wanted },
        ..value
    };
    vec![
        number("retry.attempts", retry.attempts, "1 to 10", (1..=10).contains(&retry.attempts)),
        time("retry.base", retry.base),
        at_least(time("retry.cap", retry.cap), retry.base, retry.cap, "at least retry.base"),
        number("retry.budget_percent", retry.budget_percent, "at most 100", retry.budget_percent <= 100),
        number("retry.reserve", retry.reserve, "at most 1000", retry.reserve <= 1000),
        time("retry.refill", retry.refill),
        number(
            "retry.burst",
            retry.burst,
            "at least retry.reserve and at most 10000",
            (retry.reserve..=10_000).contains(&retry.burst),
        ),
        Value { key: "breaker.enabled", text: breaker.enabled.to_string(), wanted: "", sound: true },
        rate("breaker.failure_rate", breaker.failure_rate),
        rate("breaker.slow_rate", breaker.slow_rate),
        time("breaker.slow_after", breaker.slow_after),
        // One failure is no trend.
        number("breaker.min_calls", breaker.min_calls, "at least 2", breaker.min_calls >= 2),
        number(
            "breaker.window_calls",
            breaker.window_calls,
            "at least breaker.min_calls and at most 10000",
            (breaker.min_calls..=10_000).contains(&breaker.window_calls),
        ),
        time("breaker.window_time", breaker.window_time),
        number("breaker.consecutive", breaker.consecutive, "at least 2", breaker.consecutive >= 2),
        Value {
            key: "breaker.spread",
            text: span(breaker.spread),
            wanted: "at most breaker.window_time",
            sound: breaker.spread <= breaker.window_time,
        },
        time("breaker.open_for", breaker.open_for),
        at_least(
            time("breaker.open_longest", breaker.open_longest),
            breaker.open_for,
            breaker.open_longest,
            "at least breaker.open_for",
        ),
        number("breaker.probes", breaker.probes, "1 to 100", (1..=100).contains(&breaker.probes)),
        time("breaker.probe_longest", breaker.probe_longest),
        attempt("query_timeout", of.query_timeout),
        attempt("command_timeout", of.command_timeout),
    ]
}

/// As settings write it.
fn span(time: Duration) -> String {
    let millis = time.as_millis();
    if millis.is_multiple_of(1000) { format!("{}s", millis / 1000) } else { format!("{millis}ms") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BreakerRule, Policy, RetryRule};

    #[test]
    fn defaults_are_sound() {
        assert_eq!(check("bus", &Resilience::default()), Ok(()));
        assert_eq!(Policies::default().resilience("any"), Resilience::default());
    }

    /// C15, CALL-11: what would never trip, trip at one failure or never end is refused by name.
    #[test]
    fn nonsense_is_refused_by_name() {
        type Change = fn(&mut Resilience);
        let table: &[(&str, Change)] = &[
            ("retry.attempts", |it| it.retry.attempts = 0),
            ("retry.attempts", |it| it.retry.attempts = 11),
            ("retry.base", |it| it.retry.base = Duration::ZERO),
            ("retry.cap", |it| it.retry.cap = Duration::from_millis(1)),
            ("retry.budget_percent", |it| it.retry.budget_percent = 101),
            ("retry.refill", |it| it.retry.refill = Duration::ZERO),
            ("retry.burst", |it| it.retry.burst = it.retry.reserve - 1),
            ("breaker.failure_rate", |it| it.breaker.failure_rate = 0),
            ("breaker.failure_rate", |it| it.breaker.failure_rate = 101),
            ("breaker.slow_rate", |it| it.breaker.slow_rate = 0),
            ("breaker.min_calls", |it| it.breaker.min_calls = 1),
            ("breaker.window_calls", |it| it.breaker.window_calls = it.breaker.min_calls - 1),
            ("breaker.window_time", |it| it.breaker.window_time = HOUR * 2),
            ("breaker.consecutive", |it| it.breaker.consecutive = 1),
            ("breaker.spread", |it| it.breaker.spread = it.breaker.window_time * 2),
            ("breaker.open_for", |it| it.breaker.open_for = Duration::ZERO),
            ("breaker.open_longest", |it| it.breaker.open_longest = Duration::from_millis(1)),
            ("breaker.probes", |it| it.breaker.probes = 0),
            ("query_timeout", |it| it.query_timeout = Some(Duration::ZERO)),
            ("command_timeout", |it| it.command_timeout = Some(HOUR * 2)),
        ];
        for (key, change) in table {
            let mut resilience = Resilience::default();
            change(&mut resilience);
            let refused = Policies::default().with_port_resilience("shop", resilience).err();
            let named = matches!(&refused, Some(InvalidPolicy::Value { key: of, .. }) if *of == format!("shop.{key}"));
            assert!(named, "{key}: {refused:?}");
            assert!(Policies::default().with_resilience(resilience).is_err());
        }
    }

    #[test]
    fn every_value_is_explained_with_where_it_comes_from() {
        let own = Resilience {
            retry: RetryRule { attempts: 5, ..RetryRule::default() },
            breaker: BreakerRule { spread: Duration::from_millis(1500), ..BreakerRule::default() },
            ..Resilience::default()
        };
        let policies = Policies::new(Policy::default())
            .and_then(|it| it.with_port("shop", Policy { queue: 7, ..Policy::default() }))
            .and_then(|it| it.with_deadline("shop.buy", Duration::from_secs(3)))
            .and_then(|it| it.with_port_resilience("shop", own))
            .expect("sound")
            .without_retry("shop.look");
        let find = |port, request, key| {
            let found = policies.explain(port, request).into_iter().find(|it| it.key == key);
            found.map(|it| (it.value, it.scope)).expect("it is explained")
        };
        assert_eq!(find("shop", "shop.buy", "deadline"), ("3s".into(), Scope::Request));
        assert_eq!(find("shop", "shop.look", "deadline"), ("10s".into(), Scope::Bus));
        assert_eq!(find("shop", "shop.buy", "queue"), ("7".into(), Scope::Port));
        assert_eq!(find("shop", "shop.buy", "retry.attempts"), ("5".into(), Scope::Port));
        assert_eq!(find("shop", "shop.buy", "breaker.spread"), ("1500ms".into(), Scope::Port));
        assert_eq!(find("shop", "shop.buy", "retry.base"), ("50ms".into(), Scope::Bus));
        assert_eq!(find("shop", "shop.look", "retry"), ("off".into(), Scope::Request));
        assert_eq!(find("other", "other.ask", "retry.attempts"), ("3".into(), Scope::Bus));
        assert_eq!(find("other", "other.ask", "command_timeout"), ("the deadline".into(), Scope::Bus));
    }
}
