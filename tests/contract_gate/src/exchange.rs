//! Messages as one version writes them and another reads them, by way of the bus on both sides: names, headers, envelopes,
//! bytes.

mod calls;
mod canned;
mod events;
mod looser;
mod operations;

pub use calls::Call;
pub use events::Told;
pub use operations::Operated;

use crate::{document::Document, modules::modules};
use async_trait::async_trait;
use bus::Headers;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::{collections::BTreeSet, fmt};

/// Which half of a message it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// What asks.
    Request,
    /// What answers: the response or an error.
    Answer,
    /// What is told.
    Event,
}

/// A sample as it went over a wire.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The message's stable name.
    pub message: String,
    /// Which half.
    pub part: Part,
    /// Which sample of it.
    pub case: String,
    /// What it means.
    pub value: Value,
    /// What went beside the bytes.
    pub headers: Headers,
    /// The bytes; messages of ours are JSON.
    pub bytes: String,
}

/// A message that can be written and read.
#[async_trait]
pub trait Message {
    /// Its stable name.
    fn name(&self) -> String;

    /// All samples of it, as this version writes them.
    ///
    /// # Errors
    /// Where the schema does not tell the truth about the type, or the bus did not carry a sample.
    async fn write(&self, document: &Document) -> Result<Vec<Entry>, String>;

    /// What this version understands of a sample.
    ///
    /// # Errors
    /// Where it cannot be read.
    async fn read(&self, entry: &Entry, document: &Document) -> Result<Value, String>;

    /// The same sample with fields that nobody knows yet, wherever they must not matter.
    fn with_unknown_fields(&self, entry: &Entry, document: &Document) -> Entry;
}

/// Which version wrote what is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WrittenBy {
    /// One before this: all of it must be understood.
    Older,
    /// One after this: what it has added need not be.
    Newer,
}

/// How reading went.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// How many samples were read and understood, each also with unknown fields.
    pub understood: usize,
    /// What the other version has added.
    pub added: BTreeSet<String>,
    /// What went wrong.
    pub failed: Vec<String>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.failed.iter().try_for_each(|reason| writeln!(f, "FAILED  {reason}"))?;
        self.added.iter().try_for_each(|added| writeln!(f, "added   {added}"))?;
        write!(f, "{} samples understood, {} not", self.understood, self.failed.len())
    }
}

/// Everything that this version can say.
///
/// # Errors
/// As [`Message::write`].
pub async fn write() -> Result<Vec<Entry>, String> {
    let mut entries = Vec::new();
    for module in modules() {
        let document = module.document();
        for message in module.messages() {
            entries.extend(message.write(&document).await?);
        }
    }
    Ok(entries)
}

/// Reads what another version has written.
///
/// # Errors
/// As [`Message::write`], of this version.
pub async fn read(entries: &[Entry], written_by: WrittenBy) -> Result<Report, String> {
    let modules: Vec<_> =
        modules().into_iter().map(|module| (module.document(), module.messages())).collect();
    let messages: Vec<_> = modules
        .iter()
        .flat_map(|(document, messages)| messages.iter().map(move |message| (document, message)))
        .collect();
    let mut report = Report::default();
    for entry in entries {
        let place = format!("{} {:?} {}", entry.message, entry.part, entry.case);
        let Some((document, message)) = messages.iter().find(|(_, message)| message.name() == entry.message)
        else {
            report.unknown(written_by, place, "is not known here");
            continue;
        };
        match understand(&***message, document, entry).await {
            Ok(()) => report.understood += 1,
            Err(reason) if says(&***message, document, entry).await? => {
                report.failed.push(format!("{place}: {reason}"));
            }
            Err(reason) => report.unknown(written_by, place, &reason),
        }
    }
    Ok(report)
}

impl Report {
    /// Something that this version does not say itself: one that came after may have added it.
    fn unknown(&mut self, written_by: WrittenBy, place: String, reason: &str) {
        match written_by {
            WrittenBy::Older => self.failed.push(format!("{place}: {reason}")),
            WrittenBy::Newer => drop(self.added.insert(place)),
        }
    }
}

/// Whether this version has such a sample too.
async fn says(message: &dyn Message, document: &Document, entry: &Entry) -> Result<bool, String> {
    let ours = message.write(document).await?;
    Ok(ours.iter().any(|own| (own.part, &own.case) == (entry.part, &entry.case)))
}

async fn understand(message: &dyn Message, document: &Document, entry: &Entry) -> Result<(), String> {
    let plain = message.read(entry, document).await?;
    same("", &entry.value, &plain)?;
    let looser = message.with_unknown_fields(entry, document);
    let read =
        message.read(&looser, document).await.map_err(|reason| format!("with unknown fields: {reason}"))?;
    if read == plain { Ok(()) } else { Err("unknown fields change what it means".into()) }
}

/// Whether what was read is what was written, as far as the reader knows of it: it may have fields more, and less.
fn same(place: &str, written: &Value, read: &Value) -> Result<(), String> {
    match (written, read) {
        (Value::Object(fields), Value::Object(read)) if fields.is_empty() || shared(fields, read) => {
            read.iter().try_for_each(|(name, read)| match fields.get(name) {
                Some(written) => same(&format!("{place}/{name}"), written, read),
                None => Ok(()),
            })
        }
        (Value::Array(written), Value::Array(read)) if written.len() == read.len() => {
            let mut pairs = written.iter().zip(read).enumerate();
            pairs.try_for_each(|(i, (written, read))| same(&format!("{place}/{i}"), written, read))
        }
        (written, read) if written == read => Ok(()),
        (written, read) => Err(format!("{place} was written as {written} and read as {read}")),
    }
}

/// Two variants of one enumeration may have nothing in common.
fn shared(written: &Map<String, Value>, read: &Map<String, Value>) -> bool {
    read.is_empty() || read.keys().any(|name| written.contains_key(name))
}
