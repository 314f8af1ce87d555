//! Faults know their place and keep what was sent to themselves.

use super::*;
use kernel::{Money, PageRequest, Sku, UserId};
use serde::Deserialize;
use serde_json::json;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only read")]
struct Cart {
    lines: Vec<Line>,
    #[serde(default)]
    note: Option<String>,
    #[serde(default)]
    user: Option<UserId>,
    #[serde(default)]
    kind: Kind,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only read")]
struct Line {
    sku: Sku,
    quantity: u32,
    #[serde(default)]
    price: Option<Money>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(dead_code, reason = "only read")]
enum Kind {
    #[default]
    Plain,
    Gift {
        wrap: bool,
    },
}

/// Section 5.6: the pointer leads into nested arrays and objects, and the code says what is wrong.
#[test]
fn faults_know_their_place() {
    let line = json!({"sku": "A-1", "quantity": 1});
    for (body, pointer, code) in [
        (json!({"lines": [{"sku": "A-1", "quantity": "two"}]}), "/lines/0/quantity", "invalid_type"),
        (json!({"lines": [line, {"sku": "A-1"}]}), "/lines/1/quantity", "missing_field"),
        (json!({"lines": [{"sku": "A-1", "quantity": -1}]}), "/lines/0/quantity", "invalid_value"),
        (json!({"lines": [{"sku": "A-1", "quantity": 1.5}]}), "/lines/0/quantity", "invalid_type"),
        (json!({"lines": [{"sku": "!", "quantity": 1}]}), "/lines/0/sku", "invalid_value"),
        (json!({"lines": [], "total": 1}), "/total", "unknown_field"),
        (json!({"lines": [{"sku": "A", "quantity": 1, "a/b~": 1}]}), "/lines/0/a~1b~0", "unknown_field"),
        (
            json!({"lines": [{"sku": "A", "quantity": 1, "price": {"amount": 1, "currency": "eur"}}]}),
            "/lines/0/price/currency",
            "invalid_value",
        ),
        (json!({"lines": [], "user": "nobody"}), "/user", "invalid_value"),
        (json!({"lines": [], "kind": "fancy"}), "/kind", "invalid_value"),
        (json!({"lines": [], "kind": {"gift": {"wrap": 1}}}), "/kind/gift/wrap", "invalid_type"),
        (json!({"lines": null}), "/lines", "invalid_type"),
        (json!({"lines": {}}), "/lines", "invalid_type"),
        (json!([[]]), "", "invalid_type"),
        (json!("text"), "", "invalid_type"),
    ] {
        let fault = from_json::<Cart>(body.clone()).expect_err("refused");
        assert_eq!((fault.pointer.as_str(), fault.code), (pointer, code), "{body}");
    }
    let good = json!({"lines": [line], "note": null, "kind": {"gift": {"wrap": true}}});
    from_json::<Cart>(good).expect("all right");
}

/// Section 5.12: an error never repeats what was sent.
#[test]
fn values_are_not_echoed() {
    for body in [
        json!({"lines": "hunter2"}),
        json!({"lines": [{"sku": "hunter2 !", "quantity": 1}]}),
        json!({"lines": [{"sku": "A", "quantity": "hunter2"}]}),
        json!({"lines": [], "kind": "hunter2"}),
    ] {
        let fault = from_json::<Cart>(body).expect_err("refused");
        assert!(!format!("{fault:?}").contains("hunter2"), "{fault:?}");
    }
}

#[test]
fn texts_read_as_the_type_wants() {
    let texts = |pairs: &[(&str, &str)]| {
        pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect::<Vec<_>>()
    };
    let page: PageRequest = from_texts(texts(&[("limit", "7"), ("cursor", "abc")])).expect("a page");
    assert_eq!((page.limit.rows(), page.cursor.expect("given").as_str()), (7, "abc"));
    for bad in ["0", "101", "1000000", "ten", "", "1.5", "-1"] {
        let fault = from_texts::<PageRequest>(texts(&[("limit", bad)])).expect_err("refused");
        assert_eq!((fault.pointer.as_str(), fault.code), ("/limit", "invalid_value"), "{bad}");
    }
}
