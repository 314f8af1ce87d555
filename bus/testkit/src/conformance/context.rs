//! What travels beside a message, and what does not.

use super::{
    probe::{Observe, ProbePort, Replay},
    world::World,
};
use crate::Placement;
use bus::{Caller, Command, Context, Role, TraceContext};
use futures::future::join_all;
use std::sync::Arc;
use uuid::Uuid;

fn somebody() -> Context {
    let mut context = Context::default();
    context.trace = TraceContext { trace_id: 0xabc, parent_id: 0xdef };
    context.request_id = Some("r-1".into());
    context.caller =
        Some(Caller { user: Uuid::from_u128(1), role: Role::Staff, session: Uuid::from_u128(2) });
    context.command = Some(Arc::new(Command { id: "user:key".into(), fingerprint: "f".into() }));
    context.attempt = 3;
    context
}

/// Design 3.8: trace, request id, caller and attempt reach the handler, the tasks that it spawns and its
/// sub-calls. The attempt too: what is called by a retry does not retry in turn (C11).
pub async fn the_context_reaches_the_handler_and_its_sub_calls(placement: &dyn Placement) {
    let world = World::new(placement).await;
    let context = somebody();
    let call = world.bus.observe(Observe { sub_call: true });
    let seen = context.clone().scope(call).await.expect("an answer");
    let sub_call = seen.sub_call.clone().expect("asked for");
    for seen in [&seen, &*sub_call] {
        assert_eq!(seen.trace_id, context.trace.trace_id(), "on {}", placement.name());
        assert_eq!(seen.request_id.as_deref(), Some("r-1"));
        assert_eq!(seen.request_id_in_task.as_deref(), Some("r-1"));
        assert_eq!(seen.caller, context.caller);
        assert_eq!(seen.attempt, 3);
    }
}

/// The idempotency key belongs to the module that the edge calls: modules further down have ids in their
/// messages, and would take each other's sub-calls for repetitions.
pub async fn the_command_is_seen_by_the_first_module_only(placement: &dyn Placement) {
    let world = World::new(placement).await;
    let context = somebody();
    let call = world.bus.observe(Observe { sub_call: true });
    let seen = context.clone().scope(call).await.expect("an answer");
    assert_eq!(seen.command.as_ref(), context.command.as_deref(), "on {}", placement.name());
    assert_eq!(seen.sub_call.expect("asked for").command, None, "on {}", placement.name());
}

/// The edge learns that an answer came out of the store; a replay further down is none of its business.
pub async fn the_replay_mark_travels_back(placement: &dyn Placement) {
    let world = World::new(placement).await;
    for in_sub_call in [false, true] {
        let context = somebody();
        let call = world.bus.replay(Replay { in_sub_call });
        context.clone().scope(call).await.expect("an answer");
        assert_eq!(context.replayed(), !in_sub_call, "on {}", placement.name());
    }
    let fresh = somebody();
    fresh.clone().scope(world.assert_alive()).await;
    assert!(!fresh.replayed());
}

/// Calls that share a thread, a connection and a runtime do not see each other's callers.
pub async fn calls_at_the_same_time_keep_their_contexts_apart(placement: &dyn Placement) {
    let world = World::new(placement).await;
    let calls = (0..32).map(|number: u32| {
        let mut context = Context::default();
        context.request_id = Some(format!("r-{number}").into());
        context.scope(world.bus.observe(Observe { sub_call: true }))
    });
    for (number, seen) in join_all(calls).await.into_iter().enumerate() {
        let seen = seen.expect("an answer");
        let expected = Some(format!("r-{number}"));
        assert_eq!(seen.request_id, expected, "on {}", placement.name());
        assert_eq!(seen.sub_call.expect("asked for").request_id_in_task, expected);
    }
}
