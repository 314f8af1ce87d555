//! Signing keys and the tokens that they sign.

use crate::world::{EMAIL, PASSWORD, World, settings};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use std::{collections::BTreeSet, time::Duration};
use users::{Rotation, Settings};
use users_ports::{Secret, SigningKeys, UsersPort as _};

on_both!(
    an_access_token_says_who_and_for_how_long,
    a_key_outlives_the_process,
    a_new_key_takes_over_and_the_old_one_fades,
    a_leaked_key_is_worth_nothing_at_once,
    a_key_is_replaced_when_it_is_due,
);

fn parts(token: &Secret) -> (Value, Value) {
    let parts: Vec<_> = token.expose().split('.').collect();
    assert_eq!(parts.len(), 3);
    let part =
        |text: &str| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).expect("base64url")).expect("JSON");
    (part(parts[0]), part(parts[1]))
}

async fn kid(world: &World) -> String {
    let signed_in = world.sign_in(EMAIL, PASSWORD).await.expect("signed in");
    parts(&signed_in.access_token).0["kid"].as_str().expect("named").to_owned()
}

async fn published(world: &World) -> Vec<String> {
    let keys = world.service.signing_keys(SigningKeys {}).await.expect("keys").keys;
    keys.into_iter().map(|key| key.kid).collect()
}

/// Section 5.3: the header and the claims, none missing.
async fn an_access_token_says_who_and_for_how_long(world: World) {
    let user = world.register(EMAIL).await;
    let signed_in = world.sign_in(EMAIL, PASSWORD).await.expect("signed in");
    let (header, claims) = parts(&signed_in.access_token);
    assert_eq!(header, json!({ "typ": "at+jwt", "alg": "EdDSA", "kid": published(&world).await[0] }));
    let now = world.now().seconds();
    let jti = claims["jti"].as_str().expect("named").to_owned();
    assert_eq!(
        claims,
        json!({
            "iss": "cleave", "aud": "cleave", "sub": user.id, "sid": signed_in.session_id,
            "role": "customer", "iat": now, "nbf": now - 5, "exp": now + 900, "jti": jti,
        })
    );
    let again = world.sign_in(EMAIL, PASSWORD).await.expect("signed in");
    assert!(holds(&world, &again.access_token).await, "by what is published, read by a library");
    assert_ne!(parts(&again.access_token).1["jti"], jti.as_str());
}

/// Whether a library that knows nothing of ours verifies the token by the published keys.
async fn holds(world: &World, token: &Secret) -> bool {
    let keys = world.service.signing_keys(SigningKeys {}).await.expect("keys");
    let set: jsonwebtoken::jwk::JwkSet =
        serde_json::from_value(serde_json::to_value(keys).expect("JSON")).expect("a JWK set");
    let header = jsonwebtoken::decode_header(token.expose()).expect("a header");
    let key = set.find(&header.kid.expect("named")).expect("published");
    let mut rules = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::EdDSA);
    rules.set_audience(&["cleave"]);
    rules.set_issuer(&["cleave"]);
    // The test's clock is not the wall's.
    (rules.validate_exp, rules.validate_nbf) = (false, false);
    let key = jsonwebtoken::DecodingKey::from_jwk(key).expect("a key");
    jsonwebtoken::decode::<Value>(token.expose(), &key, &rules).is_ok()
}

async fn a_key_outlives_the_process(world: World) {
    world.register(EMAIL).await;
    let (before, keys) = (kid(&world).await, published(&world).await);
    let world = world.restart(settings()).await.expect("started");
    assert_eq!((kid(&world).await, published(&world).await), (before, keys));
}

async fn stored(world: &World, kid: &str) -> (String, bool) {
    let sql = "SELECT state, private_key FROM signing_key WHERE kid = $1";
    let row = world.database.reader().row(sql, [kid.into()]).await.expect("read").expect("a row");
    (row.get("state").expect("there"), row.get::<Option<String>>("private_key").expect("there").is_some())
}

/// Section 5.3: the new kid is accepted while the old one is; the old one is gone when its tokens are.
async fn a_new_key_takes_over_and_the_old_one_fades(world: World) {
    world.register(EMAIL).await;
    let old = kid(&world).await;
    world.service.rotate_keys(Rotation::Gradual).await.expect("rotated");
    let new = kid(&world).await;
    assert_ne!(new, old);
    let both: BTreeSet<String> = published(&world).await.into_iter().collect();
    assert_eq!(both, BTreeSet::from([new.clone(), old.clone()]));
    world.clock.advance(Settings::default().access_token_ttl);
    world.service.sweep().await.expect("swept");
    assert_eq!(published(&world).await.len(), 2, "another process may have signed with it a little longer");
    world.clock.advance(Duration::from_secs(60));
    world.service.sweep().await.expect("swept");
    assert_eq!(published(&world).await.as_slice(), std::slice::from_ref(&new));
    assert_eq!(stored(&world, &old).await, ("retired".into(), false), "its private half is wiped");
    assert_eq!(kid(&world).await, new);
}

async fn a_leaked_key_is_worth_nothing_at_once(world: World) {
    world.register(EMAIL).await;
    let old = kid(&world).await;
    world.service.rotate_keys(Rotation::Gradual).await.expect("rotated");
    let second = kid(&world).await;
    world.service.rotate_keys(Rotation::AtOnce).await.expect("rotated");
    assert_eq!(published(&world).await, [kid(&world).await]);
    for gone in [old, second] {
        assert_eq!(stored(&world, &gone).await, ("retired".into(), false));
    }
}

async fn a_key_is_replaced_when_it_is_due(world: World) {
    world.register(EMAIL).await;
    let old = kid(&world).await;
    world.clock.advance(Settings::default().key_rotation - Duration::from_secs(1));
    world.service.sweep().await.expect("swept");
    assert_eq!(kid(&world).await, old);
    world.clock.advance(Duration::from_secs(1));
    world.service.sweep().await.expect("swept");
    let new = kid(&world).await;
    assert_ne!(new, old);
    world.service.sweep().await.expect("swept");
    assert_eq!(kid(&world).await, new, "once");
}

/// Two processes that start at once on one database sign with one key, and follow each other's rotation.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL"]
async fn processes_share_their_keys() {
    let world = World::postgres().await;
    world.register(EMAIL).await;
    let (a, b) = futures::join!(world.other_process(), world.other_process());
    assert_eq!(published(&world).await.len(), 1);
    a.rotate_keys(Rotation::Gradual).await.expect("rotated");
    b.sweep().await.expect("swept");
    let login = || crate::world::login(EMAIL, PASSWORD);
    let kid = |token: &Secret| parts(token).0["kid"].clone();
    let (by_a, by_b) = (a.create_session(login()).await, b.create_session(login()).await);
    assert_eq!(kid(&by_a.expect("signed in").access_token), kid(&by_b.expect("signed in").access_token));
}
