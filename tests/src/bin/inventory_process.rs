//! Inventory in a process of its own, for the split test: the same module code, its port and its inbox served over the
//! testkit's socket transport, everybody else reached over it.
//!
//! Arguments: the URL of its database, the address of the other process. Says `listening <address>` and then, for each
//! order's id that it reads, what the orders port of the other process answers. Ends with its input.

use bus::{Bus, Direct, Endpoints, Policies, Served, Sources};
use bus_durable::{Database, DatabaseSettings, Dispatch, DispatchSettings};
use bus_testkit::{SocketServer, SocketTransport};
use inventory_ports::InventoryPort;
use kernel::UserId;
use orders_ports::{GetOrder, OrdersPort, Viewer};
use std::{io::Write as _, sync::Arc, time::Duration};
use tests::world::catalogue;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    sync::watch,
};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (url, others) = (arguments.next().ok_or("a database")?, arguments.next().ok_or("an address")?);
    let others = Arc::new(SocketTransport::connect(others.parse()?));
    let sources = Sources::system();
    let bus = Bus::new(Policies::default());
    for module in ["orders", "payments"] {
        bus.connect(module, Arc::clone(&others) as _);
        bus.connect_inbox(module, Arc::clone(&others) as _);
    }
    let database = Database::open(DatabaseSettings::new("inventory", url), catalogue(), sources).await?;
    database.migrate::<migrations::inventory::Migrator>().await?;
    let settings = inventory::Settings {
        reservation_ttl: Duration::from_secs(4),
        sweep_every: Duration::from_millis(50),
    };
    let service = inventory::Service::start(database.clone(), settings).await?;
    let settings = DispatchSettings { poll: Duration::from_millis(20), ..DispatchSettings::default() };
    let dispatch = Dispatch::start(&database, &bus, service.subscribers(), &settings);
    let (stop, stopped) = watch::channel(false);
    let tasks = service.workers(stopped);
    let port: Arc<dyn InventoryPort> = service;
    let served = Served::new(port, Arc::new(Direct), bus.policies());
    let endpoints = Endpoints::default().with_port(&served).with_inbox("inventory", dispatch.inbox());
    let server = SocketServer::bind(endpoints).await?;
    let mut out = std::io::stdout();
    writeln!(out, "listening {}", server.address())?;
    out.flush()?;
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        let request = GetOrder { order_id: line.parse()?, viewer: Viewer::Staff(UserId(uuid::Uuid::nil())) };
        let answer = bus.get(request).await;
        writeln!(out, "{}", serde_json::to_string(&answer)?)?;
        out.flush()?;
    }
    stop.send_replace(true);
    dispatch.stop().await;
    for task in tasks {
        drop(task.await);
    }
    database.close().await;
    Ok(())
}
