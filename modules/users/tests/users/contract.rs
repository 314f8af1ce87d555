//! The contract suite: directly, over the actor, and over the loopback with every request sent twice.

use crate::world::{ADMIN, ADMIN_PASSWORD, World};
use async_trait::async_trait;
use bus::{Bus, BusError, Direct, Endpoints, Headers, Policies, Port as _, Served, Transport};
use bus_testkit::{Standard, each_request_twice, place};
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};
use users_ports::{ContractAdmin, Secret, UsersPort, contract};

fn admin() -> ContractAdmin {
    ContractAdmin { email: ADMIN.into(), password: Secret::new(ADMIN_PASSWORD) }
}

async fn directly(world: World) {
    contract(Arc::clone(&world.service) as Arc<dyn UsersPort>, admin()).await;
}

on_both!(directly, with_every_request_twice);

#[actix_rt::test]
async fn over_the_actor() {
    let world = World::sqlite().await;
    let bus = Bus::strict(Policies::default());
    let service = Arc::clone(&world.service) as Arc<dyn UsersPort>;
    let attached = place(&Standard::Actor, &bus, service, &Policies::default()).await;
    contract(Arc::new(bus), admin()).await;
    assert_eq!(attached.pending(), 0);
}

/// Notes the names that go by.
struct Recorder {
    inner: Endpoints,
    names: Mutex<BTreeSet<String>>,
}

#[async_trait]
impl Transport for Recorder {
    async fn request(
        &self,
        name: &str,
        headers: Headers,
        bytes: bytes::Bytes,
    ) -> Result<bytes::Bytes, BusError> {
        self.names.lock().expect("no panic").insert(name.to_owned());
        self.inner.request(name, headers, bytes).await
    }

    fn kind(&self) -> &'static str {
        "recorder"
    }
}

/// Commands twice: each request over the codec, sent twice, its second answer the one that counts. And the suite asks
/// everything that the port can be asked.
async fn with_every_request_twice(world: World) {
    let service = Arc::clone(&world.service) as Arc<dyn UsersPort>;
    let served = Served::new(service, Arc::new(Direct), &Policies::default());
    let inner = Endpoints::default().with_port(&served);
    let recorder = Arc::new(Recorder { inner, names: Mutex::default() });
    let bus = Bus::new(Policies::default());
    bus.connect(users::NAME, Arc::new(each_request_twice(Arc::clone(&recorder) as Arc<dyn Transport>)));
    contract(Arc::new(bus), admin()).await;
    let asked = recorder.names.lock().expect("no panic").clone();
    let known = <dyn UsersPort>::REQUESTS.iter().map(|request| request.name.to_owned()).collect();
    assert_eq!(asked, known);
}
