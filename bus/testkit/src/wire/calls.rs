//! Calls and what becomes of them.

use super::{SOON, Wire, echo::World};
use crate::{conformance::bus_errors, eventually};
use bus::{BusError, Endpoints, Headers};
use bytes::Bytes;
use futures::future::join_all;
use std::sync::{Arc, atomic::Ordering::SeqCst};

/// C21: errors of the bus itself cross the wire as values, whoever made them.
pub async fn a_bus_error_outside_of_any_answer_is_the_same_value(wire: &dyn Wire) {
    let world = World::new(wire).await;
    for error in bus_errors() {
        *world.echo.error.lock().expect("not poisoned") = Some(error.clone());
        assert_eq!(world.ask("wire.echo", "").await, Err(error), "on {}", wire.name());
    }
}

/// The transport carries bytes and does not care what they mean.
pub async fn bytes_that_are_no_json_arrive_as_they_are(wire: &dyn Wire) {
    let world = World::new(wire).await;
    let bodies: [&[u8]; 5] = [b"", b"not json", b"\0\x01\r\n\r\n", b"{\"a\":", b"\xff\xfe\x80"];
    let calls = bodies.iter().cycle().take(200).map(|body| world.ask("wire.echo", *body));
    for (answer, body) in join_all(calls).await.into_iter().zip(bodies.iter().cycle()) {
        assert_eq!(answer, Ok(Bytes::from_static(body)), "on {}", wire.name());
    }
    assert_eq!(world.line.pending(), 0);
}

/// A body of many packets, there and back.
pub async fn a_large_body_arrives_whole(wire: &dyn Wire) {
    let world = World::new(wire).await;
    let body: Bytes = (0..256 * 1024_u32).map(|n| (n % 251) as u8).collect();
    let answer = world.ask("wire.echo", body.clone()).await;
    assert!(answer.as_ref() == Ok(&body), "{:?} on {}", answer.map(|bytes| bytes.len()), wire.name());
}

/// C23: what the wire says for itself is not heard above it, and what is said above it is not touched.
pub async fn headers_arrive_as_they_are_and_no_others(wire: &dyn Wire) {
    let world = World::new(wire).await;
    let sent = Headers::from(
        [
            ("caller", r#"{"name":"zażółć 日本 🦀"}"#),
            ("command", "line\r\nfeed\ttab\u{0}nul\u{7f}del"),
            ("request-id", ""),
            ("traceparent", " spaces around, 100% and a quote\" "),
            ("attempt", "%41%zz+%"),
            ("timeout-ms", "20000"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned())),
    );
    let answer = world.line.client().request("wire.headers", sent.clone(), Bytes::new()).await;
    let arrived: Headers = serde_json::from_slice(&answer.expect("an answer")).expect("headers");
    assert_eq!(arrived, sent, "on {}", wire.name());
}

/// A batch of events goes its own way and is answered as a call is: with the inbox's words, or its error.
pub async fn a_delivery_is_answered_by_the_inbox(wire: &dyn Wire) {
    let world = World::new(wire).await;
    let client = world.line.client();
    let headers = || Headers::from([("timeout-ms".to_owned(), "20000".to_owned())]);
    let answer = client.deliver("wire.inbox", headers(), Bytes::from("[]")).await;
    assert_eq!(answer, Ok("[]".into()), "on {}", wire.name());
    let error = BusError::UnknownName { name: "wire.inbox".into() };
    *world.echo.error.lock().expect("not poisoned") = Some(error.clone());
    assert_eq!(client.deliver("wire.inbox", headers(), Bytes::from("[]")).await, Err(error));
    assert_eq!(world.line.pending(), 0);
}

/// C22: a name that nobody serves is answered at once.
pub async fn an_unknown_name_is_answered_with_a_value(wire: &dyn Wire) {
    let line = wire.serve(Arc::new(Endpoints::default())).await;
    let asked = line.client().request("wire.unheard_of", Headers::new(), Bytes::new()).await;
    assert_eq!(asked, Err(BusError::UnknownName { name: "wire.unheard_of".into() }), "on {}", wire.name());
}

/// CALL-17: a lost connection fails all that wait on it, with a typed error, and leaves nothing pending; the
/// next call connects anew, to whoever is there by then.
pub async fn a_lost_connection_fails_what_waits_and_the_next_call_reconnects(wire: &dyn Wire) {
    let mut world = World::new(wire).await;
    let waiting: Vec<_> = (0..20).map(|_| world.begin("wire.deaf", world.patience())).collect();
    world.until_asked(20).await;
    assert_eq!(world.line.pending(), 20, "on {}", wire.name());
    world.line.cut().await;
    for call in waiting {
        let answer = call.await.expect("it does not panic");
        assert!(world.is_lost(&answer), "{answer:?} on {}", wire.name());
    }
    assert_eq!(world.line.pending(), 0, "on {}", wire.name());
    world.until_nobody_is_inside().await;
    let answer = world.begin("wire.echo", world.patience()).await.expect("it does not panic");
    assert!(world.is_lost(&answer), "nobody is there, yet {answer:?} on {}", wire.name());
    assert_eq!(world.line.pending(), 0, "on {}", wire.name());

    world.line.restore().await;
    assert_eq!(world.ask("wire.echo", "hello").await, Ok("hello".into()), "on {}", wire.name());
}

/// C20: a caller who leaves takes the entry along, and the serving side hears of it, or sees the deadline.
pub async fn a_cancelled_call_leaves_nothing_on_either_side(wire: &dyn Wire) {
    let world = World::new(wire).await;
    for asked in 1..=20 {
        let waiting = world.begin("wire.deaf", world.patience());
        world.until_asked(asked).await;
        waiting.abort();
    }
    eventually("the client is rid of them", SOON, async || world.line.pending() == 0).await;
    world.until_nobody_is_inside().await;
    let answer = world.ask("wire.echo", "hello").await;
    assert_eq!(answer, Ok("hello".into()), "the wire is unharmed on {}", wire.name());
    assert_eq!(world.echo.asked.load(SeqCst), 21, "on {}", wire.name());
}

/// A panic outside of any handler is an answer as well.
pub async fn a_panic_in_the_server_fails_its_call_only(wire: &dyn Wire) {
    let world = World::new(wire).await;
    let answer = world.ask("wire.mad", "").await;
    assert!(matches!(answer, Err(BusError::Failed { .. })), "{answer:?} on {}", wire.name());
    assert_eq!(world.ask("wire.echo", "hello").await, Ok("hello".into()), "on {}", wire.name());
}
