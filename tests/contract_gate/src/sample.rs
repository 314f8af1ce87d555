//! Samples of a message, made from its schema: one with everything in it, and for each variant, each `null`, each empty list
//! and each field that may be missing one that differs in this.

use crate::shape::{Kind, Shape};
use serde_json::{Map, Value, json};

/// One value of a message.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// In what it differs from the one with everything in it: `status=draft`, `variants empty`; nothing for that one.
    pub case: String,
    /// The value.
    pub value: Value,
}

/// How deep types may contain themselves before it ends.
const DEEPEST: usize = 12;

/// Samples for a schema of a document, the full one first.
///
/// # Errors
/// What in the schema cannot be understood, or has no example.
pub fn samples(schema: &Value, document: &Value) -> Result<Vec<Sample>, String> {
    at(schema, document, 0)
}

fn sample(case: impl Into<String>, value: Value) -> Sample {
    Sample { case: case.into(), value }
}

fn at(schema: &Value, document: &Value, depth: usize) -> Result<Vec<Sample>, String> {
    if depth > DEEPEST {
        return Err(format!("deeper than {DEEPEST}: {schema}"));
    }
    let shape = Shape::of(schema, document);
    let mut samples =
        match shape.kind {
            Kind::Nothing => vec![sample("", Value::Null)],
            Kind::Anything | Kind::Opaque(_) => return Err(format!("no sample can be made of {schema}")),
            Kind::Scalar(fields) => vec![sample("", scalar(fields)?)],
            Kind::Words(words) => {
                words.into_iter().map(|word| sample(format!("={word}"), Value::from(word))).collect()
            }
            Kind::List(items, _) => {
                let mut lists: Vec<_> = at(items, document, depth + 1)?
                    .into_iter()
                    .map(|item| sample(prefixed("[]", &item.case), Value::Array(vec![item.value])))
                    .collect();
                lists.push(sample(" empty", json!([])));
                lists
            }
            Kind::Object(object) => {
                let mut full = Map::new();
                let mut others = Vec::new();
                for (name, schema) in &object.fields {
                    let mut values = at(schema, document, depth + 1)?.into_iter();
                    let first = values.next().ok_or("a schema without a value")?;
                    full.insert((*name).to_owned(), first.value);
                    others.extend(values.map(|other| (*name, Some(other))));
                    if !object.required.contains(name) {
                        others.push((name, None));
                    }
                }
                let mut samples = vec![sample("", Value::Object(full.clone()))];
                for (name, other) in others {
                    let mut fields = full.clone();
                    let case = match other {
                        Some(other) => {
                            fields.insert(name.to_owned(), other.value);
                            prefixed(name, &other.case)
                        }
                        None => {
                            fields.remove(name);
                            format!("{name} missing")
                        }
                    };
                    samples.push(sample(case, Value::Object(fields)));
                }
                samples
            }
            Kind::Union(variants) => {
                let mut samples = Vec::new();
                for (name, schema) in variants {
                    match schema {
                        None => samples.push(sample(format!("={name}"), Value::from(name))),
                        Some(schema) => {
                            let values = at(schema, document, depth + 1)?;
                            samples.extend(values.into_iter().map(|value| {
                                sample(prefixed(&format!("<{name}>"), &value.case), value.value)
                            }));
                        }
                    }
                }
                samples
            }
        };
    if shape.nullable {
        samples.push(sample("=null", Value::Null));
    }
    Ok(samples)
}

fn prefixed(name: &str, case: &str) -> String {
    let separator = if case.is_empty() || case.starts_with(['=', ' ', '[', '<']) { "" } else { "." };
    format!("{name}{separator}{case}")
}

fn scalar(fields: &Map<String, Value>) -> Result<Value, String> {
    if let Some(example) = fields.get("examples").and_then(|examples| examples.get(0)) {
        return Ok(example.clone());
    }
    let names = |wanted: &str| match &fields["type"] {
        Value::String(name) => name == wanted,
        Value::Array(names) => names.iter().any(|name| name == wanted),
        _ => false,
    };
    let format = fields.get("format").and_then(Value::as_str);
    if names("boolean") {
        return Ok(json!(true));
    }
    if names("integer") || names("number") {
        let most = fields.get("maximum").and_then(Value::as_i64);
        // More than 53 bits where there is room: no float may stand in for it.
        let large = if matches!(format, Some("int64" | "uint64")) { 9_007_199_254_740_993 } else { 42 };
        return Ok(json!(most.map_or(large, |most| large.min(most))));
    }
    match (format, fields.get("pattern")) {
        (Some("uuid"), None) => Ok(json!("01976f3c-7a6b-7c3d-8e4f-a1b2c3d4e5f6")),
        (Some("date-time"), None) => Ok(json!("2026-01-02T03:04:05.678901Z")),
        (Some("ip"), None) => Ok(json!("192.0.2.1")),
        (None, None) => Ok(json!("zażółć \"gęślą\" 🦀")),
        _ => Err(format!("needs an example: {}", Value::Object(fields.clone()))),
    }
}
