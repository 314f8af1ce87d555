//! What breaks a contract is found, with its reason.

use crate::contract::{BOUGHT, BUY, LINE, changed, put};
use contract_gate::{compatibility::compare, modules::modules};
use serde_json::{Value, json};

/// C29: each of these stops one of the two versions that run side by side during an upgrade.
#[test]
fn what_breaks_is_named_with_its_reason() {
    let cases: Vec<(String, Option<Value>, &str)> = vec![
        ("/requests/shop.buy".into(), None, "shop.buy was removed"),
        (BOUGHT.into(), None, "shop.bought.v1 was removed"),
        ("/values/caller".into(), None, "caller was removed"),
        ("/requests/shop.look/kind".into(), Some(json!("command")), "shop.look is a command now"),
        (format!("{BUY}/properties/note"), None, "shop.buy request: the field note was removed"),
        (format!("{BUY}/properties/how/enum/1"), None, "shop.buy request/how: the variant cash was removed"),
        (format!("{BUY}/properties/id/type"), Some(json!("integer")), "request/id: was string, is integer"),
        (format!("{BUY}/properties/id/format"), None, r#"request/id: its format was "uuid", is none"#),
        (format!("{BUY}/properties/note/type"), Some(json!("string")), "request/note: may be null no more"),
        (format!("{BUY}/required/-"), Some(json!("note")), "request: the field note must be there now"),
        (
            format!("{BUY}/additionalProperties"),
            Some(json!(false)),
            "request: unknown fields are refused now",
        ),
        (
            format!("{BUY}/properties/lines/maxItems"),
            Some(json!(5)),
            "request/lines: its maxItems is narrower",
        ),
        (
            format!("{BUY}/properties/lines/minItems"),
            Some(json!(1)),
            "request/lines: its minItems is narrower",
        ),
        (
            format!("{BUY}/properties/how"),
            Some(json!({"type": "string"})),
            "request/how: was one of some words, is string",
        ),
        (
            format!("{LINE}/properties/many/maximum"),
            Some(json!(10)),
            "request/lines/*/many: its maximum is narrower",
        ),
        (
            format!("{LINE}/properties/many/minimum"),
            Some(json!(1)),
            "request/lines/*/many: its minimum is narrower",
        ),
        (
            format!("{LINE}/properties/many/format"),
            Some(json!("int64")),
            r#"its format was "int32", is "int64""#,
        ),
        (
            format!("{LINE}/properties/sku/pattern"),
            Some(json!("^[A-Z]{3}$")),
            "request/lines/*/sku: its pattern was",
        ),
        (
            format!("{LINE}/properties/colour"),
            Some(json!({"type": "string"})),
            "request/lines/*: the field colour is new, and the last version refuses",
        ),
        (
            "/requests/shop.buy/response".into(),
            Some(json!({"$ref": "#/$defs/Receipt"})),
            "response: was a list, is an object",
        ),
        (
            "/requests/shop.buy/response".into(),
            Some(json!({"type": "null"})),
            "response: was a list, is nothing",
        ),
        (
            "/$defs/Receipt/properties/total/type".into(),
            Some(json!("string")),
            "response/*/total: was integer, is string",
        ),
        ("/$defs/Receipt/properties/total/type".into(), Some(json!(["integer", "null"])), "may be null now"),
        (
            "/$defs/Receipt/properties/parts/items".into(),
            Some(json!({"type": "string"})),
            "was an object, is string",
        ),
        (
            "/$defs/Receipt/properties/total".into(),
            Some(json!({"allOf": [{"type": "integer"}]})),
            "response/*/total: was",
        ),
        ("/requests/shop.buy/error/oneOf/0".into(), None, "error: the variant sold_out was removed"),
        (
            "/requests/shop.buy/error/oneOf/1/properties/detail/properties/most".into(),
            None,
            "error<too_many>/detail: the field most was removed",
        ),
        (
            "/$defs/Who/oneOf/1/properties/user/type".into(),
            Some(json!("integer")),
            "by<user>/user: was string",
        ),
        (
            "/$defs/Who/oneOf/0".into(),
            Some(
                json!({"type": "object", "required": ["nobody"], "properties": {"nobody": {"type": "null"}}}),
            ),
            "by: the variant nobody has another form",
        ),
        (format!("{BOUGHT}/properties/at"), None, "shop.bought.v1: the field at was removed"),
        (
            format!("{BOUGHT}/properties/by"),
            Some(json!({"$ref": "#/$defs/Who"})),
            "shop.bought.v1/by: may be null no more",
        ),
    ];
    for (pointer, value, reason) in cases {
        let found = changed(|contract| match pointer.as_str() {
            "/$defs/Who/oneOf/0" => {
                put(contract, &pointer, None);
                put(contract, "/$defs/Who/oneOf/-", value.clone());
            }
            _ => put(contract, &pointer, value.clone()),
        });
        let named = found.breaking.iter().any(|sentence| sentence.contains(reason));
        assert!(named, "{pointer} to {value:?}: {reason:?} is not in {found:#?}");
    }
}

#[test]
fn a_new_field_that_must_be_there_breaks() {
    for (parent, reason) in [
        (BUY, "shop.buy request: the field more is new and must be there"),
        ("/$defs/Receipt", "shop.buy response/*: the field more is new and must be there"),
        (BOUGHT, "shop.bought.v1: the field more is new and must be there"),
    ] {
        let found = changed(|contract| {
            put(contract, &format!("{parent}/properties/more"), Some(json!({"type": "string"})));
            put(contract, &format!("{parent}/required/-"), Some(json!("more")));
        });
        assert!(found.breaking.iter().any(|sentence| sentence.contains(reason)), "{found:#?}");
    }
}

/// The gate itself, on the real contracts: each planted change is found in its place.
#[test]
fn a_break_of_a_real_contract_is_found() {
    for module in modules() {
        let before = module.document();
        let mut broken = 0;
        let definitions = before.part(&["$defs"]).and_then(Value::as_object).expect("definitions");
        for (name, definition) in definitions {
            for field in definition.get("properties").and_then(Value::as_object).into_iter().flatten() {
                let mut after = before.value().clone();
                after["$defs"][name]["properties"][field.0] = json!({"type": "boolean", "format": "another"});
                let found = compare(&before, &after.into());
                let place = format!("/{}: was", field.0);
                let is_boolean = field.1["type"] == "boolean";
                let named = |sentence: &String| sentence.contains(&place) || is_boolean;
                assert!(found.breaking.iter().any(named), "{}: {name}.{}: {found:#?}", module.name, field.0);
                broken += 1;
            }
        }
        assert!(broken > 5, "{} has fields", module.name);
    }
}
