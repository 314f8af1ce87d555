//! Keys: whose they are, how they are replaced, and which rosters make no sense.

use crate::world::{World, peer};
use bus_trust::{HEADER, Identity, InvalidRoster, Peers, PublicKey, Roster};
use std::sync::Arc;

#[tokio::test]
async fn another_key_under_a_known_name_is_refused() {
    let world = World::new();
    let call = world.reserve().await;
    for other in ["orders", "gateway"] {
        let impostor = Arc::new(Identity::generate(other).expect("a key"));
        let mut sent = call.clone();
        sent.headers.remove(HEADER);
        world.refused(&world.catch(&impostor, "inventory", sent).await, "not by the sender's key").await;
    }
}

#[tokio::test]
async fn an_unknown_sender_is_refused() {
    let world = World::new();
    let mut call = world.reserve().await;
    call.headers.remove(HEADER);
    let stranger = Arc::new(Identity::generate("stranger").expect("a key"));
    world.refused(&world.catch(&stranger, "inventory", call).await, "not known").await;
}

/// 13.2.1: the old and the new key open until the old one is taken away; no process is restarted for it.
#[tokio::test]
async fn keys_rotate() {
    let world = World::new();
    let new = Arc::new(Identity::generate("orders").expect("a key"));
    let call = || async {
        let mut sent = world.reserve().await;
        sent.headers.remove(HEADER);
        sent
    };
    let with_keys = |keys: &[PublicKey]| {
        let mut roster = world.roster.clone();
        roster.peers.insert("orders".into(), peer(keys, &["orders"]));
        roster
    };
    let (old_key, new_key) = (world.orders.public_key(), new.public_key());
    world.refused(&world.catch(&new, "inventory", call().await).await, "not by the sender's key").await;

    world.peers.replace(with_keys(&[old_key, new_key])).expect("a good roster");
    world.taken(&world.catch(&new, "inventory", call().await).await).await;
    world.taken(&world.catch(&world.orders, "inventory", call().await).await).await;

    let on_its_way = world.reserve().await;
    world.peers.replace(with_keys(&[new_key])).expect("a good roster");
    world.taken(&world.catch(&new, "inventory", call().await).await).await;
    world.refused(&on_its_way, "not by the sender's key").await;
}

/// A roster that makes no sense leaves the old one in force.
#[tokio::test]
async fn a_wrong_roster_changes_nothing() {
    let world = World::new();
    let key = |identity: &Identity| identity.public_key();
    let mut cases: Vec<(Roster, InvalidRoster)> = Vec::new();
    let mut case = |change: &dyn Fn(&mut Roster), reason| {
        let mut roster = world.roster.clone();
        change(&mut roster);
        cases.push((roster, reason));
    };
    let named = |name: &str| InvalidRoster::Name(name.into());
    let unknown =
        |list: &str, peer: &str| InvalidRoster::UnknownPeer { list: list.into(), peer: peer.into() };
    case(&|roster| drop(roster.peers.insert("a.b".into(), peer(&[key(&world.orders)], &[]))), named("a.b"));
    case(
        &|roster| drop(roster.peers.insert("orders".into(), peer(&[key(&world.orders)], &["Orders"]))),
        named("Orders"),
    );
    case(&|roster| drop(roster.allow.insert(String::new(), vec![])), named(""));
    case(
        &|roster| drop(roster.peers.insert("orders".into(), peer(&[], &["orders"]))),
        InvalidRoster::Keys("orders".into()),
    );
    let many: Vec<_> = (0..5).map(|_| key(&Identity::generate("orders").expect("a key"))).collect();
    case(
        &|roster| drop(roster.peers.insert("orders".into(), peer(&many, &["orders"]))),
        InvalidRoster::Keys("orders".into()),
    );
    case(
        &|roster| drop(roster.peers.insert("shadow".into(), peer(&[key(&world.orders)], &[]))),
        InvalidRoster::SameKey("orders".into(), "shadow".into()),
    );
    case(
        &|roster| drop(roster.allow.insert("users".into(), vec!["gatewy".into()])),
        unknown("allow.users", "gatewy"),
    );
    case(&|roster| roster.control.push("nobody".into()), unknown("control", "nobody"));
    for (roster, reason) in cases {
        assert_eq!(world.peers.replace(roster.clone()), Err(reason.clone()));
        assert_eq!(Peers::new(roster).map(drop), Err(reason));
    }
    world.taken(&world.reserve().await).await;
}

/// As settings have it, and nothing that is not known.
#[test]
fn a_roster_reads_as_settings() {
    let key = Identity::generate("orders").expect("a key").public_key();
    let text = format!(
        r#"{{"peers": {{"orders": {{"keys": ["{key}"], "runs": ["orders"]}}}}, "allow": {{"inventory": ["orders"]}}}}"#
    );
    let roster: Roster = serde_json::from_str(&text).expect("a roster");
    assert_eq!((roster.peers["orders"].keys[0], roster.control.len()), (key, 0));
    assert_eq!(roster.check(), Ok(()));
    for wrong in [r#"{"peer": {}}"#, r#"{"peers": {"a": {}}}"#, r#"{"peers": {"a": {"keys": [], "key": 1}}}"#]
    {
        assert!(serde_json::from_str::<Roster>(wrong).is_err(), "{wrong}");
    }
}

/// A placeholder is no key: whoever knows that it is all zeros could sign for it.
#[test]
fn what_is_no_public_key_is_refused() {
    let good = Identity::generate("orders").expect("a key").public_key().to_string();
    assert_eq!(good.parse::<PublicKey>().expect("a key").to_string(), good);
    assert_eq!(good.len(), 43);
    let zeros = "A".repeat(43);
    for bad in
        ["", "changeme", &zeros, &good[..42], &format!("{good}A"), &format!("{good}="), "é", &"*".repeat(43)]
    {
        let error = bad.parse::<PublicKey>().expect_err(bad);
        assert!(error.to_string().contains("is no public key"), "{error}");
    }
}
