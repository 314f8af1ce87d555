//! One checkout over two processes: inventory in one, orders, payments and the provider in the other, calls and
//! events both ways over a socket. No line of a module knows of it.

use bus::{Bus, Direct, Endpoints, Policies, Served, Sources};
use bus_durable::{Database, DatabaseSettings, Dispatch, DispatchSettings, saga::SagaSettings};
use bus_testkit::{SocketServer, SocketTransport, eventually};
use inventory_ports::{
    Actor, CreateProduct, GetStock, InventoryPort, NewVariant, ProductStatus, ReserveStock, StockLine,
};
use kernel::{Currency, Money, OrderId, Sku};
use orders_ports::{Order, OrderStatus, OrdersError, OrdersPort, PlaceOrder, RequestedLine};
use payments_ports::PaymentsPort;
use std::{process::Stdio, sync::Arc, time::Duration};
use tests::world::{Silent, catalogue, open_sandbox, payments_settings};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    process::Command,
    sync::watch,
};

const SOON: Duration = Duration::from_secs(20);

async fn database<M: sea_orm_migration::MigratorTrait>(
    directory: &std::path::Path,
    module: &'static str,
    sources: &Sources,
) -> Database {
    let url = format!("sqlite://{}", directory.join(format!("{module}.db")).display());
    let database = Database::open(DatabaseSettings::new(module, url), catalogue(), sources.clone()).await;
    let database = database.expect("opens");
    database.migrate::<M>().await.expect("migrates");
    database
}

#[tokio::test(flavor = "multi_thread")]
async fn one_checkout_runs_across_two_processes() {
    let directory = tempfile::tempdir().expect("a directory");
    let sources = Sources::system();
    let bus = Bus::new(Policies::default());

    let money = database::<migrations::payments::Migrator>(directory.path(), "payments", &sources).await;
    let book = database::<migrations::orders::Migrator>(directory.path(), "orders", &sources).await;
    let url = format!("sqlite://{}", directory.path().join("sandbox.db").display());
    let sandbox = open_sandbox(url, &sources).await;
    let provider = Arc::new(cleave::sandbox_provider::SandboxProvider::new(sandbox.clone()));
    let payments =
        payments::Service::start(money.clone(), provider, payments_settings()).await.expect("starts");
    let port = Arc::new(bus.clone());
    let (stock_port, money_port): (Arc<dyn InventoryPort>, Arc<dyn PaymentsPort>) =
        (Arc::clone(&port) as _, port as _);
    let settings = orders::Settings::default();
    let sagas = SagaSettings::default();
    let orders =
        orders::Service::start(book.clone(), stock_port, money_port, Arc::new(Silent), settings, sagas);
    let orders = orders.await.expect("starts");
    let policies = Policies::default();
    let served_payments =
        Served::new(Arc::clone(&payments) as Arc<dyn PaymentsPort>, Arc::new(Direct), &policies);
    let served_orders = Served::new(Arc::clone(&orders) as Arc<dyn OrdersPort>, Arc::new(Direct), &policies);
    let settings = DispatchSettings { poll: Duration::from_millis(20), ..DispatchSettings::default() };
    let paying = Dispatch::start(&money, &bus, payments.subscribers(), &settings);
    let ordering = Dispatch::start(&book, &bus, orders.subscribers(), &settings);
    let endpoints = Endpoints::default()
        .with_port(&served_payments)
        .with_port(&served_orders)
        .with_inbox("payments", paying.inbox())
        .with_inbox("orders", ordering.inbox());
    bus.serve(served_payments);
    bus.serve(served_orders);
    let server = SocketServer::bind(endpoints).await.expect("binds");

    // The other process.
    let mut child = Command::new(env!("CARGO_BIN_EXE_inventory_process"))
        .arg(format!("sqlite://{}", directory.path().join("inventory.db").display()))
        .arg(server.address().to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("inventory starts");
    let mut said = BufReader::new(child.stdout.take().expect("piped")).lines();
    let mut say = child.stdin.take().expect("piped");
    let first = said.next_line().await.expect("readable").expect("it says where it listens");
    let address = first.strip_prefix("listening ").expect("an address").parse().expect("an address");
    let elsewhere = Arc::new(SocketTransport::connect(address));
    bus.connect("inventory", Arc::clone(&elsewhere) as _);
    bus.connect_inbox("inventory", Arc::clone(&elsewhere) as _);
    let (stop, stopped) = watch::channel(false);
    let mut tasks = payments.workers(stopped.clone());
    tasks.extend(orders.workers(stopped));

    let sku: Sku = "SPLIT".parse().expect("a SKU");
    let product = CreateProduct {
        product_id: sources.id(),
        title: "Across the wire".into(),
        description: String::new(),
        status: ProductStatus::Active,
        variants: vec![NewVariant {
            sku: sku.clone(),
            title: None,
            price: Money::new(1200, Currency::EUR),
            on_hand: 3,
        }],
        actor: Actor::System,
    };
    InventoryPort::create_product(&bus, product).await.expect("a call over the wire");

    // Calls one way (quote, reserve), then the event that takes the stock from the shelf.
    let wish = |quantity| PlaceOrder {
        order_id: sources.id(),
        user_id: sources.id(),
        lines: vec![RequestedLine { sku: sku.clone(), quantity }],
        payment_token: "tok_ok".into(),
        shipping_address: None,
        note: None,
        respond_async: false,
    };
    let order = OrdersPort::place(&bus, wish(2)).await.expect("placed");
    assert_eq!((order.status, order.number), (OrderStatus::Placed, Some(1)));
    let on_shelf = async || InventoryPort::stock(&bus, GetStock { sku: sku.clone() }).await.expect("stock");
    eventually("the event takes the stock from the shelf", SOON, async || {
        let stock = on_shelf().await;
        (stock.on_hand, stock.reserved) == (1, 0)
    })
    .await;
    // A domain error is the same value over the wire.
    match OrdersPort::place(&bus, wish(2)).await {
        Err(OrdersError::InsufficientStock { shortages, .. }) => {
            assert_eq!((shortages[0].requested, shortages[0].available), (2, 1));
        }
        other => panic!("{other:?}"),
    }

    // A call the other way.
    say.write_all(format!("{}\n", order.id).as_bytes()).await.expect("heard");
    let line = said.next_line().await.expect("readable").expect("an answer");
    let told: Result<Order, OrdersError> = serde_json::from_str(&line).expect("an order");
    assert_eq!(told, Ok(order));

    // An event the other way: a reservation that nobody places an order for expires over there.
    let order_id: OrderId = sources.id();
    let lines = vec![StockLine { sku: sku.clone(), quantity: 1 }];
    InventoryPort::reserve(&bus, ReserveStock { order_id, lines }).await.expect("reserved");
    eventually("orders hears that the reservation has expired", SOON, async || {
        let sql = "SELECT COUNT(*) AS heard FROM inbox WHERE subscription = 'orders.reservation_expired' \
                   AND key = $1 AND state = 'done'";
        let row = book.reader().row(sql, [order_id.to_string().into()]).await.expect("readable");
        row.expect("a row").get::<i64>("heard").expect("a count") == 1
    })
    .await;
    assert_eq!(on_shelf().await.reserved, 0);

    // The other process gone: the order is refused, whole, and nothing hangs.
    drop(say);
    assert!(child.wait().await.expect("ends").success());
    let refused = OrdersPort::place(&bus, wish(1)).await;
    assert!(
        matches!(refused, Err(OrdersError::Unavailable(_) | OrdersError::NotPlaced { .. })),
        "{refused:?}"
    );

    stop.send_replace(true);
    paying.stop().await;
    ordering.stop().await;
    for task in tasks {
        drop(task.await);
    }
    money.close().await;
    book.close().await;
    sandbox.close().await;
}
