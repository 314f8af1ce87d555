//! The contract suite: directly, by an actor, and through the codec with every request sent twice.

use crate::world::World;
use async_trait::async_trait;
use bus::{Bus, BusError, Direct, Endpoints, Headers, Policies, Port as _, Served, Transport};
use bus_testkit::{Standard, each_request_twice, place};
use bytes::Bytes;
use inventory_ports::{InventoryPort, contract};
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

/// Notes which requests were sent.
struct Noting {
    inner: Endpoints,
    sent: Arc<Mutex<BTreeSet<String>>>,
}

#[async_trait]
impl Transport for Noting {
    async fn request(&self, name: &str, headers: Headers, bytes: Bytes) -> Result<Bytes, BusError> {
        self.sent.lock().expect("no panic holds it").insert(name.to_owned());
        self.inner.request(name, headers, bytes).await
    }

    fn kind(&self) -> &'static str {
        "noting"
    }
}

async fn the_contract_is_kept_directly(world: World) {
    contract(world.service).await;
}

/// Every command is safe to repeat; and the suite leaves no request out.
async fn the_contract_is_kept_with_every_request_sent_twice(world: World) {
    let service: Arc<dyn InventoryPort> = world.service;
    let served = Served::new(service, Arc::new(Direct), &Policies::default());
    let sent = Arc::new(Mutex::new(BTreeSet::new()));
    let noting = Noting { inner: Endpoints::default().with_port(&served), sent: Arc::clone(&sent) };
    let bus = Bus::new(Policies::default());
    bus.connect("inventory", Arc::new(each_request_twice(Arc::new(noting))));
    contract(Arc::new(bus)).await;
    let declared: BTreeSet<String> =
        <dyn InventoryPort>::REQUESTS.iter().map(|request| request.name.to_owned()).collect();
    assert_eq!(*sent.lock().expect("no panic holds it"), declared);
}

crate::on_both! {
    the_contract_is_kept_directly,
    the_contract_is_kept_with_every_request_sent_twice,
}

/// One body for all placements.
#[test]
fn the_contract_is_kept_by_an_actor() {
    actix_rt::System::new().block_on(async {
        let world = World::sqlite().await;
        let service: Arc<dyn InventoryPort> = world.service;
        for placement in [Standard::Actor, Standard::StrictActor] {
            let policies = Policies::default();
            let bus = bus_testkit::Placement::bus(&placement, policies.clone());
            let _attached = place(&placement, &bus, Arc::clone(&service), &policies).await;
            contract(Arc::new(bus)).await;
        }
    });
}
