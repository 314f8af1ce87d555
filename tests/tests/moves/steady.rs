//! Nobody notices: each module out and back, over each adapter, on each kind of database.

use crate::{Data, ONE, SOON, orders, standing_by, stocked};
use tests::{
    topology::{Adapter, Databases, MODULES, Plan, Topology},
    verdict::judge,
};

async fn moves(topology: &Topology, module: &str, to: &str) {
    let moved = topology.shop.place(module, to).await;
    let said = moved.json();
    assert_eq!(moved.status, 200, "{module} to {to}: {said}");
    assert_eq!((&said["module"], &said["at"]), (&module.into(), &to.into()), "{said}");
    assert_eq!(topology.shop.place_of(module).await, to);
}

/// No failed order, no lost or doubled event, integrity clean.
async fn nobody_notices(adapter: Adapter, data: Data) {
    let _one = ONE.lock().await;
    let databases = if data == Data::Shared { Databases::Postgres } else { Databases::Sqlite };
    let mut topology = Plan::movable(adapter, databases).patient().start().await;
    let stocked = stocked(&topology.shop).await;
    let load = orders(&topology.shop, &stocked, 10).await;
    load.goes_on(10).await;
    for module in MODULES {
        let name = format!("{module}-1");
        let process = standing_by(&topology, &name, module, data);
        topology.join(process).await;
        moves(&topology, module, &topology.place(&name)).await;
        load.goes_on(25).await;
        moves(&topology, module, "local").await;
        load.goes_on(15).await;
        topology.part(&name).await;
    }
    let history = load.stop().await;
    assert_eq!(history.failures(), Vec::<String>::new(), "{}", topology.name);
    topology.shop.settles_within(SOON).await;
    let verdict = judge(&topology.shop, &history, &stocked).await;
    assert_eq!(verdict.placed, history.attempts.len(), "every order was placed: {verdict:?}");
    eprintln!("{adapter:?}, {data:?}: {verdict:?}, {} looks", history.looks);
    topology.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn modules_move_over_http_and_their_files_are_copied() {
    nobody_notices(Adapter::Http, Data::Copied).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn modules_move_over_http_and_their_files_stay() {
    nobody_notices(Adapter::Http, Data::Handed).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL"]
async fn modules_move_over_http_on_postgres() {
    nobody_notices(Adapter::Http, Data::Shared).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs NATS"]
async fn modules_move_over_nats_and_their_files_are_copied() {
    nobody_notices(Adapter::Nats, Data::Copied).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs NATS and PostgreSQL"]
async fn modules_move_over_nats_on_postgres() {
    nobody_notices(Adapter::Nats, Data::Shared).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs RabbitMQ"]
async fn modules_move_over_amqp_and_their_files_are_copied() {
    nobody_notices(Adapter::Amqp, Data::Copied).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs RabbitMQ and PostgreSQL"]
async fn modules_move_over_amqp_on_postgres() {
    nobody_notices(Adapter::Amqp, Data::Shared).await;
}

/// All five, one after the other, until the shop is six processes of which the first only passes on; and back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_modules_move_out_together_and_back() {
    let _one = ONE.lock().await;
    let mut topology = Plan::movable(Adapter::Http, Databases::Sqlite).patient().start().await;
    let stocked = stocked(&topology.shop).await;
    let load = orders(&topology.shop, &stocked, 10).await;
    for module in MODULES {
        let name = format!("{module}-1");
        let process = standing_by(&topology, &name, module, Data::Copied);
        topology.join(process).await;
        moves(&topology, module, &topology.place(&name)).await;
        load.goes_on(5).await;
    }
    load.goes_on(20).await;
    for module in MODULES {
        moves(&topology, module, "local").await;
        load.goes_on(5).await;
    }
    let history = load.stop().await;
    assert_eq!(history.failures(), Vec::<String>::new());
    topology.shop.settles_within(SOON).await;
    let verdict = judge(&topology.shop, &history, &stocked).await;
    assert_eq!(verdict.placed, history.attempts.len(), "every order was placed: {verdict:?}");
    topology.stop().await;
}
