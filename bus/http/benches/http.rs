//! What a port call over HTTP costs, beside the bare libraries with the same bytes: calls a second at 64 in flight,
//! client and server in this process.
//!
//! Goal: at least 15,000 port calls a second on two cores. Each row runs by turns with the others, so that a busy
//! machine slows all of them; the median of its turns is printed, and its ratio to bare hyper. What a call takes of
//! the processor, client and server together, does not depend on who else is running: two cores have 133 µs for each
//! of 15,000.

use async_trait::async_trait;
use bus::{Bus, BusError, Direct, Endpoints, ErrorKind, Listener, Policies, PortError, Served, Transport};
use bus_http::{HttpListener, HttpSettings, HttpTransport, ListenerSettings};
use bytes::Bytes;
use futures::future::BoxFuture;
use http_body_util::{BodyExt, Full};
use hyper::{
    Request, Response,
    body::Incoming,
    client::conn::http1::{SendRequest, handshake},
    header::{CONTENT_TYPE, HOST},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::{
    client::legacy::Client,
    rt::{TokioExecutor, TokioIo},
};
use serde::{Deserialize, Serialize};
use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Mutex,
    time::Instant,
};

const IN_FLIGHT: usize = 64;
const TURNS: usize = 7;
const TURN: Duration = Duration::from_millis(700);

const QUESTION: &[u8] = br#"{"sku":"mug-blue"}"#;
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

/// One call by the caller of this number.
type Call = Arc<dyn Fn(usize) -> BoxFuture<'static, ()> + Send + Sync>;

fn call<F: Future<Output = ()> + Send + 'static>(make: impl Fn(usize) -> F + Send + Sync + 'static) -> Call {
    Arc::new(move |caller| Box::pin(make(caller)))
}

/// Hyper as its examples have it.
async fn bare_server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    bus::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            stream.set_nodelay(true).expect("a socket");
            let answer = service_fn(|request: Request<Incoming>| async {
                request.into_body().collect().await.expect("a body");
                let answer = Response::builder().header(CONTENT_TYPE, "application/json");
                Ok::<_, Infallible>(answer.body(Full::new(Bytes::from_static(ANSWER))).expect("valid"))
            });
            bus::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), answer));
        }
    });
    address
}

fn actix_server() -> SocketAddr {
    let (sender, address) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let serve = async move {
            use actix_web::{App, HttpResponse, HttpServer, web};
            let app = || {
                App::new().default_service(web::to(async |_: web::Bytes| {
                    HttpResponse::Ok().content_type("application/json").body(ANSWER)
                }))
            };
            let server = HttpServer::new(app).workers(2).bind("127.0.0.1:0").expect("a free port");
            sender.send(server.addrs()[0]).expect("somebody waits");
            server.run().await
        };
        actix_rt::System::new().block_on(serve)
    });
    address.recv().expect("it starts")
}

/// A connection for each caller, and nothing around it.
async fn bare_hyper(address: SocketAddr) -> Call {
    let mut senders: Vec<Mutex<SendRequest<Full<Bytes>>>> = Vec::new();
    for _ in 0..IN_FLIGHT {
        let stream = TcpStream::connect(address).await.expect("it listens");
        stream.set_nodelay(true).expect("a socket");
        let (sender, connection) = handshake(TokioIo::new(stream)).await.expect("a connection");
        bus::spawn(connection);
        senders.push(Mutex::new(sender));
    }
    let senders = Arc::new(senders);
    call(move |caller| {
        let senders = Arc::clone(&senders);
        async move {
            let mut sender = senders[caller].lock().await;
            sender.ready().await.expect("it is open");
            let request = Request::post("/bus/bench.stock").header(HOST, "localhost");
            let request = request.body(Full::from(QUESTION)).expect("valid");
            let answer = sender.send_request(request).await.expect("an answer");
            answer.into_body().collect().await.expect("a body");
        }
    })
}

fn hyper_util(address: SocketAddr) -> Call {
    let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    call(move |_| {
        let client = client.clone();
        async move {
            let request = Request::post(format!("http://{address}/bus/bench.stock"));
            let answer = client.request(request.body(Full::from(QUESTION)).expect("valid")).await;
            answer.expect("an answer").into_body().collect().await.expect("a body");
        }
    })
}

fn reqwest(address: SocketAddr) -> Call {
    // Its constructor wants a provider of TLS although none is used.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().tcp_nodelay(true).build().expect("a client");
    call(move |_| {
        let client = client.clone();
        async move {
            let request = client.post(format!("http://{address}/bus/bench.stock")).body(QUESTION);
            request.send().await.expect("an answer").bytes().await.expect("a body");
        }
    })
}

/// The transport against whatever answers the same bytes, and the whole of a port call.
async fn ours(bare: SocketAddr) -> (Call, Call, HttpListener) {
    let transport = |address| {
        let transport = HttpTransport::new(&format!("http://{address}"), HttpSettings::default());
        Arc::new(transport.expect("an address"))
    };
    let to_bare = transport(bare);
    let transport_only = call(move |_| {
        let transport = Arc::clone(&to_bare);
        async move {
            let headers = bus::Context::default().to_headers();
            let answer = transport.request("bench.stock", headers, Bytes::from_static(QUESTION)).await;
            answer.expect("an answer");
        }
    });

    let served = Served::new(Arc::new(Shelf) as Arc<dyn BenchPort>, Arc::new(Direct), &Policies::default());
    let answers = Arc::new(Endpoints::default().with_port(&served));
    let listener = HttpListener::bind(([127, 0, 0, 1], 0).into(), answers, ListenerSettings::default()).await;
    let listener = listener.expect("a free port");
    listener.open("bench").await.expect("it opens");
    let bus = Bus::new(Policies::default());
    bus.connect("bench", transport(listener.address()));
    let port = call(move |_| {
        let bus = bus.clone();
        async move {
            let level = bus.stock(Stock { sku: "mug-blue".into() }).await;
            assert_eq!(level.expect("an answer").available, 7);
        }
    });
    (transport_only, port, listener)
}

/// Calls a second, and microseconds of the processor that each took.
async fn turn(call: &Call) -> (f64, f64) {
    let (started, processor) = (Instant::now(), processor());
    let callers: Vec<_> = (0..IN_FLIGHT)
        .map(|caller| {
            let call = Arc::clone(call);
            bus::spawn(async move {
                let mut calls = 0_u32;
                while started.elapsed() < TURN {
                    call(caller).await;
                    calls += 1;
                }
                calls
            })
        })
        .collect();
    let mut calls = 0.0;
    for caller in callers {
        calls += f64::from(caller.await.expect("every call is answered"));
    }
    let used = self::processor() - processor;
    (calls / started.elapsed().as_secs_f64(), used.as_secs_f64() * 1e6 / calls)
}

/// The processor's time that this process has used, where Linux tells.
fn processor() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name before it may hold anything; user and system time are the 14th and 15th field, in hundredths.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let hundredths: u64 = fields.skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(hundredths * 10)
}

#[expect(clippy::print_stdout, reason = "a benchmark's figures")]
async fn all() {
    let (bare, actix) = (bare_server().await, actix_server());
    let (transport_only, port, _listener) = ours(bare).await;
    let rows = [
        ("bare hyper to hyper", bare_hyper(bare).await),
        ("bare hyper to actix-web", bare_hyper(actix).await),
        ("hyper-util's client to hyper", hyper_util(bare)),
        ("reqwest to hyper", reqwest(bare)),
        ("HttpTransport to hyper", transport_only),
        ("a port call", port),
    ];
    let mut turns = vec![Vec::new(); rows.len()];
    for _ in 0..TURNS {
        for ((_, call), turns) in rows.iter().zip(&mut turns) {
            turns.push(turn(call).await);
        }
    }
    let median = |turns: &[(f64, f64)], value: fn(&(f64, f64)) -> f64| {
        let mut values: Vec<f64> = turns.iter().map(value).collect();
        values.sort_by(f64::total_cmp);
        values[TURNS / 2]
    };
    println!("calls a second, {IN_FLIGHT} in flight, median of {TURNS} turns");
    let bare = median(&turns[0], |turn| turn.0);
    for ((name, _), turns) in rows.iter().zip(&turns) {
        let (rate, processor) = (median(turns, |turn| turn.0), median(turns, |turn| turn.1));
        println!(
            "{name:32} {rate:8.0}  {:.2} of bare hyper  {processor:4.0} µs of the processor",
            rate / bare
        );
    }
    println!("goal: a port call at least 15000");
}

fn main() {
    // `cargo test --benches` runs this too, where there is nothing to measure.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(all());
}
