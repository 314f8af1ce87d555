//! Either side is killed in the middle of a move, and after it: started again, a module is found, and nothing is lost.

use crate::{Data, ONE, SOON, orders, standing_by, stocked};
use std::{sync::Arc, time::Duration};
use tests::{
    topology::{Adapter, Databases, Plan, Topology},
    verdict::judge,
};
use tokio::time::Instant;

/// What is moved and killed, in turn.
const MODULES: [&str; 3] = ["inventory", "orders", "payments"];

fn random(below: u64) -> Duration {
    Duration::from_millis(rand::random::<u64>() % below)
}

/// Starts a process again that was killed.
async fn restart(topology: &Topology, name: &str) {
    topology.server(name).start_again().await.unwrap_or_else(|error| panic!("{name}: {error}"));
}

/// Moves a module, asking as long as the answer is no: an interrupted move is found out about first.
async fn moves(topology: &Topology, module: &str, to: &str) {
    let deadline = Instant::now() + SOON;
    loop {
        let answer = topology.shop.place(module, to).await;
        if answer.status == 200 {
            return;
        }
        assert!(Instant::now() < deadline, "{module} does not come to {to}: {}", answer.json());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn survives(adapter: Adapter, data: Data, rounds: usize) {
    let _one = ONE.lock().await;
    let databases = if data == Data::Shared { Databases::Postgres } else { Databases::Sqlite };
    let mut topology = Plan::movable(adapter, databases).start().await;
    for module in MODULES {
        let process = standing_by(&topology, &format!("{module}-1"), module, data);
        topology.join(process).await;
    }
    let stocked = stocked(&topology.shop).await;
    let load = orders(&topology.shop, &stocked, 10).await;
    load.goes_on(5).await;
    for round in 0..rounds {
        let module = MODULES[round % MODULES.len()];
        let other = format!("{module}-1");
        // In the middle of it: the one who moves, then the one who is moved to; on the way out, then on the way back.
        for victim in ["shop", other.as_str()] {
            for to in [topology.place(&other), "local".to_owned()] {
                let moving = {
                    let (server, admin) = (Arc::clone(&topology.shop.server), topology.shop.admin.clone());
                    let (path, to) = (format!("/api/v1/admin/modules/{module}/placement"), to.clone());
                    // It may never be answered.
                    bus::spawn(async move {
                        drop(server.put(&path, Some(&admin), &serde_json::json!({"to": to})).await);
                    })
                };
                let after = random(150);
                tokio::time::sleep(after).await;
                topology.server(victim).kill().expect("killed");
                restart(&topology, victim).await;
                moving.await.expect("runs");
                eprintln!(
                    "{module} to {to}: {victim} killed after {after:?}, then at {}",
                    topology.shop.place_of(module).await
                );
                load.goes_on(3).await;
            }
        }
        // After it.
        moves(&topology, module, "local").await;
        let there = topology.place(&other);
        moves(&topology, module, &there).await;
        for victim in ["shop", other.as_str()] {
            topology.server(victim).kill().expect("killed");
            restart(&topology, victim).await;
            assert_eq!(topology.shop.place_of(module).await, there, "it finds its place again");
            load.goes_on(3).await;
        }
        moves(&topology, module, "local").await;
        topology.server("shop").kill().expect("killed");
        restart(&topology, "shop").await;
        assert_eq!(topology.shop.place_of(module).await, "local");
    }
    let history = load.stop().await;
    topology.shop.settles_within(SOON).await;
    let verdict = judge(&topology.shop, &history, &stocked).await;
    eprintln!("{adapter:?}, {data:?}: {verdict:?}, {:?}", history.statuses());
    topology.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_move_survives_kills_over_http_and_files_are_copied() {
    survives(Adapter::Http, Data::Copied, 3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_move_survives_kills_over_http_and_files_stay() {
    survives(Adapter::Http, Data::Handed, 3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL"]
async fn a_move_survives_kills_over_http_on_postgres() {
    survives(Adapter::Http, Data::Shared, 3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs NATS"]
async fn a_move_survives_kills_over_nats() {
    survives(Adapter::Nats, Data::Copied, 3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs RabbitMQ"]
async fn a_move_survives_kills_over_amqp() {
    survives(Adapter::Amqp, Data::Copied, 3).await;
}
