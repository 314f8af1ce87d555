//! What travels with a call beside its message: deadline, trace, request id, caller, command id.
//!
//! A task-local, re-entered at every spawn and hop, headers on the wire; never in a port's signature.

use crate::BusError;
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fmt::Write as _,
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{task::JoinHandle, time::Instant};
use uuid::Uuid;

/// The longest chain of calls calling calls; longer is a loop.
const MAX_DEPTH: u8 = 16;

tokio::task_local! {
    static CURRENT: Context;
}

/// Names and values that cross the wire beside a message's bytes.
pub type Headers = BTreeMap<String, String>;

/// What a person may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Buys.
    Customer,
    /// Works in the shop.
    Staff,
    /// Runs it.
    Admin,
}

/// On whose behalf a call is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Caller {
    /// The user's id.
    pub user: Uuid,
    /// What the user may do.
    pub role: Role,
    /// The session that the access token belongs to.
    pub session: Uuid,
}

/// The id that makes a public command safe to repeat, and the fingerprint of the request under it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Command {
    /// Caller and idempotency key, as one text.
    pub id: String,
    /// Digest of method, path and canonical body.
    pub fingerprint: String,
}

/// A W3C trace context (<https://www.w3.org/TR/trace-context/>).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceContext {
    /// The trace.
    pub trace_id: u128,
    /// The span that is the parent of what comes next.
    pub parent_id: u64,
}

impl TraceContext {
    /// A new trace.
    #[must_use]
    pub fn fresh() -> Self {
        Self { trace_id: rand::random::<u128>() | 1, parent_id: rand::random::<u64>() | 1 }
    }

    /// Reads a `traceparent` header; `None` for anything that the recommendation calls invalid.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let (version, trace, parent, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let hex = |part: &str, length: usize| {
            part.len() == length && part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        };
        if !hex(version, 2) || version == "ff" || !hex(trace, 32) || !hex(parent, 16) || !hex(flags, 2) {
            return None;
        }
        if version == "00" && parts.next().is_some() {
            return None;
        }
        let trace_id = u128::from_str_radix(trace, 16).ok().filter(|id| *id != 0)?;
        let parent_id = u64::from_str_radix(parent, 16).ok().filter(|id| *id != 0)?;
        Some(Self { trace_id, parent_id })
    }

    /// The `traceparent` header.
    #[must_use]
    pub fn traceparent(&self) -> String {
        // Made in one piece, since it is made for every call. Writing to a string does not fail.
        let mut header = String::with_capacity(55);
        let _ = write!(header, "00-{:032x}-{:016x}-01", self.trace_id, self.parent_id);
        header
    }

    /// The trace's id as people quote it.
    #[must_use]
    pub fn trace_id(&self) -> String {
        format!("{:032x}", self.trace_id)
    }
}

/// What travels with a call.
#[derive(Debug, Clone)]
pub struct Context {
    /// The trace that the call is part of.
    pub trace: TraceContext,
    /// The public request that all began with.
    pub request_id: Option<Arc<str>>,
    /// On whose behalf.
    pub caller: Option<Caller>,
    /// What makes the public command safe to repeat. Seen by the module that the edge calls, and by no
    /// module further down: those have ids in their messages.
    pub command: Option<Arc<Command>>,
    /// Which try this is, from 1.
    pub attempt: u32,
    /// What the call is about: calls of one key go to the same instance where instances are chosen by key.
    pub key: Option<Arc<str>>,
    deadline: Option<Instant>,
    call_timeout: Option<Duration>,
    call_key: Option<Arc<str>>,
    depth: u8,
    replayed: Arc<AtomicBool>,
}

impl Default for Context {
    fn default() -> Self {
        Self {
            trace: TraceContext::fresh(),
            request_id: None,
            caller: None,
            command: None,
            attempt: 1,
            key: None,
            deadline: None,
            call_timeout: None,
            call_key: None,
            depth: 0,
            replayed: Arc::default(),
        }
    }
}

impl Context {
    /// The context of what runs now; a fresh one outside of any.
    #[must_use]
    pub fn current() -> Self {
        CURRENT.try_with(Clone::clone).unwrap_or_default()
    }

    /// Runs `work` in this context.
    pub async fn scope<F: Future>(self, work: F) -> F::Output {
        CURRENT.scope(self, work).await
    }

    /// The same context with this deadline, or an earlier one that it already has.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Instant) -> Self {
        self.deadline = Some(self.deadline.map_or(deadline, |own| own.min(deadline)));
        self
    }

    /// The context of work that goes on by itself: same trace, request and caller, with no deadline and no
    /// command.
    #[must_use]
    pub fn detached(&self) -> Self {
        Self {
            trace: self.trace,
            request_id: self.request_id.clone(),
            caller: self.caller,
            ..Self::default()
        }
    }

    /// When the work must be done, if it must.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// How long is left.
    #[must_use]
    pub fn remaining(&self) -> Option<Duration> {
        self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }

    /// Whether the answer came out of an idempotency store.
    #[must_use]
    pub fn replayed(&self) -> bool {
        self.replayed.load(Ordering::Relaxed)
    }

    /// Notes that the answer comes out of an idempotency store.
    pub fn mark_replayed(&self) {
        self.replayed.store(true, Ordering::Relaxed);
    }

    /// The context of a call made from this one: one deeper, with what is left of the time.
    /// The innermost of call, request and default time-out is taken, and never more than is left.
    pub(crate) fn for_call(&self, name: &str, default: Duration) -> Result<Self, BusError> {
        let depth = self.depth + 1;
        if depth > MAX_DEPTH {
            return Err(BusError::TooDeep { name: name.to_owned(), depth });
        }
        let now = Instant::now();
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            return Err(BusError::DeadlineExceeded { name: name.to_owned() });
        }
        let mut child = self.clone().with_deadline(now + self.call_timeout.unwrap_or(default));
        child.call_timeout = None;
        child.key = child.call_key.take();
        child.depth = depth;
        if depth > 1 {
            // Both belong to the public command: a sub-call that answers from its own store does not make
            // its caller's answer a replay.
            child.command = None;
            child.replayed = Arc::default();
        }
        Ok(child)
    }

    /// The context of a call that came from elsewhere, with a deadline in any case.
    pub(crate) fn received(self, name: &str, default: Duration) -> Result<Self, BusError> {
        if self.deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            return Err(BusError::DeadlineExceeded { name: name.to_owned() });
        }
        let deadline = self.deadline.unwrap_or_else(|| Instant::now() + default);
        Ok(self.with_deadline(deadline))
    }

    /// The same call, passed on to where the module is now: deeper, so that two processes that each take the other
    /// for its place do not pass it on for ever.
    pub(crate) fn passed_on(&self, name: &str) -> Result<Self, BusError> {
        let depth = self.depth + 1;
        if depth > MAX_DEPTH {
            return Err(BusError::TooDeep { name: name.to_owned(), depth });
        }
        Ok(Self { depth, ..self.clone() })
    }

    /// The context as headers.
    #[must_use]
    pub fn to_headers(&self) -> Headers {
        let mut headers = Headers::new();
        headers.insert("traceparent".into(), self.trace.traceparent());
        if self.attempt > 1 {
            headers.insert("attempt".into(), self.attempt.to_string());
        }
        headers.insert("depth".into(), self.depth.to_string());
        if let Some(left) = self.remaining() {
            // What is left, not when: two machines' clocks differ.
            headers.insert("timeout-ms".into(), left.as_millis().to_string());
        }
        if let Some(id) = &self.request_id {
            headers.insert("request-id".into(), id.to_string());
        }
        if let Some(key) = &self.key {
            headers.insert("key".into(), key.to_string());
        }
        let json = |value: Result<String, serde_json::Error>| value.unwrap_or_default();
        if let Some(caller) = &self.caller {
            headers.insert("caller".into(), json(serde_json::to_string(caller)));
        }
        if let Some(command) = &self.command {
            headers.insert("command".into(), json(serde_json::to_string(&**command)));
        }
        headers
    }

    /// The context that headers carry; what is missing or unreadable is left at its default.
    #[must_use]
    pub fn from_headers(headers: &Headers) -> Self {
        let text = |name: &str| headers.get(name).map(String::as_str);
        let number = |name: &str| text(name).and_then(|value| value.parse::<u64>().ok());
        Self {
            trace: text("traceparent").and_then(TraceContext::parse).unwrap_or_else(TraceContext::fresh),
            request_id: text("request-id").map(Arc::from),
            caller: text("caller").and_then(|value| serde_json::from_str(value).ok()),
            command: text("command").and_then(|value| serde_json::from_str(value).ok()).map(Arc::new),
            attempt: number("attempt").and_then(|n| u32::try_from(n).ok()).unwrap_or(1),
            deadline: number("timeout-ms").map(|ms| Instant::now() + Duration::from_millis(ms)),
            key: text("key").map(Arc::from),
            call_timeout: None,
            call_key: None,
            depth: number("depth").and_then(|n| u8::try_from(n).ok()).unwrap_or(0),
            replayed: Arc::default(),
        }
    }
}

/// Runs `work` with this time-out for each call that it makes, in place of the request's own; never more
/// than what is left of the deadline that it runs under.
pub async fn within<F: Future>(timeout: Duration, work: F) -> F::Output {
    let mut context = Context::current();
    context.call_timeout = Some(timeout);
    context.scope(work).await
}

/// Runs `work` with this key for each call that it makes: what the call is about, so that where instances are chosen by
/// key all calls of one key go to the same instance.
pub async fn keyed<F: Future>(key: &str, work: F) -> F::Output {
    let mut context = Context::current();
    context.call_key = Some(key.into());
    context.scope(work).await
}

/// Spawns `work` in the current context. The work goes on when nobody waits for it.
#[expect(clippy::disallowed_methods, reason = "the one place that spawns, and re-enters the context")]
pub fn spawn<F>(work: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    tokio::spawn(Context::current().scope(work))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_trace_parents_are_ignored() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(TraceContext::parse(good).expect("valid").traceparent(), good);
        for bad in [
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-short-00f067aa0ba902b7-01",
            "",
        ] {
            assert_eq!(TraceContext::parse(bad), None, "{bad}");
        }
        assert!(
            TraceContext::parse("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more").is_some()
        );
    }

    #[test]
    fn a_context_survives_its_headers() {
        let command = Command { id: "user:key".into(), fingerprint: "f".into() };
        let context = Context {
            request_id: Some("r-1".into()),
            caller: Some(Caller { user: Uuid::nil(), role: Role::Staff, session: Uuid::nil() }),
            command: Some(Arc::new(command)),
            attempt: 2,
            key: Some("sku-1".into()),
            ..Context::default()
        };
        let back = Context::from_headers(&context.to_headers());
        assert_eq!((back.attempt, back.key), (context.attempt, context.key));
        assert_eq!((back.trace, back.caller), (context.trace, context.caller));
        assert_eq!((back.command, back.request_id), (context.command, context.request_id));
    }
}
