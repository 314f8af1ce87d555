//! Reading and merging the sources, and refusing what is in none of the lists.

use super::Setting;
use config::{Config, ConfigError, File, FileFormat, Map, Source, Value, ValueKind};
use serde::de::DeserializeOwned;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

const DEFAULTS: &str = include_str!("../../config/default.toml");
const PREFIX: &str = "CLEAVE";

/// Settings without a default; `*` stands for one part of a name.
pub(crate) const OPTIONAL: &[&str] = &[
    "http.drain_delay",
    "http.rate_per_caller.requests",
    "http.rate_per_caller.window",
    "http.rate_per_ip.requests",
    "http.rate_per_ip.window",
    "bus.ports.*.deadline",
    "bus.ports.*.concurrency",
    "bus.ports.*.queue",
    "bus.ports.*.deadlines.*",
    "bus.query_timeout",
    "bus.command_timeout",
    "bus.ports.*.query_timeout",
    "bus.ports.*.command_timeout",
    "bus.ports.*.retry.*",
    "bus.ports.*.breaker.*",
    "users.jwks",
    "notifications.smtp.host",
    "notifications.smtp.port",
    "notifications.smtp.tls",
    "notifications.smtp.username",
    "notifications.smtp.password",
    "notifications.smtp.timeout",
    "notifications.smtp.connections",
    "placement.*.at",
    "placement.*.discover",
    "placement.*.balance",
    "wire.listen",
    "wire.nats",
    "wire.amqp",
    "wire.key_file",
    "wire.peers.*.control",
    "wire.etcd",
    "wire.advertise",
    "sandbox.public_url",
    "admin.email",
    "admin.password",
];

/// Lists without a default.
const OPTIONAL_LISTS: &[&str] = &[
    "bus.ports.*.never_retry",
    "placement.*.addresses",
    "wire.peers.*.keys",
    "wire.peers.*.modules",
    "wire.peers.*.calls",
];

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file that was named is not there, or not readable.
    #[error("the settings file {} cannot be read", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file is no TOML.
    #[error("the settings cannot be read: {0}")]
    Syntax(#[source] ConfigError),
    /// There is no such setting.
    #[error("there is no setting {key} ({origin}){}", near.as_ref().map(|near| format!("; did you mean {near}?")).unwrap_or_default())]
    Unknown {
        /// Its name.
        key: String,
        /// Where it was found.
        origin: String,
        /// One with a similar name.
        near: Option<String>,
    },
    /// A variable with our prefix that names nothing.
    #[error("the variable {0} names no setting: they are called CLEAVE__SECTION__KEY")]
    Variable(String),
    /// A value of the wrong kind.
    #[error("a setting has a wrong value: {0}")]
    Value(#[source] ConfigError),
    /// A value that makes no sense.
    #[error("a setting has a wrong value: {0}")]
    Invalid(String),
}

/// Defaults, file and variables merged, each value with its origin.
pub(crate) fn merged(
    file: Option<&Path>,
    variables: impl IntoIterator<Item = (String, String)>,
) -> Result<Map<String, Value>, SettingsError> {
    let defaults = collect(File::from_str(DEFAULTS, FileFormat::Toml))?;
    let mut known = BTreeMap::new();
    flatten("", &defaults, &mut known);
    let known: BTreeMap<String, bool> =
        known.into_iter().map(|(key, value)| (key, matches!(value.kind, ValueKind::Array(_)))).collect();
    let mut given = Vec::new();
    if let Some(path) = file {
        let text = std::fs::read_to_string(path)
            .map_err(|source| SettingsError::File { path: path.to_owned(), source })?;
        let table = collect(File::from_str(&text, FileFormat::Toml))?;
        let origin = path.display().to_string();
        given.push(table.into_iter().map(|(key, value)| (key, stamped(value, &origin))).collect());
    }
    given.push(from_variables(variables, &known)?);
    for table in &given {
        refuse_unknown(table, &known)?;
    }
    let mut builder = Config::builder().add_source(Table(defaults));
    for table in given {
        builder = builder.add_source(Table(table));
    }
    builder.build().and_then(|config| config.collect()).map_err(SettingsError::Syntax)
}

/// A table as a typed value.
pub(crate) fn typed<T: DeserializeOwned>(table: Map<String, Value>) -> Result<T, SettingsError> {
    Value::new(None, ValueKind::Table(table)).try_deserialize().map_err(SettingsError::Value)
}

/// Every value with its name and origin, secrets masked.
pub(crate) fn origins(table: &Map<String, Value>) -> Vec<Setting> {
    let mut flat = BTreeMap::new();
    flatten("", table, &mut flat);
    let setting = |(key, value): (String, &Value)| {
        let origin = value.origin().unwrap_or("default").to_owned();
        Setting { value: shown(&key, value), key, origin }
    };
    flat.into_iter().map(setting).collect()
}

fn collect(source: impl Source) -> Result<Map<String, Value>, SettingsError> {
    source.collect().map_err(SettingsError::Syntax)
}

/// A source that has been read.
#[derive(Clone)]
struct Table(Map<String, Value>);

impl std::fmt::Debug for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Table")
    }
}

impl Source for Table {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        Ok(self.0.clone())
    }
}

/// The same value, from there.
fn stamped(value: Value, origin: &str) -> Value {
    let origin = origin.to_owned();
    let kind = match value.kind {
        ValueKind::Table(table) => {
            ValueKind::Table(table.into_iter().map(|(key, value)| (key, stamped(value, &origin))).collect())
        }
        ValueKind::Array(list) => {
            ValueKind::Array(list.into_iter().map(|value| stamped(value, &origin)).collect())
        }
        other => other,
    };
    Value::new(Some(&origin), kind)
}

fn from_variables(
    variables: impl IntoIterator<Item = (String, String)>,
    known: &BTreeMap<String, bool>,
) -> Result<Map<String, Value>, SettingsError> {
    let mut root: Map<String, Value> = Map::new();
    for (name, text) in variables {
        let Some(rest) = name.strip_prefix(PREFIX) else { continue };
        let Some(path) = rest.strip_prefix("__") else { return Err(SettingsError::Variable(name)) };
        let key = path.to_lowercase().replace("__", ".");
        let kind = if known.get(&key) == Some(&true) || OPTIONAL_LISTS.iter().any(|list| fits(list, &key)) {
            let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
            ValueKind::Array(parts.map(|part| Value::new(Some(&name), part)).collect())
        } else {
            ValueKind::String(text)
        };
        if !is_known(&key, known) {
            return Err(unknown(key, name, known));
        }
        let mut table = &mut root;
        let mut parts: Vec<&str> = key.split('.').collect();
        let last = parts.pop().unwrap_or_default();
        for part in parts {
            let entry = table.entry(part.to_owned()).or_insert_with(|| Map::<String, Value>::new().into());
            let ValueKind::Table(inner) = &mut entry.kind else { return Err(SettingsError::Variable(name)) };
            table = inner;
        }
        table.insert(last.to_owned(), Value::new(Some(&name), kind));
    }
    Ok(root)
}

fn flatten<'a>(prefix: &str, table: &'a Map<String, Value>, into: &mut BTreeMap<String, &'a Value>) {
    for (key, value) in table {
        let key = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        match &value.kind {
            ValueKind::Table(inner) => flatten(&key, inner, into),
            _ => {
                into.insert(key, value);
            }
        }
    }
}

fn refuse_unknown(table: &Map<String, Value>, known: &BTreeMap<String, bool>) -> Result<(), SettingsError> {
    let mut flat = BTreeMap::new();
    flatten("", table, &mut flat);
    match flat.into_iter().find(|(key, _)| !is_known(key, known)) {
        Some((key, value)) => Err(unknown(key, value.origin().unwrap_or_default().to_owned(), known)),
        None => Ok(()),
    }
}

fn is_known(key: &str, known: &BTreeMap<String, bool>) -> bool {
    known.contains_key(key) || OPTIONAL.iter().chain(OPTIONAL_LISTS).any(|pattern| fits(pattern, key))
}

fn fits(pattern: &str, key: &str) -> bool {
    let (mut pattern, mut key) = (pattern.split('.'), key.split('.'));
    loop {
        match (pattern.next(), key.next()) {
            (None, None) => return true,
            (Some(want), Some(got)) if want == got || (want == "*" && !got.is_empty()) => {}
            _ => return false,
        }
    }
}

fn unknown(key: String, origin: String, known: &BTreeMap<String, bool>) -> SettingsError {
    let names = known.keys().map(String::as_str).chain(OPTIONAL.iter().chain(OPTIONAL_LISTS).copied());
    let near = names
        .map(|name| (distance(name, &key), name))
        .min()
        .filter(|(distance, _)| *distance <= 3)
        .map(|(_, name)| name.to_owned());
    SettingsError::Unknown { key, origin, near }
}

/// How many letters two names differ in (Levenshtein, 1965).
fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in other.bytes().enumerate() {
            let substituted = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[other.len()]
}

/// The value as it may be shown.
fn shown(key: &str, value: &Value) -> String {
    let last = key.rsplit('.').next().unwrap_or(key);
    let text = match &value.kind {
        ValueKind::Array(list) => {
            let parts: Vec<String> = list.iter().map(|value| shown("", value)).collect();
            return format!("[{}]", parts.join(", "));
        }
        ValueKind::String(text) => text.as_str(),
        other => return other.to_string(),
    };
    let is_secret =
        last.contains("password") && !last.ends_with("_per_minute") || last.contains("webhook_secret");
    if is_secret && !text.is_empty() {
        return "***".into();
    }
    if let (Some(scheme), Some(at)) = (text.find("://"), text.rfind('@'))
        && let Some(colon) = text.get(scheme + 3..at).and_then(|user| user.find(':'))
    {
        // The password of a URL.
        return format!("\"{}:***{}\"", &text[..scheme + 3 + colon], &text[at..]);
    }
    format!("{text:?}")
}
