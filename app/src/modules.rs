//! The composition root: the only place that names implementations and features. Starts each module that is compiled
//! in on its own database, and refuses where a port that it calls is nowhere to be found.

mod catalogue;
#[cfg(feature = "inventory")]
mod inventory;
#[cfg(feature = "notifications")]
mod notifications;
#[cfg(feature = "orders")]
mod orders;
#[cfg(feature = "payments")]
mod payments;
mod resources;
mod running;
#[cfg(feature = "payments")]
mod sandbox;
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
#[cfg(feature = "users")]
mod users;

pub(crate) use resources::{openapi, routes};
pub(crate) use running::{Background, Modules, Placement};
pub(crate) use stage::Stage;
pub use stage::{FirstAdmin, StartError};

use crate::settings::{Settings, SettingsError};
use bus_durable::{Database, OpenError, SchemaState};
use futures::{FutureExt as _, future::BoxFuture};
use sea_orm_migration::MigratorTrait;
use stage::Started;

/// A module that is compiled in.
pub(crate) struct Module {
    pub(crate) name: &'static str,
    /// The ports without which it cannot do its work.
    pub(crate) calls: &'static [&'static str],
    /// Whether its own settings make sense.
    pub(crate) check: fn(&Settings) -> Result<(), SettingsError>,
    pub(crate) schema: Schema,
    /// Starts it on its migrated database.
    start: for<'a> fn(Database, &'a Stage<'a>) -> BoxFuture<'a, Result<Started, StartError>>,
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

/// Whether the modules' own settings make sense, and all that they call is there.
///
/// # Errors
/// [`StartError`] naming the key, or the ports that are missing.
pub(crate) fn check(settings: &Settings) -> Result<(), StartError> {
    let here = |port: &&str| COMPILED_IN.iter().any(|module| module.name == *port);
    for module in COMPILED_IN {
        (module.check)(settings)?;
        let ports: Vec<_> = module.calls.iter().copied().filter(|port| !here(port)).collect();
        if !ports.is_empty() {
            return Err(StartError::MissingPorts { module: module.name, ports });
        }
    }
    Ok(())
}
