//! The real binary, killed with SIGKILL at random moments while orders are placed.
#![expect(clippy::print_stderr, reason = "what a run saw is for whoever reads its output")]

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use tests::{
    http::{Connection, Request},
    process::{PASSWORD, Setup, debug_binary, postgres_urls},
    shop::{Shop, order},
};

/// A small generator, so that a run can be repeated from its seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        // xorshift64* (S. Vigna, 2016).
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) % sides
    }
}

/// What a client knows of one of its requests.
#[derive(Debug, Clone)]
struct Attempt {
    key: String,
    token: &'static str,
    sku: String,
    /// The status and the order's id, where an answer came.
    answer: Option<(u16, String)>,
}

const TOKENS: [&str; 8] = [
    "tok_ok",
    "tok_ok",
    "tok_ok",
    "tok_decline",
    "tok_slow_80",
    "tok_lost_ok",
    "tok_capture_decline",
    "tok_lost_fail",
];

async fn buy(
    address: std::net::SocketAddr,
    token: &str,
    attempt: &Attempt,
) -> std::io::Result<(u16, String, bool)> {
    let body = order(&attempt.sku, 1, attempt.token);
    let headers = [("Idempotency-Key", attempt.key.as_str())];
    let path = "/api/v1/orders";
    let request = Request { method: "POST", path, token: Some(token), json: Some(&body), headers: &headers };
    let answer = Connection::open(address).await?.send(&request).await?;
    let json = answer.json();
    let id = json["id"].as_str().or_else(|| json["order_id"].as_str()).unwrap_or_default().to_owned();
    Ok((answer.status, id, answer.header("idempotent-replayed").is_some()))
}

/// Clients that buy until the server is gone.
async fn load(address: std::net::SocketAddr, buyer: String, round: u64, attempts: Arc<Mutex<Vec<Attempt>>>) {
    let clients = (0..8).map(|client: u64| {
        let (buyer, attempts) = (buyer.clone(), Arc::clone(&attempts));
        async move {
            let mut dice = Dice(0x9E37_79B9 ^ (round << 8) ^ (client + 1));
            for n in 0.. {
                let token = TOKENS[usize::try_from(dice.roll(8)).expect("small")];
                let sku = format!("CHAOS-{}", dice.roll(3));
                let key = format!("{round}-{client}-{n}");
                let mut attempt = Attempt { key, token, sku, answer: None };
                let answer = buy(address, &buyer, &attempt).await;
                let gone = answer.is_err();
                attempt.answer = answer.ok().map(|(status, id, _)| (status, id));
                attempts.lock().expect("not poisoned").push(attempt);
                if gone {
                    return;
                }
            }
        }
    });
    futures::future::join_all(clients).await;
}

async fn survives(setup: Setup, rounds: u64) {
    let setup = setup
        .with("CLEAVE__PAYMENTS__PROVIDER_TIMEOUT", "250ms")
        .with("CLEAVE__PAYMENTS__RECONCILE_EVERY", "300ms")
        .with("CLEAVE__PAYMENTS__GIVE_UP_AFTER", "2s")
        // Whoever was killed keeps its duties on PostgreSQL for so long, out of the ten seconds.
        .with("CLEAVE__DURABLE__LEASE", "2s")
        .with("CLEAVE__DURABLE__SAGA_LEASE", "2s")
        .with("CLEAVE__USERS__WRONG_PASSWORDS_PER_MINUTE", "1000")
        .with("CLEAVE__LOG__LEVEL", "warn");
    let mut dice = Dice(42);
    let mut everything: Vec<Attempt> = Vec::new();
    let mut slowest = Duration::ZERO;
    for round in 0..rounds {
        let shop = Shop::of(setup.start().await.expect("starts")).await.expect("the admin signs in");
        if round == 0 {
            for i in 0..3 {
                shop.stock(&format!("CHAOS-{i}"), 1000 + i, 100_000).await;
            }
            shop.server.buyer("buyer@example.test").await.expect("a buyer");
        }
        // What the last round left ends by itself.
        let began = Instant::now();
        shop.settles_within(Duration::from_secs(10)).await;
        slowest = slowest.max(began.elapsed());
        let buyer = shop.server.sign_in("buyer@example.test", PASSWORD).await.expect("signs in");
        // Whoever got no answer asks again under the same key: one order, whatever had happened.
        for attempt in everything.iter_mut().filter(|attempt| attempt.answer.is_none()) {
            let (status, id, _) = buy(shop.server.address, &buyer, attempt).await.expect("an answer");
            attempt.answer = Some((status, id));
        }
        let attempts = Arc::default();
        let driving = bus::spawn(load(shop.server.address, buyer, round, Arc::clone(&attempts)));
        tokio::time::sleep(Duration::from_millis(150 + dice.roll(700))).await;
        shop.server.kill().expect("killed");
        driving.await.expect("the clients end with the server");
        everything.append(&mut attempts.lock().expect("not poisoned"));
    }
    let shop = Shop::of(setup.start().await.expect("starts")).await.expect("the admin signs in");
    shop.settles_within(Duration::from_secs(10)).await;
    let judged = judge(&shop, &everything).await;
    eprintln!("{rounds} kills, {} requests, {judged} orders, slowest recovery {slowest:?}", everything.len());
    shop.server.terminate().expect("ends");
}

/// Holds what the clients were told against what is there; how many orders there are.
async fn judge(shop: &Shop, everything: &[Attempt]) -> usize {
    let orders = shop.walk("/api/v1/orders").await;
    let by_id: BTreeMap<&str, &serde_json::Value> =
        orders.iter().map(|order| (order["id"].as_str().expect("an id"), order)).collect();
    let mut kinds: BTreeMap<u16, usize> = BTreeMap::new();
    let mut unanswered = 0;
    for attempt in everything {
        let Some((status, id)) = &attempt.answer else {
            unanswered += 1;
            continue;
        };
        *kinds.entry(*status).or_default() += 1;
        let known = by_id.get(id.as_str());
        match status {
            201 => {
                let order = known.unwrap_or_else(|| panic!("an acknowledged order is lost: {attempt:?}"));
                assert_eq!(order["status"], "placed", "{attempt:?}: {order}");
            }
            202 | 402 => assert!(known.is_some(), "an acknowledged order is lost: {attempt:?}"),
            // Another request may still have been running under the key, or the server was stopping.
            409 | 503 | 504 => {}
            other => panic!("{other} for {attempt:?}"),
        }
    }
    assert!(kinds.get(&201).is_some_and(|count| *count > 20), "orders were placed: {kinds:?}");
    assert!(kinds.contains_key(&402), "some were declined: {kinds:?}");
    assert!(unanswered < everything.len() / 2, "{unanswered} of {} unanswered", everything.len());
    for order in &orders {
        let (id, status) =
            (order["id"].as_str().expect("an id"), order["status"].as_str().expect("a status"));
        let provider = shop.provider_sums(id).await;
        let sum = |kind: &str| provider.get(kind).copied().unwrap_or(0);
        let kept = sum("capture") - sum("refund");
        let total = order["total"]["amount"].as_i64().expect("a total");
        assert_eq!(kept, if status == "placed" { total } else { 0 }, "{order}: {provider:?}");
        if status != "placed" {
            assert_eq!(sum("authorize") - sum("void") - sum("capture"), 0, "{order}: {provider:?}");
        }
        assert!(matches!(status, "placed" | "rejected" | "expired"), "{order}");
    }
    let mut confirmations: BTreeMap<String, usize> = BTreeMap::new();
    for sent in shop.walk("/api/v1/notifications").await {
        if sent["template"] == "order_confirmation" {
            *confirmations.entry(sent["order_id"].as_str().expect("an order").to_owned()).or_default() += 1;
        }
    }
    assert!(confirmations.values().all(|count| *count == 1), "F25: nobody gets two confirmations");
    let placed = orders.iter().filter(|order| order["status"] == "placed");
    for order in placed {
        let id = order["id"].as_str().expect("an id");
        assert!(confirmations.contains_key(id), "nobody confirmed {order}");
    }
    orders.len()
}

/// B19, B21, F12, F21, F25: 30 kills on SQLite.
#[tokio::test]
async fn nothing_acknowledged_is_lost_through_thirty_kills() {
    let data = tempfile::tempdir().expect("a directory");
    survives(Setup::new(debug_binary(), data.path()), 30).await;
}

/// The same on PostgreSQL.
#[tokio::test]
#[ignore = "needs PostgreSQL"]
async fn nothing_acknowledged_is_lost_through_thirty_kills_on_postgres() {
    let data = tempfile::tempdir().expect("a directory");
    let (urls, _guards) = postgres_urls("chaos").await;
    survives(Setup::new(debug_binary(), data.path()).on_postgres(&urls), 30).await;
}
