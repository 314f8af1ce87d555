//! Orders are placed, refused, approved, abandoned, and settled when the provider stays silent.

use crate::teller::Teller;
use serde_json::{Value, json};
use tests::{http::Request, shop::order};

const ORDERS: &str = "/api/v1/orders";

pub(crate) fn id(order: &Value) -> String {
    order["id"].as_str().or_else(|| order["order_id"].as_str()).expect("an id").to_owned()
}

pub(crate) async fn orders_are_placed_or_refused(teller: &mut Teller<'_>) {
    let (ada, bob, admin) = (teller.token("ada"), teller.token("bob"), teller.admin.clone());
    let (ada, bob, admin) = (Some(ada.as_str()), Some(bob.as_str()), Some(admin.as_str()));
    let wish = json!({
        "lines": [{"sku": "MUG-BLUE", "quantity": 2}, {"sku": "MUG-RED", "quantity": 1}],
        "payment": {"token": "tok_ok"},
        "shipping_address": {"name": "Ada", "line1": "1 Mill Lane", "city": "London", "postal_code": "N1", "country": "GB"},
        "note": "ring twice",
    });
    let placed = teller.post(201, ORDERS, ada, &wish).await;
    assert_eq!((&placed["status"], &placed["number"]), (&json!("placed"), &json!(1)));
    assert_eq!(placed["total"], json!({"amount": 3700, "currency": "EUR"}));
    let path = format!("{ORDERS}/{}", id(&placed));
    teller.orders.insert("placed", id(&placed));
    teller.get(200, &path, ada).await;
    teller.get(200, &format!("{path}?expand=user"), admin).await;
    assert_eq!(teller.get(404, &path, bob).await["code"], "not_found");
    teller.get(401, &path, None).await;

    let declined = teller.post(402, ORDERS, ada, &order("MUG-BLUE", 1, "tok_decline")).await;
    assert_eq!(declined["code"], "payment_declined");
    teller.orders.insert("declined", id(&declined));
    let rejected = teller.get(200, &format!("{ORDERS}/{}", id(&declined)), ada).await;
    assert_eq!(rejected["status"], "rejected");
    let late = teller.post(402, ORDERS, ada, &order("MUG-BLUE", 1, "tok_capture_decline")).await;
    teller.orders.insert("refused capture", id(&late));
    let short = teller.post(409, ORDERS, ada, &order("RARE", 2, "tok_ok")).await;
    assert_eq!(short["shortages"], json!([{"sku": "RARE", "requested": 2, "available": 1}]));
    let sums = json!({"lines": [{"sku": "RARE", "quantity": 1}, {"sku": "RARE", "quantity": 1}], "payment": {"token": "tok_ok"}});
    assert_eq!(teller.post(409, ORDERS, ada, &sums).await["code"], "insufficient_stock", "F2");
    let unknown = teller.post(422, ORDERS, ada, &order("NO-SUCH-SKU", 1, "tok_ok")).await;
    assert_eq!(unknown["code"], "unknown_sku");
    let mixed = json!({"lines": [{"sku": "MUG-BLUE", "quantity": 1}, {"sku": "POSTER", "quantity": 1}], "payment": {"token": "tok_ok"}});
    assert_eq!(teller.post(422, ORDERS, ada, &mixed).await["code"], "mixed_currencies");
    let large = json!({"lines": [{"sku": "RARE", "quantity": 1000}, {"sku": "MUG-BLUE", "quantity": 1}], "payment": {"token": "tok_ok"}});
    assert_eq!(teller.post(422, ORDERS, ada, &large).await["code"], "amount_too_large");
    assert_eq!(teller.post(422, ORDERS, ada, &order("MUG-BLUE", 0, "tok_ok")).await["code"], "out_of_range");
    teller.post(401, ORDERS, None, &wish).await;
    let nothing = teller.shop.look("/api/v1/stock/RARE").await;
    assert_eq!(nothing["reserved"], 0, "nothing stays reserved");

    let slow = teller.post(201, ORDERS, bob, &order("MUG-RED", 1, "tok_slow_120")).await;
    assert_eq!(slow["number"], 2, "F6: a refused order takes no number");
    let later = [("Prefer", "respond-async")];
    let wish = order("MUG-BLUE", 1, "tok_ok");
    let request = Request { method: "POST", path: ORDERS, token: bob, json: Some(&wish), headers: &later };
    let begun = teller.ask(202, &request).await.json();
    let path = format!("{ORDERS}/{}", id(&begun));
    teller.wait(&path, bob, |order| order["status"] == "placed").await;
    teller.get_settled(&path, bob).await;
    teller.get(200, ORDERS, ada).await;
    teller.get(200, &format!("{ORDERS}?status=rejected&limit=2"), ada).await;
    teller.get(200, &format!("{ORDERS}?status=placed"), admin).await;
    teller.get(422, &format!("{ORDERS}?status=lost"), admin).await;
}

pub(crate) async fn buyers_approve_or_abandon(teller: &mut Teller<'_>) {
    let ada = teller.token("ada");
    let ada = Some(ada.as_str());
    let edge = format!("http://{}", teller.shop.server.address);
    for (name, verb, ends) in [("approved", "approve", "placed"), ("abandoned", "abandon", "rejected")] {
        let order = teller.post(202, ORDERS, ada, &order("MUG-BLUE", 1, "tok_3ds")).await;
        assert_eq!((&order["status"], &order["number"]), (&json!("requires_action"), &Value::Null));
        teller.orders.insert(name, id(&order));
        let url = order["next_action"]["url"].as_str().expect("a page").to_owned();
        let page = url.strip_prefix(&edge).unwrap_or_else(|| panic!("{url} is at the edge"));
        let look = teller.ask(200, &Request { path: page, ..Request::default() }).await;
        assert!(String::from_utf8_lossy(&look.body).contains("12"), "the page says what it is about");
        let act = format!("{page}/{verb}");
        // Twice: the second time changes nothing.
        for _ in 0..2 {
            teller.ask(303, &Request { method: "POST", path: &act, ..Request::default() }).await;
        }
        let path = format!("{ORDERS}/{}", id(&order));
        teller.wait(&path, ada, |order| order["status"] == ends).await;
        teller.get_settled(&path, ada).await;
    }
    teller.get(404, "/sandbox/challenges/018f3f6e-7b1a-7c3d-8e2f-1a2b3c4d5e6f", None).await;
}

/// F12: a time-out is `processing`, and is settled by asking.
pub(crate) async fn what_the_provider_does_not_answer_is_settled(teller: &mut Teller<'_>) {
    let bob = teller.token("bob");
    let bob = Some(bob.as_str());
    // Of what was done the provider's webhook tells before the time is up.
    for (token, name) in [("tok_lost_ok", "lost"), ("tok_capture_lost_ok", "lost capture")] {
        let order = teller.post(201, ORDERS, bob, &order("MUG-BLUE", 1, token)).await;
        teller.orders.insert(name, id(&order));
    }
    let order = teller.post(202, ORDERS, bob, &order("MUG-BLUE", 1, "tok_lost_fail")).await;
    assert_eq!(order["status"], "processing");
    teller.orders.insert("never arrived", id(&order));
    let path = format!("{ORDERS}/{}", id(&order));
    teller.wait(&path, bob, |order| order["status"] == "rejected").await;
    teller.get_settled(&path, bob).await;
}
