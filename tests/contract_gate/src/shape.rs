//! What a schema means, as far as messages of ours use JSON Schema. What is not understood is [`Kind::Opaque`]: it is
//! compared as it stands and never passed over.

use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

pub(crate) struct Shape<'a> {
    /// Whether `null` will do.
    pub(crate) nullable: bool,
    pub(crate) kind: Kind<'a>,
}

pub(crate) enum Kind<'a> {
    /// `null` and nothing else.
    Nothing,
    Anything,
    /// A string, number or boolean, with its format and bounds.
    Scalar(&'a Map<String, Value>),
    /// One of these texts.
    Words(BTreeSet<&'a str>),
    List(&'a Value, &'a Map<String, Value>),
    Object(Object<'a>),
    /// One of several, by what tells them apart; a plain word has no more to it.
    Union(Variants<'a>),
    Opaque(&'a Value),
}

pub(crate) type Variants<'a> = BTreeMap<String, Option<&'a Value>>;

pub(crate) struct Object<'a> {
    pub(crate) fields: BTreeMap<&'a str, &'a Value>,
    pub(crate) required: BTreeSet<&'a str>,
    /// Whether fields that it does not name are refused.
    pub(crate) closed: bool,
}

/// Keywords that say nothing about what is valid.
const SILENT: [&str; 1] = ["examples"];

impl<'a> Shape<'a> {
    /// What this schema of this document means.
    pub(crate) fn of(schema: &'a Value, document: &'a Value) -> Self {
        let Some(fields) = resolve(schema, document).as_object() else {
            let kind = if schema == &Value::Bool(true) { Kind::Anything } else { Kind::Opaque(schema) };
            return Self { nullable: false, kind };
        };
        let keys: BTreeSet<&str> =
            fields.keys().map(String::as_str).filter(|key| !SILENT.contains(key)).collect();
        let only = |known: &[&str]| keys.iter().all(|key| known.contains(key));
        if keys.is_empty() {
            return Self { nullable: false, kind: Kind::Anything };
        }
        if let Some(variants) = fields.get("oneOf").or_else(|| fields.get("anyOf")).and_then(Value::as_array)
            && keys.len() == 1
        {
            return union(variants, document).unwrap_or(opaque(resolve(schema, document)));
        }
        if only(&["enum", "const", "type"]) && (keys.contains("enum") || keys.contains("const")) {
            return words(fields).unwrap_or(opaque(resolve(schema, document)));
        }
        let (name, nullable) = type_of(fields);
        let kind = match name {
            Some("null") => Some(Kind::Nothing),
            Some("string") if only(&["type", "format", "pattern", "minLength", "maxLength"]) => {
                Some(Kind::Scalar(fields))
            }
            Some("integer" | "number" | "boolean") if only(&["type", "format", "minimum", "maximum"]) => {
                Some(Kind::Scalar(fields))
            }
            Some("array") if only(&["type", "items", "minItems", "maxItems", "uniqueItems"]) => {
                fields.get("items").map(|items| Kind::List(items, fields))
            }
            Some("object") if only(&["type", "properties", "required", "additionalProperties"]) => {
                object(fields).map(Kind::Object)
            }
            _ => None,
        };
        match kind {
            Some(kind) => Self { nullable, kind },
            None => opaque(resolve(schema, document)),
        }
    }
}

fn opaque(schema: &Value) -> Shape<'_> {
    Shape { nullable: false, kind: Kind::Opaque(schema) }
}

/// What a reference stands for.
pub(crate) fn resolve<'a>(schema: &'a Value, document: &'a Value) -> &'a Value {
    let target = schema.as_object().filter(|fields| fields.len() == 1).and_then(|fields| fields.get("$ref"));
    let pointer = target.and_then(Value::as_str).and_then(|reference| reference.strip_prefix('#'));
    match pointer.and_then(|pointer| document.pointer(pointer)) {
        Some(definition) => resolve(definition, document),
        None => schema,
    }
}

/// The type's name, and whether `null` is another one.
fn type_of(fields: &Map<String, Value>) -> (Option<&str>, bool) {
    match fields.get("type") {
        Some(Value::String(name)) => (Some(name), false),
        Some(Value::Array(names)) => {
            let names: Vec<_> = names.iter().filter_map(Value::as_str).collect();
            let others: Vec<_> = names.iter().filter(|name| **name != "null").collect();
            match others[..] {
                [name] => (Some(name), others.len() < names.len()),
                _ => (None, false),
            }
        }
        _ => (None, false),
    }
}

fn words(fields: &Map<String, Value>) -> Option<Shape<'_>> {
    let values = match (fields.get("enum"), fields.get("const")) {
        (Some(Value::Array(values)), None) => values.iter().collect::<Vec<_>>(),
        (None, Some(value)) => vec![value],
        _ => return None,
    };
    let nullable = values.iter().any(|value| value.is_null());
    let texts = values.into_iter().filter(|value| !value.is_null()).map(Value::as_str);
    Some(Shape { nullable, kind: Kind::Words(texts.collect::<Option<_>>()?) })
}

fn object(fields: &Map<String, Value>) -> Option<Object<'_>> {
    let closed = match fields.get("additionalProperties") {
        None | Some(Value::Bool(true)) => false,
        Some(Value::Bool(false)) => true,
        // A map from anything to something: no message of ours has one.
        Some(_) => return None,
    };
    let properties = fields.get("properties").and_then(Value::as_object);
    let named = properties.into_iter().flatten().map(|(name, schema)| (name.as_str(), schema));
    let required = fields.get("required").and_then(Value::as_array);
    let required = required.into_iter().flatten().filter_map(Value::as_str);
    Some(Object { fields: named.collect(), required: required.collect(), closed })
}

fn union<'a>(variants: &'a [Value], document: &'a Value) -> Option<Shape<'a>> {
    let mut nullable = false;
    let mut rest = Vec::new();
    for variant in variants {
        match Shape::of(variant, document).kind {
            Kind::Nothing => nullable = true,
            _ => rest.push(variant),
        }
    }
    if let ([only], true) = (&rest[..], nullable) {
        let shape = Shape::of(only, document);
        return Some(Shape { nullable, kind: shape.kind });
    }
    let mut named = BTreeMap::new();
    for variant in rest {
        match Shape::of(variant, document).kind {
            Kind::Words(words) => named.extend(words.into_iter().map(|word| (word.to_owned(), None))),
            Kind::Object(object) => {
                let name = object.name(document)?;
                if named.insert(name, Some(variant)).is_some() {
                    return None;
                }
            }
            _ => return None,
        }
    }
    Some(Shape { nullable, kind: Kind::Union(named) })
}

impl<'a> Object<'a> {
    /// What tells a variant from the others: the field that always has the same word, or the only field that there is.
    fn name(&self, document: &'a Value) -> Option<String> {
        let tag = self.fields.iter().find_map(|(_, schema)| match Shape::of(schema, document).kind {
            Kind::Words(words) if words.len() == 1 => words.first().map(|word| (*word).to_owned()),
            _ => None,
        });
        tag.or_else(|| match self.fields.keys().collect::<Vec<_>>()[..] {
            [field] => Some((*field).to_owned()),
            _ => None,
        })
    }
}

impl Shape<'_> {
    /// Whether a value is of this variant: it has what must be there, and the words are the right ones.
    pub(crate) fn is(&self, document: &Value, value: &Value) -> bool {
        let (Kind::Object(object), Value::Object(fields)) = (&self.kind, value) else { return false };
        object.required.iter().all(|name| fields.contains_key(*name))
            && object.fields.iter().all(|(name, schema)| {
                match (Shape::of(schema, document).kind, fields.get(*name)) {
                    (Kind::Words(words), Some(Value::String(word))) => words.contains(word.as_str()),
                    _ => true,
                }
            })
    }
}
