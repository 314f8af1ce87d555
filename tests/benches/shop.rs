//! How fast the shop is, with the load's own cost on the same machine. `cargo bench -p tests --bench shop`.
//!
//! Starts the release binary as a process of its own. Placements are durable: stock reserved, payment authorized
//! and captured at the embedded sandbox, order placed, events out, `synchronous=FULL`. Figures are for reading and
//! for ratios within one run; nothing fails on them. Arguments: any of `startup`, `placements`, `postgres`,
//! `five` (processes over NATS, beside one), `products`, `soak` (ten minutes); without one, all but the soak. PostgreSQL
//! needs `TEST_POSTGRES_URL`, and five processes need `TEST_NATS_URL`.
#![expect(clippy::print_stdout, reason = "figures are what a benchmark is for")]

use hdrhistogram::Histogram;
use serde_json::{Value, json};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tests::{
    http::Request,
    process::{ADMIN, Server, Setup, postgres_urls, release_binary},
    topology::{Adapter, Databases, Plan},
};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    let wants = |name: &str| {
        if wanted.is_empty() { name != "soak" } else { wanted.iter().any(|wanted| wanted == name) }
    };
    let binary = release_binary();
    if wants("startup") {
        startup(&binary).await;
    }
    if wants("placements") {
        let data = tempfile::tempdir().expect("a directory");
        let server = setup(&binary, data.path()).start().await.expect("starts");
        placements("SQLite", &server).await;
        server.terminate().expect("ends");
    }
    if wants("postgres") && std::env::var_os("TEST_POSTGRES_URL").is_some() {
        let data = tempfile::tempdir().expect("a directory");
        let (urls, guards) = postgres_urls("bench").await;
        let server = setup(&binary, data.path()).on_postgres(&urls).start().await.expect("starts");
        placements("PostgreSQL", &server).await;
        server.terminate().expect("ends");
        drop(guards);
    }
    if wants("five") && std::env::var_os("TEST_NATS_URL").is_some() {
        five(&binary).await;
    }
    if wants("products") {
        products(&binary).await;
    }
    if wants("soak") {
        soak(&binary).await;
    }
}

fn setup(binary: &std::path::Path, data: &std::path::Path) -> Setup {
    Setup::new(binary, data).with("CLEAVE__LOG__LEVEL", "warn")
}

async fn startup(binary: &std::path::Path) {
    let data = tempfile::tempdir().expect("a directory");
    let setup = setup(binary, data.path());
    let first = setup.start().await.expect("starts");
    println!("first start to ready: {:?}", first.started_in);
    first.terminate().expect("ends");
    let mut times = Vec::new();
    for _ in 0..5 {
        let server = setup.start().await.expect("starts");
        times.push(server.started_in);
        if times.len() == 5 {
            tokio::time::sleep(Duration::from_secs(3)).await;
            let idle = server.resident_bytes().unwrap_or(0);
            println!("idle resident memory: {} MB", idle / 1_000_000);
        }
        server.terminate().expect("ends");
    }
    times.sort();
    println!("start to ready with existing databases: median {:?}, all {times:?}", times[2]);
}

/// A shop with stock for ever and a few buyers.
async fn stocked(server: &Server) -> Vec<String> {
    let admin = server.sign_in(ADMIN.0, ADMIN.1).await.expect("the admin signs in");
    for i in 0..20 {
        let product = json!({"title": format!("Bench {i}"), "status": "active", "variants": [
            {"sku": format!("BENCH-{i}"), "price": {"amount": 1999, "currency": "EUR"}, "on_hand": 100_000_000}]});
        let made = server.post("/api/v1/products", Some(&admin), &product).await.expect("an answer");
        assert_eq!(made.status, 201, "{}", made.json());
    }
    let mut buyers = Vec::new();
    for i in 0..4 {
        buyers.push(server.buyer(&format!("buyer{i}@example.test")).await.expect("a buyer"));
    }
    buyers
}

/// What a load gave.
struct Load {
    answers: u64,
    refused: u64,
    took: Duration,
    latency: Histogram<u64>,
}

impl Load {
    fn rate(&self) -> f64 {
        self.answers as f64 / self.took.as_secs_f64()
    }

    fn print(&self, what: &str) {
        let ms = |q| self.latency.value_at_quantile(q) as f64 / 1000.0;
        println!(
            "{what}: {:.0}/s, p50 {:.1} ms, p95 {:.1} ms, p99 {:.1} ms, {} answers, {} refused",
            self.rate(),
            ms(0.5),
            ms(0.95),
            ms(0.99),
            self.answers,
            self.refused
        );
    }
}

/// Sends requests of `make` from `clients` connections for a time; each client one in a `period`, or as many as it can.
async fn load(
    server: &Server,
    clients: u64,
    time: Duration,
    period: Duration,
    make: impl Fn(u64) -> (String, String, Option<Value>, String) + Clone + 'static,
    wanted: u16,
) -> Load {
    let number = Arc::new(AtomicU64::new(0));
    let began = Instant::now();
    let set = tokio::task::LocalSet::new();
    let tasks: Vec<_> = (0..clients)
        .map(|_| {
            let (number, make, address) = (Arc::clone(&number), make.clone(), server.address);
            set.spawn_local(async move {
                let mut connection = tests::http::Connection::open(address).await.expect("connects");
                let mut latency = Histogram::<u64>::new(3).expect("a histogram");
                let (mut answers, mut refused) = (0, 0);
                while began.elapsed() < time {
                    let n = number.fetch_add(1, Ordering::Relaxed);
                    let (method, path, body, token) = make(n);
                    let token = (!token.is_empty()).then_some(token.as_str());
                    let request =
                        Request { method: &method, path: &path, token, json: body.as_ref(), headers: &[] };
                    let sent = Instant::now();
                    let answer = connection.send(&request).await.expect("an answer");
                    let took = u64::try_from(sent.elapsed().as_micros()).unwrap_or(u64::MAX);
                    latency.record(took).expect("the histogram grows");
                    if answer.status == wanted {
                        answers += 1;
                    } else {
                        refused += 1;
                        if refused == 1 {
                            println!("unexpected {}: {}", answer.status, answer.json());
                        }
                    }
                    if !period.is_zero() {
                        tokio::time::sleep(period.saturating_sub(sent.elapsed())).await;
                    }
                }
                (answers, refused, latency)
            })
        })
        .collect();
    let mut whole = Load {
        answers: 0,
        refused: 0,
        took: Duration::ZERO,
        latency: Histogram::new(3).expect("a histogram"),
    };
    set.run_until(async {
        for task in tasks {
            let (answers, refused, latency) = task.await.expect("a client");
            whole.answers += answers;
            whole.refused += refused;
            whole.latency.add(latency).expect("same kind");
        }
    })
    .await;
    whole.took = began.elapsed();
    whole
}

fn order(buyers: Vec<String>) -> impl Fn(u64) -> (String, String, Option<Value>, String) + Clone {
    move |n| {
        let body = json!({"lines": [{"sku": format!("BENCH-{}", n % 20), "quantity": 1}],
            "payment": {"token": "tok_ok"}});
        let buyer = buyers[usize::try_from(n).unwrap_or(0) % buyers.len()].clone();
        ("POST".into(), "/api/v1/orders".into(), Some(body), buyer)
    }
}

/// Returns how many a second there were at 64 clients.
async fn placements(name: &str, server: &Server) -> f64 {
    let make = order(stocked(server).await);
    load(server, 16, Duration::from_secs(3), Duration::ZERO, make.clone(), 201).await;
    let mut rate = 0.0;
    for clients in [8, 64] {
        let before = server.processor_time().unwrap_or_default();
        let load = load(server, clients, Duration::from_secs(10), Duration::ZERO, make.clone(), 201).await;
        let worked = server.processor_time().unwrap_or_default().saturating_sub(before);
        load.print(&format!("placements on {name}, {clients} clients"));
        println!(
            "the server's processor time: {:.0} us an order",
            worked.as_micros() as f64 / load.answers as f64
        );
        rate = load.rate();
    }
    let resident = server.resident_bytes().unwrap_or(0);
    println!("resident memory after it: {} MB", resident / 1_000_000);
    let began = Instant::now();
    let admin = server.sign_in(ADMIN.0, ADMIN.1).await.expect("the admin signs in");
    loop {
        let integrity = server.get("/api/v1/admin/integrity", Some(&admin)).await.expect("an answer").json();
        if integrity["violations"] == 0 {
            println!("integrity clean {:?} after the load", began.elapsed());
            break;
        }
        if began.elapsed() > Duration::from_secs(60) {
            println!("integrity: {integrity}");
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    rate
}

/// One process for each module, over NATS, beside one process for all.
async fn five(binary: &std::path::Path) {
    let quiet = |plan: Plan| plan.with("CLEAVE__LOG__LEVEL", "warn").with("CLEAVE__HTTP__WORKERS", "2");
    let mut rates = Vec::new();
    for plan in [Plan::monolith(Databases::Sqlite), Plan::five(Adapter::Nats, Databases::Sqlite)] {
        let topology = quiet(plan).start_from(binary.to_owned()).await;
        rates.push(placements(&format!("SQLite, {}", topology.name), &topology.shop.server).await);
        topology.stop().await;
    }
    println!("five processes over NATS place {:.2} of what one process does", rates[1] / rates[0]);
}

async fn products(binary: &std::path::Path) {
    let data = tempfile::tempdir().expect("a directory");
    let server = setup(binary, data.path()).start().await.expect("starts");
    let admin = server.sign_in(ADMIN.0, ADMIN.1).await.expect("the admin signs in");
    let token = admin.clone();
    let make = move |n: u64| {
        let product = json!({"title": format!("Product {n:06}"), "status": "active", "variants": [
            {"sku": format!("P-{n}"), "price": {"amount": 1000 + n, "currency": "EUR"}, "on_hand": 5}]});
        ("POST".into(), "/api/v1/products".into(), Some(product), token.clone())
    };
    let mut made = 0;
    let offset = Arc::new(AtomicU64::new(0));
    while made < 100_000 {
        let (offset, make) = (Arc::clone(&offset), make.clone());
        let numbered = move |_| make(offset.fetch_add(1, Ordering::Relaxed));
        made += load(&server, 64, Duration::from_secs(5), Duration::ZERO, numbered, 201).await.answers;
    }
    println!("{made} products");
    let page = |_| ("GET".into(), "/api/v1/products?limit=20".into(), None, String::new());
    for clients in [8, 64] {
        let load = load(&server, clients, Duration::from_secs(8), Duration::ZERO, page, 200).await;
        load.print(&format!("page of 20 of {made} products, {clients} clients"));
    }
    let search =
        |n: u64| ("GET".into(), format!("/api/v1/products?q=product+{:03}", n % 1000), None, String::new());
    let load = load(&server, 16, Duration::from_secs(5), Duration::ZERO, search, 200).await;
    load.print("text search, 16 clients");
    server.terminate().expect("ends");
}

async fn soak(binary: &std::path::Path) {
    let data = tempfile::tempdir().expect("a directory");
    let server = setup(binary, data.path()).start().await.expect("starts");
    let make = order(stocked(&server).await);
    let full = load(&server, 64, Duration::from_secs(20), Duration::ZERO, make.clone(), 201).await;
    full.print("full load, 64 clients");
    let period = Duration::from_secs_f64(2.0 * 32.0 / full.rate());
    let mut first = 0;
    for minute in 1..=10 {
        let half = load(&server, 32, Duration::from_secs(60), period, make.clone(), 201).await;
        let resident = server.resident_bytes().unwrap_or(0);
        first = if minute == 1 { resident } else { first };
        half.print(&format!("minute {minute}, {} MB resident", resident / 1_000_000));
    }
    let last = server.resident_bytes().unwrap_or(0);
    println!(
        "growth from the first minute to the tenth: {:.1} %",
        (last as f64 / first as f64 - 1.0) * 100.0
    );
    server.terminate().expect("ends");
}
