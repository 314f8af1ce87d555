//! Modules that come and go at the serving half.

use super::{MODULE, Wire, echo::World};
use bus::{BusError, Headers, Listener};
use bytes::Bytes;
use std::{
    sync::{Arc, atomic::Ordering::SeqCst},
    time::Duration,
};
use tokio::time::timeout;

/// What must not happen is waited for no longer than this.
const A_WHILE: Duration = Duration::from_millis(100);

fn listener(world: &World) -> Arc<dyn Listener> {
    world.line.listener().expect("the serving half is a listener")
}

/// A request of a module that was never opened is not answered by whoever else listens; once it is opened it
/// is, and opening it again changes nothing.
pub async fn a_module_that_is_not_open_is_not_answered_for(wire: &dyn Wire) {
    let world = World::new(wire).await;
    assert!(listener(&world).is_ready(), "on {}", wire.name());
    let asked = world.line.client();
    let asked = asked.request("other.echo", Headers::new(), Bytes::new());
    if let Ok(answer) = timeout(world.patience(), asked).await {
        let is_nobody = |error: &BusError| matches!(error, BusError::Unavailable { port } | BusError::Unheard { port } if port == "other");
        assert!(answer.as_ref().is_err_and(is_nobody), "{answer:?} on {}", wire.name());
    } else {
        assert!(!wire.sees_the_other_end(), "nobody said anything on {}", wire.name());
    }
    assert_eq!(world.echo.asked.load(SeqCst), 0, "on {}", wire.name());
    for _ in 0..2 {
        assert_eq!(listener(&world).open("other").await, Ok(()), "on {}", wire.name());
    }
    assert_eq!(world.ask("other.echo", "hello").await, Ok("hello".into()), "on {}", wire.name());
    assert_eq!(world.echo.asked.load(SeqCst), 1, "taken once on {}", wire.name());
}

/// C17: what was taken is answered before the module is closed, and nothing is begun afterwards.
pub async fn closing_waits_for_what_runs_and_takes_nothing_more(wire: &dyn Wire) {
    let world = World::new(wire).await;
    let held = world.begin("wire.gate", Duration::from_secs(60));
    world.until_asked(1).await;
    let listener = listener(&world);
    let mut closing = bus::spawn({
        let listener = Arc::clone(&listener);
        async move { listener.close(MODULE).await }
    });
    assert!(timeout(A_WHILE, &mut closing).await.is_err(), "a call still runs on {}", wire.name());
    world.echo.gate.add_permits(1);
    assert_eq!(held.await.expect("it does not panic"), Ok("held".into()), "on {}", wire.name());
    closing.await.expect("it does not panic");
    assert_eq!(world.echo.inside.load(SeqCst), 0, "on {}", wire.name());
    let answer = world.begin("wire.echo", world.patience()).await.expect("it does not panic");
    assert!(world.is_lost(&answer), "it is closed, yet {answer:?} on {}", wire.name());
    assert_eq!(world.echo.asked.load(SeqCst), 1, "on {}", wire.name());

    assert_eq!(listener.open(MODULE).await, Ok(()), "on {}", wire.name());
    assert_eq!(world.ask("wire.echo", "again").await, Ok("again".into()), "on {}", wire.name());
}

/// A module that leaves takes nobody along.
pub async fn closing_one_module_leaves_the_others_open(wire: &dyn Wire) {
    let world = World::new(wire).await;
    let listener = listener(&world);
    assert_eq!(listener.open("other").await, Ok(()), "on {}", wire.name());
    let held = world.begin("wire.gate", Duration::from_secs(60));
    world.until_asked(1).await;
    listener.close("other").await;
    assert_eq!(world.ask("wire.echo", "hello").await, Ok("hello".into()), "on {}", wire.name());
    world.echo.gate.add_permits(1);
    assert_eq!(held.await.expect("it does not panic"), Ok("held".into()), "on {}", wire.name());
}
