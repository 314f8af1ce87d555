//! What a shop does, wherever its modules are: one body for each scenario, run on every topology, each on the real binary.
//!
//! The scripted ones are also written down, word by word, and held against what the monolith on SQLite says: nothing
//! may differ but ids and times.

mod catalogue;
mod crash;
mod keys;
mod money;
mod people;
mod placement;
mod race;
mod story;
mod teller;

use serde_json::Value;
use std::time::Duration;
use teller::Teller;
use tests::{
    topology::{Adapter, Databases, Plan, Topology},
    transcript::differences,
};
use tokio::sync::{Mutex, OnceCell};

/// How long a shop may take to come to rest.
const SOON: Duration = Duration::from_secs(30);

/// One topology at a time: each has processes enough for the machine.
static ONE: Mutex<()> = Mutex::const_new(());

/// What the monolith on SQLite says.
static REFERENCE: OnceCell<Vec<Value>> = OnceCell::const_new();

/// The scripted scenarios, in their order, and all that was said.
async fn script(topology: &Topology) -> Vec<Value> {
    let mut teller = Teller::of(&topology.shop);
    people::buyers_register_and_sign_in(&mut teller).await;
    catalogue::products_are_put_on_sale_and_found(&mut teller).await;
    placement::orders_are_placed_or_refused(&mut teller).await;
    placement::buyers_approve_or_abandon(&mut teller).await;
    placement::what_the_provider_does_not_answer_is_settled(&mut teller).await;
    keys::a_request_is_safe_to_repeat(&mut teller).await;
    money::orders_are_cancelled_and_money_given_back(&mut teller).await;
    story::what_happened_is_told(&mut teller).await;
    story::the_shop_can_be_operated(&mut teller).await;
    teller.said()
}

async fn reference() -> &'static [Value] {
    let said = async || {
        let monolith = Plan::monolith(Databases::Sqlite).patient().start().await;
        let said = script(&monolith).await;
        monolith.stop().await;
        said
    };
    REFERENCE.get_or_init(said).await
}

/// All of it, on one topology.
async fn passes(plan: Plan) {
    let _one = ONE.lock().await;
    let expected = reference().await;
    let topology = plan.patient().start().await;
    let said = script(&topology).await;
    let differences = differences(&said, expected);
    assert!(differences.is_empty(), "{} is no monolith on SQLite: {differences:#?}", topology.name);
    race::the_last_units_are_sold_once(&topology).await;
    money::refunds_never_exceed_what_was_captured(&topology).await;
    crash::every_process_is_killed_in_turn(&topology).await;
    topology.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_monolith_on_sqlite() {
    passes(Plan::monolith(Databases::Sqlite)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL"]
async fn a_monolith_on_postgres() {
    passes(Plan::monolith(Databases::Postgres)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn inventory_alone_over_http() {
    passes(Plan::alone("inventory", Adapter::Http, Databases::Sqlite)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs NATS"]
async fn inventory_alone_over_nats() {
    passes(Plan::alone("inventory", Adapter::Nats, Databases::Sqlite)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs RabbitMQ"]
async fn inventory_alone_over_amqp() {
    passes(Plan::alone("inventory", Adapter::Amqp, Databases::Sqlite)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_processes_over_http() {
    passes(Plan::five(Adapter::Http, Databases::Sqlite)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs NATS"]
async fn five_processes_over_nats() {
    passes(Plan::five(Adapter::Nats, Databases::Sqlite)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs RabbitMQ"]
async fn five_processes_over_amqp() {
    passes(Plan::five(Adapter::Amqp, Databases::Sqlite)).await;
}
