//! The contract suite: directly, over the actor, and over the loopback codec with every request sent twice.

use crate::world::{World, signed};
use async_trait::async_trait;
use bus::{Bus, BusError, Direct, Endpoints, Headers, Policies, Port, Served, Transport};
use bus_testkit::{Standard, each_request_twice, place};
use bytes::Bytes;
use payments_ports::{PaymentsPort, contract};
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

/// Notes the names that are asked for.
struct Noting {
    inner: Endpoints,
    names: Arc<Mutex<BTreeSet<String>>>,
}

#[async_trait]
impl Transport for Noting {
    async fn request(&self, name: &str, headers: Headers, bytes: Bytes) -> Result<Bytes, BusError> {
        self.names.lock().unwrap().insert(name.to_owned());
        self.inner.request(name, headers, bytes).await
    }

    fn kind(&self) -> &'static str {
        "noting"
    }
}

async fn passes(world: &World, port: Arc<dyn PaymentsPort>) {
    let sources = world.sources.clone();
    contract(port, &world.sources, &move |id, body| signed(&sources, id, body)).await;
}

async fn the_contract_is_kept_directly_and_with_every_request_sent_twice(world: World) {
    let world = world.with_workers();
    passes(&world, Arc::clone(&world.service) as Arc<dyn PaymentsPort>).await;

    let policies = Policies::default();
    let port = Arc::clone(&world.service) as Arc<dyn PaymentsPort>;
    let served = Served::new(port, Arc::new(Direct), &policies);
    let names = Arc::new(Mutex::new(BTreeSet::new()));
    let noting = Noting { inner: Endpoints::default().with_port(&served), names: Arc::clone(&names) };
    let bus = Bus::new(policies);
    bus.connect("payments", Arc::new(each_request_twice(Arc::new(noting))));
    passes(&world, Arc::new(bus)).await;

    let asked = names.lock().unwrap().clone();
    let all: BTreeSet<String> =
        <dyn PaymentsPort as Port>::REQUESTS.iter().map(|request| request.name.to_owned()).collect();
    assert_eq!(asked, all, "the contract asks everything");
    assert_eq!(world.violations().await, []);
}

crate::on_both! {
    /// B15, F4, F7, F9, F11: the contract, each request sent once and each request sent twice.
    the_contract_is_kept_directly_and_with_every_request_sent_twice,
}

/// The contract over the actor, on this thread and on another, and with every value encoded.
#[test]
fn the_contract_is_kept_by_an_actor() {
    actix_rt::System::new().block_on(async {
        for placement in [Standard::Actor, Standard::ActorElsewhere, Standard::StrictActor] {
            let world = World::sqlite().await.with_workers();
            let policies = Policies::default();
            let bus = bus_testkit::Placement::bus(&placement, policies.clone());
            let port = Arc::clone(&world.service) as Arc<dyn PaymentsPort>;
            let _served = place(&placement, &bus, port, &policies).await;
            passes(&world, Arc::new(bus)).await;
        }
    });
}
