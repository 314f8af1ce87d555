//! What is here holds what was committed before.

use contract_gate::{compatibility::compare, document::Document, history::committed, modules::modules};
use std::io::Write as _;

/// The types hold what the last commit promised, and the last commit what the one before it did. Another base:
/// `CONTRACT_BASE=origin/main`.
#[test]
fn the_contracts_hold_what_was_promised() {
    let base = std::env::var("CONTRACT_BASE").ok();
    let bases = base.as_deref().map_or_else(|| vec!["HEAD", "HEAD~1"], |base| vec![base]);
    for module in modules() {
        let mut newer = ("the types as they are", module.document());
        for revision in &bases {
            let Some(text) = committed(revision, module.path).expect("a commit to compare with") else {
                say(&format!("{revision} has no {}: it promised nothing", module.path));
                continue;
            };
            let older = Document::parse(&text).expect("a committed schema is JSON");
            let found = compare(&older, &newer.1);
            for notice in &found.notices {
                say(&format!("{} since {revision}: {notice}", module.path));
            }
            assert!(found.breaking.is_empty(), "{}: {} against {revision}:\n{found}", module.path, newer.0);
            newer = (revision, older);
        }
    }
}

/// A comparison that cannot be made is a failure.
#[test]
fn a_base_that_is_not_there_is_an_error() {
    let error = committed("no-such-commit", "README.md").expect_err("no commit");
    assert!(error.to_string().contains("no-such-commit"), "{error}");
    assert!(committed("HEAD", "no/such/file").expect("a commit").is_none());
    assert!(committed("HEAD", "README.md").expect("a commit").is_some_and(|text| text.contains("Cleave")));
}

/// Heard also where the test goes well: past what the harness keeps to itself.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
