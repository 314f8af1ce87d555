//! What can be set: built-in defaults < a file < `CLEAVE__SECTION__KEY`, and where each value came from.
//!
//! `app/config/default.toml` is the one place where a setting is documented, and the list of those that there
//! are: what is not in it (or in `read::OPTIONAL`, since it has no default) refuses to start. A module's own
//! section is kept as it is until the module is composed: this file knows of no implementation.

mod read;
mod resilience;
mod sections;
mod wire;

pub use read::SettingsError;
pub use resilience::{BreakerSection, RetrySection};
pub(crate) use sections::requests;
pub use sections::{
    AdminSection, BusSection, DurableSection, ExecutorKind, HttpSection, LogFormat, LogSection, PortSection,
    RateSection, SandboxSection, Span,
};
pub use wire::{At, Balance, PeerSection, PlacementSection, WireSection};
pub(crate) use wire::{is_base_url, is_name};

use crate::gateway::proxy::{self, GatewaySection};
use config::{Map, Value, ValueKind};
use serde::{Deserialize, de::DeserializeOwned};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// The modules that there are, compiled in or not.
pub const MODULES: [&str; 5] = ["users", "inventory", "orders", "payments", "notifications"];

/// The settings in force.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where files are.
    pub data_dir: PathBuf,
    /// The HTTP server.
    pub http: HttpSection,
    /// Calls between modules.
    pub bus: BusSection,
    /// Messages and sagas.
    pub durable: DurableSection,
    /// The sandbox provider.
    pub sandbox: SandboxSection,
    /// The first admin.
    pub admin: AdminSection,
    /// How this process talks with others.
    pub wire: WireSection,
    /// What is passed on to other services.
    pub gateway: GatewaySection,
    /// The log.
    pub log: LogSection,
    /// Where the keys of access tokens are, for a process without users.
    pub jwks: Option<String>,
    placement: BTreeMap<String, PlacementSection>,
    modules: Sections,
    origins: Vec<Setting>,
    written: Written,
}

/// Where the settings were read, to read them again. Printed nowhere: there may be secrets in the variables.
#[derive(Clone)]
struct Written {
    file: Option<PathBuf>,
    variables: Vec<(String, String)>,
}

impl std::fmt::Debug for Written {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Written").field(&self.file).finish()
    }
}

/// The modules' sections. Printed nowhere: there are secrets in them.
#[derive(Clone)]
struct Sections(Map<String, Map<String, Value>>);

impl std::fmt::Debug for Sections {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// One setting, for people to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Its name: `http.listen`.
    pub key: String,
    /// Its value; a secret as `***`.
    pub value: String,
    /// Where it came from: `default`, a file, or a variable's name.
    pub origin: String,
}

/// What is not a module's.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Core {
    data_dir: PathBuf,
    http: HttpSection,
    bus: BusSection,
    durable: DurableSection,
    sandbox: SandboxSection,
    #[serde(default)]
    admin: AdminSection,
    #[serde(default)]
    placement: BTreeMap<String, PlacementSection>,
    wire: WireSection,
    #[serde(default)]
    gateway: GatewaySection,
    log: LogSection,
}

impl Settings {
    /// Reads the defaults, this file (else `cleave.toml`, where it is there) and these environment variables.
    ///
    /// # Errors
    /// [`SettingsError`] naming the key that is unknown or wrong.
    pub fn read(
        file: Option<&Path>,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, SettingsError> {
        let fallback = Path::new("cleave.toml");
        let file = file.or_else(|| fallback.is_file().then_some(fallback));
        let written = Written { file: file.map(Path::to_owned), variables: variables.into_iter().collect() };
        let mut all = read::merged(file, written.variables.clone())?;
        let origins = read::origins(&all);
        let mut modules = Map::new();
        for name in MODULES {
            let section = all.remove(name).and_then(|value| value.into_table().ok());
            modules.insert(name.to_owned(), section.unwrap_or_default());
        }
        let jwks = modules.get_mut("users").and_then(|users| users.remove("jwks"));
        let jwks = jwks.map(Value::into_string).transpose().map_err(SettingsError::Value)?;
        let core: Core = read::typed(all)?;
        let Core { data_dir, http, bus, durable, sandbox, admin, placement, wire, gateway, log } = core;
        let modules = Sections(modules);
        let settings = Self {
            data_dir,
            http,
            bus,
            durable,
            sandbox,
            admin,
            log,
            jwks,
            placement,
            wire,
            gateway,
            modules,
            origins,
            written,
        };
        settings.check()?;
        Ok(settings)
    }

    /// Reads the same file again, with the variables as they were.
    ///
    /// # Errors
    /// As [`Settings::read`].
    pub fn read_again(&self) -> Result<Self, SettingsError> {
        Self::read(self.written.file.as_deref(), self.written.variables.iter().cloned())
    }

    /// A module's own settings.
    ///
    /// # Errors
    /// [`SettingsError`] naming the key that is wrong.
    pub fn module<T: DeserializeOwned>(&self, name: &str) -> Result<T, SettingsError> {
        let mut section = self.modules.0.get(name).cloned().unwrap_or_default();
        section.remove("database_url");
        // Inside of a table by its name, so that an error says `orders.max_total`.
        let named = Map::from_iter([(name.to_owned(), Value::new(None, ValueKind::Table(section)))]);
        let mut named: Map<String, T> = read::typed(named)?;
        named.remove(name).ok_or_else(|| SettingsError::Invalid(format!("there is no section {name}")))
    }

    /// Where a module is, as far as the settings say.
    #[must_use]
    pub fn placement(&self, module: &str) -> PlacementSection {
        self.placement.get(module).cloned().unwrap_or_default()
    }

    /// The URL of a module's database.
    ///
    /// # Errors
    /// [`SettingsError`] where it is no text.
    pub fn database_url(&self, module: &str) -> Result<String, SettingsError> {
        let section = self.modules.0.get(module);
        let url = section.and_then(|section| section.get("database_url")).cloned();
        let url = url.map_or(Ok(String::new()), Value::into_string).map_err(SettingsError::Value)?;
        Ok(self.in_data_dir(&url))
    }

    /// The URL of the sandbox's database.
    #[must_use]
    pub fn sandbox_url(&self) -> String {
        self.in_data_dir(&self.sandbox.database_url)
    }

    /// Where buyers reach the pages of the sandbox.
    #[must_use]
    pub fn public_url(&self) -> String {
        let listen = || {
            let address = self.http.listen.replace("0.0.0.0", "127.0.0.1").replace("[::]", "[::1]");
            format!("http://{address}")
        };
        self.sandbox.public_url.clone().unwrap_or_else(listen)
    }

    /// Whether payments go to the sandbox provider, which has pages for buyers.
    #[must_use]
    pub fn has_sandbox(&self) -> bool {
        let provider = self.modules.0.get("payments").and_then(|section| section.get("provider")).cloned();
        provider.and_then(|value| value.into_string().ok()).is_some_and(|provider| provider == "sandbox")
    }

    /// The `iss` and `aud` that access tokens must have.
    pub(crate) fn token_terms(&self) -> (String, String) {
        let term = |key: &str| {
            let value = self.modules.0.get("users").and_then(|section| section.get(key)).cloned();
            value.and_then(|value| value.into_string().ok()).unwrap_or_else(|| "cleave".into())
        };
        (term("issuer"), term("audience"))
    }

    /// Every setting in force, in alphabetical order.
    #[must_use]
    pub fn origins(&self) -> &[Setting] {
        &self.origins
    }

    fn in_data_dir(&self, url: &str) -> String {
        if !url.contains("{data_dir}") {
            return url.to_owned();
        }
        // In a URL these would not be a path's.
        let path =
            self.data_dir.to_string_lossy().replace('%', "%25").replace('?', "%3F").replace('#', "%23");
        url.replace("{data_dir}", path.trim_end_matches('/'))
    }

    fn check(&self) -> Result<(), SettingsError> {
        let invalid = |error: &dyn std::fmt::Display| SettingsError::Invalid(error.to_string());
        self.http.gateway().check().map_err(|error| invalid(&error))?;
        self.bus.policies()?;
        for module in MODULES {
            if self.database_url(module)?.is_empty() {
                return Err(SettingsError::Invalid(format!("{module}.database_url must not be empty")));
            }
        }
        self.durable.check()?;
        for (module, section) in &self.placement {
            section.check(module)?;
        }
        self.wire.check()?;
        proxy::check(&self.gateway.routes).map_err(|error| invalid(&error))?;
        if !(1..=10).contains(&self.sandbox.webhook_copies) {
            return Err(SettingsError::Invalid("sandbox.webhook_copies must be 1 to 10".into()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
