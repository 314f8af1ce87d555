//! Orders with inventory and payments behind them, in this process: the modules as they are, on a bus whose links a
//! test may bend.

use async_trait::async_trait;
use bus::{Bus, Direct, Endpoints, Executor, Policies, Port, Served, Sources};
use bus_durable::{Catalogue, Database, DatabaseSettings, Dispatch, DispatchSettings, saga::SagaSettings};
use bus_testkit::{Faults, Faulty, each_request_twice, postgres};
use cleave::sandbox_provider::SandboxProvider;
use inventory_ports::{Actor, CreateProduct, GetStock, InventoryPort, NewVariant, ProductStatus, Stock};
use kernel::{Currency, IntegrityCheck, Money, Page, Sku, UserId};
use notifications_ports::{
    CheckNotifications, ListNotifications, Notification, NotificationsError, NotificationsOf,
    NotificationsPort, ResendNotification,
};
use orders_ports::{OrdersPort, PlaceOrder, RequestedLine};
use payments_ports::PaymentsPort;
use sandbox::{Sandbox, SandboxSettings};
use sea_orm_migration::MigratorTrait;
use std::{any::Any, sync::Arc, time::Duration};
use tokio::{sync::watch, task::JoinHandle};

/// The databases of a world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// A file each.
    Sqlite,
    /// A database each on the server of the tests.
    Postgres,
}

/// What a test may set.
#[derive(Clone)]
pub struct Terms {
    /// Orders' settings.
    pub orders: orders::Settings,
    /// Inventory's.
    pub inventory: inventory::Settings,
    /// Payments'.
    pub payments: payments::Settings,
    /// Whether every call in the process goes through the codec.
    pub strict: bool,
    /// What orders' calls run on.
    pub executor: Arc<dyn Executor>,
}

/// Payments that lose patience soon, though no sooner than a busy machine needs for an answer.
#[must_use]
pub fn payments_settings() -> payments::Settings {
    payments::Settings {
        provider_timeout: Duration::from_secs(2),
        reconcile_every: Duration::from_millis(200),
        give_up_after: Duration::from_secs(8),
        challenge_every: Duration::from_millis(300),
        webhook_secret: payments::Secret::new(SECRET),
        ..payments::Settings::default()
    }
}

impl Default for Terms {
    fn default() -> Self {
        let payments = payments_settings();
        Self {
            orders: orders::Settings::default(),
            inventory: inventory::Settings::default(),
            payments,
            strict: true,
            executor: Arc::new(Direct),
        }
    }
}

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYqr";

/// Running modules.
pub struct World {
    /// Where everything is called.
    pub bus: Bus,
    /// Clock and ids.
    pub sources: Sources,
    /// The provider.
    pub sandbox: Sandbox,
    /// Orders itself.
    pub orders: Arc<orders::Service>,
    /// What happens on the way to inventory and payments.
    pub faults: Arc<Faults>,
    dispatches: Vec<Dispatch>,
    databases: Vec<Database>,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
    executor: Arc<dyn Executor>,
    _keep: Vec<Box<dyn Any + Send>>,
}

/// Says nothing: notifications are not what these tests are about.
pub struct Silent;

#[async_trait]
impl NotificationsPort for Silent {
    async fn list(&self, _: ListNotifications) -> Result<Page<Notification>, NotificationsError> {
        Ok(Page { data: Vec::new(), next_cursor: None })
    }

    async fn of_order(&self, _: NotificationsOf) -> Result<Vec<Notification>, NotificationsError> {
        Ok(Vec::new())
    }

    async fn resend(&self, _: ResendNotification) -> Result<Notification, NotificationsError> {
        Err(NotificationsError::NotFound)
    }

    async fn check(&self, _: CheckNotifications) -> Result<Vec<IntegrityCheck>, NotificationsError> {
        Ok(Vec::new())
    }
}

/// Who subscribes to what, notifications aside.
///
/// # Panics
/// Where the ports crates contradict each other.
#[must_use]
pub fn catalogue() -> Arc<Catalogue> {
    let events = [inventory_ports::EVENTS, orders_ports::EVENTS, payments_ports::EVENTS].concat();
    let subscriptions = [inventory_ports::SUBSCRIPTIONS, orders_ports::SUBSCRIPTIONS].concat();
    Arc::new(Catalogue::new(events, subscriptions).expect("the catalogue makes sense"))
}

struct Places {
    backend: Backend,
    directory: tempfile::TempDir,
    keep: Vec<Box<dyn Any + Send>>,
}

impl Places {
    async fn url(&mut self, module: &str) -> String {
        match self.backend {
            Backend::Sqlite => {
                format!("sqlite://{}", self.directory.path().join(format!("{module}.db")).display())
            }
            Backend::Postgres => {
                let (url, guard) = postgres::fresh_postgres(&format!("world_{module}")).await;
                self.keep.push(Box::new(guard));
                url
            }
        }
    }

    async fn database<M: MigratorTrait>(&mut self, module: &'static str, sources: &Sources) -> Database {
        let settings = DatabaseSettings::new(module, self.url(module).await);
        let database = Database::open(settings, catalogue(), sources.clone()).await.expect("opens");
        database.migrate::<M>().await.expect("migrates");
        database
    }
}

impl World {
    /// The modules on fresh databases.
    pub async fn start(backend: Backend, terms: Terms) -> Self {
        let sources = Sources::system();
        let directory = tempfile::tempdir().expect("a directory");
        let mut places = Places { backend, directory, keep: Vec::new() };
        let policies = Policies::default();
        let bus = if terms.strict { Bus::strict(policies.clone()) } else { Bus::new(policies.clone()) };
        let faults = Faults::none();

        let stock = places.database::<migrations::inventory::Migrator>("inventory", &sources).await;
        let inventory = inventory::Service::start(stock.clone(), terms.inventory).await.expect("starts");
        let money = places.database::<migrations::payments::Migrator>("payments", &sources).await;
        let sandbox_url = places.url("sandbox").await;
        let sandbox = open_sandbox(sandbox_url, &sources).await;
        let provider = Arc::new(SandboxProvider::new(sandbox.clone()));
        let payments =
            payments::Service::start(money.clone(), provider, terms.payments).await.expect("starts");
        let book = places.database::<migrations::orders::Migrator>("orders", &sources).await;
        let port = Arc::new(bus.clone());
        let (stock_port, money_port): (Arc<dyn InventoryPort>, Arc<dyn PaymentsPort>) =
            (Arc::clone(&port) as _, Arc::clone(&port) as _);
        let sagas = SagaSettings { poll: Duration::from_millis(20), ..SagaSettings::default() };
        let orders = orders::Service::start(
            book.clone(),
            stock_port,
            money_port,
            Arc::new(Silent),
            terms.orders,
            sagas,
        );
        let orders = orders.await.expect("starts");

        bus.connect("inventory", faulty(Arc::clone(&inventory) as Arc<dyn InventoryPort>, &faults));
        bus.connect("payments", faulty(Arc::clone(&payments) as Arc<dyn PaymentsPort>, &faults));
        bus.serve(Served::new(
            Arc::clone(&orders) as Arc<dyn OrdersPort>,
            Arc::clone(&terms.executor),
            &policies,
        ));

        let (stop, stopped) = watch::channel(false);
        let settings = DispatchSettings { poll: Duration::from_millis(20), ..DispatchSettings::default() };
        let dispatches = vec![
            Dispatch::start(&stock, &bus, inventory.subscribers(), &settings),
            Dispatch::start(&money, &bus, payments.subscribers(), &settings),
            Dispatch::start(&book, &bus, orders.subscribers(), &settings),
        ];
        let mut tasks = inventory.workers(stopped.clone());
        tasks.extend(payments.workers(stopped.clone()));
        tasks.extend(orders.workers(stopped.clone()));
        let databases = vec![stock, money, book];
        let mut keep = places.keep;
        keep.push(Box::new(places.directory));
        Self {
            bus,
            sources,
            sandbox,
            orders,
            faults,
            dispatches,
            databases,
            stop,
            tasks,
            executor: terms.executor,
            _keep: keep,
        }
    }

    /// Sends every request of orders twice from now on.
    pub fn ask_orders_twice(&self) {
        let service = Arc::clone(&self.orders) as Arc<dyn OrdersPort>;
        let served = Served::new(service, Arc::clone(&self.executor), self.bus.policies());
        self.bus.connect(
            "orders",
            Arc::new(each_request_twice(Arc::new(Endpoints::default().with_port(&served)))),
        );
    }

    /// Puts a product with one variant on sale.
    pub async fn stock(&self, sku: &str, price: i64, on_hand: u32) -> Sku {
        let sku: Sku = sku.parse().expect("a SKU");
        let variant = NewVariant {
            sku: sku.clone(),
            title: None,
            price: Money::new(price, Currency::EUR),
            on_hand: i64::from(on_hand),
        };
        let product = CreateProduct {
            product_id: self.sources.id(),
            title: format!("The {sku}"),
            description: String::new(),
            status: ProductStatus::Active,
            variants: vec![variant],
            actor: Actor::User(self.sources.id()),
        };
        InventoryPort::create_product(&self.bus, product).await.expect("a product");
        sku
    }

    /// What is on the shelf.
    pub async fn on_shelf(&self, sku: &Sku) -> Stock {
        InventoryPort::stock(&self.bus, GetStock { sku: sku.clone() }).await.expect("stock")
    }

    /// A wish for some of a SKU.
    #[must_use]
    pub fn wish(&self, buyer: UserId, sku: &Sku, quantity: u32, token: &str) -> PlaceOrder {
        PlaceOrder {
            order_id: self.sources.id(),
            user_id: buyer,
            lines: vec![RequestedLine { sku: sku.clone(), quantity }],
            payment_token: token.to_owned(),
            shipping_address: None,
            note: None,
            respond_async: false,
        }
    }

    /// Ends everything in order.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        for dispatch in self.dispatches {
            dispatch.stop().await;
        }
        for task in self.tasks {
            drop(task.await);
        }
        for database in self.databases {
            database.close().await;
        }
        self.sandbox.close().await;
    }
}

/// The sandbox provider on a database of its own.
pub async fn open_sandbox(database_url: String, sources: &Sources) -> Sandbox {
    let settings = SandboxSettings {
        database_url,
        webhook_secret: SECRET.into(),
        public_url: "http://127.0.0.1".into(),
        webhook_copies: 1,
        webhook_shuffle: false,
    };
    let (clock, ids) = (sources.clone(), sources.clone());
    let sources = sandbox::Sources {
        now_micros: Arc::new(move || clock.now().micros()),
        next_id: Arc::new(move || ids.id()),
    };
    Sandbox::open(settings, sources).await.expect("the sandbox opens")
}

fn faulty<P: Port + ?Sized>(service: Arc<P>, faults: &Arc<Faults>) -> Arc<Faulty> {
    let served = Served::new(service, Arc::new(Direct), &Policies::default());
    Arc::new(Faulty::new(Arc::new(Endpoints::default().with_port(&served)), Arc::clone(faults)))
}
