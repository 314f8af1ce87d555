//! Every semantic on every placement that needs no broker.

use bus_testkit::Standard;

bus_testkit::conformance! {
    direct: bus_testkit::Standard::Direct,
    actor: bus_testkit::Standard::Actor,
    actor_elsewhere: bus_testkit::Standard::ActorElsewhere,
    strict: bus_testkit::Standard::Strict,
    strict_actor: bus_testkit::Standard::StrictActor,
    loopback: bus_testkit::Standard::Loopback,
    socket: bus_testkit::Standard::Socket,
}

/// The list above is complete.
#[test]
fn every_standard_placement_is_listed() {
    assert_eq!(Standard::ALL.len(), 7);
}
