//! Whatever is changed on the way is refused: bytes, headers, name, each character of the seal.

use crate::world::{Sent, USER, World, headers};
use bus_trust::HEADER;
use bytes::Bytes;

const REASON: &str = "not by the sender's key, or not for this call";

/// Section 5.11: a body hash that does not match.
#[tokio::test]
async fn a_body_with_one_other_byte_is_refused() {
    let world = World::new();
    let sent = world.reserve().await;
    for at in 0..sent.bytes.len() {
        for bit in [1, 0x80] {
            let mut bytes = sent.bytes.to_vec();
            bytes[at] ^= bit;
            assert!(world.send(&Sent { bytes: bytes.into(), ..sent.clone() }).await.is_err(), "byte {at}");
        }
    }
    assert_eq!(world.inner.seen(), []);
    world.taken(&sent).await;
}

#[tokio::test]
async fn a_body_that_is_longer_or_shorter_is_refused() {
    let world = World::new();
    let sent = world.reserve().await;
    let longer = [&sent.bytes[..], b" "].concat();
    for bytes in
        [Bytes::new(), sent.bytes.slice(1..), sent.bytes.slice(..sent.bytes.len() - 1), longer.into()]
    {
        world.refused(&Sent { bytes, ..sent.clone() }, REASON).await;
    }
}

/// 4.1.3, 8.3.3: the user, the deadline, the depth, everything that travels beside the message.
#[tokio::test]
async fn a_changed_added_or_missing_header_is_refused() {
    let world = World::new();
    let sent = world.reserve().await;
    let admin = USER.replace("customer", "admin");
    for (name, value) in [
        ("caller", Some(admin.as_str())),
        ("caller", None),
        ("timeout-ms", Some("3600000")),
        ("timeout-ms", None),
        ("attempt", Some("2")),
        ("attempt", Some("1 ")),
        ("depth", Some("0")),
        ("command", Some(r#"{"id":"another","fingerprint":"f"}"#)),
        ("traceparent", Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")),
        ("", Some("")),
        ("Attempt", Some("1")),
    ] {
        let mut changed = sent.clone();
        match value {
            Some(value) => changed.headers.insert(name.into(), value.into()),
            None => changed.headers.remove(name),
        };
        world.refused(&changed, REASON).await;
    }
    world.taken(&sent).await;
}

/// Every part is signed with its length: what moves over a boundary is another message.
#[tokio::test]
async fn parts_do_not_run_into_each_other() {
    let world = World::new();
    let call = |pairs: &[(&str, &str)], bytes: &'static str| Sent {
        name: "inventory.stock".into(),
        headers: headers(pairs),
        bytes: bytes.into(),
    };
    let sent = world.catch(&world.orders, "inventory", call(&[("ab", "cd"), ("ef", "gh")], "ij")).await;
    for mut other in [
        call(&[("a", "bcd"), ("ef", "gh")], "ij"),
        call(&[("ab", "cdef"), ("gh", "")], "ij"),
        call(&[("ab", "cdefgh")], "ij"),
        call(&[("ab", "cd"), ("ef", "")], "ghij"),
        call(&[("ab", "cd")], "efghij"),
    ] {
        other.headers.insert(HEADER.into(), sent.headers[HEADER].clone());
        world.refused(&other, REASON).await;
    }
}

/// A read cannot be turned into a command of the same module.
#[tokio::test]
async fn another_name_is_refused() {
    let world = World::new();
    let sent = world.reserve().await;
    for name in
        ["inventory.release", "inventory.reserve.", "inventory.inbox", "inventory.control", "inventory"]
    {
        world.refused(&Sent { name: name.into(), ..sent.clone() }, REASON).await;
    }
}

/// Each character of the seal, changed to others.
#[tokio::test]
async fn a_changed_seal_is_refused() {
    let world = World::new();
    let sent = world.reserve().await;
    let seal = sent.headers[HEADER].clone();
    for at in 0..seal.len() {
        for other in *b"0Aa.-_ =" {
            let mut changed = seal.clone().into_bytes();
            if changed[at] == other {
                continue;
            }
            changed[at] = other;
            let mut forged = sent.clone();
            forged.headers.insert(HEADER.into(), String::from_utf8(changed).expect("ASCII"));
            assert!(world.send(&forged).await.is_err(), "{:?}", forged.headers[HEADER]);
        }
    }
    assert_eq!(world.inner.seen(), []);
    world.taken(&sent).await;
}
