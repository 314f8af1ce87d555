//! The schema files are what the types are, and have everything.

use contract_gate::{exchange, history::root, modules::modules};
use serde_json::Value;
use std::{collections::BTreeSet, fs};

/// C29: a contract changes where everybody sees it, in the commit that changes the type.
#[test]
fn the_schema_files_are_in_step_with_the_types() {
    for module in modules() {
        let committed = fs::read_to_string(root().join(module.path)).unwrap_or_default();
        assert!(
            committed == module.document().text(),
            "{} is not in step with the types of {}: cargo run -p contract-gate -- schema --write",
            module.path,
            module.name,
        );
    }
}

/// A module that is forgotten here would not be guarded.
#[test]
fn every_ports_crate_has_its_schema() {
    let folders =
        fs::read_dir(root().join("modules")).expect("the modules").map(|entry| entry.expect("an entry"));
    let with_ports = folders.filter(|folder| folder.path().join("ports").is_dir());
    let found: BTreeSet<_> =
        with_ports.map(|folder| folder.file_name().into_string().expect("a name")).collect();
    let known =
        modules().into_iter().filter(|module| module.name != "bus").map(|module| module.name.to_owned());
    assert_eq!(found, known.collect());
}

#[test]
fn every_request_and_every_event_is_in_the_schema() {
    for module in modules() {
        let document = module.document();
        let names = |section| {
            let entries = document.part(&[section]).and_then(Value::as_object).expect("a section");
            entries.keys().cloned().collect::<BTreeSet<_>>()
        };
        let requests: BTreeSet<_> = module.requests.iter().map(ToString::to_string).collect();
        let events: BTreeSet<_> = module.events.iter().map(ToString::to_string).collect();
        assert!(!requests.is_empty());
        assert_eq!((names("requests"), names("events")), (requests, events), "{}", module.name);
    }
}

/// What the schema allows the type takes, and gives back: each sample was read as its type before it was written.
#[tokio::test]
async fn the_schemas_tell_the_truth() {
    let entries = exchange::write().await.expect("every sample is one of its type");
    let messages: BTreeSet<_> = entries.iter().map(|entry| entry.message.clone()).collect();
    let known = modules().into_iter().flat_map(|module| module.messages()).map(|message| message.name());
    assert_eq!(messages, known.collect());
}

/// No schema holds anything that the comparison would have to pass over.
#[test]
fn the_comparison_understands_every_schema() {
    for module in modules() {
        let document = module.document();
        for section in ["requests", "events", "values"] {
            let entries = document.part(&[section]).and_then(Value::as_object).expect("a section");
            for (name, entry) in entries {
                let schemas: Vec<&Value> = match section {
                    "requests" => ["request", "response", "error"].map(|part| &entry[part]).to_vec(),
                    _ => vec![entry],
                };
                for schema in schemas {
                    let samples = contract_gate::sample::samples(schema, document.value());
                    assert!(samples.is_ok(), "{name}: {samples:?}");
                }
            }
        }
    }
}
