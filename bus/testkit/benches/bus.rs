//! What a port call costs at each placement, beside a bare actix `send` to a handler that returns a future.
//!
//! Goal: over the actor at most twice the bare send, measured in the same run; the ratio is printed last.

use actix::{Actor, Addr, Arbiter, Context, Handler, Message, ResponseFuture};
use async_trait::async_trait;
use bus::{Bus, BusError, Direct, ErrorKind, Executor, Policies, PortError, Served};
use bus_actor::Mailbox;
use bus_testkit::{Attachment, Placement, Standard, place};
use criterion::{
    BenchmarkId, Criterion, Throughput, async_executor::AsyncExecutor, criterion_group, criterion_main,
};
use futures::stream::{FuturesUnordered, StreamExt};
use serde::{Deserialize, Serialize};
use std::{hint::black_box, sync::Arc, time::Duration};
use tokio::time::Instant;

bus::port! {
    /// Answers at once.
    "bench" pub(crate) trait BenchPort {
        #[query]
        /// How much there is.
        async fn stock(&self, request: Stock) -> Result<Level, BenchError>;
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Stock {
    sku: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Level {
    sku: String,
    available: u32,
}

#[derive(Debug, Clone, Serialize, Deserialize, thiserror::Error)]
pub(crate) enum BenchError {
    #[error(transparent)]
    Unavailable(#[from] BusError),
}

impl PortError for BenchError {
    fn kind(&self) -> ErrorKind {
        let Self::Unavailable(error) = self;
        error.kind()
    }
}

struct Shelf;

#[async_trait]
impl BenchPort for Shelf {
    async fn stock(&self, request: Stock) -> Result<Level, BenchError> {
        Ok(Level { sku: request.sku, available: 7 })
    }
}

/// The same work on an actor as the actix book has it.
struct Bare;

impl Actor for Bare {
    type Context = Context<Self>;
}

impl Message for Stock {
    type Result = Result<Level, BenchError>;
}

impl Handler<Stock> for Bare {
    type Result = ResponseFuture<Result<Level, BenchError>>;

    fn handle(&mut self, request: Stock, _: &mut Self::Context) -> Self::Result {
        Box::pin(async move { Ok(Level { sku: request.sku, available: 7 }) })
    }
}

enum Target {
    Bare(Addr<Bare>),
    Port(Arc<dyn BenchPort>),
}

impl Target {
    async fn call(&self) -> Level {
        let request = Stock { sku: "mug-blue".into() };
        let answer = match self {
            Self::Bare(actor) => actor.send(request).await.expect("it is there"),
            Self::Port(port) => port.stock(request).await,
        };
        answer.expect("an answer")
    }

    async fn calls(&self, in_flight: usize) {
        if in_flight == 1 {
            black_box(self.call().await);
        } else {
            // Not `join_all`, which polls all of a few futures whenever one of them is woken.
            let mut calls: FuturesUnordered<_> = (0..in_flight).map(|_| self.call()).collect();
            while let Some(level) = calls.next().await {
                black_box(level);
            }
        }
    }
}

struct System(actix_rt::SystemRunner);

impl AsyncExecutor for &System {
    fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.0.block_on(future)
    }
}

struct Targets {
    all: Vec<(&'static str, Target)>,
    _alive: (Vec<Attachment>, Arbiter),
}

async fn targets() -> Targets {
    let elsewhere = Arbiter::new();
    let mut all = vec![
        ("bare send", Target::Bare(Bare.start())),
        ("bare send elsewhere", Target::Bare(Bare::start_in_arbiter(&elsewhere.handle(), |_| Bare))),
    ];
    let executors: [(&str, Arc<dyn Executor>); 3] = [
        ("direct", Arc::new(Direct)),
        ("actor", Arc::new(Mailbox::start(1024))),
        ("actor elsewhere", Arc::new(Mailbox::start_on(&elsewhere.handle(), 1024).await)),
    ];
    for (name, executor) in executors {
        let bus = Bus::new(Policies::default());
        bus.serve(Served::new(Arc::new(Shelf) as Arc<dyn BenchPort>, executor, bus.policies()));
        all.push((name, Target::Port(Arc::new(bus))));
    }
    let mut attachments = Vec::new();
    for placement in [Standard::Strict, Standard::Loopback, Standard::Socket] {
        let bus = placement.bus(Policies::default());
        let shelf = Arc::new(Shelf) as Arc<dyn BenchPort>;
        attachments.push(place(&placement, &bus, shelf, bus.policies()).await);
        all.push((placement.name(), Target::Port(Arc::new(bus))));
    }
    Targets { all, _alive: (attachments, elsewhere) }
}

fn each_placement(criterion: &mut Criterion) {
    let system = System(actix_rt::System::new());
    let targets = system.0.block_on(targets());
    for in_flight in [1, 16, 64] {
        let mut group = criterion.benchmark_group(format!("{in_flight} in flight"));
        group.throughput(Throughput::Elements(in_flight as u64));
        group.warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
        for (name, target) in &targets.all {
            group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
                bencher.to_async(&system).iter(|| target.calls(in_flight));
            });
        }
    }
}

/// The bare send and the port call by turns, so that a busy machine slows both.
#[expect(clippy::print_stdout, reason = "a benchmark's figures")]
fn ratio_to_a_bare_send(_: &mut Criterion) {
    let system = System(actix_rt::System::new());
    let targets = system.0.block_on(targets());
    let target = |wanted: &str| {
        let found = targets.all.iter().find(|(name, _)| *name == wanted);
        found.map(|(_, target)| target).expect("it is listed")
    };
    for (bare, port) in [("bare send", "actor"), ("bare send elsewhere", "actor elsewhere")] {
        for in_flight in [1, 16, 64] {
            let mut times = [Vec::new(), Vec::new()];
            for _ in 0..60 {
                for (times, name) in times.iter_mut().zip([bare, port]) {
                    // In a context, as the calls of any handler are.
                    let round = bus::Context::default().scope(round(target(name), in_flight));
                    times.push(system.0.block_on(round));
                }
            }
            let [bare_ns, port_ns] = times.map(median);
            let ratio = port_ns / bare_ns;
            println!(
                "{port}, {in_flight} in flight: {port_ns:.0} ns a call, {bare} {bare_ns:.0} ns: {ratio:.2}x (goal 2x)"
            );
        }
    }
}

/// Nanoseconds a call.
async fn round(target: &Target, in_flight: usize) -> f64 {
    let batches = 2048 / in_flight;
    let started = Instant::now();
    for _ in 0..batches {
        target.calls(in_flight).await;
    }
    started.elapsed().as_secs_f64() * 1e9 / (batches * in_flight) as f64
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

criterion_group!(benches, each_placement, ratio_to_a_bare_send);
criterion_main!(benches);
