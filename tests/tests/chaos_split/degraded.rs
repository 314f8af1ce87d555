//! A module that is down: what needs it is refused in time and by name, what does not need it goes on. F19, C24.

use crate::ONE;
use bus_testkit::eventually;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tests::{
    process::ADMIN,
    shop::order,
    topology::{Adapter, Databases, Plan, Topology},
};

const SOON: Duration = Duration::from_secs(30);
/// Longer than any deadline: whoever waits for so long hangs.
const HANGS: Duration = Duration::from_secs(15);

/// What the edge says to a request that needs a module which is not there.
async fn refused(topology: &Topology, path: &str, json: Option<&Value>, token: &str, module: &str) {
    let (server, began) = (&topology.shop.server, Instant::now());
    let answer = match json {
        Some(json) => server.post(path, Some(token), json).await,
        None => server.get(path, Some(token)).await,
    };
    let answer = answer.expect("an answer");
    let said = answer.json();
    assert!(began.elapsed() < HANGS, "{path} took {:?}", began.elapsed());
    assert_eq!((answer.status, &said["code"]), (503, &json!("dependency_unavailable")), "{path}: {said}");
    assert_eq!(said["dependency"], module, "{path}: {said}");
}

async fn breaker(topology: &Topology, module: &str) -> String {
    let modules = topology.shop.look("/api/v1/admin/modules").await;
    let modules = modules["data"].as_array().expect("a list");
    let found = modules.iter().find(|known| known["module"] == module).expect("it is known");
    found["breaker"]["state"].as_str().unwrap_or_default().to_owned()
}

async fn force(topology: &Topology, module: &str, state: &str) {
    let (server, path) = (&topology.shop.server, format!("/api/v1/admin/modules/{module}/breaker"));
    let admin = server.sign_in(ADMIN.0, ADMIN.1).await.expect("the admin signs in");
    let forced = server.put(&path, Some(&admin), &json!({"state": state})).await.expect("an answer");
    assert_eq!(forced.status, 204, "{}", forced.json());
}

/// What `/metrics` says of a module.
async fn metric(topology: &Topology, name: &str, module: &str) -> Option<String> {
    let metrics = topology.shop.server.get("/metrics", None).await.expect("an answer");
    let text = String::from_utf8_lossy(&metrics.body).into_owned();
    let name = format!("{name}{{port=\"{module}\"}} ");
    text.lines().find_map(|line| line.strip_prefix(&name)).map(str::to_owned)
}

async fn gauge(topology: &Topology, module: &str) -> String {
    metric(topology, "bus_breaker_state", module).await.expect("there is a gauge")
}

async fn would_have_opened(topology: &Topology, module: &str) -> u64 {
    let count = metric(topology, "bus_breaker_would_open_total", module).await;
    count.map_or(0, |count| count.parse().expect("a number"))
}

async fn degrades(adapter: Adapter) {
    let _one = ONE.lock().await;
    let topology = Plan::six(adapter, Databases::Sqlite).start().await;
    let shop = &topology.shop;
    shop.stock("DOWN", 700, 100).await;
    let buyer = shop.server.buyer("down@example.test").await.expect("a buyer");
    let (orders, wish) = ("/api/v1/orders", order("DOWN", 1, "tok_ok"));
    let placed = shop.server.post(orders, Some(&buyer), &wish).await.expect("an answer");
    assert_eq!(placed.status, 201, "{}", placed.json());
    let path = format!("{orders}/{}", placed.json()["id"].as_str().expect("an id"));

    topology.server("inventory").kill().expect("killed");
    if adapter == Adapter::Amqp {
        // The broker keeps calls a few seconds for whoever may be back, and until then nobody knows.
        eventually("the broker gives inventory up", SOON, async || {
            let waited = shop.server.post(orders, Some(&buyer), &wish).await.expect("an answer");
            assert!(matches!(waited.status, 503 | 504), "{}", waited.json());
            waited.status == 503
        })
        .await;
    }
    refused(&topology, orders, Some(&wish), &buyer, "inventory").await;
    for read in [path.as_str(), orders, "/api/v1/users/me"] {
        let answer = shop.server.get(read, Some(&buyer)).await.expect("an answer");
        assert_eq!(answer.status, 200, "{read} needs no inventory: {}", answer.json());
    }
    eventually("the breaker before inventory opens", SOON, async || {
        refused(&topology, "/api/v1/products", None, &buyer, "inventory").await;
        breaker(&topology, "inventory").await == "open"
    })
    .await;
    assert_eq!(
        (gauge(&topology, "inventory").await, gauge(&topology, "users").await),
        ("2".into(), "0".into())
    );

    // CB-9: one that only looks on lets every call go to its end, and counts.
    force(&topology, "inventory", "metrics_only").await;
    eventually("it would have opened", SOON, async || {
        refused(&topology, "/api/v1/products", None, &buyer, "inventory").await;
        would_have_opened(&topology, "inventory").await > 0
    })
    .await;
    assert_eq!(breaker(&topology, "inventory").await, "metrics_only");
    force(&topology, "inventory", "auto").await;

    // Who bought it is not known for a while; what was bought is.
    topology.server("users").kill().expect("killed");
    let expanded = shop.server.get(&format!("{path}?expand=user"), Some(&buyer)).await.expect("an answer");
    assert_eq!(expanded.status, 200, "{}", expanded.json());
    assert_eq!(expanded.json()["user"]["unavailable"], true, "{}", expanded.json());

    for name in ["inventory", "users"] {
        topology.server(name).start_again().await.unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    eventually("the breaker before inventory closes", SOON, async || {
        let products = shop.server.get("/api/v1/products", None).await.expect("an answer");
        products.status == 200 && breaker(&topology, "inventory").await == "closed"
    })
    .await;
    assert_eq!(gauge(&topology, "inventory").await, "0");
    eventually("orders are placed again", SOON, async || {
        shop.server.post(orders, Some(&buyer), &wish).await.is_ok_and(|answer| answer.status == 201)
    })
    .await;
    shop.settles_within(SOON).await;
    topology.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_needs_a_module_that_is_down_is_refused_by_name_over_http() {
    degrades(Adapter::Http).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs NATS"]
async fn what_needs_a_module_that_is_down_is_refused_by_name_over_nats() {
    degrades(Adapter::Nats).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs RabbitMQ"]
async fn what_needs_a_module_that_is_down_is_refused_by_name_over_amqp() {
    degrades(Adapter::Amqp).await;
}
