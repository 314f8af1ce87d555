//! A payments module with the sandbox behind it, on a database of its own.

use crate::{provider::Faulty, sandbox_provider::SandboxProvider};
use bus::Sources;
use bus_durable::{Catalogue, Database, DatabaseSettings};
use bus_testkit::postgres::{DropGuard, fresh_postgres};
use kernel::{Currency, Money, OrderId, PaymentId};
use payments::{EntryKind, LedgerEntry, Provider, Secret, Service, Settings};
use payments_ports::{
    AuthorizePayment, CapturePayment, CheckPayments, EVENTS, GetPayment, Payment, PaymentHistory,
    PaymentStatus, PaymentsPort, ReceiveWebhook, RefundPayment, VoidPayment,
};
use sandbox::{Sandbox, SandboxSettings};
use std::{sync::Arc, time::Duration};
use tempfile::TempDir;
use tokio::{sync::watch, task::JoinHandle};

pub(crate) const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// Long enough for anything here, and never waited out.
pub(crate) const SOON: Duration = Duration::from_secs(60);

pub(crate) struct World {
    pub(crate) service: Arc<Service>,
    pub(crate) database: Database,
    pub(crate) sandbox: Sandbox,
    pub(crate) provider: Arc<Faulty>,
    pub(crate) settings: Settings,
    pub(crate) sources: Sources,
    stop: watch::Sender<bool>,
    workers: Vec<JoinHandle<()>>,
    _directory: TempDir,
    _guards: Vec<DropGuard>,
}

pub(crate) fn settings() -> Settings {
    Settings {
        provider_timeout: Duration::from_millis(1500),
        reconcile_every: Duration::from_millis(200),
        give_up_after: Duration::from_secs(6),
        attention_after: 4,
        webhook_secret: Secret::new(SECRET),
        ..Settings::default()
    }
}

pub(crate) fn eur(amount: i64) -> Money {
    Money::new(amount, Currency::EUR)
}

impl World {
    pub(crate) async fn sqlite() -> Self {
        Self::open(None, settings(), 1, false).await
    }

    pub(crate) async fn postgres() -> Self {
        Self::open(Some(fresh_postgres("payments").await), settings(), 1, false).await
    }

    /// With a sandbox that sends its webhooks `copies` times, shuffled if asked to.
    pub(crate) async fn open(
        postgres: Option<(String, DropGuard)>,
        settings: Settings,
        copies: u32,
        shuffle: bool,
    ) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = |name: &str| format!("sqlite://{}", directory.path().join(name).display());
        let (url, guard) = postgres.map_or((file("payments.db"), None), |(url, guard)| (url, Some(guard)));
        let sources = Sources::system();
        let catalogue = Arc::new(Catalogue::new(EVENTS.iter().copied(), []).unwrap());
        let database =
            Database::open(DatabaseSettings::new("payments", url), catalogue, sources.clone()).await.unwrap();
        database.migrate::<migrations::payments::Migrator>().await.unwrap();
        let (clock, ids) = (sources.clone(), sources.clone());
        let sandbox = Sandbox::open(
            SandboxSettings {
                database_url: file("sandbox.db"),
                webhook_secret: SECRET.into(),
                public_url: "http://127.0.0.1".into(),
                webhook_copies: copies,
                webhook_shuffle: shuffle,
            },
            sandbox::Sources {
                now_micros: Arc::new(move || clock.now().micros()),
                next_id: Arc::new(move || ids.id()),
            },
        )
        .await
        .unwrap();
        let provider = Arc::new(Faulty::new(Arc::new(SandboxProvider::new(sandbox.clone()))));
        let inner = Arc::clone(&provider) as Arc<dyn Provider>;
        let service = Service::start(database.clone(), inner, settings.clone()).await.unwrap();
        let _guards = guard.into_iter().collect();
        let (stop, _) = watch::channel(false);
        let workers = Vec::new();
        let _directory = directory;
        Self { service, database, sandbox, provider, settings, sources, stop, workers, _directory, _guards }
    }

    /// With the reconciler and the worker of webhooks running.
    pub(crate) fn with_workers(mut self) -> Self {
        self.workers = self.service.workers(self.stop.subscribe());
        self
    }

    /// Another process on the same database, as far as payments can tell.
    pub(crate) async fn another_service(&self) -> Arc<Service> {
        let inner = Arc::clone(&self.provider) as Arc<dyn Provider>;
        Service::start(self.database.clone(), inner, self.settings.clone()).await.unwrap()
    }

    pub(crate) fn attempt(&self, token: &str) -> AuthorizePayment {
        AuthorizePayment {
            payment_id: self.sources.id(),
            order_id: self.sources.id(),
            user_id: self.sources.id(),
            amount: eur(1999),
            token: token.into(),
            capture_next: false,
        }
    }

    pub(crate) async fn authorize(&self, token: &str) -> Payment {
        self.service.authorize(self.attempt(token)).await.unwrap()
    }

    pub(crate) async fn captured(&self, token: &str) -> Payment {
        let payment_id = self.authorize(token).await.id;
        self.service.capture(CapturePayment { payment_id }).await.unwrap()
    }

    pub(crate) async fn void(&self, payment_id: PaymentId) -> Result<Payment, payments_ports::PaymentsError> {
        self.service.void(VoidPayment { payment_id }).await
    }

    pub(crate) fn refund(&self, payment_id: PaymentId, amount: i64) -> RefundPayment {
        RefundPayment {
            refund_id: self.sources.id(),
            payment_id,
            amount: eur(amount),
            reason: "broken".into(),
        }
    }

    pub(crate) async fn payment(&self, payment_id: PaymentId) -> Payment {
        self.service.get_payment(GetPayment { payment_id }).await.unwrap()
    }

    /// Waits until the payment is so.
    pub(crate) async fn until(&self, payment_id: PaymentId, status: PaymentStatus) -> Payment {
        let what = format!("{payment_id} is {status}");
        bus_testkit::eventually(&what, SOON, async || self.payment(payment_id).await.status == status).await;
        self.payment(payment_id).await
    }

    /// The kinds of what happened to an order's payments.
    pub(crate) async fn history(&self, order_id: OrderId) -> Vec<String> {
        let events = self.service.payment_history(PaymentHistory { order_id }).await.unwrap();
        events.into_iter().map(|event| event.kind).collect()
    }

    /// What the provider really did for an order: how often, and how much of it.
    pub(crate) async fn done(&self, order_id: OrderId, kind: EntryKind) -> (usize, i64) {
        let ledger = self.provider.transactions(&order_id.to_string()).await.unwrap();
        let rows: Vec<&LedgerEntry> = ledger.iter().filter(|entry| entry.kind == kind).collect();
        (rows.len(), rows.iter().map(|entry| entry.amount.amount).sum())
    }

    /// The events that were published about an order.
    pub(crate) async fn published(&self, name: &str, order_id: OrderId) -> usize {
        let sql = "SELECT data FROM outbox WHERE key = $1 AND name = $2 ORDER BY position";
        let values = [order_id.to_string().into(), name.into()];
        self.database.reader().rows(sql, values).await.unwrap().len()
    }

    /// One number from the database.
    pub(crate) async fn count(&self, sql: &str) -> i64 {
        self.database.reader().row(sql, []).await.unwrap().unwrap().get("n").unwrap()
    }

    /// Writes behind payments' back.
    pub(crate) async fn tamper(&self, sql: &'static str) {
        let written: Result<u64, bus::BusError> =
            self.database.write(sql, |sql, tx| Box::pin(tx.execute(sql, []))).await;
        written.unwrap();
    }

    /// How many violations each invariant has.
    pub(crate) async fn violations(&self) -> Vec<(String, u64)> {
        let checks = self.service.check_payments(CheckPayments {}).await.unwrap();
        checks
            .into_iter()
            .filter(|check| check.violations > 0)
            .map(|check| (check.invariant, check.violations))
            .collect()
    }

    /// A webhook as the provider signs it.
    pub(crate) fn webhook(&self, id: &str, body: &str) -> ReceiveWebhook {
        signed(&self.sources, id, body)
    }
}

/// A webhook as the provider signs it now.
pub(crate) fn signed(sources: &Sources, id: &str, body: &str) -> ReceiveWebhook {
    let timestamp = sources.now().seconds();
    ReceiveWebhook {
        provider: "sandbox".into(),
        id: id.into(),
        timestamp: timestamp.to_string(),
        signature: sandbox::sign(SECRET, id, timestamp, body.as_bytes()),
        body: body.into(),
    }
}

/// What a webhook says.
pub(crate) fn webhook_body(kind: &str, key: &str, reference: &str, charge: &str, amount: i64) -> String {
    format!(
        r#"{{"id":"evt","type":"charge.{kind}","reference":"{reference}","charge":"{charge}",
        "amount":{{"amount":{amount},"currency":"EUR"}},"status":"{kind}","at":1,"idempotency_key":"{key}"}}"#
    )
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}
