//! Fields that nobody knows yet, put wherever a schema takes them: what a later version may add.

use super::Entry;
use crate::{
    document::Document,
    shape::{Kind, Shape},
};
use serde_json::{Value, json};

const UNKNOWN: &str = "of_a_later_version";

/// The entry with unknown fields in its envelope and in the parts at these pointers, by their schemas' names.
pub(super) fn loosen(entry: &Entry, document: &Document, parts: &[(&str, &[&str])]) -> Entry {
    let Ok(mut bytes) = serde_json::from_str::<Value>(&entry.bytes) else { return entry.clone() };
    for (pointer, names) in parts {
        if let (Some(value), Some(schema)) = (bytes.pointer_mut(pointer), document.part(names)) {
            add(schema, document.value(), value);
        }
    }
    // Unless a part is the whole, there is an envelope around it; a batch is a list of them.
    if parts.iter().all(|(pointer, _)| !pointer.is_empty()) {
        match &mut bytes {
            Value::Array(envelopes) => envelopes.iter_mut().for_each(unknown),
            envelope => unknown(envelope),
        }
    }
    let mut entry = entry.clone();
    entry.headers.insert(UNKNOWN.into(), "1".into());
    entry.bytes = bytes.to_string();
    entry
}

fn unknown(value: &mut Value) {
    if let Value::Object(fields) = value {
        fields.insert(UNKNOWN.into(), json!({ "more": [1, null] }));
    }
}

fn add(schema: &Value, document: &Value, value: &mut Value) {
    match (Shape::of(schema, document).kind, value) {
        (Kind::Object(object), Value::Object(fields)) => {
            for (name, schema) in &object.fields {
                if let Some(value) = fields.get_mut(*name) {
                    add(schema, document, value);
                }
            }
            if !object.closed {
                fields.insert(UNKNOWN.into(), json!({ "more": [1, null] }));
            }
        }
        (Kind::List(items, _), Value::Array(values)) => {
            values.iter_mut().for_each(|value| add(items, document, value));
        }
        (Kind::Union(variants), value @ Value::Object(_)) => {
            let is_it = |schema: &Value| Shape::of(schema, document).is(document, value);
            if let Some(schema) = variants.into_values().flatten().find(|schema| is_it(schema)) {
                add(schema, document, value);
            }
        }
        _ => {}
    }
}
