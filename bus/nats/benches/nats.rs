//! What a port call costs over NATS, beside a bare async-nats request and reply of the same bytes.
//!
//! Goal: at most 1.5 times the bare one with 64 in flight, measured by turns in the same run. The same bytes are those of
//! the payload and those of the header with the call's deadline, trace and depth; what a bare request without a header
//! takes is shown too. Needs a server at `TEST_NATS_URL`, by default on this machine.

use async_nats::{Client, HeaderMap, Message};
use async_trait::async_trait;
use bus::{Bus, BusError, Direct, Endpoints, ErrorKind, Policies, PortError, Served};
use bus_nats::{Nats, NatsSettings};
use bytes::Bytes;
use futures::{StreamExt, future::join_all};
use serde::{Deserialize, Serialize};
use std::{hint::black_box, sync::Arc};
use tokio::time::Instant;

const IN_FLIGHT: usize = 64;
const EACH: usize = 64;
const ROUNDS: usize = 25;
const GOAL: f64 = 1.5;

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

#[derive(Clone)]
enum Target {
    Bare(Arc<Bare>),
    Port(Arc<dyn BenchPort>),
}

struct Bare {
    client: Client,
    subject: String,
    headers: Option<HeaderMap>,
    request: Bytes,
}

impl Target {
    async fn call(&self) {
        match self {
            Self::Bare(bare) => bare.call().await,
            Self::Port(port) => {
                black_box(port.stock(Stock { sku: "mug-blue".into() }).await.expect("an answer"));
            }
        }
    }

    /// Nanoseconds a call, so many in flight all the while.
    async fn round(&self) -> f64 {
        let started = Instant::now();
        let callers = (0..IN_FLIGHT).map(|_| {
            let target = self.clone();
            bus::spawn(async move {
                for _ in 0..EACH {
                    target.call().await;
                }
            })
        });
        for caller in join_all(callers).await {
            caller.expect("every call is answered");
        }
        started.elapsed().as_secs_f64() * 1e9 / (IN_FLIGHT * EACH) as f64
    }
}

impl Bare {
    async fn call(&self) {
        let (subject, request) = (self.subject.clone(), self.request.clone());
        let answer = match self.headers.clone() {
            Some(headers) => self.client.request_with_headers(subject, headers, request).await,
            None => self.client.request(subject, request).await,
        };
        black_box(answer.expect("an answer"));
    }
}

/// A port's call as the broker carries it.
async fn overheard(url: &str, namespace: &str, port: &Target) -> Message {
    let client = connect(url).await;
    let mut calls = client.subscribe(format!("{namespace}.call.>")).await.expect("subscribed");
    client.flush().await.expect("sent");
    port.call().await;
    calls.next().await.expect("a call")
}

/// Requests and replies as the client library's own documentation has them, a connection at either end: with the call's
/// header and without.
async fn bare(url: &str, namespace: &str, call: &Message) -> [Target; 2] {
    let (client, server) = (connect(url).await, connect(url).await);
    let subject = format!("{namespace}.bare");
    let mut requests = server.queue_subscribe(subject.clone(), "bare".into()).await.expect("subscribed");
    server.flush().await.expect("sent");
    let answer = Bytes::from_static(br#"{"ok":{"sku":"mug-blue","available":7},"replayed":false}"#);
    bus::spawn(async move {
        while let Some(request) = requests.next().await {
            if let Some(reply) = request.reply {
                server.publish(reply, answer.clone()).await.expect("sent");
            }
        }
    });
    [call.headers.clone(), None].map(|headers| {
        let request = call.payload.clone();
        Target::Bare(Arc::new(Bare { client: client.clone(), subject: subject.clone(), headers, request }))
    })
}

async fn connect(url: &str) -> Client {
    async_nats::connect(url).await.expect("a NATS server is there")
}

/// The same as a port: bus, adapter, broker, adapter, endpoints.
async fn port(url: &str, namespace: &str) -> (Target, Vec<Box<dyn std::any::Any>>) {
    let nats = || async { Nats::connect(NatsSettings::new(url, namespace)).await.expect("good settings") };
    let (calling, serving) = (nats().await, nats().await);
    calling.connected().await;
    let served = Served::new(Arc::new(Shelf) as Arc<dyn BenchPort>, Arc::new(Direct), &Policies::default());
    let listener = serving.listener(Arc::new(Endpoints::default().with_port(&served)));
    listener.open("bench").await.expect("the broker takes it up");
    let bus = Bus::new(Policies::default());
    bus.connect("bench", calling.transport());
    (Target::Port(Arc::new(bus)), vec![Box::new(listener), Box::new(serving), Box::new(calling)])
}

#[expect(clippy::print_stdout, reason = "a benchmark's figures")]
#[tokio::main(worker_threads = 2)]
async fn main() {
    let url = std::env::var("TEST_NATS_URL").unwrap_or_else(|_| "nats://127.0.0.1:4222".into());
    let namespace = format!("bench-{}", std::process::id());
    let (port, alive) = port(&url, &namespace).await;
    let call = overheard(&url, &namespace, &port).await;
    assert!(call.headers.is_some(), "a call says its deadline");
    let [bare, headless] = bare(&url, &namespace, &call).await;
    let mut times = [Vec::new(), Vec::new(), Vec::new()];
    for round in 0..=ROUNDS {
        for (times, target) in times.iter_mut().zip([&bare, &headless, &port]) {
            let time = target.round().await;
            if round > 0 {
                times.push(time);
            }
        }
    }
    let [bare, headless, port] = times.map(median);
    println!(
        "{IN_FLIGHT} in flight: a port call over NATS {:.1} us, a bare request {:.1} us: {:.2}x (goal {GOAL}x); \
         {:.1} us without a header: {:.2}x",
        port / 1000.0,
        bare / 1000.0,
        port / bare,
        headless / 1000.0,
        port / headless,
    );
    drop(alive);
    let stream = format!("{namespace}_events_bench");
    let jetstream = async_nats::jetstream::new(connect(&url).await);
    jetstream.delete_stream(stream).await.expect("the listener made it");
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
