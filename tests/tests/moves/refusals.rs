//! Moves that cannot come to a good end are not begun: the reason is given, and everything is as it was.

use crate::{Data, ONE, SOON, orders, standing_by, stocked, stranger};
use serde_json::{Value, json};
use std::sync::Arc;
use tests::{
    process::free_address,
    shop::order,
    topology::{Adapter, Databases, Plan, Process, Topology},
    verdict::judge,
};

async fn refused(topology: &Topology, module: &str, to: &str, why: &str) {
    let answer = topology.shop.place(module, to).await;
    let said = answer.json();
    assert_eq!((answer.status, &said["code"]), (409, &json!("placement_refused")), "{to}: {said}");
    let detail = said["detail"].as_str().expect("a reason");
    assert!(detail.contains(why), "{to}: {detail}");
    assert_eq!(topology.shop.place_of(module).await, "local", "everything is as it was");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_move_that_cannot_end_well_is_refused() {
    let _one = ONE.lock().await;
    let mut topology = Plan::movable(Adapter::Http, Databases::Sqlite).patient().start().await;
    let stocked = stocked(&topology.shop).await;
    let load = orders(&topology.shop, &stocked, 10).await;

    let nobody = format!("http://{}", free_address().expect("an address"));
    refused(&topology, "inventory", &nobody, "").await;

    // What another process says of itself, and what is wrong with that.
    let fit = json!({
        "process": "stranger", "version": "0.1.0", "is_able": true, "serves": false, "speaks": [], "missing": [],
        "data": [{"is": "nothing"}],
    });
    let with = |member: &str, value: Value| {
        let mut description = fit.clone();
        description[member] = value;
        description
    };
    let wrong = [
        (with("is_able", false.into()), "is built without inventory"),
        (fit.clone(), "speaks another contract"),
        (with("process", "shop".into()), "is this process"),
    ];
    for (description, why) in wrong {
        let (_listener, at) = stranger::who_says(description).await;
        refused(&topology, "inventory", &at, why).await;
    }

    // A process that reaches nothing of what the module calls.
    topology.join(Process::standing_by("orders-1", "orders").unaware_of("inventory")).await;
    refused(&topology, "orders", &topology.place("orders-1"), "does not reach inventory").await;

    // One that has another database there already, and one that serves it.
    let mut process = standing_by(&topology, "inventory-1", "inventory", Data::Copied);
    topology.join(process.clone()).await;
    std::fs::write(topology.data("inventory-1").join("inventory.db"), "of another shop").expect("written");
    refused(&topology, "inventory", &topology.place("inventory-1"), "another database").await;
    process = Process::serving("inventory-2", &["inventory"]);
    topology.join(process).await;
    refused(&topology, "inventory", &topology.place("inventory-2"), "inventory").await;

    let unknown = topology.shop.place("inventory", "the moon").await;
    assert_eq!((unknown.status, &unknown.json()["code"]), (422, &json!("invalid_place")));
    assert_eq!(topology.shop.place("shipping", "local").await.status, 404);

    load.goes_on(10).await;
    let history = load.stop().await;
    assert_eq!(history.failures(), Vec::<String>::new());
    topology.shop.settles_within(SOON).await;
    judge(&topology.shop, &history, &stocked).await;
    topology.stop().await;
}

/// A call that does not end in time: the move is given up, and the call is answered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_move_that_would_take_too_long_is_given_up() {
    let _one = ONE.lock().await;
    let plan = Plan::movable(Adapter::Http, Databases::Sqlite)
        .patient()
        .with("CLEAVE__WIRE__MOVE_TIMEOUT", "500ms")
        .with("CLEAVE__PAYMENTS__PROVIDER_TIMEOUT", "8s");
    let mut topology = plan.start().await;
    let stocked = stocked(&topology.shop).await;
    let process = standing_by(&topology, "payments-1", "payments", Data::Copied);
    topology.join(process).await;
    let buyer = topology.shop.server.buyer("slow@example.test").await.expect("a buyer");
    let slow = {
        let (server, buyer, wish) =
            (Arc::clone(&topology.shop.server), buyer.clone(), order(&stocked[0].0, 1, "tok_slow_5000"));
        bus::spawn(async move { server.post("/api/v1/orders", Some(&buyer), &wish).await })
    };
    bus_testkit::eventually("payments waits for its provider", SOON, async || {
        let modules = topology.shop.look("/api/v1/admin/modules").await;
        let modules = modules["data"].as_array().expect("a list");
        modules.iter().any(|module| module["module"] == "payments" && module["in_flight"] == 1)
    })
    .await;
    refused(&topology, "payments", &topology.place("payments-1"), "nothing has changed").await;
    let placed = slow.await.expect("runs").expect("an answer");
    assert_eq!(placed.status, 201, "{}", placed.json());
    bus_testkit::eventually("it moves once it is quiet", SOON, async || {
        topology.shop.place("payments", &topology.place("payments-1")).await.status == 200
    })
    .await;
    topology.shop.settles_within(SOON).await;
    topology.stop().await;
}

/// On PostgreSQL it is proved that both sides reach one database.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL"]
async fn a_process_on_another_database_is_refused() {
    let _one = ONE.lock().await;
    let mut topology = Plan::movable(Adapter::Http, Databases::Postgres).start().await;
    let (other, _guard) = bus_testkit::postgres::fresh_postgres("another").await;
    let process =
        Process::standing_by("inventory-1", "inventory").with("CLEAVE__INVENTORY__DATABASE_URL", other);
    topology.join(process).await;
    refused(&topology, "inventory", &topology.place("inventory-1"), "another database").await;
    let file = Process::standing_by("inventory-2", "inventory")
        .with("CLEAVE__INVENTORY__DATABASE_URL", "sqlite://{data_dir}/inventory.db");
    topology.join(file).await;
    refused(&topology, "inventory", &topology.place("inventory-2"), "SQLite").await;
    topology.stop().await;
}
