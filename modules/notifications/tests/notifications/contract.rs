//! The contract suite, wherever the port is served.

use crate::world::{Backend, World, cancelled, new_id, placed, quick};
use bus::{Bus, Direct, Endpoints, Policies, Served};
use bus_testkit::{Standard, each_request_twice, place};
use kernel::OrderId;
use notifications_ports::{
    NotificationsPort, ORDER_CANCELLED, ORDER_PLACED,
    contract::{Happened, contract},
};
use std::sync::Arc;

/// What the suite presupposes, told anew for each run.
async fn happened(world: &World) -> Happened {
    let (told, buyer_gone) = (OrderId(new_id()), OrderId(new_id()));
    let (user, gone) = (world.users.register("Ada"), world.users.register("Bob"));
    world.users.forget(gone);
    world.tell(ORDER_PLACED, &placed(told, user)).await;
    world.tell(ORDER_PLACED, &placed(buyer_gone, gone)).await;
    world.handled().await;
    world.tell(ORDER_CANCELLED, &cancelled(told, user)).await;
    world.handled().await;
    Happened { told, buyer_gone, run: new_id() }
}

async fn everywhere(backend: Backend) {
    let world = World::start(backend, quick()).await;
    let service: Arc<dyn NotificationsPort> = world.service.clone();
    contract(service.clone(), happened(&world).await).await;
    for placement in Standard::ALL {
        let bus = bus_testkit::Placement::bus(&placement, Policies::default());
        let attached = place(&placement, &bus, service.clone(), &Policies::default()).await;
        contract(Arc::new(bus), happened(&world).await).await;
        drop(attached);
    }
    let served = Served::new(service, Arc::new(Direct), &Policies::default());
    let bus = Bus::new(Policies::default());
    let twice = each_request_twice(Arc::new(Endpoints::default().with_port(&served)));
    bus.connect("notifications", Arc::new(twice));
    contract(Arc::new(bus), happened(&world).await).await;
}

/// CALL-19, C21, C27: the same answers and the same errors in every placement.
#[actix_rt::test]
async fn the_contract_holds_in_every_placement() {
    everywhere(Backend::Sqlite).await;
}

/// As above, on PostgreSQL.
#[actix_rt::test]
#[ignore = "needs PostgreSQL"]
async fn the_contract_holds_in_every_placement_on_postgres() {
    everywhere(Backend::Postgres).await;
}
