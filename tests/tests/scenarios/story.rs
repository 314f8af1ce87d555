//! Where is order 42? One story over all modules, and what whoever runs the shop sees.

use crate::{SOON, teller::Teller};
use serde_json::{Value, json};

pub(crate) async fn what_happened_is_told(teller: &mut Teller<'_>) {
    let (ada, admin) = (teller.token("ada"), teller.admin.clone());
    let (ada, admin) = (Some(ada.as_str()), Some(admin.as_str()));
    teller.shop.settles_within(SOON).await;
    let orders = teller.orders.clone();
    for (name, order) in orders {
        let letters = format!("/api/v1/notifications?order_id={order}");
        let sent = |letters: &Value| {
            let letters = letters["data"].as_array();
            letters.is_some_and(|letters| letters.iter().all(|letter| letter["status"] == "sent"))
        };
        teller.wait(&letters, admin, sent).await;
        // Modules write their parts at the same time: which of two was first is not the same in every run.
        let timeline = format!("/api/v1/orders/{order}/timeline");
        let told = teller.get_sorted(&timeline, admin, &["kind", "detail"]).await;
        let told_of =
            |kind: &str| told.iter().any(|entry| entry["kind"].as_str().is_some_and(|k| k.starts_with(kind)));
        if name == "placed" {
            for kind in ["saga", "payment", "stock", "notification"] {
                assert!(told_of(kind), "{kind} is in the story: {told:?}");
            }
        }
        teller.get_sorted(&letters, admin, &["template", "id"]).await;
        teller.get_sorted(&format!("/sandbox/transactions?reference={order}"), admin, &["kind", "id"]).await;
        let payments = teller.get_settled(&format!("/api/v1/payments?order_id={order}"), admin).await;
        let payment = payments["data"][0]["id"].as_str().expect("an id").to_owned();
        teller.get_settled(&format!("/api/v1/payments/{payment}"), admin).await;
    }
    let placed = teller.orders["placed"].clone();
    teller.get_settled(&format!("/api/v1/payments?order_id={placed}"), ada).await;
    teller.get(403, &format!("/api/v1/notifications?order_id={placed}"), ada).await;
    teller.get(403, &format!("/sandbox/transactions?reference={placed}"), ada).await;
    let ledger =
        teller.get_sorted("/api/v1/stock/MUG-RED/movements", admin, &["kind", "order_id", "id"]).await;
    assert_eq!(ledger.len(), 4, "{ledger:?}");
    let resent = teller.get(200, &format!("/api/v1/notifications?order_id={placed}"), admin).await;
    let letter = resent["data"][0]["id"].as_str().expect("an id").to_owned();
    let path = format!("/api/v1/notifications/{letter}/resend");
    let resent = teller.shop.server.post(&path, admin, &json!({})).await.expect("an answer");
    assert_eq!(resent.status, 202, "{}", resent.json());
    let letters = format!("/api/v1/notifications?order_id={placed}");
    let again =
        |letters: &Value| letters["data"][0]["status"] == "sent" && letters["data"][0]["attempts"] == 2;
    teller.wait(&letters, admin, again).await;
    teller.get(200, &letters, admin).await;
}

pub(crate) async fn the_shop_can_be_operated(teller: &mut Teller<'_>) {
    let (ada, admin) = (teller.token("ada"), teller.admin.clone());
    let (ada, admin) = (Some(ada.as_str()), Some(admin.as_str()));
    teller.shop.settles_within(SOON).await;
    let integrity = teller.get(200, "/api/v1/admin/integrity", admin).await;
    assert_eq!(integrity["violations"], 0);
    teller.get(200, "/api/v1/admin/sagas?state=running,waiting,unwinding,needs_attention", admin).await;
    let dead = teller.get(200, "/api/v1/admin/dead-letters", admin).await;
    assert_eq!(dead["data"], json!([]));
    for path in [
        "/api/v1/admin/sagas",
        "/api/v1/admin/dead-letters",
        "/api/v1/admin/integrity",
        "/api/v1/admin/modules",
    ] {
        teller.get(403, path, ada).await;
        teller.get(401, path, None).await;
    }
    teller.get(200, "/healthz", None).await;
    teller.get(404, "/api/v1/no-such-thing", None).await;
    teller.post(405, "/healthz", None, &json!({})).await;
    let nobody = "/api/v1/admin/modules/shipping/placement";
    let request = tests::http::Request {
        method: "PUT",
        path: nobody,
        token: admin,
        json: Some(&json!({"to": "local"})),
        headers: &[],
    };
    teller.ask(404, &request).await;
}
