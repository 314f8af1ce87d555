//! The in-process adapter on actix: a module's calls run on an actor of its own.
//!
//! Each trap measured on actix 0.13.5 is closed here or in the bus:
//! - a panic in `handle` closes a mailbox for good, supervisor or not: `handle` only hands the job's future
//!   on, and the bus catches what panics inside it;
//! - a mailbox's capacity is per sender and no bound once a handler answers with a future: the bus's
//!   bulkhead bounds calls, and the mailbox is as deep as the bulkhead is wide;
//! - `do_send` drops in silence: `try_send` gives a job back that was not taken;
//! - a started job runs to its end, since nothing that waits for it owns it.
#![warn(missing_docs)]

use actix::{Actor, Addr, ArbiterHandle, Context, Handler, Message, ResponseFuture};
use bus::{Executor, Job};

/// Runs jobs on an actor, on a thread of its own or on the current one.
#[derive(Debug, Clone)]
pub struct Mailbox {
    worker: Addr<Worker>,
}

impl Mailbox {
    /// Starts the actor on the current thread's arbiter. `depth` is at least the number of calls that all
    /// ports served by it admit at once.
    #[must_use]
    pub fn start(depth: usize) -> Self {
        Self { worker: Worker::create(|context| Worker::with_depth(context, depth)) }
    }

    /// Starts the actor on this arbiter's thread, and waits until it has its depth: before that it would
    /// be as deep as actix's default, and refuse calls that the port admits. On an arbiter that has been
    /// stopped every job is given back, which callers see as the port being unavailable.
    pub async fn start_on(arbiter: &ArbiterHandle, depth: usize) -> Self {
        let worker = Worker::start_in_arbiter(arbiter, move |context| Worker::with_depth(context, depth));
        // A refusal means a closed mailbox, which `execute` finds out at each job.
        let _ = worker.send(Ping).await;
        Self { worker }
    }
}

impl Executor for Mailbox {
    fn execute(&self, job: Job) -> Result<(), Job> {
        use actix::prelude::SendError;
        self.worker.try_send(Run(job)).map_err(|refused| match refused {
            SendError::Full(Run(job)) | SendError::Closed(Run(job)) => job,
        })
    }
}

#[derive(Debug)]
struct Worker;

impl Worker {
    fn with_depth(context: &mut Context<Self>, depth: usize) -> Self {
        context.set_mailbox_capacity(depth.max(1));
        Self
    }
}

impl Actor for Worker {
    type Context = Context<Self>;
}

struct Run(Job);

impl Message for Run {
    type Result = ();
}

impl Handler<Run> for Worker {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, run: Run, _: &mut Self::Context) -> Self::Result {
        run.0
    }
}

struct Ping;

impl Message for Ping {
    type Result = ();
}

impl Handler<Ping> for Worker {
    type Result = ();

    fn handle(&mut self, _: Ping, _: &mut Self::Context) {}
}
