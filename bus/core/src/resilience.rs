//! What stands between a call and the process that answers it. From the outside in: the call's deadline, retry, circuit
//! breaker, time-out of one attempt, bulkhead, transport. (A fallback stands outside of all, with the caller.)

use crate::{
    Bulkhead, BusError, Context, Policies, Request, Resilience, Transport,
    breaker::{Breaker, BreakerStatus, Forced, Outcome},
    retry::{Budget, Decision, Ended, Heard},
    serve::{Answer, Reply, admit, decode, encode},
    site::Route,
};
use bytes::Bytes;
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::time::{Instant, timeout_at};

/// What guards the way to one port.
pub(crate) struct Guard {
    port: Arc<str>,
    policies: Policies,
    rule: Resilience,
    breaker: Breaker,
    budget: Mutex<Budget>,
}

/// One call, for as long as it takes.
struct Call<'a> {
    name: &'a str,
    deadline: Instant,
    /// How long one attempt may take.
    timeout: Option<Duration>,
    /// Whether it may be tried again at all.
    repeat: bool,
}

impl<'a> Call<'a> {
    /// A call that is tried once.
    fn once(name: &'a str, context: &Context) -> Result<Self, BusError> {
        // A call's context always has a deadline.
        let late = || BusError::DeadlineExceeded { name: name.into() };
        Ok(Self { name, deadline: context.deadline().ok_or_else(late)?, timeout: None, repeat: false })
    }

    fn late(&self) -> BusError {
        BusError::DeadlineExceeded { name: self.name.into() }
    }
}

/// What an attempt came to.
enum Attempt<T> {
    /// Nothing was sent.
    Refused { error: BusError, why: &'static str },
    /// It was sent, and this is what came of it.
    Ended { result: Result<T, BusError>, ended: Ended },
}

/// What is inside of an answer.
enum Inside<'a> {
    Success,
    Error(Option<&'a BusError>),
}

type Look<T> = for<'a> fn(&'a T) -> Inside<'a>;

impl Guard {
    fn new(port: &str, policies: &Policies) -> Self {
        let rule = policies.resilience(port);
        Self {
            port: port.into(),
            policies: policies.clone(),
            breaker: Breaker::new(port, rule.breaker),
            budget: Mutex::new(Budget::full(&rule.retry, Instant::now())),
            rule,
        }
    }

    pub(crate) fn breaker(&self) -> BreakerStatus {
        self.breaker.status()
    }

    pub(crate) fn force(&self, forced: Forced) {
        self.breaker.force(forced);
    }

    /// How many calls could be tried again now.
    pub(crate) fn retries_left(&self) -> u64 {
        self.with_budget(|budget| budget.left(&self.rule.retry, Instant::now()))
    }

    fn earn(&self) {
        self.with_budget(|budget| *budget = budget.earn(&self.rule.retry, Instant::now()));
    }

    fn spend(&self) -> bool {
        let spent = self.with_budget(|budget| {
            let rest = budget.spend(&self.rule.retry, Instant::now());
            rest.map(|rest| *budget = rest).is_some()
        });
        let port = || self.port.clone();
        if spent {
            metrics::counter!("bus_retries_total", "port" => port()).increment(1);
        } else {
            metrics::counter!("bus_retry_budget_exhausted_total", "port" => port()).increment(1);
        }
        spent
    }

    fn with_budget<T>(&self, change: impl FnOnce(&mut Budget) -> T) -> T {
        change(&mut self.budget.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// How an attempt counts. One that the call's own deadline has cut short says something about the target only where
    /// an answer would have been slow.
    fn outcome(&self, ended: &Ended, took: Duration) -> Outcome {
        let is_slow = took >= self.rule.breaker.slow_after;
        match ended.heard {
            Heard::Unreachable => Outcome::Failure,
            Heard::Late if ended.could_time_out || is_slow => Outcome::Failure,
            Heard::Late | Heard::Overloaded(_) => Outcome::Ignored,
            Heard::Answer | Heard::InUse if is_slow => Outcome::Slow,
            Heard::Answer | Heard::InUse => Outcome::Success,
        }
    }

    fn count(&self, outcome: &'static str) {
        metrics::counter!("bus_calls_total", "port" => self.port.clone(), "outcome" => outcome).increment(1);
    }
}

impl Route {
    pub(crate) fn new(port: &str, transport: Arc<dyn Transport>, policies: &Policies) -> Self {
        let limits = policies.port(port);
        let bulkhead = Bulkhead::new(limits.concurrency, limits.queue);
        Self { transport, bulkhead, guard: Guard::new(port, policies) }
    }

    /// A call of this process's own.
    pub(crate) async fn call<R: Request>(
        &self,
        context: Context,
        request: R,
    ) -> Result<R::Response, R::Error> {
        let bytes = encode(R::NAME, &request)?;
        let call = Call {
            // What arrives here as a second attempt is repeated by whoever made it.
            repeat: context.attempt <= 1 && self.guard.policies.repeats(R::NAME),
            timeout: self.guard.rule.attempt_timeout(R::KIND),
            ..Call::once(R::NAME, &context)?
        };
        let send = |context: Context| {
            let bytes = bytes.clone();
            async move {
                let answer = self.transport.request(R::NAME, context.to_headers(), bytes).await?;
                Ok(unpack::<R>(&context, &answer))
            }
        };
        let look: Look<Result<R::Response, R::Error>> = |outcome| match outcome {
            Ok(_) => Inside::Success,
            Err(error) => Inside::Error(crate::PortError::bus(error)),
        };
        self.carry(&call, &context, send, look).await?
    }

    /// Another process's call, passed on: whoever made it tries again, so this is one attempt.
    pub(crate) async fn pass_on(
        &self,
        name: &str,
        context: &Context,
        bytes: Bytes,
    ) -> Result<Bytes, BusError> {
        let send = |context: Context| self.transport.request(name, context.to_headers(), bytes.clone());
        self.carry(&Call::once(name, context)?, context, send, |_| Inside::Success).await
    }

    async fn carry<T, F: Future<Output = Result<T, BusError>>>(
        &self,
        call: &Call<'_>,
        context: &Context,
        send: impl Fn(Context) -> F,
        look: Look<T>,
    ) -> Result<T, BusError> {
        if call.repeat {
            self.guard.earn();
        }
        let mut earlier = None;
        for number in 1.. {
            let (result, ended) = match self.attempt(call, context, number, &send, look).await {
                Attempt::Ended { result, ended } => (result, ended),
                Attempt::Refused { error, why } => {
                    self.guard.count(why);
                    return earlier.unwrap_or(Err(error));
                }
            };
            let again = match self.guard.rule.retry.decide(ended, rand::random()) {
                Decision::Again(pause) if call.repeat && self.guard.spend() => Some(pause),
                Decision::Again(_) | Decision::Done => None,
            };
            let Some(pause) = again else {
                // That an earlier attempt of ours still runs is no answer.
                let last = if ended.heard == Heard::InUse { earlier.unwrap_or(result) } else { result };
                self.guard.count(label(&last, look));
                return last;
            };
            if ended.heard != Heard::InUse {
                earlier = Some(result);
            }
            tokio::time::sleep(pause).await;
        }
        Err(call.late())
    }

    async fn attempt<T, F: Future<Output = Result<T, BusError>>>(
        &self,
        call: &Call<'_>,
        context: &Context,
        number: u32,
        send: &impl Fn(Context) -> F,
        look: Look<T>,
    ) -> Attempt<T> {
        let port = &*self.guard.port;
        let Some(pass) = self.guard.breaker.admit() else {
            return Attempt::Refused { error: BusError::Unavailable { port: port.into() }, why: "refused" };
        };
        let limit = call.timeout.map(|timeout| Instant::now() + timeout);
        let deadline = limit.map_or(call.deadline, |limit| limit.min(call.deadline));
        let _permit = match admit(&self.bulkhead, port, call.name, deadline).await {
            Ok(permit) => permit,
            Err(error) => {
                let why = error_label(&error);
                return Attempt::Refused { error, why };
            }
        };
        let mut inner = context.clone().with_deadline(deadline);
        inner.attempt = context.attempt.saturating_add(number - 1);
        let began = Instant::now();
        let result = timeout_at(deadline, send(inner)).await.unwrap_or_else(|_| Err(call.late()));
        let result = result.map_err(BusError::told);
        let heard = match &result {
            Err(error) => Heard::of(error, false, port, call.name),
            Ok(answer) => match look(answer) {
                Inside::Error(Some(error)) => Heard::of(error, true, port, call.name),
                Inside::Success | Inside::Error(None) => Heard::Answer,
            },
        };
        let now = Instant::now();
        let ended = Ended {
            heard,
            number,
            could_time_out: deadline < call.deadline,
            left: call.deadline.saturating_duration_since(now),
        };
        pass.tell(self.guard.outcome(&ended, now.saturating_duration_since(began)));
        Attempt::Ended { result, ended }
    }
}

fn label<T>(result: &Result<T, BusError>, look: Look<T>) -> &'static str {
    match result {
        Err(error) => error_label(error),
        Ok(answer) => match look(answer) {
            Inside::Success => "ok",
            Inside::Error(None) => "error",
            Inside::Error(Some(error)) => error_label(error),
        },
    }
}

fn error_label(error: &BusError) -> &'static str {
    match error {
        BusError::Unavailable { .. } | BusError::Unheard { .. } => "unavailable",
        BusError::Overloaded { .. } => "overloaded",
        BusError::DeadlineExceeded { .. } => "deadline_exceeded",
        _ => "failed",
    }
}

pub(crate) fn unpack<R: Request>(context: &Context, bytes: &[u8]) -> Result<R::Response, R::Error> {
    let answer: Answer<R::Response, R::Error> = decode(R::NAME, bytes)?;
    if answer.replayed {
        context.mark_replayed();
    }
    match answer.reply {
        Reply::Ok(response) => Ok(response),
        Reply::Error(error) => Err(error),
    }
}
