//! Buyers who want the same thing at the same time.

use crate::SOON;
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use tests::{shop::order, topology::Topology};

/// F1: sixty race for the last ten. (Two hundred for twenty, on one and on two servers: `race.rs` beside this suite.)
pub(crate) async fn the_last_units_are_sold_once(topology: &Topology) {
    const CLIENTS: usize = 60;
    const UNITS: usize = 10;
    let shop = &topology.shop;
    shop.stock("LAST", 1500, 10).await;
    let buyer = shop.server.buyer("racer@example.test").await.expect("a buyer");
    let racing = Arc::new(AtomicBool::new(true));
    let sampling = {
        let (racing, server, admin) = (Arc::clone(&racing), Arc::clone(&shop.server), shop.admin.clone());
        bus::spawn(async move {
            let mut samples = 0;
            while racing.load(Ordering::Relaxed) {
                let stock = server.get("/api/v1/stock/LAST", Some(&admin)).await.expect("an answer").json();
                for figure in ["on_hand", "reserved", "available"] {
                    assert!(stock[figure].as_i64().expect("a figure") >= 0, "F1: {stock}");
                }
                samples += 1;
            }
            samples
        })
    };
    let clients = (0..CLIENTS).map(|_| {
        let (buyer, server) = (buyer.clone(), Arc::clone(&shop.server));
        bus::spawn(async move {
            let wish = order("LAST", 1, "tok_ok");
            let answer = server.post("/api/v1/orders", Some(&buyer), &wish).await.expect("an answer");
            (answer.status, answer.json())
        })
    });
    let mut statuses: BTreeMap<u16, usize> = BTreeMap::new();
    for answer in futures::future::join_all(clients).await {
        let (status, body) = answer.expect("a client");
        assert!(status == 201 || body["code"] == "insufficient_stock", "{status} {body}");
        *statuses.entry(status).or_default() += 1;
    }
    assert_eq!(statuses, BTreeMap::from([(201, UNITS), (409, CLIENTS - UNITS)]));
    shop.settles_within(SOON).await;
    racing.store(false, Ordering::Relaxed);
    assert!(sampling.await.expect("never negative") > 0);
    let stock = shop.look("/api/v1/stock/LAST").await;
    assert_eq!((&stock["on_hand"], &stock["reserved"]), (&0.into(), &0.into()), "nothing stays reserved");
}
