//! The composition root: the only place that names implementations and features. Starts each module that is compiled
//! in on its own database, and refuses where a port that it calls is nowhere to be found.

mod catalogue;
#[cfg(feature = "inventory")]
mod inventory;
mod moving;
#[cfg(feature = "notifications")]
mod notifications;
#[cfg(feature = "orders")]
mod orders;
#[cfg(feature = "payments")]
mod payments;
mod record;
mod resources;
mod running;
#[cfg(feature = "payments")]
mod sandbox;
#[cfg(any(feature = "payments", feature = "gateway"))]
mod sandbox_port;
#[cfg_attr(
    not(any(
        feature = "users",
        feature = "inventory",
        feature = "orders",
        feature = "payments",
        feature = "notifications"
    )),
    expect(dead_code, reason = "a gateway alone starts no module")
)]
mod stage;
mod target;
#[cfg(feature = "users")]
mod users;
mod wire;
mod working;

pub(crate) use catalogue::subscriptions;
pub(crate) use moving::{Arrived, Destination, ProcessError, databases, file};
use moving::{ProcessPort, Serving};
use record::{Moved, Record};
pub(crate) use resources::{openapi, routes};
pub(crate) use running::{Background, Modules, Placement};
pub(crate) use stage::Stage;
pub use stage::{FirstAdmin, StartError};
pub(crate) use target::NoPlace;

use crate::settings::{self, At, Settings, SettingsError};
use bus_durable::{Database, OpenError, SchemaState};
use futures::{FutureExt as _, future::BoxFuture};
use sea_orm_migration::MigratorTrait;
use stage::Started;

/// A module that is compiled in.
pub(crate) struct Module {
    pub(crate) name: &'static str,
    /// The ports without which it cannot do its work.
    pub(crate) calls: &'static [&'static str],
    /// The ports that it asks too, and can wait for.
    pub(crate) asks: &'static [&'static str],
    /// Whether its own settings make sense.
    pub(crate) check: fn(&Settings) -> Result<(), SettingsError>,
    pub(crate) schema: Schema,
    /// Starts it on its migrated database.
    start: for<'a> fn(Database, &'a Stage) -> BoxFuture<'a, Result<Started, StartError>>,
}

/// A module's migrations.
pub(crate) struct Schema {
    pub(crate) migrations: fn() -> Vec<String>,
    pub(crate) state: for<'a> fn(&'a Database) -> BoxFuture<'a, Result<SchemaState, OpenError>>,
    pub(crate) migrate: for<'a> fn(&'a Database) -> BoxFuture<'a, Result<(), OpenError>>,
}

#[cfg_attr(
    not(any(
        feature = "users",
        feature = "inventory",
        feature = "orders",
        feature = "payments",
        feature = "notifications"
    )),
    expect(dead_code, reason = "a gateway alone starts no module")
)]
impl Schema {
    const fn of<M: MigratorTrait + 'static>() -> Self {
        Self {
            migrations: || M::migrations().iter().map(|migration| migration.name().to_owned()).collect(),
            state: |database| database.schema_state::<M>().boxed(),
            migrate: |database| database.migrate::<M>().boxed(),
        }
    }
}

/// The modules that are compiled in.
pub(crate) const COMPILED_IN: &[Module] = &[
    #[cfg(feature = "users")]
    users::MODULE,
    #[cfg(feature = "inventory")]
    inventory::MODULE,
    #[cfg(feature = "payments")]
    payments::MODULE,
    #[cfg(feature = "notifications")]
    notifications::MODULE,
    #[cfg(feature = "orders")]
    orders::MODULE,
];

impl Module {
    /// The ports that it serves: its own, and with payments the sandbox's pages.
    pub(crate) fn ports(&self) -> impl Iterator<Item = &'static str> + use<> {
        running::ports(self.name)
    }
}

/// A module that is compiled in.
fn compiled_in(name: &str) -> Result<&'static Module, ProcessError> {
    let found = COMPILED_IN.iter().find(|module| module.name == name);
    found.ok_or_else(|| ProcessError::Refused(format!("this process is built without {name}")))
}

/// Whether the modules' own settings make sense, and all that they call is there; the modules that begin here.
///
/// # Errors
/// [`StartError`] naming the key, or the ports that are missing.
fn check(settings: &Settings, record: &Record) -> Result<Vec<&'static Module>, StartError> {
    let begins_at = |name: &str| match record.of(name) {
        Some(Moved::Here) => At::Local,
        // How it is reached is in the record.
        Some(Moved::There { .. } | Moved::Leaving { .. } | Moved::Returning { .. }) => At::Http,
        Some(Moved::GivenBack | Moved::Arriving | Moved::CalledOff { .. }) => {
            match running::at(settings, name) {
                At::Local => At::Standby,
                elsewhere => elsewhere,
            }
        }
        None => running::at(settings, name),
    };
    let mut here = Vec::new();
    for module in COMPILED_IN {
        (module.check)(settings)?;
        if begins_at(module.name) == At::Local {
            here.push(module);
        }
    }
    for name in settings::MODULES {
        if matches!(begins_at(name), At::Local | At::Standby) && compiled_in(name).is_err() {
            return Err(StartError::Wire(format!(
                "placement.{name}.at: this process is built without {name}"
            )));
        }
    }
    for module in &here {
        let is_reached = |port: &&str| !matches!(begins_at(port), At::Standby | At::Absent);
        let ports: Vec<_> = module.calls.iter().copied().filter(|port| !is_reached(port)).collect();
        if !ports.is_empty() {
            return Err(StartError::MissingPorts { module: module.name, ports });
        }
    }
    Ok(here)
}
