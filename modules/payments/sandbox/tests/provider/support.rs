//! A sandbox on a fresh database, and a sink that remembers what it was sent.

use futures::FutureExt;
use kernel::{Currency, Money};
use sandbox::{
    AuthorizeCharge, CaptureCharge, ChargeOutcome, ChargeStatus, RefundCharge, Sandbox, SandboxError,
    SandboxSettings, SignedWebhook, Sources, VoidCharge, WebhookSink,
};
use sea_orm::{ConnectionTrait, Database, DatabaseConnection};
use std::{
    collections::VecDeque,
    panic::AssertUnwindSafe,
    sync::{
        Arc, LazyLock, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::time::Instant;
use uuid::Uuid;

pub(crate) const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
static COUNTER: AtomicU64 = AtomicU64::new(1);
static START: LazyLock<std::time::Instant> = LazyLock::new(std::time::Instant::now);

/// A test body on both databases.
macro_rules! on_both {
    ($($(#[$meta:meta])* async fn $name:ident($fixture:ident: &Fixture) $body:block)+) => {$(
        $(#[$meta])*
        mod $name {
            use super::*;

            async fn body($fixture: &$crate::support::Fixture) $body

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_sqlite() {
                $crate::support::run_on_sqlite(async |fixture| body(&fixture).await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            #[ignore = "needs PostgreSQL"]
            async fn on_postgres() {
                $crate::support::run_on_postgres(async |fixture| body(&fixture).await).await;
            }
        }
    )+};
}
pub(crate) use on_both;

pub(crate) struct Fixture {
    pub(crate) settings: SandboxSettings,
}

pub(crate) async fn run_on_sqlite(body: impl AsyncFnOnce(Fixture)) {
    let folder = tempfile::tempdir().expect("a folder");
    body(Fixture::new(format!("sqlite://{}/sandbox.db", folder.path().display()))).await;
}

pub(crate) async fn run_on_postgres(body: impl AsyncFnOnce(Fixture)) {
    let server = std::env::var("TEST_POSTGRES_URL").expect("TEST_POSTGRES_URL");
    let name = format!("sandbox_{}", Uuid::from_u128(rand::random()).simple());
    let admin = Database::connect(format!("{server}/postgres")).await.expect("a server");
    admin.execute_unprepared(&format!("CREATE DATABASE {name}")).await.expect("a database");
    let outcome = AssertUnwindSafe(body(Fixture::new(format!("{server}/{name}")))).catch_unwind().await;
    admin.execute_unprepared(&format!("DROP DATABASE {name} WITH (FORCE)")).await.expect("dropped");
    if let Err(panic) = outcome {
        std::panic::resume_unwind(panic);
    }
}

impl Fixture {
    fn new(database_url: String) -> Self {
        Self {
            settings: SandboxSettings {
                database_url,
                webhook_secret: SECRET.into(),
                public_url: "http://shop.test".into(),
                webhook_copies: 1,
                webhook_shuffle: false,
            },
        }
    }

    pub(crate) async fn open(&self) -> Sandbox {
        Sandbox::open(self.settings.clone(), sources()).await.expect("opens")
    }

    /// The rows themselves, behind the provider's back.
    pub(crate) async fn rows(&self) -> DatabaseConnection {
        Database::connect(&self.settings.database_url).await.expect("connects")
    }
}

pub(crate) fn sources() -> Sources {
    Sources {
        now_micros: Arc::new(|| 1_700_000_000_000_000 + START.elapsed().as_micros() as i64),
        next_id: Arc::new(|| Uuid::from_u128(u128::from(COUNTER.fetch_add(1, Ordering::Relaxed)) << 16)),
    }
}

pub(crate) fn eur(amount: i64) -> Money {
    Money::new(amount, Currency::EUR)
}

pub(crate) fn authorize(key: &str, amount: i64, token: &str) -> AuthorizeCharge {
    AuthorizeCharge {
        idempotency_key: key.into(),
        reference: format!("order-{key}"),
        amount: eur(amount),
        token: token.into(),
    }
}

pub(crate) fn capture(key: &str, charge: Uuid, amount: i64) -> CaptureCharge {
    CaptureCharge { idempotency_key: key.into(), charge, amount: eur(amount) }
}

pub(crate) fn void(key: &str, charge: Uuid) -> VoidCharge {
    VoidCharge { idempotency_key: key.into(), charge }
}

pub(crate) fn refund(key: &str, charge: Uuid, amount: i64) -> RefundCharge {
    RefundCharge { idempotency_key: key.into(), charge, amount: eur(amount) }
}

pub(crate) fn declined(code: &str) -> ChargeStatus {
    ChargeStatus::Declined { code: code.into() }
}

/// An authorized charge of 10.00.
pub(crate) async fn authorized(sandbox: &Sandbox, key: &str, token: &str) -> Uuid {
    let outcome = sandbox.authorize(authorize(key, 1000, token)).await.expect("an outcome");
    assert_eq!(outcome.status, ChargeStatus::Authorized);
    outcome.charge
}

/// Gives up on a call, as a caller whose time-out ran out.
pub(crate) async fn give_up(call: impl Future<Output = Result<ChargeOutcome, SandboxError>>) {
    let answer = tokio::time::timeout(Duration::from_millis(100), call).await;
    assert!(answer.is_err(), "the call was answered: {answer:?}");
}

/// What has become of a request, once that is known.
pub(crate) async fn settled(sandbox: &Sandbox, key: &str) -> Option<ChargeOutcome> {
    eventually("an outcome", async || match sandbox.lookup(key).await {
        Err(SandboxError::InProgress) => None,
        answer => Some(answer.expect("reads")),
    })
    .await
}

/// The ledger of a reference, in words.
pub(crate) async fn ledger(sandbox: &Sandbox, reference: &str) -> Vec<String> {
    let rows = sandbox.transactions(reference).await.expect("a ledger");
    rows.iter().map(|t| format!("{} {} {}", t.kind.as_str(), t.status.as_str(), t.amount.amount)).collect()
}

/// Polls for a state, with a deadline.
pub(crate) async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(seen) = look().await {
            return seen;
        }
        assert!(Instant::now() < deadline, "never came to pass: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Answers with the planned statuses, then with 204, and remembers everything.
#[derive(Default)]
pub(crate) struct Sink {
    pub(crate) seen: Mutex<Vec<SignedWebhook>>,
    pub(crate) plan: Mutex<VecDeque<u16>>,
}

#[async_trait::async_trait]
impl WebhookSink for Sink {
    async fn post(&self, webhook: SignedWebhook) -> Result<u16, String> {
        self.seen.lock().expect("not poisoned").push(webhook);
        match self.plan.lock().expect("not poisoned").pop_front() {
            Some(0) => Err("connection refused".into()),
            Some(status) => Ok(status),
            None => Ok(204),
        }
    }
}

impl Sink {
    pub(crate) fn bodies(&self) -> Vec<serde_json::Value> {
        let seen = self.seen.lock().expect("not poisoned");
        seen.iter().map(|webhook| serde_json::from_slice(&webhook.body).expect("JSON")).collect()
    }

    pub(crate) fn words(&self) -> Vec<String> {
        let word = |body: &serde_json::Value| body["type"].as_str().expect("a type").to_owned();
        self.bodies().iter().map(word).collect()
    }
}

/// Delivers in the background until it is dropped.
pub(crate) struct Delivering(tokio::task::JoinHandle<()>);

impl Delivering {
    #[expect(clippy::disallowed_methods, reason = "a test has no call's context")]
    pub(crate) fn start(sandbox: &Sandbox, sink: &Arc<Sink>) -> Self {
        let (sandbox, sink) = (sandbox.clone(), Arc::clone(sink));
        Self(tokio::spawn(async move { sandbox.deliver_webhooks(sink).await }))
    }
}

impl Drop for Delivering {
    fn drop(&mut self) {
        self.0.abort();
    }
}
