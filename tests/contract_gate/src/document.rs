//! A port's schema document, made from its types: every request and every event by its stable name.
//!
//! It holds what is on the wire and nothing else: titles, descriptions and the order of fields are not, so that nobody has
//! to write the file anew for a comment. It describes how messages are read: what must be there is what a reader requires.

use crate::visit::{EventList, Events, RequestList, Requests};
use bus::{BusError, CallKind, Caller, Command, Event, Operation, Outcome, Port, Receipt, Request};
use schemars::{JsonSchema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

/// The name of the bus's own request: `<module>.operations` of whatever module.
pub const OPERATIONS: &str = "<module>.operations";

/// A schema document.
#[derive(Debug, Clone, PartialEq)]
pub struct Document(Value);

impl From<Value> for Document {
    fn from(value: Value) -> Self {
        Self(value)
    }
}

impl Document {
    /// A document as it was committed.
    ///
    /// # Errors
    /// Where the text is no JSON.
    pub fn parse(text: &str) -> serde_json::Result<Self> {
        serde_json::from_str(text).map(Self)
    }

    /// As it is committed: the same bytes for the same contract.
    #[must_use]
    pub fn text(&self) -> String {
        // A value has a JSON form.
        let mut text = serde_json::to_string_pretty(&self.0).unwrap_or_default();
        text.push('\n');
        text
    }

    /// The whole of it.
    #[must_use]
    pub fn value(&self) -> &Value {
        &self.0
    }

    /// The part under these names: `["requests", "inventory.stock", "response"]`.
    #[must_use]
    pub fn part(&self, names: &[&str]) -> Option<&Value> {
        names.iter().try_fold(&self.0, |value, name| value.get(name))
    }
}

struct Writer {
    generator: SchemaGenerator,
    requests: Map<String, Value>,
    events: Map<String, Value>,
}

impl Writer {
    fn new() -> Self {
        let generator = SchemaSettings::draft2020_12().for_deserialize().into_generator();
        Self { generator, requests: Map::new(), events: Map::new() }
    }

    fn schema<T: JsonSchema>(&mut self) -> Value {
        Value::from(self.generator.subschema_for::<T>())
    }

    fn call<Q: JsonSchema, A: JsonSchema, E: JsonSchema>(&mut self, name: &str, kind: CallKind) {
        let call = json!({
            "kind": match kind { CallKind::Query => "query", CallKind::Command => "command" },
            "request": self.schema::<Q>(),
            "response": self.schema::<A>(),
            "error": self.schema::<E>(),
        });
        self.requests.insert(name.to_owned(), call);
    }

    fn finish(mut self, port: &str, values: Value) -> Document {
        let mut definitions = self.generator.take_definitions(false);
        if let Some(duration) = definitions.get_mut("Duration").and_then(Value::as_object_mut) {
            // serde refuses what it does not know in this type, and schemars does not say so.
            duration.insert("additionalProperties".into(), Value::Bool(false));
        }
        Document(canonical(&json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "port": port,
            "requests": self.requests,
            "events": self.events,
            "values": values,
            "$defs": definitions,
        })))
    }
}

impl Requests for Writer {
    fn request<R>(&mut self)
    where
        R: Request + JsonSchema,
        R::Response: JsonSchema,
        R::Error: JsonSchema,
    {
        self.call::<R, R::Response, R::Error>(R::NAME, R::KIND);
    }
}

impl Events for Writer {
    fn event<E: Event + JsonSchema>(&mut self) {
        let schema = self.schema::<E>();
        self.events.insert(E::NAME.to_owned(), schema);
    }
}

pub(crate) fn of<P, E>() -> Document
where
    P: Port<Requests: RequestList> + ?Sized,
    E: EventList,
{
    let mut writer = Writer::new();
    P::Requests::each(&mut writer);
    E::each(&mut writer);
    writer.finish(P::NAME, json!({}))
}

/// What the bus itself says: to operate a module, to acknowledge events, and beside every message.
pub(crate) fn of_the_bus() -> Document {
    let mut writer = Writer::new();
    writer.call::<Operation, Outcome, BusError>(OPERATIONS, CallKind::Command);
    let values = json!({
        "caller": writer.schema::<Caller>(),
        "command": writer.schema::<Command>(),
        "receipts": writer.schema::<Vec<Receipt>>(),
    });
    writer.finish("bus", values)
}

/// Without words for people, and in an order that does not depend on the code's.
fn canonical(schema: &Value) -> Value {
    match schema {
        Value::Object(fields) => {
            let mut sorted: Vec<_> = fields.iter().filter(|(key, _)| !is_for_people(key)).collect();
            sorted.sort_by_key(|(key, _)| *key);
            let sorted = sorted.into_iter().map(|(key, value)| {
                let value = match key.as_str() {
                    "properties" | "$defs" | "requests" | "events" | "values" => named(value),
                    "required" | "enum" => set(value),
                    "examples" | "const" => value.clone(),
                    _ => canonical(value),
                };
                (key.clone(), value)
            });
            words(sorted.collect())
        }
        Value::Array(items) => items.iter().map(canonical).collect(),
        plain => plain.clone(),
    }
}

fn is_for_people(key: &str) -> bool {
    matches!(key, "title" | "description" | "default" | "$comment")
}

/// Schemas by names that are not keywords: a field may be called `title`.
fn named(schemas: &Value) -> Value {
    let Value::Object(schemas) = schemas else { return canonical(schemas) };
    let mut sorted: Vec<_> = schemas.iter().collect();
    sorted.sort_by_key(|(name, _)| *name);
    sorted.into_iter().map(|(name, schema)| (name.clone(), canonical(schema))).collect()
}

fn set(values: &Value) -> Value {
    let mut sorted = values.as_array().cloned().unwrap_or_default();
    sorted.sort_by_key(Value::to_string);
    Value::Array(sorted)
}

/// `oneOf` constants is the same as `enum`: which of them it is depends on whether the variants have comments.
fn words(mut schema: Map<String, Value>) -> Value {
    let constants = schema.get("oneOf").and_then(Value::as_array).and_then(|variants| {
        let constant = |variant: &Value| {
            let fields = variant.as_object()?;
            let plain = fields.keys().all(|key| key == "const" || key == "type");
            fields.get("const").filter(|value| plain && value.is_string()).cloned()
        };
        variants.iter().map(constant).collect::<Option<Vec<_>>>()
    });
    if let Some(constants) = constants {
        schema.remove("oneOf");
        schema.insert("enum".into(), set(&Value::Array(constants)));
        schema.insert("type".into(), "string".into());
    }
    Value::Object(schema)
}
