//! What the log says of what was refused: why, not what; and not without end.

use crate::world::{Sent, World};
use bus_trust::HEADER;
use bytes::Bytes;
use std::time::Duration;

const CANARY: &str = "canary-7f3a";

#[tokio::test(start_paused = true)]
async fn refusals_are_logged_now_and_then() {
    let world = World::new();
    let good = world.reserve().await;
    let forged = Sent { bytes: Bytes::from_static(CANARY.as_bytes()), ..good.clone() };
    for _ in 0..1000 {
        assert!(world.send(&forged).await.is_err());
    }
    let log = world.log.text();
    assert_eq!(log.lines().count(), 20, "{log}");
    assert!(log.contains("not trusted") && log.contains("orders"), "{log}");
    tokio::time::advance(Duration::from_secs(10)).await;
    world.refused(&forged, "not by the sender's key").await;
    assert!(world.log.text().contains("silent=980"), "{}", world.log.text());
}

/// Neither the bytes nor a seal, which is good for a minute, nor the user.
#[tokio::test]
async fn nothing_that_was_sent_is_logged() {
    let world = World::new();
    let good = world.reserve().await;
    let mut forged = Sent { bytes: Bytes::from_static(CANARY.as_bytes()), ..good.clone() };
    forged.headers.insert("caller".into(), CANARY.into());
    world.refused(&forged, "not by the sender's key").await;
    forged.headers.insert(HEADER.into(), CANARY.into());
    world.refused(&forged, "cannot be read").await;
    let log = world.log.text();
    let signature = good.headers[HEADER].rsplit_once('.').expect("a signature").1.to_owned();
    assert!(!log.contains(CANARY) && !log.contains(&signature), "{log}");
}

/// Section 5.12: a name from outside is one short line, whatever is in it.
#[tokio::test]
async fn a_name_from_outside_makes_one_short_line() {
    let world = World::new();
    let mut sent = world.reserve().await;
    sent.headers.clear();
    sent.name = format!("inventory\r\n\u{1b}[2J{{\"level\":\"error\"}}\u{2028}{}", "x".repeat(1_000_000));
    world.refused(&sent, "there is no seal").await;
    let log = world.log.text();
    assert_eq!(log.lines().count(), 1, "{log:?}");
    assert!(log.len() < 500 && !log.contains('\u{1b}') && !log.contains('\r'), "{log:?}");
}
