//! Every call has a deadline, which travels with it; and an end to how deep it may go.

use super::{
    SOON,
    probe::{Descend, Hold, Observe, ProbeError, ProbePort},
    world::World,
};
use crate::{Placement, eventually};
use bus::{BusError, InvalidPolicy, Policies, Policy, within};
use std::{sync::atomic::Ordering::SeqCst, time::Duration};
use tokio::time::Instant;

fn late(name: &str) -> ProbeError {
    BusError::DeadlineExceeded { name: name.into() }.into()
}

fn everybody(seconds: u64) -> Policy {
    Policy { deadline: Duration::from_secs(seconds), ..Policy::default() }
}

/// CALL-5: the call's own time-out, else the request's, else the port's, else everybody's.
pub async fn the_innermost_time_out_wins(placement: &dyn Placement) {
    let global = || Policies::new(everybody(800)).expect("a good policy");
    let port = || global().with_port("probe", everybody(600)).expect("a good policy");
    let request = || port().with_deadline("probe.observe", Duration::from_secs(400)).expect("a good policy");
    for (calling, expected) in [(global(), 800), (port(), 600), (request(), 400)] {
        let world = World::with(placement, calling, &Policies::default()).await;
        assert_remaining(&world, placement, expected).await;
        within(Duration::from_secs(200), assert_remaining(&world, placement, 200)).await;
        // A call may have longer than its request's default, where its caller says so.
        within(Duration::from_secs(1000), assert_remaining(&world, placement, 1000)).await;
    }
}

async fn assert_remaining(world: &World, placement: &dyn Placement, seconds: u64) {
    let seen = world.bus.observe(Observe { sub_call: false }).await.expect("an answer").remaining_ms;
    let expected = (seconds - 100) * 1000..=seconds * 1000;
    assert!(expected.contains(&seen), "{seen} ms of {seconds} s are left on {}", placement.name());
}

/// CALL-5: no time at all is neither "for ever" nor a reason to begin.
pub async fn a_zero_time_out_is_refused(placement: &dyn Placement) {
    let nothing = Policy { deadline: Duration::ZERO, ..Policy::default() };
    let refused = |name: &str| Some(InvalidPolicy::Deadline(name.into()));
    assert_eq!(Policies::new(nothing).err(), refused("bus"));
    assert_eq!(Policies::default().with_port("probe", nothing).err(), refused("probe"));
    let request = Policies::default().with_deadline("probe.echo", Duration::ZERO);
    assert_eq!(request.err(), refused("probe.echo"));

    let world = World::new(placement).await;
    assert_eq!(within(Duration::ZERO, world.echo("never")).await, Err(late("probe.echo")));
    world.assert_alive().await;
    assert_eq!(world.probe.echoed.load(SeqCst), 1, "only the second echo is carried out");
    world.until_idle().await;
}

/// C22: a handler that does not answer is not waited for for ever.
pub async fn a_call_is_answered_at_its_deadline(placement: &dyn Placement) {
    let short = Policies::default().with_deadline("probe.hold", Duration::from_millis(50));
    let world = World::with(placement, short.expect("a good policy"), &Policies::default()).await;
    let answer = world.hold(1, None).await.expect("it does not panic");
    assert_eq!(answer, Err(late("probe.hold")), "on {}", placement.name());
    world.probe.let_go(1);
    world.until_idle().await;
}

/// CALL-2: a sub-call has what its caller has left, never more, whatever the policies say.
pub async fn sub_calls_inherit_what_is_left(placement: &dyn Placement) {
    let world = World::with(
        placement,
        Policies::new(everybody(800)).expect("a good policy"),
        &Policies::new(everybody(900)).expect("a good policy"),
    )
    .await;
    let call = world.bus.observe(Observe { sub_call: true });
    let seen = within(Duration::from_secs(200), call).await.expect("an answer");
    let sub_call = seen.sub_call.as_ref().expect("asked for").remaining_ms;
    assert!(seen.remaining_ms <= 200_000, "{} ms on {}", seen.remaining_ms, placement.name());
    assert!(sub_call <= seen.remaining_ms, "{sub_call} ms on {}", placement.name());
    assert!(sub_call > 100_000, "{sub_call} ms on {}", placement.name());
}

/// CALL-5: a time-out that a caller gives to its call is not that of the calls further down.
pub async fn a_callers_time_out_is_not_handed_down(placement: &dyn Placement) {
    let short = Policies::default().with_deadline("probe.observe", Duration::from_secs(100));
    let world = World::with(placement, short.expect("a good policy"), &Policies::default()).await;
    let call = world.bus.observe(Observe { sub_call: true });
    let seen = within(Duration::from_secs(800), call).await.expect("an answer");
    let sub_call = seen.sub_call.as_ref().expect("asked for").remaining_ms;
    assert!(seen.remaining_ms > 100_000, "{} ms on {}", seen.remaining_ms, placement.name());
    assert!(sub_call <= 100_000, "{sub_call} ms on {}", placement.name());
}

/// CALL-2: a handler that outlived its deadline makes no more calls.
pub async fn a_sub_call_without_time_left_is_not_sent(placement: &dyn Placement) {
    let world = World::new(placement).await;
    let call = world.bus.hold(Hold { id: 1, then_echo: true });
    let begun = async {
        world.until_count("held calls begun", &world.probe.begun, 1).await;
        Instant::now()
    };
    let patience = Duration::from_secs(3);
    let (answer, begun) = futures::future::join(within(patience, call), begun).await;
    assert_eq!(answer, Err(late("probe.hold")));
    // What was left began to run out when the request arrived, which on a wire is later than when it was sent.
    eventually("the handler is late too", SOON, async || begun.elapsed() >= patience).await;
    world.probe.let_go(1);
    let outcome = &world.probe.echo_after_hold;
    eventually("the sub-call is refused", SOON, async || outcome.get().is_some()).await;
    assert_eq!(outcome.get(), Some(&Err(late("probe.echo"))), "on {}", placement.name());
    assert_eq!(world.probe.echoed.load(SeqCst), 0, "never sent");
    world.until_idle().await;
}

/// CALL-3: a loop of calls ends with an error that says so, also where each turn crosses a wire.
pub async fn a_chain_of_calls_that_is_too_deep_is_refused(placement: &dyn Placement) {
    let world = World::new(placement).await;
    let error = BusError::TooDeep { name: "probe.descend".into(), depth: 17 };
    assert_eq!(world.bus.descend(Descend {}).await, Err(error.into()), "on {}", placement.name());
    assert_eq!(world.probe.descended.load(SeqCst), 16);
    world.until_idle().await;
}
