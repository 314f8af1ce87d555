//! Registration and leases, against etcd.

use crate::{
    etcd_server::EtcdServer,
    world::{Does, SOON, World, standing, stands},
};
use bus::{Headers, Transport};
use bus_discovery::{
    Balance, Balanced, Discovery, DiscoveryError, Instance, Registration, Standing, first_answer,
};
use bytes::Bytes;
use serde_json::json;
use std::{sync::Arc, time::Duration};
use tokio::{net::TcpSocket, time::timeout};

/// An instance whose id is its address.
fn instance(name: &str) -> Instance {
    Instance { weight: 7, ..Instance::new(name, name) }
}

async fn is(registration: &Registration, standing: Standing) {
    let mut stands = registration.standing();
    timeout(SOON, stands.wait_for(|it| *it == standing)).await.expect("in time").expect("it beats");
}

#[tokio::test]
#[ignore = "needs etcd"]
async fn an_instance_registers_takes_leave_and_is_gone() {
    let server = EtcdServer::start().await;
    let discovery = server.discovery(|settings| settings.dead_after = Duration::from_secs(3600));
    let (watch, others) =
        (discovery.watch("shop").expect("a target"), discovery.watch("shopping").expect("a target"));
    timeout(SOON, first_answer(&watch)).await.expect("it answers");
    assert_eq!(standing(&watch), "");
    let a = discovery.register("shop", instance("a")).expect("a registry");
    let _b = discovery.register("shop", instance("b")).expect("a registry");
    stands(&watch, "a b").await;
    assert_eq!(watch.borrow().list[0].instance, instance("a"), "as it was registered");
    a.leave(SOON).await;
    stands(&watch, "a! b").await;
    a.close(SOON).await;
    stands(&watch, "b").await;
    assert_eq!(standing(&others), "", "another module's name may begin the same");
    let bad = discovery.register("a/b", instance("a")).map(drop);
    assert!(matches!(bad, Err(DiscoveryError::BadTarget { .. })), "{bad:?}");
}

/// C16: a process that stops beating is suspect when its lease has run out, then dead; the others are unmoved.
#[tokio::test]
#[ignore = "needs etcd"]
async fn a_lease_that_runs_out_makes_an_instance_suspect_and_then_dead() {
    let server = EtcdServer::start().await;
    let discovery = server.discovery(|settings| settings.lease = Duration::from_secs(1));
    let watch = discovery.watch("shop").expect("a target");
    let a = discovery.register("shop", instance("a")).expect("a registry");
    let _b = server.discovery(|_| {}).register("shop", instance("b")).expect("a registry");
    stands(&watch, "a b").await;
    // As a crash would: nothing is said.
    drop(a);
    stands(&watch, "a? b").await;
    stands(&watch, "b").await;
}

/// C16: a registry that is away says nothing about the instances; when it is back, they are as before.
#[tokio::test]
#[ignore = "needs etcd"]
async fn instances_outlive_the_registry() {
    let mut server = EtcdServer::start().await;
    let discovery = server.discovery(|settings| {
        settings.lease = Duration::from_secs(1);
        settings.dead_after = Duration::ZERO;
    });
    let watch = discovery.watch("shop").expect("a target");
    let a = discovery.register("shop", instance("a")).expect("a registry");
    stands(&watch, "a").await;
    is(&a, Standing::Listed).await;
    server.kill();
    is(&a, Standing::Unlisted).await;
    assert_eq!(standing(&watch), "a", "its lease would have run out by now, and nobody knows");
    server.run().await;
    is(&a, Standing::Listed).await;
    stands(&watch, "a").await;
}

/// A registry that has lost everything is told everything again.
#[tokio::test]
#[ignore = "needs etcd"]
async fn instances_register_anew_where_the_registry_has_forgotten_them() {
    let mut server = EtcdServer::start().await;
    let discovery = server.discovery(|settings| settings.dead_after = Duration::from_secs(3600));
    let watch = discovery.watch("shop").expect("a target");
    let registered = ["a", "b"].map(|name| discovery.register("shop", instance(name)).expect("a registry"));
    stands(&watch, "a b").await;
    server.wipe();
    server.run().await;
    stands(&watch, "a b").await;
    for registration in &registered {
        is(registration, Standing::Listed).await;
    }
    let range = json!({ "key": "AA==", "range_end": "AA==", "count_only": true });
    bus_testkit::eventually("both have told it", SOON, async || {
        server.ask("kv/range", &range).await.is_some_and(|answer| answer["count"] == "2")
    })
    .await;
}

/// What nobody can read hides nobody.
#[tokio::test]
#[ignore = "needs etcd"]
async fn an_unreadable_entry_hides_no_other() {
    let server = EtcdServer::start().await;
    let discovery = server.discovery(|_| {});
    let watch = discovery.watch("shop").expect("a target");
    // test/shop/0 and test/shop/z, around the good one.
    for (key, value) in [("dGVzdC9zaG9wLzA=", "bm90IGpzb24="), ("dGVzdC9zaG9wL3o=", "//79")] {
        assert!(server.ask("kv/put", &json!({ "key": key, "value": value })).await.is_some());
    }
    let _a = discovery.register("shop", instance("a")).expect("a registry");
    stands(&watch, "a").await;
}

/// C16: what a killed process has left in the registry does not stand beside its successor.
#[tokio::test]
#[ignore = "needs etcd"]
async fn a_successor_at_the_same_address_replaces_the_zombie() {
    let server = EtcdServer::start().await;
    let discovery = server.discovery(|settings| settings.lease = Duration::from_secs(3600));
    let watch = discovery.watch("shop").expect("a target");
    let zombie = discovery.register("shop", Instance::new("old", "here")).expect("a registry");
    stands(&watch, "here").await;
    drop(zombie);
    let _new = discovery.register("shop", Instance::new("new", "here")).expect("a registry");
    bus_testkit::eventually("the new one is there", SOON, async || {
        let members = watch.borrow().clone();
        members.list.len() == 1 && members.list[0].instance.id == "new"
    })
    .await;
}

/// One member of the cluster is enough.
#[tokio::test]
#[ignore = "needs etcd"]
async fn a_member_that_is_down_is_passed_over() {
    let server = EtcdServer::start().await;
    // Bound, so that nobody else takes the port, and not listening.
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind(([127, 0, 0, 1], 0).into()).expect("a free port");
    let closed = socket.local_addr().expect("bound");
    let discovery = server.discovery(|settings| settings.endpoints.insert(0, format!("http://{closed}")));
    let watch = discovery.watch("shop").expect("a target");
    let _a = discovery.register("shop", instance("a")).expect("a registry");
    stands(&watch, "a").await;
}

/// C16: a missed beat does not fail what is in flight, nor does death; new calls go to those that are alive.
#[tokio::test]
#[ignore = "needs etcd"]
async fn requests_in_flight_survive_a_missed_beat() {
    let (server, world) = (EtcdServer::start().await, Arc::new(World::default()));
    let discovery = server.discovery(|settings| settings.lease = Duration::from_secs(1));
    let watch = discovery.watch("shop").expect("a target");
    let balanced = Balanced::new("shop", "world", watch.clone(), Balance::default(), world.connect());
    let balanced = Arc::new(balanced);
    world.set("a", Does::Wait);
    let a = discovery.register("shop", instance("a")).expect("a registry");
    stands(&watch, "a").await;
    let in_flight = bus::spawn({
        let balanced = Arc::clone(&balanced);
        async move {
            // Its seat may be a moment later than its listing.
            loop {
                let answer = balanced.request("shop.ask", Headers::new(), Bytes::new()).await;
                if answer.is_ok() {
                    return answer;
                }
                tokio::task::yield_now().await;
            }
        }
    });
    bus_testkit::eventually("it is asked", SOON, async || world.heard_so_far() == 1).await;
    let _b = server.discovery(|_| {}).register("shop", instance("b")).expect("a registry");
    stands(&watch, "a b").await;
    drop(a);
    stands(&watch, "a? b").await;
    assert_eq!(balanced.request("shop.ask", Headers::new(), Bytes::new()).await, Ok("b".into()));
    stands(&watch, "b").await;
    assert!(!in_flight.is_finished(), "nobody has touched it");
    world.go();
    assert_eq!(in_flight.await.expect("it does not panic"), Ok("a".into()));
    bus_testkit::eventually("its transport is dropped then", SOON, async || world.transports().1 == 1).await;
}
