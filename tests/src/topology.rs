//! A shop in one process or in several: the real binary, started as often as there are processes, each with a directory
//! of its own, and modules placed over them by settings alone.
#![expect(
    clippy::print_stderr,
    reason = "where a failed run has left its logs is for whoever reads its output"
)]

mod broker;
mod node;
mod plan;

pub use broker::{Broker, Namespace};
pub use node::Node;
pub use plan::{Adapter, Databases, Plan, Process};

use crate::{
    process::{Server, Setup, free_address},
    shop::Shop,
};
use bus_testkit::postgres::DropGuard;
use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf, sync::Arc};
use tempfile::TempDir;

/// The modules of a shop.
pub const MODULES: [&str; 5] = ["users", "inventory", "orders", "payments", "notifications"];

/// Processes that are a shop together. Dropped, all of them are killed, and nothing is left of them, here or on a broker.
#[derive(Debug)]
pub struct Topology {
    /// What it is called.
    pub name: String,
    /// The shop, as clients see it.
    pub shop: Shop,
    members: BTreeMap<String, Member>,
    terms: Terms,
}

/// What every process is started with.
#[derive(Debug)]
struct Terms {
    binary: PathBuf,
    directory: TempDir,
    adapter: Option<Adapter>,
    edge: SocketAddr,
    /// The modules' databases, where they are not files of their processes.
    urls: Vec<(String, String)>,
    namespace: Namespace,
    broker: Option<String>,
    node: Option<Node>,
    settings: Vec<(String, String)>,
    _databases: Vec<DropGuard>,
}

#[derive(Debug)]
struct Member {
    process: Process,
    /// Where others call it over HTTP.
    wire: SocketAddr,
    server: Arc<Server>,
}

impl Topology {
    async fn start(plan: Plan, binary: PathBuf) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let (urls, databases) = match plan.databases {
            Databases::Sqlite => (Vec::new(), Vec::new()),
            Databases::Postgres => crate::process::postgres_urls("topology").await,
        };
        let broker = plan.adapter.and_then(Adapter::broker);
        let node = match broker {
            Some(broker) if plan.own_broker => Some(Node::start(broker).await),
            _ => None,
        };
        let shared = broker.filter(|_| node.is_none());
        let namespace = Namespace::new(shared);
        let broker = node.as_ref().map(Node::url).or_else(|| shared.map(Broker::shared));
        let edge = free_address().expect("an address");
        let terms = Terms {
            binary,
            directory,
            adapter: plan.adapter,
            edge,
            urls,
            namespace,
            broker,
            node,
            settings: plan.settings,
            _databases: databases,
        };
        let wires: Vec<_> = plan.processes.iter().map(|_| free_address().expect("an address")).collect();
        let places: Vec<_> = plan.processes.into_iter().zip(wires).collect();
        // One after the other needs more time than all at once, and all at once more than the machine has.
        let starts = places.iter().enumerate().map(|(i, (process, wire))| {
            let (setup, is_edge) = (terms.setup(process, *wire, &places), i == 0);
            async move {
                let started = if is_edge { setup.start_at(edge).await } else { setup.start().await };
                started.unwrap_or_else(|error| panic!("{} does not start: {error}", process.name))
            }
        });
        let servers: Vec<_> = futures::future::join_all(starts).await.into_iter().map(Arc::new).collect();
        let shop = Shop::of(Arc::clone(&servers[0])).await.expect("the admin signs in");
        let members = places.into_iter().zip(servers).map(|((process, wire), server)| {
            let name = process.name.clone();
            (name, Member { process, wire, server })
        });
        Self { name: plan.name, shop, members: members.collect(), terms }
    }

    /// One more process, which knows of the others; they know nothing of it yet.
    ///
    /// # Panics
    /// Where it does not start.
    pub async fn join(&mut self, process: Process) {
        let wire = free_address().expect("an address");
        let places: Vec<_> =
            self.members.values().map(|member| (member.process.clone(), member.wire)).collect();
        let setup = self.terms.setup(&process, wire, &places);
        let server = setup.start().await;
        let server = server.unwrap_or_else(|error| panic!("{} does not start: {error}", process.name));
        let member = Member { wire, server: Arc::new(server), process };
        self.members.insert(member.process.name.clone(), member);
    }

    /// Ends a process that joined, and forgets it.
    ///
    /// # Panics
    /// Where it does not end well.
    pub async fn part(&mut self, name: &str) {
        let member = self.members.remove(name).expect("a process of that name");
        assert!(member.server.stop().await.expect("it ends"), "{name} ended badly: {}", member.server.said());
    }

    /// The names of the processes.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.members.keys().cloned().collect()
    }

    /// One of the processes.
    ///
    /// # Panics
    /// Where none is called so.
    #[must_use]
    pub fn server(&self, name: &str) -> &Arc<Server> {
        &self.members.get(name).unwrap_or_else(|| panic!("no process is called {name}")).server
    }

    /// How one of the processes is named as a place for a module, over the adapter of the shop.
    #[must_use]
    pub fn place(&self, name: &str) -> String {
        match self.terms.adapter {
            Some(Adapter::Nats) => format!("nats:{name}"),
            Some(Adapter::Amqp) => format!("amqp:{name}"),
            Some(Adapter::Http) | None => format!("http://{}", self.members[name].wire),
        }
    }

    /// The shop's own broker.
    ///
    /// # Panics
    /// Where it has none.
    pub fn broker(&mut self) -> &mut Node {
        self.terms.node.as_mut().expect("a broker of its own")
    }

    /// The directory of a process.
    #[must_use]
    pub fn data(&self, name: &str) -> PathBuf {
        self.terms.directory.path().join(name)
    }

    /// Ends all processes at once, as an operator would.
    ///
    /// # Panics
    /// Where one does not end, or ends badly.
    pub async fn stop(self) {
        let ends = self.members.iter().map(|(name, member)| async move {
            let ended = member.server.stop().await;
            (name, ended)
        });
        for (name, ended) in futures::future::join_all(ends).await {
            assert!(matches!(ended, Ok(true)), "{name} ended badly: {ended:?}: {}", self.server(name).said());
        }
    }
}

impl Drop for Terms {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // What the processes logged is wanted now.
            self.directory.disable_cleanup(true);
            eprintln!("the data and logs of the processes are in {}", self.directory.path().display());
        }
    }
}

impl Terms {
    fn broker(&self) -> &str {
        self.broker.as_deref().expect("an adapter with a broker has one")
    }

    /// How a process is started that knows where the others are.
    fn setup(&self, process: &Process, wire: SocketAddr, all: &[(Process, SocketAddr)]) -> Setup {
        let data = self.directory.path().join(&process.name);
        let mut setup = Setup::new(&self.binary, &data).on_postgres(&self.urls);
        for (name, value) in self.settings.iter().chain(&process.settings) {
            setup = setup.with(name, value);
        }
        setup = setup
            .with("CLEAVE__WIRE__NAME", &process.name)
            .with("CLEAVE__WIRE__NAMESPACE", self.namespace.name())
            .with("CLEAVE__SANDBOX__PUBLIC_URL", format!("http://{}", self.edge));
        match self.adapter {
            Some(Adapter::Http) => setup = setup.with("CLEAVE__WIRE__LISTEN", wire.to_string()),
            Some(Adapter::Nats) => setup = setup.with("CLEAVE__WIRE__NATS", self.broker()),
            Some(Adapter::Amqp) => setup = setup.with("CLEAVE__WIRE__AMQP", self.broker()),
            None => {}
        }
        for module in MODULES {
            let key = format!("CLEAVE__PLACEMENT__{}__", module.to_uppercase());
            let at = |at: &str| (format!("{key}AT"), at.to_owned());
            let holds = |other: &Process| other.serves.iter().any(|served| served == module);
            let is_known = process.unaware_of.as_deref() != Some(module);
            let holder = all.iter().find(|(other, _)| is_known && holds(other));
            let placed = if process.serves.iter().any(|served| served == module) {
                vec![at("local")]
            } else if process.stands_by.iter().any(|served| served == module) {
                vec![at("standby")]
            } else {
                match (self.adapter, holder) {
                    (_, None) | (None, _) => vec![at("absent")],
                    (Some(Adapter::Nats), _) => vec![at("nats")],
                    (Some(Adapter::Amqp), _) => vec![at("amqp")],
                    (Some(Adapter::Http), Some((_, wire))) => {
                        vec![at("http"), (format!("{key}ADDRESSES"), format!("http://{wire}"))]
                    }
                }
            };
            for (name, value) in placed {
                setup = setup.with(&name, value);
            }
        }
        setup
    }
}
