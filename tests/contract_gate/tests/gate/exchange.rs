//! This version understands itself, and finds out where another one would not be understood.

use contract_gate::exchange::{Entry, Part, WrittenBy, read, write};
use serde_json::Value;

async fn entries() -> Vec<Entry> {
    write().await.expect("every sample is carried")
}

/// C29, B28: with unknown fields in every place where there may be some, in both roles.
#[tokio::test]
async fn what_is_written_is_understood() {
    let entries = entries().await;
    for written_by in [WrittenBy::Older, WrittenBy::Newer] {
        let report = read(&entries, written_by).await.expect("a report");
        assert_eq!(report.failed, Vec::<String>::new());
        assert_eq!((report.understood, report.added.len()), (entries.len(), 0));
    }
    for part in [Part::Request, Part::Answer, Part::Event] {
        assert!(entries.iter().any(|entry| entry.part == part), "{part:?}");
    }
}

/// What another version has added: the older one need not know it, the newer one must not have forgotten it.
#[tokio::test]
async fn what_is_not_known_is_an_addition_or_a_failure() {
    let sent = entries().await;
    let mut other = sent.iter().find(|entry| entry.message == "inventory.stock").expect("a sample").clone();
    other.message = "inventory.unheard_of".into();
    let variant = sent
        .iter()
        .find(|entry| entry.case == "error <version_mismatch>" && entry.message == "inventory.adjust");
    let mut variant = variant.expect("a sample").clone();
    variant.case = "error <new>".into();
    variant.bytes = variant.bytes.replace("version_mismatch", "new");
    for entry in [other, variant] {
        let newer = read(std::slice::from_ref(&entry), WrittenBy::Newer).await.expect("a report");
        assert_eq!((newer.failed.len(), newer.added.len()), (0, 1), "{newer}");
        let older = read(std::slice::from_ref(&entry), WrittenBy::Older).await.expect("a report");
        assert_eq!((older.failed.len(), older.added.len()), (1, 0), "{older}");
    }
}

/// A sample that both versions have must be understood by both, and mean the same.
#[tokio::test]
async fn what_is_not_understood_fails() {
    let sent = entries().await;
    let find = |message: &str, part| {
        let mut found = sent.iter().filter(|entry| entry.message == message && entry.part == part);
        found.next().unwrap_or_else(|| panic!("{message}")).clone()
    };
    let with = |mut entry: Entry, change: &dyn Fn(&mut Value)| {
        let mut bytes: Value = serde_json::from_str(&entry.bytes).expect("JSON");
        change(&mut bytes);
        entry.bytes = bytes.to_string();
        entry
    };
    let placed = "orders.order_placed.v1";
    let mut another_caller = find("orders.place", Part::Request);
    let caller = another_caller.headers.get_mut("caller").expect("a caller");
    *caller = caller.replace("staff", "admin");
    for (entry, reason) in [
        (
            with(find("orders.place", Part::Request), &|bytes| drop(bytes["lines"].take())),
            "was not understood",
        ),
        (
            with(find("orders.place", Part::Request), &|bytes| bytes["respond_async"] = false.into()),
            "/message/respond_async",
        ),
        (
            with(find("orders.get", Part::Answer), &|bytes| bytes["ok"]["version"] = 5.into()),
            "/ok/version was written",
        ),
        (
            with(find("orders.get", Part::Answer), &|bytes| bytes["ok"]["version"] = "5".into()),
            " was written as ",
        ),
        (
            with(find(placed, Part::Event), &|bytes| bytes[0]["source"] = "/payments".into()),
            "/source was written",
        ),
        (
            with(find(placed, Part::Event), &|bytes| bytes[0]["data"]["number"] = Value::Null),
            "invalid type: null",
        ),
        (another_caller, "/caller/role was written"),
    ] {
        for written_by in [WrittenBy::Older, WrittenBy::Newer] {
            let report = read(std::slice::from_ref(&entry), written_by).await.expect("a report");
            assert!(report.failed.len() == 1 && report.failed[0].contains(reason), "{reason:?}: {report}");
        }
    }
}
