//! A steady stream of orders from buyers who keep all that they were told, and of visitors who look around.

use crate::{
    http::{Answer, Connection, Request},
    process::{PASSWORD, Server},
    shop::order,
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{
    sync::Semaphore,
    task::{JoinHandle, JoinSet},
    time::MissedTickBehavior,
};

/// How long a client waits for one answer: longer than the server's own deadline.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long a buyer goes on asking.
const TENACITY: Duration = Duration::from_secs(90);
/// How long the stream may stand still.
const STANDSTILL: Duration = Duration::from_secs(60);
/// Requests at once, past which buyers stay at home.
const AT_ONCE: usize = 64;

/// What is ordered, and how often.
#[derive(Debug, Clone)]
pub struct Demand {
    /// Orders a second.
    pub rate: u32,
    /// What is paid with, in turn.
    pub tokens: &'static [&'static str],
    /// What is bought, in turn.
    pub skus: Vec<String>,
}

/// One wish of a buyer: one key, asked for until there is an answer that decides.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// The idempotency key.
    pub key: String,
    /// What was paid with.
    pub token: &'static str,
    /// What was bought.
    pub sku: String,
    /// The status that decided, and the order's id.
    pub heard: Option<(u16, String)>,
    /// Answers before that one that decided nothing, and what else went wrong.
    pub failures: Vec<String>,
}

/// What a load has left behind.
#[derive(Debug, Default)]
pub struct History {
    /// All wishes.
    pub attempts: Vec<Attempt>,
    /// How often visitors looked at something.
    pub looks: usize,
    /// What visitors did not get.
    pub failed_looks: Vec<String>,
}

/// A load that goes on until it is stopped.
#[derive(Debug)]
pub struct Load {
    shared: Arc<Shared>,
    tasks: Vec<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    address: SocketAddr,
    buyer: String,
    email: String,
    over: AtomicBool,
    began: Instant,
    history: Mutex<History>,
}

impl Load {
    /// Begins, with a buyer who is registered for it.
    ///
    /// # Errors
    /// Where the buyer cannot register.
    pub async fn start(edge: &Server, demand: Demand) -> io::Result<Self> {
        let email = format!("load-{:08x}@example.test", rand::random::<u32>());
        let buyer = edge.buyer(&email).await?;
        let shared = Arc::new(Shared {
            address: edge.address,
            buyer,
            email,
            over: AtomicBool::new(false),
            began: Instant::now(),
            history: Mutex::default(),
        });
        let tasks =
            vec![bus::spawn(buy(Arc::clone(&shared), demand)), bus::spawn(look_around(Arc::clone(&shared)))];
        Ok(Self { shared, tasks })
    }

    /// How many wishes have been answered for good.
    #[must_use]
    pub fn answered(&self) -> usize {
        self.shared.history().attempts.len()
    }

    /// Waits until so many more have been answered.
    ///
    /// # Panics
    /// Where nothing is answered for a minute.
    pub async fn goes_on(&self, more: usize) {
        let wanted = self.answered() + more;
        let (mut seen, mut since) = (self.answered(), Instant::now());
        while seen < wanted {
            tokio::time::sleep(Duration::from_millis(10)).await;
            let now = self.answered();
            if now > seen {
                (seen, since) = (now, Instant::now());
            }
            assert!(since.elapsed() < STANDSTILL, "no order was answered for {STANDSTILL:?}");
        }
    }

    /// Ends, when all that was begun has been answered.
    ///
    /// # Panics
    /// Where one of its tasks did.
    pub async fn stop(self) -> History {
        self.shared.over.store(true, Ordering::Relaxed);
        for task in self.tasks {
            task.await.expect("the load does not panic");
        }
        std::mem::take(&mut self.shared.history())
    }
}

impl History {
    /// Everything that a client did not get at the first time of asking.
    #[must_use]
    pub fn failures(&self) -> Vec<String> {
        let buyers = self.attempts.iter().flat_map(|attempt| {
            attempt.failures.iter().map(move |failure| format!("{}: {failure}", attempt.key))
        });
        buyers.chain(self.failed_looks.iter().cloned()).collect()
    }

    /// How often each status decided.
    #[must_use]
    pub fn statuses(&self) -> BTreeMap<u16, usize> {
        let mut statuses = BTreeMap::new();
        for (status, _) in self.attempts.iter().filter_map(|attempt| attempt.heard.as_ref()) {
            *statuses.entry(*status).or_default() += 1;
        }
        statuses
    }
}

impl Shared {
    fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    async fn ask(&self, request: &Request<'_>) -> io::Result<Answer> {
        let asked = async { Connection::open(self.address).await?.send(request).await };
        tokio::time::timeout(PATIENCE, asked).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    /// When that was, since the load began.
    fn at(&self) -> String {
        format!("at {:.2} s", self.began.elapsed().as_secs_f64())
    }
}

async fn buy(shared: Arc<Shared>, demand: Demand) {
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / demand.rate);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let (room, mut running) = (Arc::new(Semaphore::new(AT_ONCE)), JoinSet::new());
    for n in 0.. {
        ticks.tick().await;
        if shared.is_over() {
            break;
        }
        let Ok(place) = Arc::clone(&room).try_acquire_owned() else { continue };
        let token = demand.tokens[n % demand.tokens.len()];
        let sku = demand.skus[n % demand.skus.len()].clone();
        let key = format!("wish-{n}");
        let attempt = Attempt { key, token, sku, heard: None, failures: Vec::new() };
        let shared = Arc::clone(&shared);
        running.spawn(async move {
            let attempt = wish(&shared, attempt).await;
            shared.history().attempts.push(attempt);
            drop(place);
        });
        while running.try_join_next().is_some() {}
    }
    while running.join_next().await.is_some() {}
}

/// Asks under one key until an answer decides.
async fn wish(shared: &Shared, mut attempt: Attempt) -> Attempt {
    let body = order(&attempt.sku, 1, attempt.token);
    let (began, key) = (Instant::now(), attempt.key.clone());
    let headers = [("Idempotency-Key", key.as_str())];
    while began.elapsed() < TENACITY {
        let request = Request {
            method: "POST",
            path: "/api/v1/orders",
            token: Some(&shared.buyer),
            json: Some(&body),
            headers: &headers,
        };
        match shared.ask(&request).await {
            Ok(answer) => {
                let json = answer.json();
                let id = json["id"].as_str().or_else(|| json["order_id"].as_str()).unwrap_or_default();
                let decides = matches!(answer.status, 201 | 202 | 402)
                    || (answer.status == 409 && json["code"] == "insufficient_stock");
                if decides {
                    attempt.heard = Some((answer.status, id.to_owned()));
                    return attempt;
                }
                attempt.failures.push(format!("{}: {} {json}", shared.at(), answer.status));
            }
            Err(error) => attempt.failures.push(format!("{}: {error}", shared.at())),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    attempt
}

/// Visitors: one request after the other, each of another module.
async fn look_around(shared: Arc<Shared>) {
    let credentials = json!({"email": shared.email, "password": PASSWORD});
    let buyer = shared.buyer.clone();
    let get = |path| (path, None::<&Value>, Some(buyer.as_str()));
    let looks = [
        get("/api/v1/products?limit=5"),
        get("/api/v1/orders?limit=5"),
        get("/api/v1/users/me"),
        ("/api/v1/sessions", Some(&credentials), None),
    ];
    for (path, json, token) in looks.into_iter().cycle() {
        if shared.is_over() {
            return;
        }
        let method = if json.is_some() { "POST" } else { "GET" };
        let answer = shared.ask(&Request { method, path, token, json, headers: &[] }).await;
        let failure = match answer {
            Ok(answer) if matches!(answer.status, 200 | 201) => None,
            Ok(answer) => Some(format!("{} {}", answer.status, answer.json())),
            Err(error) => Some(error.to_string()),
        };
        {
            let mut history = shared.history();
            history.looks += 1;
            history.failed_looks.extend(failure.map(|failure| format!("{path} {}: {failure}", shared.at())));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
