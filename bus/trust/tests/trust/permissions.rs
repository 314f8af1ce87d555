//! What a peer may do: what it is listed for.

use crate::world::{Sent, World, headers};
use bus_trust::Identity;
use bytes::Bytes;
use std::sync::Arc;

async fn call(world: &World, sender: &Arc<Identity>, name: &str) -> Sent {
    let module = name.split('.').next().expect("a module");
    let call = Sent { name: name.into(), headers: headers(&[]), bytes: Bytes::from_static(b"[]") };
    world.catch(sender, module, call).await
}

/// 12.3.5: that a peer is who it says is not all.
#[tokio::test]
async fn a_sender_that_is_not_listed_for_a_module_is_refused() {
    let world = World::new();
    const REASON: &str = "may not call this module";
    world.taken(&call(&world, &world.orders, "payments.capture").await).await;
    world.refused(&call(&world, &world.gateway, "payments.capture").await, REASON).await;
    world.refused(&call(&world, &world.payments, "payments.capture").await, REASON).await;
    world.refused(&call(&world, &world.payments, "inventory.reserve").await, REASON).await;
    world.refused(&call(&world, &world.orders, "users.user").await, REASON).await;
    world.refused(&call(&world, &world.orders, "inventory2.stock").await, REASON).await;
}

/// Who may call a module may not therefore move or operate it, and the other way round.
#[tokio::test]
async fn modules_are_moved_and_operated_by_few() {
    let world = World::new();
    for name in ["payments.control", "payments.operations", "inventory.control", "orders.operations"] {
        world.taken(&call(&world, &world.gateway, name).await).await;
        for other in [&world.orders, &world.payments] {
            world.refused(&call(&world, other, name).await, "may not move or operate").await;
        }
    }
    world.refused(&call(&world, &world.gateway, "payments.control2").await, "may not call this module").await;
    world
        .refused(&call(&world, &world.gateway, "payments.control.x").await, "may not call this module")
        .await;
}

/// What is allowed follows the roster from the next call on.
#[tokio::test]
async fn a_permission_that_is_taken_away_is_gone_at_once() {
    let world = World::new();
    world.taken(&world.reserve().await).await;
    let on_its_way = world.reserve().await;
    let mut roster = world.roster.clone();
    roster.allow.remove("inventory");
    world.peers.replace(roster).expect("a good roster");
    world.refused(&on_its_way, "may not call this module").await;
}
