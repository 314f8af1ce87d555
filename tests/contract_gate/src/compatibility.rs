//! Whether a contract still holds what the one before it promised: a pure function of the two documents.
//!
//! During an upgrade both versions run, and each of them calls and is called. So a change breaks where the new version
//! cannot read what the old one writes, or the old one not what the new one always writes. What the new one may
//! write only when it is asked something new (another variant of an enumeration) is no break, and is said: whoever reads
//! it has to be upgraded first.

mod schemas;

use crate::document::Document;
use schemas::Schemas;
use serde_json::Value;
use std::{collections::BTreeSet, fmt};

/// What has changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Comparison {
    /// What breaks, each as a sentence.
    pub breaking: Vec<String>,
    /// What does not, if it is done in the right order.
    pub notices: Vec<String>,
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let breaking = self.breaking.iter().map(|reason| format!("BREAKS  {reason}\n"));
        let notices = self.notices.iter().map(|reason| format!("note    {reason}\n"));
        breaking.chain(notices).try_for_each(|line| f.write_str(&line))
    }
}

/// Who writes a value and who reads it decides what a change of it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// Read by what serves, which is upgraded before those who call it.
    Request,
    /// Read by whoever called or subscribed.
    Told,
}

/// Compares a document with the one that was there before.
#[must_use]
pub fn compare(old: &Document, new: &Document) -> Comparison {
    let mut found = Comparison::default();
    for section in ["requests", "events", "values"] {
        for name in names(old, section) {
            match (old.part(&[section, name]), new.part(&[section, name])) {
                (Some(was), Some(is)) => entry(&mut found, old, new, section, name, (was, is)),
                _ => found.breaking.push(format!("{name} was removed")),
            }
        }
    }
    found
}

fn names<'a>(document: &'a Document, section: &str) -> BTreeSet<&'a str> {
    let entries = document.part(&[section]).and_then(Value::as_object);
    entries.into_iter().flatten().map(|(name, _)| name.as_str()).collect()
}

fn entry(
    found: &mut Comparison,
    old: &Document,
    new: &Document,
    section: &str,
    name: &str,
    (was, is): (&Value, &Value),
) {
    let mut compare = |part: &str, role, was, is| {
        let place = if part.is_empty() { name.to_owned() } else { format!("{name} {part}") };
        Schemas::new(found, old.value(), new.value(), role).compare(&place, was, is);
    };
    if section != "requests" {
        return compare("", Role::Told, was, is);
    }
    for (part, role) in [("request", Role::Request), ("response", Role::Told), ("error", Role::Told)] {
        compare(part, role, &was[part], &is[part]);
    }
    match (was["kind"].as_str(), is["kind"].as_str()) {
        (Some("query"), Some("command")) => found
            .breaking
            .push(format!("{name} is a command now: callers of the last version repeat it as they like")),
        (was, is) if was != is => found.notices.push(format!("{name} is a query now")),
        _ => {}
    }
}
