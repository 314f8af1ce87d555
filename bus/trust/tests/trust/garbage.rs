//! What is no seal is refused, whatever it is, and nothing panics.

use crate::world::World;
use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bus_trust::HEADER;

#[tokio::test]
async fn what_is_no_seal_is_refused() {
    let world = World::new();
    let good = world.reserve().await.headers[HEADER].clone();
    let fields: Vec<_> = good.split('.').collect();
    let with = |index: usize, value: &str| {
        let mut fields = fields.clone();
        fields[index] = value;
        fields.join(".")
    };
    let signature = fields.last().expect("a signature");
    let mut bad = vec![
        String::new(),
        ".".into(),
        ".".repeat(7),
        ".".repeat(100 * 1024),
        "x".repeat(100 * 1024),
        format!("{good}{}", "A".repeat(100 * 1024)),
        "é.ü.日本.🦀".into(),
        with(1, "ordérs"),
        with(1, "Orders"),
        with(1, ""),
        with(1, &"o".repeat(65)),
        with(2, "inven tory"),
        with(3, "-1"),
        with(3, "+1"),
        with(3, "1e9"),
        with(3, "9223372036854775808"),
        with(3, "99999999999999999999999999"),
        with(4, "-1"),
        with(4, "99999999999999999999"),
        with(5, "AAAA"),
        with(5, &"A".repeat(23)),
        with(6, "none"),
        with(6, ""),
        with(7, ""),
        with(7, "!!!"),
        with(7, &"A".repeat(85)),
        with(7, &"A".repeat(87)),
        with(7, &format!("{signature}=")),
        with(7, &signature.replace(['-', '_'], "+")[..80]),
        format!("{good}."),
        format!(".{good}"),
        format!("{good}.{signature}"),
        fields[..7].join("."),
        format!(" {good}"),
        format!("{good}\n"),
    ];
    // Other versions, among them what names an algorithm.
    bad.extend(["s0", "s2", "S1", "", "none", "HS256", "EdDSA", "v1"].map(|version| with(0, version)));
    for seal in bad {
        let mut sent = world.reserve().await;
        sent.headers.insert(HEADER.into(), seal.clone());
        let answer = world.send(&sent).await;
        assert!(answer.is_err(), "{:?}", seal.chars().take(300).collect::<String>());
    }
    assert_eq!(world.inner.seen(), []);
}

/// Tokens that say how they want to be checked: there is nothing here that asks them.
#[tokio::test]
async fn no_seal_chooses_its_algorithm() {
    let world = World::new();
    let public = world.orders.public_key().to_string();
    let raw = URL_SAFE_NO_PAD.decode(&public).expect("base64");
    let claims = URL_SAFE_NO_PAD.encode(r#"{"iss":"orders","aud":"inventory","exp":4102444800}"#);
    for algorithm in ["none", "None", "nOnE", "HS256", "RS256", "ES256", "EdDSA"] {
        let head = URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"{algorithm}","typ":"JWT"}}"#));
        let message = format!("{head}.{claims}");
        // What everybody knows, taken for a secret.
        let keyed = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &raw), message.as_bytes());
        for signature in [String::new(), URL_SAFE_NO_PAD.encode(keyed)] {
            let mut sent = world.reserve().await;
            sent.headers.insert(HEADER.into(), format!("{message}.{signature}"));
            world.refused(&sent, "cannot be read").await;
        }
    }
}

/// A keyed hash under the public key is as long as half a signature; twice it is as long as one.
#[tokio::test]
async fn a_hash_under_the_public_key_is_no_signature() {
    let world = World::new();
    let mut sent = world.reserve().await;
    let key = URL_SAFE_NO_PAD.decode(world.orders.public_key().to_string()).expect("base64");
    let (text, _) = sent.headers[HEADER].rsplit_once('.').expect("a signature");
    let hash = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA512, &key), text.as_bytes());
    let zeros = [0; 64];
    let forged = [hash.as_ref(), &zeros].map(|bytes| format!("{text}.{}", URL_SAFE_NO_PAD.encode(bytes)));
    for seal in forged {
        sent.headers.insert(HEADER.into(), seal);
        world.refused(&sent, "not by the sender's key").await;
    }
}
