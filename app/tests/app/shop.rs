//! An order from the registration to its timeline, over HTTP.

use crate::world::{Client, eventually, start, try_start};
use serde_json::json;

/// F25, EVT-6: everything that follows from an order happens once, and adds up.
#[test]
fn an_order_is_placed_paid_told_and_explained() {
    let data = tempfile::tempdir().expect("a directory");
    cleave::block_on(async {
        let app = start(data.path()).await;
        let (admin, buyer) = (Client::admin(&app).await, Client::buyer(&app, "ada@example.test").await);
        admin.stock("MUG", 5).await;
        let placed = buyer.order("MUG", "k1").await.expect("an answer");
        assert_eq!((placed.status, placed.replayed), (201, false), "{placed:?}");
        let again = buyer.order("MUG", "k1").await.expect("an answer");
        assert_eq!((again.status, again.replayed, &again.json["id"]), (201, true, &placed.json["id"]));
        let id = placed.json["id"].as_str().expect("an id");
        let told = || async {
            let sent = admin.get(&format!("/api/v1/notifications?order_id={id}")).await;
            sent.json["data"].as_array().is_some_and(|sent| sent.len() == 1)
        };
        eventually("one confirmation", told).await;
        let shipped = || async {
            let stock = admin.get("/api/v1/stock/MUG").await;
            stock.json["on_hand"] == 4 && stock.json["reserved"] == 0
        };
        eventually("the stock has left the shelf", shipped).await;
        let timeline = buyer.get(&format!("/api/v1/orders/{id}/timeline")).await;
        let kinds: Vec<_> =
            timeline.json["data"].as_array().expect("a list").iter().map(|e| &e["kind"]).collect();
        for kind in ["order.placed", "payment.captured", "stock.sale", "notification.order_confirmation"] {
            assert!(kinds.contains(&&json!(kind)), "{kind} in {kinds:?}");
        }
        let ledger = admin.get(&format!("/sandbox/transactions?reference={id}")).await;
        assert_eq!(ledger.json["data"].as_array().map(Vec::len), Some(2), "{ledger:?}");
        let cancelled = buyer.post(&format!("/api/v1/orders/{id}/cancel"), &json!({})).await;
        assert_eq!((cancelled.status, &cancelled.json["payment_status"]), (200, &json!("refunded")));
        let report = admin.get("/api/v1/admin/integrity").await;
        assert_eq!(report.json["violations"], 0, "{report:?}");
        let ready = Client::of(&app).get("/readyz").await;
        assert_eq!(ready.json["modules"].as_array().map(Vec::len), Some(5), "{ready:?}");
        app.stop().await;
    });
}

/// A buyer of 3-D Secure is sent to a page that is there, and the order goes on when he is back.
#[test]
fn the_sandboxs_pages_are_where_the_buyer_is_sent() {
    let data = tempfile::tempdir().expect("a directory");
    cleave::block_on(async {
        let app = start(data.path()).await;
        let (admin, buyer) = (Client::admin(&app).await, Client::buyer(&app, "ada@example.test").await);
        admin.stock("MUG", 5).await;
        let body = json!({"lines": [{"sku": "MUG", "quantity": 1}], "payment": {"token": "tok_3ds"}});
        let waits = buyer.post("/api/v1/orders", &body).await;
        assert_eq!((waits.status, &waits.json["status"]), (202, &json!("requires_action")), "{waits:?}");
        let page = waits.json["next_action"]["url"].as_str().expect("a page");
        assert!(page.starts_with(&format!("http://{}/sandbox/challenges/", app.address())), "{page}");
        let http = reqwest::Client::new();
        assert_eq!(http.get(page).send().await.expect("an answer").status(), 200);
        assert!(http.post(format!("{page}/approve")).send().await.expect("an answer").status().is_success());
        let id = waits.json["id"].as_str().expect("an id").to_owned();
        let placed = || async { buyer.get(&format!("/api/v1/orders/{id}")).await.json["status"] == "placed" };
        eventually("the order is placed", placed).await;
        app.stop().await;
    });
}

#[test]
fn what_was_acknowledged_is_there_after_a_restart() {
    let data = tempfile::tempdir().expect("a directory");
    cleave::block_on(async {
        let app = start(data.path()).await;
        assert!(app.first_admin().is_some(), "the first start makes the admin");
        let (admin, buyer) = (Client::admin(&app).await, Client::buyer(&app, "ada@example.test").await);
        admin.stock("MUG", 5).await;
        let placed = buyer.order("MUG", "k1").await.expect("an answer");
        app.stop().await;
        let app = start(data.path()).await;
        assert!(app.first_admin().is_none(), "and no other start another one");
        let buyer = Client::of(&app).signed_in("ada@example.test", "a password for tests").await;
        let id = placed.json["id"].as_str().expect("an id");
        let found = buyer.get(&format!("/api/v1/orders/{id}")).await;
        assert_eq!((found.status, &found.json["number"]), (200, &json!(1)));
        app.stop().await;
    });
}

/// Two servers on one data directory would be two writers on each file.
#[test]
fn a_second_server_on_the_same_directory_refuses_and_says_why() {
    let data = tempfile::tempdir().expect("a directory");
    cleave::block_on(async {
        let app = start(data.path()).await;
        let refused = try_start(data.path()).await.err().expect("refused").to_string();
        assert!(refused.contains("in use by another process"), "{refused}");
        let admin = Client::admin(&app).await;
        assert_eq!(admin.get("/readyz").await.status, 200, "the first goes on");
        app.stop().await;
    });
}
