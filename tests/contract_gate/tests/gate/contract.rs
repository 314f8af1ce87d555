//! A contract with one of everything, and how it is changed.

use contract_gate::{
    compatibility::{Comparison, compare},
    document::Document,
};
use serde_json::{Value, json};

/// A contract with one of everything.
pub(crate) fn contract() -> Value {
    json!({
        "requests": {
            "shop.buy": {
                "kind": "command",
                "request": {"$ref": "#/$defs/Buy"},
                "response": {"type": "array", "items": {"$ref": "#/$defs/Receipt"}},
                "error": {"oneOf": [
                    {"type": "object", "required": ["error"], "properties": {"error": {"const": "sold_out"}}},
                    {"type": "object", "required": ["error", "detail"], "properties": {
                        "error": {"const": "too_many"},
                        "detail": {"type": "object", "required": ["most"], "properties": {"most": {"type": "integer"}}},
                    }},
                ]},
            },
            "shop.look": {"kind": "query", "request": {"type": "object"}, "response": {"type": "null"}, "error": {"type": "null"}},
        },
        "events": {
            "shop.bought.v1": {"type": "object", "required": ["at"], "properties": {
                "at": {"type": "string", "format": "date-time"},
                "by": {"anyOf": [{"$ref": "#/$defs/Who"}, {"type": "null"}]},
            }},
        },
        "values": {"caller": {"type": "string"}},
        "$defs": {
            "Buy": {"type": "object", "required": ["id", "how", "lines"], "properties": {
                "id": {"type": "string", "format": "uuid"},
                "how": {"enum": ["card", "cash"], "type": "string"},
                "note": {"type": ["string", "null"]},
                "lines": {"type": "array", "maxItems": 9, "items": {"$ref": "#/$defs/Line"}},
            }},
            "Line": {"type": "object", "additionalProperties": false, "required": ["sku", "many"], "properties": {
                "sku": {"type": "string", "pattern": "^[A-Z]+$"},
                "many": {"type": "integer", "format": "int32", "minimum": 0, "maximum": 100},
            }},
            "Receipt": {"type": "object", "required": ["total"], "properties": {
                "total": {"type": "integer", "format": "int64"},
                "parts": {"type": "array", "items": {"$ref": "#/$defs/Receipt"}},
            }},
            "Who": {"oneOf": [
                {"const": "nobody", "type": "string"},
                {"type": "object", "additionalProperties": false, "required": ["user"], "properties": {"user": {"type": "string"}}},
            ]},
        },
    })
}

pub(crate) fn document(value: &Value) -> Document {
    value.clone().into()
}

pub(crate) fn changed(change: impl Fn(&mut Value)) -> Comparison {
    let mut new = contract();
    change(&mut new);
    compare(&document(&contract()), &document(&new))
}

/// Sets what is at a pointer, or takes it away.
pub(crate) fn put(contract: &mut Value, pointer: &str, value: Option<Value>) {
    let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
    match (contract.pointer_mut(parent).unwrap_or_else(|| panic!("{parent}")), value) {
        (Value::Object(fields), Some(value)) => drop(fields.insert(key.to_owned(), value)),
        (Value::Object(fields), None) => drop(fields.remove(key).unwrap_or_else(|| panic!("{pointer}"))),
        (Value::Array(items), Some(value)) if key == "-" => items.push(value),
        (Value::Array(items), None) => drop(items.remove(key.parse().expect("an index"))),
        (other, _) => panic!("{pointer} is in {other}"),
    }
}

pub(crate) const BUY: &str = "/$defs/Buy";
pub(crate) const LINE: &str = "/$defs/Line";
pub(crate) const BOUGHT: &str = "/events/shop.bought.v1";
