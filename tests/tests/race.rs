//! Buyers who want the same thing at the same time.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tests::{
    http::{Connection, Request},
    process::{Setup, debug_binary, postgres_urls},
    shop::{Shop, order},
};

/// 200 clients race for the last 20 units at one or two servers on the same databases.
async fn race(setups: Vec<Setup>) {
    let mut shops = Vec::new();
    for setup in setups {
        let setup = setup
            .with("CLEAVE__LOG__LEVEL", "warn")
            // However long two hundred at once take: nobody is answered before it is known.
            .with("CLEAVE__HTTP__REQUEST_DEADLINE", "60s")
            .with("CLEAVE__BUS__DEADLINE", "60s")
            .with("CLEAVE__DURABLE__SAGA_STEP_TIMEOUT", "60s")
            .with("CLEAVE__DURABLE__SAGA_LEASE", "60s")
            .with("CLEAVE__PAYMENTS__PROVIDER_TIMEOUT", "30s");
        shops.push(Shop::of(setup.start().await.expect("starts")).await.expect("the admin signs in"));
    }
    let shop = &shops[0];
    shop.stock("LAST", 1500, 20).await;
    let buyer = shop.server.buyer("buyer@example.test").await.expect("a buyer");
    let racing = Arc::new(AtomicBool::new(true));
    let sampling = {
        let (racing, address, admin) = (Arc::clone(&racing), shop.server.address, shop.admin.clone());
        bus::spawn(async move {
            let mut connection = Connection::open(address).await.expect("connects");
            let mut samples = 0;
            while racing.load(Ordering::Relaxed) {
                let request =
                    Request { path: "/api/v1/stock/LAST", token: Some(&admin), ..Request::default() };
                let stock = connection.send(&request).await.expect("an answer").json();
                for figure in ["on_hand", "reserved", "available"] {
                    assert!(stock[figure].as_i64().expect("a figure") >= 0, "F1: {stock}");
                }
                samples += 1;
            }
            samples
        })
    };
    let clients = (0..200).map(|n: usize| {
        let (buyer, address) = (buyer.clone(), shops[n % shops.len()].server.address);
        bus::spawn(async move {
            let body = order("LAST", 1, "tok_ok");
            let (path, token) = ("/api/v1/orders", Some(buyer.as_str()));
            let request = Request { method: "POST", path, token, json: Some(&body), headers: &[] };
            let answer = Connection::open(address).await.expect("connects").send(&request).await;
            let answer = answer.expect("an answer");
            (answer.status, answer.json())
        })
    });
    let mut statuses: BTreeMap<u16, usize> = BTreeMap::new();
    for answer in futures::future::join_all(clients).await {
        let (status, body) = answer.expect("a client");
        if status == 409 {
            assert_eq!(body["code"], "insufficient_stock", "{body}");
        }
        *statuses.entry(status).or_default() += 1;
    }
    assert_eq!(statuses, BTreeMap::from([(201, 20), (409, 180)]));
    shop.settles_within(Duration::from_secs(20)).await;
    racing.store(false, Ordering::Relaxed);
    assert!(sampling.await.expect("never negative") > 0);
    let stock = shop.look("/api/v1/stock/LAST").await;
    assert_eq!((&stock["on_hand"], &stock["reserved"]), (&0.into(), &0.into()), "nothing stays reserved");
    let numbers: Vec<i64> = {
        let orders = shop.walk("/api/v1/orders?status=placed").await;
        let mut numbers: Vec<i64> = orders.iter().filter_map(|order| order["number"].as_i64()).collect();
        numbers.sort_unstable();
        numbers
    };
    assert_eq!(numbers, (1..=20).collect::<Vec<_>>(), "F6: numbers are gap-free");
    for shop in shops {
        shop.server.terminate().expect("ends");
    }
}

/// F1 on SQLite.
#[tokio::test]
async fn two_hundred_race_for_the_last_twenty() {
    let data = tempfile::tempdir().expect("a directory");
    race(vec![Setup::new(debug_binary(), data.path())]).await;
}

/// F1 on PostgreSQL.
#[tokio::test]
#[ignore = "needs PostgreSQL"]
async fn two_hundred_race_for_the_last_twenty_on_postgres() {
    let data = tempfile::tempdir().expect("a directory");
    let (urls, _guards) = postgres_urls("race").await;
    race(vec![Setup::new(debug_binary(), data.path()).on_postgres(&urls)]).await;
}

/// F1 with two server processes on one PostgreSQL.
#[tokio::test]
#[ignore = "needs PostgreSQL"]
async fn two_hundred_race_for_the_last_twenty_at_two_servers() {
    let (one, two) = (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory"));
    let (urls, _guards) = postgres_urls("race2").await;
    // They share the generated secrets as they share the databases.
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYqr";
    let setup = |data: &std::path::Path| {
        Setup::new(debug_binary(), data).on_postgres(&urls).with("CLEAVE__PAYMENTS__WEBHOOK_SECRET", secret)
    };
    race(vec![setup(one.path()), setup(two.path())]).await;
}
