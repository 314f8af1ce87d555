//! A running module: its database, users that can be away, events that come as often as one likes, and the log.

use async_trait::async_trait;
use bus::{
    Bus, BusError, Clock, Delivery, Event, Headers, Message, Policies, Request as _, Role, Sources,
    Subscription, SystemClock, Timestamp, Transport,
};
use bus_durable::{Catalogue, Database, DatabaseSettings, Dispatch, DispatchSettings};
use bus_testkit::{eventually, postgres};
use bytes::Bytes;
use kernel::{Currency, Money, OrderId, PageLimit, PageRequest, PaymentId, RefundId, UserId};
use notifications::{Service, Settings};
use notifications_ports::{ListNotifications, Notification, NotificationsOf, NotificationsPort as _};
use orders_ports::{OrderCancelled, OrderLine, OrderPlaced};
use payments_ports::{Payment, PaymentRefunded, PaymentStatus, Refund, RefundStatus};
use std::{
    any::Any,
    collections::HashMap,
    io::Write,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::Duration,
};
use tokio::{sync::watch, task::JoinHandle};
use users_ports::{GetUser, User, UsersError};
use uuid::Uuid;

/// Section 5.12: what must not be found anywhere but where it belongs. Every address in these tests has it.
pub(crate) const CANARY: &str = "canary-7f3a";
/// The password of the mail server.
pub(crate) const PASSWORD: &str = "Pw-CANARY-9c1e";
/// Long enough for a slow machine.
pub(crate) const SOON: Duration = Duration::from_secs(20);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Backend {
    Sqlite,
    Postgres,
}

/// The wall clock, and how far it was put forward.
#[derive(Default)]
pub(crate) struct Shifted(AtomicI64);

impl Shifted {
    pub(crate) fn forward(&self, by: Duration) {
        self.0.fetch_add(i64::try_from(by.as_micros()).unwrap(), Ordering::SeqCst);
    }
}

impl Clock for Shifted {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(SystemClock.now().micros() + self.0.load(Ordering::SeqCst))
    }
}

/// Users, elsewhere.
#[derive(Default)]
pub(crate) struct Users {
    known: Mutex<HashMap<UserId, User>>,
    away: AtomicBool,
}

impl Users {
    pub(crate) fn register(&self, name: &str) -> UserId {
        self.register_at(name, &format!("{CANARY}-{}@example.test", new_id().simple()))
    }

    pub(crate) fn register_at(&self, name: &str, email: &str) -> UserId {
        let id = UserId(new_id());
        let (email, name) = (email.to_owned(), name.to_owned());
        let user = User { id, email, name, role: Role::Customer, created_at: SystemClock.now(), version: 1 };
        self.known.lock().unwrap().insert(id, user);
        id
    }

    pub(crate) fn email(&self, id: UserId) -> String {
        self.known.lock().unwrap()[&id].email.clone()
    }

    pub(crate) fn forget(&self, id: UserId) {
        self.known.lock().unwrap().remove(&id);
    }

    pub(crate) fn set_away(&self, away: bool) {
        self.away.store(away, Ordering::SeqCst);
    }
}

#[async_trait]
impl Transport for Users {
    async fn request(&self, name: &str, _: Headers, bytes: Bytes) -> Result<Bytes, BusError> {
        if self.away.load(Ordering::SeqCst) {
            return Err(BusError::Unavailable { port: "users".into() });
        }
        assert_eq!(name, GetUser::NAME, "notifications ask users for nothing else");
        let GetUser { user_id } = serde_json::from_slice(&bytes).unwrap();
        let answer = match self.known.lock().unwrap().get(&user_id) {
            Some(user) => serde_json::json!({ "ok": user }),
            None => serde_json::json!({ "error": UsersError::NotFound }),
        };
        Ok(serde_json::to_vec(&answer).unwrap().into())
    }

    fn kind(&self) -> &'static str {
        "test"
    }
}

/// The module with everything around it.
pub(crate) struct World {
    pub(crate) database: Database,
    pub(crate) bus: Bus,
    pub(crate) service: Arc<Service>,
    pub(crate) users: Arc<Users>,
    pub(crate) clock: Arc<Shifted>,
    pub(crate) settings: Settings,
    backend: Backend,
    url: String,
    stop: watch::Sender<bool>,
    pub(crate) workers: Vec<JoinHandle<()>>,
    _dispatch: Dispatch,
    _keep: Box<dyn Any + Send>,
}

/// Settings under which a test need not wait.
pub(crate) fn quick() -> Settings {
    Settings {
        from: "The Shop <shop@shop.test>".into(),
        poll: Duration::from_millis(20),
        retry_after: Duration::from_millis(20),
        retry_at_most: Duration::from_millis(50),
        address_timeout: Duration::from_millis(500),
        ..Settings::default()
    }
}

impl World {
    pub(crate) async fn start(backend: Backend, settings: Settings) -> Self {
        capture_log();
        let (url, keep): (String, Box<dyn Any + Send>) = match backend {
            Backend::Sqlite => {
                let directory = tempfile::tempdir().unwrap();
                (format!("sqlite://{}", directory.path().join("n.db").display()), Box::new(directory))
            }
            Backend::Postgres => {
                let (url, guard) = postgres::fresh_postgres("notifications").await;
                (url, Box::new(guard))
            }
        };
        let clock = Arc::new(Shifted::default());
        let database = open(&url, &clock).await;
        database.migrate::<migrations::notifications::Migrator>().await.unwrap();
        let (bus, users) = (Bus::new(Policies::default()), Arc::new(Users::default()));
        bus.connect("users", users.clone());
        let service =
            Service::start(database.clone(), Arc::new(bus.clone()), settings.clone()).await.unwrap();
        let moving = DispatchSettings { poll: Duration::from_millis(20), ..DispatchSettings::default() };
        let dispatch = Dispatch::start(&database, &bus, service.subscribers(), &moving);
        let (stop, stopped) = watch::channel(false);
        let workers = service.workers(stopped);
        Self {
            database,
            bus,
            service,
            users,
            clock,
            settings,
            backend,
            url,
            stop,
            workers,
            _dispatch: dispatch,
            _keep: keep,
        }
    }

    /// Another process on the same rows: where the database lets one in, by connections of its own.
    pub(crate) async fn another(&self) -> (Arc<Service>, Vec<JoinHandle<()>>) {
        let database = match self.backend {
            Backend::Sqlite => self.database.clone(),
            Backend::Postgres => open(&self.url, &self.clock).await,
        };
        let users = Arc::new(self.bus.clone());
        let service = Service::start(database, users, self.settings.clone()).await.unwrap();
        let workers = service.workers(self.stop.subscribe());
        (service, workers)
    }

    /// Brings an event once, as a message of its own.
    pub(crate) async fn tell<E: Event>(&self, subscription: Subscription, event: &E) {
        self.deliver(subscription, new_id(), event).await;
    }

    pub(crate) async fn deliver<E: Event>(&self, subscription: Subscription, id: Uuid, event: &E) {
        let message = Message {
            id,
            name: E::NAME.into(),
            source: "test".into(),
            key: event.key(),
            sequence: event.sequence(),
            at: self.clock.now(),
            trace: None,
            data: serde_json::to_string(event).unwrap(),
        };
        let delivery = Delivery { subscription: subscription.id.into(), message };
        self.bus.deliver("notifications", vec![delivery], SOON).await.unwrap();
    }

    /// Waits until every message that came is handled.
    pub(crate) async fn handled(&self) {
        eventually("every message is handled", SOON, async || {
            self.count("SELECT COUNT(*) AS n FROM inbox WHERE state <> 'done'").await == 0
        })
        .await;
    }

    /// Waits until nothing is to be sent.
    pub(crate) async fn settled(&self) {
        self.handled().await;
        eventually("nothing is pending", SOON, async || {
            self.count("SELECT COUNT(*) AS n FROM notification WHERE status = 'pending'").await == 0
        })
        .await;
    }

    pub(crate) async fn count(&self, sql: &str) -> i64 {
        self.database.reader().row(sql, []).await.unwrap().unwrap().get("n").unwrap()
    }

    pub(crate) async fn of(&self, order_id: OrderId) -> Vec<Notification> {
        self.service.of_order(NotificationsOf { order_id }).await.unwrap()
    }

    pub(crate) async fn all(&self) -> Vec<Notification> {
        let page = PageRequest { limit: PageLimit::MAX, cursor: None };
        self.service.list(ListNotifications { order_id: None, page }).await.unwrap().data
    }

    /// Ends the workers.
    pub(crate) async fn stop(&mut self) {
        self.stop.send_replace(true);
        for worker in std::mem::take(&mut self.workers) {
            worker.await.unwrap();
        }
    }
}

async fn open(url: &str, clock: &Arc<Shifted>) -> Database {
    let settings = DatabaseSettings::new("notifications", url);
    let catalogue = Catalogue::new([], []).unwrap();
    let sources = Sources::with_clock(clock.clone());
    Database::open(settings, Arc::new(catalogue), sources).await.unwrap()
}

pub(crate) fn new_id() -> Uuid {
    Sources::system().id()
}

pub(crate) fn eur(amount: i64) -> Money {
    Money::new(amount, Currency::EUR)
}

pub(crate) fn placed(order_id: OrderId, user_id: UserId) -> OrderPlaced {
    let line = OrderLine {
        sku: "CUP-1".parse().unwrap(),
        title: "Cup & saucer".into(),
        quantity: 2,
        unit_price: eur(1999),
        total: eur(3998),
    };
    let (total, placed_at) = (eur(3998), SystemClock.now());
    OrderPlaced { order_id, number: 17, user_id, lines: vec![line], total, placed_at, version: 3 }
}

pub(crate) fn cancelled(order_id: OrderId, user_id: UserId) -> OrderCancelled {
    let (total, reason) = (eur(3998), "changed my mind".into());
    OrderCancelled { order_id, number: Some(17), user_id, total, reason, version: 4 }
}

pub(crate) fn refunded(order_id: OrderId, user_id: UserId, refund: RefundId) -> PaymentRefunded {
    let at = SystemClock.now();
    let payment = Payment {
        id: PaymentId(new_id()),
        order_id,
        user_id,
        amount: eur(3998),
        captured: eur(3998),
        refunded: eur(500),
        status: PaymentStatus::PartiallyRefunded,
        decline_code: None,
        action_url: None,
        version: 5,
        created_at: at,
    };
    let refund = Refund {
        id: refund,
        payment_id: payment.id,
        order_id,
        amount: eur(500),
        status: RefundStatus::Succeeded,
        reason: "a chip".into(),
        created_at: at,
    };
    PaymentRefunded { payment, refund }
}

/// Everything that was logged by any test of this binary, at any level.
static LOG: OnceLock<Arc<Mutex<Vec<u8>>>> = OnceLock::new();

struct Tee(Arc<Mutex<Vec<u8>>>);

impl Write for Tee {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn capture_log() {
    LOG.get_or_init(|| {
        let log = Arc::<Mutex<Vec<u8>>>::default();
        let writer = Arc::clone(&log);
        tracing_subscriber::fmt()
            .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
            .with_ansi(false)
            .with_writer(move || Tee(Arc::clone(&writer)))
            .init();
        log
    });
}

/// What was logged so far.
pub(crate) fn log() -> String {
    String::from_utf8_lossy(&LOG.get().unwrap().lock().unwrap()).into_owned()
}
