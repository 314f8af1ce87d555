//! What the sandbox starts with, and what it refuses to start with.

use crate::support::*;
use sandbox::{Sandbox, SandboxError, SandboxSettings};

fn settings(database_url: &str, webhook_secret: &str) -> SandboxSettings {
    SandboxSettings {
        database_url: database_url.into(),
        webhook_secret: webhook_secret.into(),
        public_url: "http://shop.test".into(),
        webhook_copies: 1,
        webhook_shuffle: false,
    }
}

#[tokio::test]
async fn a_database_in_memory_will_do_for_a_try() {
    let sandbox = Sandbox::open(settings("sqlite::memory:", SECRET), sources()).await.expect("opens");
    authorized(&sandbox, "a", "tok_ok").await;
    assert_eq!(ledger(&sandbox, "order-a").await, ["authorize succeeded 1000"]);
    sandbox.close().await;
}

#[tokio::test]
async fn unusable_settings_are_refused_at_the_start() {
    for (url, secret) in [
        ("mysql://somewhere", SECRET),
        ("sqlite::memory:", "whsec_"),
        ("sqlite::memory:", "whsec_dG9vIHNob3J0"),
        ("sqlite::memory:", "no secret"),
    ] {
        let refused = Sandbox::open(settings(url, secret), sources()).await.err();
        assert!(matches!(refused, Some(SandboxError::InvalidSettings(_))), "{url} {secret}");
    }
}
