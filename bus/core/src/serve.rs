//! The serving half of a port: admits, isolates, detaches and answers each call.

use crate::{
    BusError, Context, Exporter, Handler, Incident, Policies, Port, Request, bulkhead::Bulkhead,
    bulkhead::Permit,
};
use bytes::Bytes;
use futures::{FutureExt, future::BoxFuture};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, IgnoredAny, MapAccess, Visitor},
};
use std::{
    any::{Any, TypeId},
    fmt,
    marker::PhantomData,
    panic::AssertUnwindSafe,
    sync::Arc,
};
use tokio::{
    sync::oneshot,
    time::{Instant, timeout_at},
};

/// A call as a future that carries its own answer home.
pub type Job = BoxFuture<'static, ()>;

/// What carries jobs out: the runtime's own tasks ([`Direct`]), or an actor.
pub trait Executor: Send + Sync + 'static {
    /// Takes a job, which from there runs to its end.
    ///
    /// # Errors
    /// The job itself, where it was not taken and so has not begun.
    fn execute(&self, job: Job) -> Result<(), Job>;
}

/// Runs each job as a task of the current runtime.
#[derive(Debug, Clone, Copy, Default)]
pub struct Direct;

impl Executor for Direct {
    #[expect(clippy::disallowed_methods, reason = "a job brings its own context")]
    fn execute(&self, job: Job) -> Result<(), Job> {
        drop(tokio::spawn(job));
        Ok(())
    }
}

pub(crate) type BytesHandler =
    Arc<dyn Fn(Context, Bytes) -> BoxFuture<'static, Result<Bytes, BusError>> + Send + Sync>;

/// An implementation of a port, ready to be attached to a [`Bus`](crate::Bus) or to
/// [`Endpoints`](crate::Endpoints).
pub struct Served {
    pub(crate) port: &'static str,
    pub(crate) runner: Arc<Runner>,
    /// A port has so few requests that looking at each is faster than hashing a name.
    entries: Vec<Entry>,
}

struct Entry {
    name: &'static str,
    request: TypeId,
    /// A `Handler<R>`.
    typed: Box<dyn Any + Send + Sync>,
    bytes: BytesHandler,
}

impl Served {
    /// Serves `service` by `executor` within the port's limits.
    #[must_use]
    pub fn new<P: Port + ?Sized>(service: Arc<P>, executor: Arc<dyn Executor>, policies: &Policies) -> Self {
        let policy = policies.port(P::NAME);
        let runner = Arc::new(Runner {
            port: P::NAME,
            bulkhead: Bulkhead::new(policy.concurrency, policy.queue),
            executor,
            policies: policies.clone(),
        });
        let mut served = Self { port: P::NAME, runner, entries: Vec::new() };
        P::export(service, &mut served);
        served
    }

    /// The port's name.
    #[must_use]
    pub fn port(&self) -> &'static str {
        self.port
    }

    /// What answers a typed call; the value is moved, never encoded.
    pub(crate) fn handler<R: Request>(&self) -> Option<&Handler<R>> {
        let wanted = TypeId::of::<R>();
        let entry = self.entries.iter().find(|entry| entry.request == wanted)?;
        entry.typed.downcast_ref::<Handler<R>>()
    }

    pub(crate) fn bytes_handlers(&self) -> impl Iterator<Item = (&'static str, BytesHandler)> + '_ {
        self.entries.iter().map(|entry| (entry.name, Arc::clone(&entry.bytes)))
    }

    pub(crate) fn bytes_handler(&self, name: &str) -> Option<&BytesHandler> {
        self.entries.iter().find(|entry| entry.name == name).map(|entry| &entry.bytes)
    }
}

impl Exporter for Served {
    fn handle<R: Request>(&mut self, handler: Handler<R>) {
        let runner = Arc::clone(&self.runner);
        let typed = Handler::<R>::clone(&handler);
        let bytes: BytesHandler = Arc::new(move |context, bytes| {
            let (runner, handler) = (Arc::clone(&runner), Handler::<R>::clone(&handler));
            async move {
                let request: R = decode(R::NAME, &bytes)?;
                let inside = context.clone();
                let reply = match runner.run(context, &handler, request).await {
                    Ok(response) => Reply::Ok(response),
                    Err(error) => Reply::Error(error),
                };
                encode(R::NAME, &Answer { reply, replayed: inside.replayed() })
            }
            .boxed()
        });
        let entry = Entry { name: R::NAME, request: TypeId::of::<R>(), typed: Box::new(typed), bytes };
        self.entries.push(entry);
    }
}

pub(crate) struct Runner {
    port: &'static str,
    pub(crate) bulkhead: Arc<Bulkhead>,
    executor: Arc<dyn Executor>,
    policies: Policies,
}

impl Runner {
    pub(crate) async fn run<R: Request>(
        &self,
        context: Context,
        handler: &Handler<R>,
        request: R,
    ) -> Result<R::Response, R::Error> {
        let deadline = context.deadline().unwrap_or_else(|| {
            // Whoever called from elsewhere set none.
            Instant::now() + self.policies.deadline(self.port, R::NAME)
        });
        let late = || BusError::DeadlineExceeded { name: R::NAME.into() };
        // Most calls need not wait, and waiting needs a timer.
        let permit = match self.bulkhead.try_enter() {
            Some(permit) => permit,
            None => Box::pin(admit(&self.bulkhead, self.port, R::NAME, deadline)).await?,
        };
        let (answer, answered) = oneshot::channel();
        let handler = Handler::<R>::clone(handler);
        let context = context.with_deadline(deadline);
        let job = async move {
            let _permit = permit;
            if deadline <= Instant::now() {
                // Whoever asked has gone: work that nobody waits for is not begun.
                return drop(answer.send(Err(BusError::DeadlineExceeded { name: R::NAME.into() }.into())));
            }
            let work = async move { handler(request).await };
            let outcome =
                AssertUnwindSafe(context.scope(work)).catch_unwind().await.unwrap_or_else(|panic| {
                    let incident = Incident::log(&panic_text(&*panic));
                    Err(BusError::Died { name: R::NAME.into(), incident }.into())
                });
            drop(answer.send(outcome));
        };
        if self.executor.execute(Box::pin(job)).is_err() {
            return Err(BusError::Unavailable { port: self.port.into() }.into());
        }
        match timeout_at(deadline, answered).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => {
                let incident = Incident::log(&format_args!("{} was dropped unfinished", R::NAME));
                Err(BusError::Died { name: R::NAME.into(), incident }.into())
            }
            Err(_) => Err(late().into()),
        }
    }
}

/// Waits for a permit, no longer than the deadline.
pub(crate) async fn admit(
    bulkhead: &Arc<Bulkhead>,
    port: &str,
    name: &str,
    deadline: Instant,
) -> Result<Permit, BusError> {
    match timeout_at(deadline, bulkhead.enter()).await {
        Ok(Some(permit)) => Ok(permit),
        Ok(None) => Err(BusError::Overloaded { port: port.into(), retry_after_ms: 1000 }),
        Err(_) => Err(BusError::DeadlineExceeded { name: name.into() }),
    }
}

/// What a panic said.
pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("a panic").to_owned()
}

/// An answer on the wire: `{"ok": …, "replayed": false}`, or `error` instead of `ok`.
#[derive(Serialize)]
pub(crate) struct Answer<T, E> {
    #[serde(flatten)]
    pub(crate) reply: Reply<T, E>,
    /// Whether it comes out of an idempotency store.
    pub(crate) replayed: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Reply<T, E> {
    Ok(T),
    Error(E),
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum Member {
    Ok,
    Error,
    Replayed,
    #[serde(other)]
    Later,
}

/// Reads an answer member by member: what is flattened, serde itself would read twice, with a copy between.
struct Members<T, E>(PhantomData<(T, E)>);

impl<'de, T: Deserialize<'de>, E: Deserialize<'de>> Visitor<'de> for Members<T, E> {
    type Value = Answer<T, E>;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("an answer with either ok or error")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let (mut reply, mut replayed) = (None, false);
        let neither_or_both = || de::Error::custom("an answer has either ok or error");
        while let Some(member) = members.next_key()? {
            let told = match member {
                Member::Ok => Reply::Ok(members.next_value()?),
                Member::Error => Reply::Error(members.next_value()?),
                Member::Replayed => {
                    replayed = members.next_value()?;
                    continue;
                }
                Member::Later => {
                    members.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            if reply.replace(told).is_some() {
                return Err(neither_or_both());
            }
        }
        Ok(Answer { reply: reply.ok_or_else(neither_or_both)?, replayed })
    }
}

impl<'de, T: Deserialize<'de>, E: Deserialize<'de>> Deserialize<'de> for Answer<T, E> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(Members(PhantomData))
    }
}

pub(crate) fn encode<T: Serialize>(name: &str, value: &T) -> Result<Bytes, BusError> {
    serde_json::to_vec(value).map(Bytes::from).map_err(|error| {
        tracing::error!(name, %error, "could not be encoded");
        BusError::Codec { name: name.into() }
    })
}

pub(crate) fn decode<T: for<'de> Deserialize<'de>>(name: &str, bytes: &[u8]) -> Result<T, BusError> {
    serde_json::from_slice(bytes).map_err(|error| {
        tracing::error!(name, %error, "could not be decoded");
        BusError::Codec { name: name.into() }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<(Result<(), u8>, bool)> {
        let answer: Answer<(), u8> = serde_json::from_str(text).ok()?;
        let reply = match answer.reply {
            Reply::Ok(ok) => Ok(ok),
            Reply::Error(error) => Err(error),
        };
        Some((reply, answer.replayed))
    }

    #[test]
    fn an_answer_is_one_thing_or_the_other() {
        for (text, meant) in [
            (r#"{"ok":null,"replayed":false}"#, (Ok(()), false)),
            (r#"{"replayed":true,"ok":null}"#, (Ok(()), true)),
            (r#"{"error":7}"#, (Err(7), false)),
            (r#"{"error":7,"replayed":true,"later":"versions may add"}"#, (Err(7), true)),
        ] {
            assert_eq!(read(text), Some(meant), "{text}");
        }
        for text in [
            "{}",
            r#"{"replayed":true}"#,
            r#"{"ok":null,"error":7}"#,
            r#"{"error":null}"#,
            "[]",
            "[null]",
            "null",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
        let answer = Answer { reply: Reply::<(), u8>::Ok(()), replayed: true };
        assert_eq!(serde_json::to_string(&answer).expect("text"), r#"{"ok":null,"replayed":true}"#);
    }
}
