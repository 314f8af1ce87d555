//! Which processes there are, what each serves, over what they talk and where their data are.

use super::{MODULES, Topology, broker::Broker};
use crate::process::debug_binary;
use std::path::PathBuf;

/// What carries calls and events between processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Adapter {
    /// Each calls the others' addresses.
    Http,
    /// Through the NATS server of the tests.
    Nats,
    /// Through the RabbitMQ server of the tests.
    Amqp,
}

impl Adapter {
    /// The broker that it needs.
    #[must_use]
    pub fn broker(self) -> Option<Broker> {
        match self {
            Self::Http => None,
            Self::Nats => Some(Broker::Nats),
            Self::Amqp => Some(Broker::Amqp),
        }
    }
}

/// Where the modules' data are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Databases {
    /// Files in the directory of their process.
    Sqlite,
    /// On the PostgreSQL server of the tests.
    Postgres,
}

/// One process.
#[derive(Debug, Clone)]
pub struct Process {
    /// Its `wire.name`.
    pub name: String,
    /// The modules that it serves.
    pub serves: Vec<String>,
    /// The modules that it may take over.
    pub stands_by: Vec<String>,
    /// A module that it is not told of, though another process has it.
    pub unaware_of: Option<String>,
    /// Settings of its own.
    pub settings: Vec<(String, String)>,
}

impl Process {
    /// A process that serves these modules.
    #[must_use]
    pub fn serving(name: &str, modules: &[&str]) -> Self {
        let serves = modules.iter().map(|module| (*module).to_owned()).collect();
        let (stands_by, settings) = (Vec::new(), Vec::new());
        Self { name: name.to_owned(), serves, stands_by, unaware_of: None, settings }
    }

    /// A process that serves nothing and stands by for one module.
    #[must_use]
    pub fn standing_by(name: &str, module: &str) -> Self {
        Self { stands_by: vec![module.to_owned()], ..Self::serving(name, &[]) }
    }

    /// The same without a way to a module.
    #[must_use]
    pub fn unaware_of(mut self, module: &str) -> Self {
        self.unaware_of = Some(module.to_owned());
        self
    }

    /// One more setting.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.settings.push((name.to_owned(), value.into()));
        self
    }
}

/// A topology that is not started yet.
#[derive(Debug, Clone)]
pub struct Plan {
    /// What it is called.
    pub name: String,
    /// The first is the edge: clients talk to it, whoever serves what they ask for.
    pub processes: Vec<Process>,
    /// What they talk over, where they are several.
    pub adapter: Option<Adapter>,
    /// Whether their broker is theirs alone, and not the one of the tests.
    pub own_broker: bool,
    /// Where their data are.
    pub databases: Databases,
    /// Settings of all of them.
    pub settings: Vec<(String, String)>,
}

impl Plan {
    fn new(name: String, processes: Vec<Process>, adapter: Option<Adapter>, databases: Databases) -> Self {
        let settings = [
            // What the catalogue of settings calls patient is long in a test.
            ("CLEAVE__PAYMENTS__PROVIDER_TIMEOUT", "1500ms"),
            ("CLEAVE__PAYMENTS__RECONCILE_EVERY", "300ms"),
            ("CLEAVE__PAYMENTS__GIVE_UP_AFTER", "2s"),
            ("CLEAVE__USERS__WRONG_PASSWORDS_PER_MINUTE", "1000"),
            ("CLEAVE__USERS__REGISTRATIONS_PER_MINUTE", "1000"),
            ("CLEAVE__HTTP__WORKERS", "1"),
            ("CLEAVE__LOG__LEVEL", "info,sea_orm_migration=warn,access=warn"),
        ];
        let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        Self { name, processes, adapter, own_broker: false, databases, settings }
    }

    /// Everything in one process.
    #[must_use]
    pub fn monolith(databases: Databases) -> Self {
        let name = format!("a monolith on {databases:?}");
        Self::new(name, vec![Process::serving("shop", &MODULES)], None, databases)
    }

    /// One module in a process of its own, the rest in another.
    #[must_use]
    pub fn alone(module: &str, adapter: Adapter, databases: Databases) -> Self {
        let rest: Vec<_> = MODULES.into_iter().filter(|other| *other != module).collect();
        let processes = vec![Process::serving("shop", &rest), Process::serving(module, &[module])];
        Self::new(format!("{module} alone over {adapter:?}"), processes, Some(adapter), databases)
    }

    /// A process for each module. That of users is the edge.
    #[must_use]
    pub fn five(adapter: Adapter, databases: Databases) -> Self {
        let processes = MODULES.map(|module| Process::serving(module, &[module])).to_vec();
        Self::new(format!("five processes over {adapter:?}"), processes, Some(adapter), databases)
    }

    /// A process for each module, and before them an edge that serves none.
    #[must_use]
    pub fn six(adapter: Adapter, databases: Databases) -> Self {
        let five = MODULES.map(|module| Process::serving(module, &[module]));
        let processes = [Process::serving("edge", &[])].into_iter().chain(five).collect();
        Self::new(format!("an edge and five processes over {adapter:?}"), processes, Some(adapter), databases)
    }

    /// Everything in one process that others can be reached from, so that modules can be moved to those that join.
    #[must_use]
    pub fn movable(adapter: Adapter, databases: Databases) -> Self {
        let name = format!("a monolith that moves over {adapter:?} on {databases:?}");
        Self::new(name, vec![Process::serving("shop", &MODULES)], Some(adapter), databases)
    }

    /// With a broker that can be killed.
    #[must_use]
    pub fn with_own_broker(mut self) -> Self {
        self.own_broker = true;
        self
    }

    /// One more setting of all processes.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.settings.push((name.to_owned(), value.into()));
        self
    }

    /// With the patience that a busy machine asks for, so that nobody hears of a time-out which is not meant: longer
    /// than what is usual, and shorter than the clients of a load wait.
    #[must_use]
    pub fn patient(self) -> Self {
        let settings = [
            ("CLEAVE__HTTP__REQUEST_DEADLINE", "18s"),
            ("CLEAVE__BUS__DEADLINE", "18s"),
            ("CLEAVE__WIRE__MOVE_TIMEOUT", "15s"),
            ("CLEAVE__PAYMENTS__PROVIDER_TIMEOUT", "5s"),
            ("CLEAVE__PAYMENTS__GIVE_UP_AFTER", "6s"),
        ];
        settings.into_iter().fold(self, |plan, (name, value)| plan.with(name, value))
    }

    /// Starts all processes and waits until they are ready.
    ///
    /// # Panics
    /// Where one is not.
    pub async fn start(self) -> Topology {
        self.start_from(debug_binary()).await
    }

    /// The same, each process being this program.
    ///
    /// # Panics
    /// Where one is not ready.
    pub async fn start_from(self, binary: PathBuf) -> Topology {
        Topology::start(self, binary).await
    }
}
