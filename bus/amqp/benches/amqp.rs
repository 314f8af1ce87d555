//! What a port call over RabbitMQ costs, beside a bare lapin request and reply of the same bytes: no headers, no
//! confirmation, no acknowledgement, no deadline.
//!
//! By turns in one run, so that a busy machine slows both. The broker is the one at `TEST_AMQP_URL`.

use async_trait::async_trait;
use bus::{Bus, BusError, Direct, ErrorKind, Listener, Policies, PortError, Served};
use bus_amqp::{Amqp, AmqpListener, AmqpSettings};
use futures::{StreamExt, stream::FuturesUnordered};
use lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties,
    options::{
        BasicConsumeOptions, BasicPublishOptions, ExchangeDeleteOptions, QueueDeclareOptions,
        QueueDeleteOptions,
    },
    types::FieldTable,
};
use serde::{Deserialize, Serialize};
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};
use tokio::{sync::oneshot, task::JoinHandle, time::Instant};

const IN_FLIGHT: usize = 64;
const CALLS: usize = 4096;
const ROUNDS: usize = 15;

const REQUEST: &[u8] = br#"{"sku":"mug-blue"}"#;
const ANSWER: &[u8] = br#"{"ok":{"sku":"mug-blue","available":7},"replayed":false}"#;

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

/// A port on another connection.
struct Port {
    namespace: String,
    bus: Bus,
    listener: Arc<AmqpListener>,
    _connections: [Amqp; 2],
}

impl Port {
    async fn new(url: &str) -> Self {
        let namespace = format!("bench-{:016x}", rand::random::<u64>());
        let connect = || Amqp::connect(AmqpSettings::new(url, &namespace)).expect("good settings");
        let (calling, serving) = (connect(), connect());
        let served = Bus::new(Policies::default());
        let shelf = Arc::new(Shelf) as Arc<dyn BenchPort>;
        served.serve(Served::new(shelf, Arc::new(Direct), served.policies()));
        let listener = serving.listener(served.answers());
        listener.open("bench").await.expect("RabbitMQ is there");
        let bus = Bus::new(Policies::default());
        bus.connect("bench", calling.transport());
        Self { namespace, bus, listener, _connections: [calling, serving] }
    }

    /// What it leaves at a broker that it shares.
    async fn remove(&self, channel: &Channel) {
        self.listener.close("bench").await;
        let [events, dead] = ["events", "dead"].map(|kind| format!("{}.{kind}", self.namespace));
        for queue in [format!("{events}.bench"), dead.clone()] {
            let deleted = channel.queue_delete(queue.into(), QueueDeleteOptions::default());
            deleted.await.expect("it is deleted");
        }
        for exchange in [events, dead] {
            let deleted = channel.exchange_delete(exchange.into(), ExchangeDeleteOptions::default());
            deleted.await.expect("it is deleted");
        }
    }

    async fn call(&self) {
        let level = self.bus.stock(Stock { sku: "mug-blue".into() }).await.expect("an answer");
        assert_eq!(level.available, 7);
    }
}

type Waiting = Arc<Mutex<HashMap<u64, oneshot::Sender<Vec<u8>>>>>;

/// Request and reply with nothing around them.
struct Bare {
    channel: Channel,
    queue: String,
    waiting: Waiting,
    next: AtomicU64,
    _connections: [Connection; 2],
    _tasks: [JoinHandle<()>; 2],
}

impl Bare {
    async fn new(url: &str) -> Self {
        let queue = format!("bench-{:016x}", rand::random::<u64>());
        let connect = || Connection::connect(url, ConnectionProperties::default());
        let (calling, serving) =
            (connect().await.expect("it is there"), connect().await.expect("it is there"));
        let no_ack = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };

        let server = serving.create_channel().await.expect("a channel");
        let own = QueueDeclareOptions { auto_delete: true, ..QueueDeclareOptions::default() };
        server.queue_declare(queue.as_str().into(), own, FieldTable::default()).await.expect("a queue");
        let requests = server.basic_consume(queue.as_str().into(), "".into(), no_ack, FieldTable::default());
        let mut requests = requests.await.expect("it is consumed");
        let answering = bus::spawn(async move {
            while let Some(Ok(request)) = requests.next().await {
                let server = server.clone();
                drop(bus::spawn(async move {
                    let to = request.properties.reply_to().clone().expect("an address");
                    let number = request.properties.correlation_id().clone().expect("a number");
                    let properties = BasicProperties::default().with_correlation_id(number);
                    publish(&server, to.to_string(), properties, ANSWER).await;
                }));
            }
        });

        let channel = calling.create_channel().await.expect("a channel");
        let answers = "amq.rabbitmq.reply-to".into();
        let answers = channel.basic_consume(answers, "".into(), no_ack, FieldTable::default());
        let mut answers = answers.await.expect("it is consumed");
        let waiting = Waiting::default();
        let hearing = bus::spawn({
            let waiting = Arc::clone(&waiting);
            async move {
                while let Some(Ok(answer)) = answers.next().await {
                    let number = answer.properties.correlation_id().as_ref().expect("a number").to_string();
                    let number: u64 = number.parse().expect("a number");
                    let waiter = waiting.lock().expect("not poisoned").remove(&number);
                    waiter.expect("it waits").send(answer.data).expect("it waits");
                }
            }
        });
        Self {
            channel,
            queue,
            waiting,
            next: AtomicU64::new(0),
            _connections: [calling, serving],
            _tasks: [answering, hearing],
        }
    }

    async fn call(&self) {
        let number = self.next.fetch_add(1, Relaxed);
        let (told, answer) = oneshot::channel();
        self.waiting.lock().expect("not poisoned").insert(number, told);
        let properties = BasicProperties::default()
            .with_reply_to("amq.rabbitmq.reply-to".into())
            .with_correlation_id(number.to_string().into());
        publish(&self.channel, self.queue.clone(), properties, REQUEST).await;
        assert_eq!(answer.await.expect("an answer"), ANSWER);
    }
}

async fn publish(channel: &Channel, route: String, properties: BasicProperties, body: &[u8]) {
    let options = BasicPublishOptions::default();
    let published = channel.basic_publish("".into(), route.into(), options, body, properties);
    drop(published.await.expect("it is sent"));
}

/// Microseconds a call.
async fn round(call: impl AsyncFn()) -> f64 {
    let started = Instant::now();
    let mut begun = IN_FLIGHT;
    let mut calls: FuturesUnordered<_> = (0..IN_FLIGHT).map(|_| call()).collect();
    while calls.next().await.is_some() {
        if begun < CALLS {
            begun += 1;
            calls.push(call());
        }
    }
    started.elapsed().as_secs_f64() * 1e6 / CALLS as f64
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

#[expect(clippy::print_stdout, reason = "a benchmark's figures")]
async fn compare() {
    let url = std::env::var("TEST_AMQP_URL").expect("TEST_AMQP_URL says where RabbitMQ is");
    let (port, bare) = (Port::new(&url).await, Bare::new(&url).await);
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        times[0].push(round(|| bare.call()).await);
        times[1].push(round(|| port.call()).await);
    }
    let [bare_us, port_us] = times.map(median);
    println!(
        "{IN_FLIGHT} in flight: a port call {port_us:.1} µs ({:.0} a second), bare lapin {bare_us:.1} µs: {:.2}x",
        1e6 / port_us,
        port_us / bare_us
    );
    port.remove(&bare.channel).await;
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(compare());
}
