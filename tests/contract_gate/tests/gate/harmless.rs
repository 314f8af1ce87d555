//! What breaks nothing is let through, and what needs an order is said.

use crate::contract::{changed, contract, document, put};
use contract_gate::{
    compatibility::{Comparison, compare},
    document::Document,
    modules::modules,
};
use serde_json::{Value, json};

#[test]
fn the_same_contract_breaks_nothing() {
    assert_eq!(changed(|_| {}), Comparison::default());
    for module in modules() {
        assert_eq!(compare(&module.document(), &module.document()), Comparison::default());
    }
}

/// Additions, and what no wire shows: names of types, and the order of anything.
#[test]
fn what_breaks_nothing_is_let_through() {
    let new_request = json!({"kind": "query", "request": {"type": "object"}, "response": {"type": "null"}, "error": {"type": "null"}});
    for (pointer, value) in [
        ("/requests/shop.ask", new_request),
        ("/events/shop.closed.v1", json!({"type": "object"})),
        ("/events/shop.bought.v2", json!({"type": "object"})),
        ("/$defs/Buy/properties/more", json!({"type": "string"})),
        ("/$defs/Receipt/properties/more", json!({"type": ["string", "null"]})),
        ("/events/shop.bought.v1/properties/more", json!({"$ref": "#/$defs/Line"})),
    ] {
        assert_eq!(
            changed(|contract| put(contract, pointer, Some(value.clone()))),
            Comparison::default(),
            "{pointer}"
        );
    }
    let renamed =
        contract().to_string().replace("#/$defs/Line", "#/$defs/Row").replace(r#""Line":"#, r#""Row":"#);
    assert_eq!(
        compare(&document(&contract()), &Document::parse(&renamed).expect("JSON")),
        Comparison::default()
    );
    let swapped = changed(|contract| {
        let variants = contract.pointer_mut("/requests/shop.buy/error/oneOf").and_then(Value::as_array_mut);
        variants.expect("variants").reverse();
    });
    assert_eq!(swapped, Comparison::default());
}

/// No break where everybody is upgraded in the right order, and the order is said.
#[test]
fn what_needs_an_order_is_said() {
    let variant =
        json!({"type": "object", "required": ["error"], "properties": {"error": {"const": "closed"}}});
    for (pointer, value, notice) in [
        (
            "/$defs/Buy/properties/how/enum/-",
            json!("gold"),
            "request/how: the variant gold is new: upgrade what serves",
        ),
        (
            "/requests/shop.buy/error/oneOf/-",
            variant,
            "error: the variant closed is new: upgrade whoever reads it",
        ),
        ("/$defs/Who/oneOf/-", json!({"const": "all", "type": "string"}), "by: the variant all is new"),
        (
            "/$defs/Buy/properties/id/type",
            json!(["string", "null"]),
            "request/id: may be null now: upgrade what serves",
        ),
        ("/$defs/Line/properties/many/maximum", json!(200), "request/lines/*/many: its maximum is wider"),
        ("/$defs/Buy/required", json!(["id", "how"]), "request: the field lines may be missing now"),
        ("/requests/shop.buy/kind", json!("query"), "shop.buy is a query now"),
    ] {
        let found = changed(|contract| put(contract, pointer, Some(value.clone())));
        assert_eq!(found.breaking, Vec::<String>::new(), "{pointer}");
        assert!(
            found.notices.iter().any(|sentence| sentence.contains(notice)),
            "{notice:?} is not in {found:#?}"
        );
    }
    // An enumeration of words gets its first variant that is more than a word.
    let found = changed(|contract| {
        let how = json!({"oneOf": [
            {"enum": ["card", "cash"], "type": "string"},
            {"type": "object", "required": ["voucher"], "properties": {"voucher": {"type": "string"}}},
        ]});
        put(contract, "/$defs/Buy/properties/how", Some(how));
    });
    assert_eq!((found.breaking.len(), found.notices.len()), (0, 1), "{found:#?}");
}
