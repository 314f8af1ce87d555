//! The table of section 5.3, against the verifier.

use crate::forge::{Forge, NOW, SESSION, USER, claims, encode, now};
use bus::{Role, Timestamp};
use cleave::authentication::{Refusal, TokenVerifier};
use serde_json::{Value, json};
use std::{io, net::TcpListener, time::Instant};
use users_ports::{Jwk, Jwks};

fn verifier(keys: Vec<Jwk>) -> TokenVerifier {
    let verifier = TokenVerifier::new("cleave", "cleave");
    assert!(verifier.set_keys(&Jwks { keys }));
    verifier
}

fn world() -> (Forge, TokenVerifier) {
    let forge = Forge::new("the-key");
    let verifier = verifier(vec![forge.jwk()]);
    (forge, verifier)
}

#[test]
fn a_good_token_says_who_and_what() {
    let (forge, verifier) = world();
    for good in [
        forge.good(),
        forge.with(|claims| claims["aud"] = json!(["other", "cleave"])),
        forge.with(|claims| claims["more"] = json!("a later version may say more")),
    ] {
        let verified = verifier.verify(&good, NOW).expect("good");
        assert_eq!((verified.user.0, verified.session.0, verified.role), (USER, SESSION, Role::Customer));
    }
}

/// Row by row: claims that are missing, of another form, of another time, of another place.
#[test]
fn claims_are_all_there_and_of_one_form() {
    let (forge, verifier) = world();
    let set = |name: &'static str, value: Value| forge.with(move |claims| claims[name] = value);
    let mut bad = Vec::new();
    for name in ["iss", "aud", "sub", "sid", "role", "iat", "nbf", "exp", "jti"] {
        bad.push((
            format!("{name} missing"),
            forge.with(|claims| {
                claims.as_object_mut().expect("an object").remove(name);
            }),
        ));
        for value in
            [Value::Null, json!(""), json!({}), json!(true), json!([]), json!(-1), json!([["cleave"]])]
        {
            bad.push((format!("{name} = {value}"), set(name, value)));
        }
    }
    for (name, value) in [
        ("exp", json!(now())),
        ("exp", json!(now() - 1)),
        ("exp", json!(now() - 30)),
        ("exp", json!("9999999999")),
        ("exp", json!(9_999_999_999.5)),
        ("exp", json!(9_999_999_999.0)),
        ("nbf", json!(now() + 1)),
        ("nbf", json!(now() + 3600)),
        ("nbf", json!("0")),
        ("iat", json!(now() + 60)),
        ("iat", json!((now() - 1).to_string())),
        ("iss", json!("somebody")),
        ("iss", json!(["cleave"])),
        ("aud", json!("somebody")),
        ("aud", json!(["somebody"])),
        ("sub", json!("not-an-id")),
        ("sub", json!(USER.simple().to_string())),
        ("role", json!("root")),
        ("role", json!("Admin")),
    ] {
        bad.push((format!("{name} = {value}"), set(name, value)));
    }
    let header = forge.header().to_string();
    let text = claims().to_string();
    let raw = |from: &str, to: &str| {
        assert!(text.contains(from), "{from} in {text}");
        forge.sign(&header, &text.replace(from, to))
    };
    let exp = format!("\"exp\":{}", now() + 900);
    bad.push(("exp 1e400".into(), raw(&exp, "\"exp\":1e400")));
    bad.push(("exp 1e10".into(), raw(&exp, "\"exp\":1e10")));
    bad.push(("exp twice".into(), raw(&exp, &format!("\"exp\":1,{exp}"))));
    bad.push(("sub twice".into(), raw("\"sub\":", "\"sub\":\"x\",\"sub\":")));
    bad.push(("role twice".into(), raw("\"role\":", "\"role\":\"admin\",\"role\":")));
    bad.push(("an unknown claim twice".into(), raw("\"sub\":", "\"x\":1,\"x\":2,\"sub\":")));
    bad.push(("escaped twin".into(), raw("\"role\":", "\"r\\u006fle\":\"admin\",\"role\":")));
    bad.push(("claims no object".into(), forge.sign(&header, "[]")));
    bad.push(("claims no JSON".into(), forge.sign(&header, "{")));
    bad.push(("claims and more".into(), forge.sign(&header, &format!("{text} {{}}"))));
    for (why, token) in bad {
        assert_eq!(verifier.verify(&token, NOW), Err(Refusal::Invalid), "{why}");
    }
}

/// No leeway: the second it expires, it is expired.
#[test]
fn a_token_ends_on_its_second() {
    let (forge, verifier) = world();
    let token = forge.with(|claims| claims["exp"] = json!(now() + 1));
    assert!(verifier.verify(&token, NOW).is_ok());
    assert!(verifier.verify(&token, Timestamp::from_micros(NOW.micros() + 999_999)).is_ok());
    let end = Timestamp::from_micros(NOW.micros() + 1_000_000);
    assert_eq!(verifier.verify(&token, end), Err(Refusal::Invalid));
}

/// The algorithm, the type and the key are not the token's to choose.
#[test]
fn headers_say_three_things() {
    let (forge, verifier) = world();
    let attacker = Forge::new("the-key");
    let canary = TcpListener::bind("127.0.0.1:0").expect("a port");
    canary.set_nonblocking(true).expect("set");
    let url = format!("http://{}/keys", canary.local_addr().expect("bound"));
    let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": attacker.jwk().x});
    let mut bad: Vec<(String, String)> = Vec::new();
    for alg in ["none", "None", "nOnE", "NONE", "", "HS256", "RS256", "ES256", "eddsa", "Ed25519", "PS256"] {
        bad.push((format!("alg {alg}"), forge.headed(|header| header["alg"] = json!(alg))));
    }
    for typ in ["JWT", "at+JWT", "jwt", "application/at+jwt", "logout+jwt", "refresh", ""] {
        bad.push((format!("typ {typ}"), forge.headed(|header| header["typ"] = json!(typ))));
    }
    for name in ["alg", "typ", "kid"] {
        bad.push((
            format!("{name} missing"),
            forge.headed(|header| {
                header.as_object_mut().expect("an object").remove(name);
            }),
        ));
        for value in [Value::Null, json!(1), json!(["EdDSA"]), json!({})] {
            bad.push((format!("{name} = {value}"), forge.headed(|header| header[name] = value)));
        }
    }
    for (name, value) in [
        ("jku", json!(url)),
        ("x5u", json!(url)),
        ("jwk", jwk),
        ("x5c", json!(["MIIB"])),
        ("x5t", json!("x")),
        ("crit", json!(["x"])),
        ("crit", json!([])),
        ("b64", json!(false)),
        ("cty", json!("JWT")),
        ("zip", json!("DEF")),
        ("enc", json!("A256GCM")),
    ] {
        bad.push((format!("{name} by us"), forge.headed(|header| header[name] = value.clone())));
        bad.push((format!("{name} by another"), attacker.headed(|header| header[name] = value)));
    }
    let kids = ["../../etc/passwd", "' OR 1=1 --", "the key", "\u{0}", &"k".repeat(65), &"k".repeat(10_240)];
    for kid in kids {
        bad.push(("kid".into(), forge.headed(|header| header["kid"] = json!(kid))));
    }
    let header = forge.header().to_string();
    let twice = header.replace("\"alg\":", "\"alg\":\"none\",\"alg\":");
    bad.push(("alg twice".into(), forge.sign(&twice, &claims().to_string())));
    for (why, token) in bad {
        assert_eq!(verifier.verify(&token, NOW), Err(Refusal::Invalid), "{why}");
    }
    let unknown = forge.headed(|header| header["kid"] = json!("another"));
    assert_eq!(verifier.verify(&unknown, NOW), Err(Refusal::UnknownKey));
    assert_eq!(canary.accept().expect_err("nobody came").kind(), io::ErrorKind::WouldBlock);
}

/// Signatures: none, another's, of something else, made with the public key as a secret.
#[test]
fn a_signature_is_the_keys_own() {
    let (forge, verifier) = world();
    let good = forge.good();
    let (message, signature) = good.rsplit_once('.').expect("three parts");
    let (header, payload) = message.split_once('.').expect("three parts");
    let admin = encode(&claims().to_string().replace("customer", "admin"));
    let other = forge.with(|claims| claims["jti"] = json!("other"));
    let others = other.rsplit_once('.').expect("three parts").1;
    let none = encode(&forge.header().to_string().replace("EdDSA", "none"));
    for (why, token) in [
        ("tampered payload", format!("{header}.{admin}.{signature}")),
        ("stripped", format!("{message}.")),
        ("cut off", message.to_owned()),
        ("another token's", format!("{message}.{others}")),
        ("half of it", format!("{message}.{}", &signature[..43])),
        ("padded", format!("{message}.{signature}==")),
        (
            "not base64url",
            format!("{message}.{}", signature.replace(['-', '_'], "+"))
                .replace(signature, &format!("+{}", &signature[1..])),
        ),
        ("another's key", Forge::new("the-key").good()),
        ("alg none", format!("{none}.{payload}.")),
        ("the public key as a secret", forge.hs256(forge.public())),
        ("its text as a secret", forge.hs256(forge.jwk().x.as_bytes())),
        ("a JWE", format!("{header}.{payload}.{signature}.{payload}.{signature}")),
        ("four parts", format!("{good}.")),
        ("two tokens", format!("{good} {good}")),
        ("two tokens with a comma", format!("{good},{good}")),
        ("nothing", String::new()),
        ("dots", "..".into()),
        ("a refresh token", format!("crt_{}", "ab".repeat(32))),
        ("a line after it", format!("{good}\n")),
    ] {
        assert_eq!(verifier.verify(&token, NOW), Err(Refusal::Invalid), "{why}");
    }
}

/// 100 KB cost nothing: its length is looked at before anything else.
#[test]
fn a_huge_token_is_refused_at_once() {
    let (forge, verifier) = world();
    let huge = forge.with(|claims| claims["more"] = json!("x".repeat(100_000)));
    let begun = Instant::now();
    for _ in 0..1000 {
        assert_eq!(verifier.verify(&huge, NOW), Err(Refusal::Invalid));
    }
    assert!(begun.elapsed().as_millis() < 1000, "a thousand took {:?}", begun.elapsed());
}

/// A set may hold keys for other purposes: those sign no access tokens.
#[test]
fn only_keys_for_signatures_are_taken() {
    let forge = Forge::new("the-key");
    for change in [
        |key: &mut Jwk| key.purpose = "enc".into(),
        |key: &mut Jwk| key.alg = "HS256".into(),
        |key: &mut Jwk| key.kty = "oct".into(),
        |key: &mut Jwk| key.crv = "X25519".into(),
        |key: &mut Jwk| key.x = "AAAA".into(),
    ] {
        let mut key = forge.jwk();
        change(&mut key);
        let verifier = verifier(vec![Forge::new("another").jwk(), key]);
        assert_eq!(verifier.verify(&forge.good(), NOW), Err(Refusal::UnknownKey));
    }
}
