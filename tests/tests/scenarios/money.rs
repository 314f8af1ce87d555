//! Money goes back: cancelled orders, refunds, and the most that can be given back.

use crate::{SOON, placement::id, teller::Teller};
use serde_json::json;
use std::collections::BTreeMap;
use tests::{shop::order, topology::Topology};

const ORDERS: &str = "/api/v1/orders";

pub(crate) async fn orders_are_cancelled_and_money_given_back(teller: &mut Teller<'_>) {
    let (ada, bob, admin) = (teller.token("ada"), teller.token("bob"), teller.admin.clone());
    let (ada, bob, admin) = (Some(ada.as_str()), Some(bob.as_str()), Some(admin.as_str()));
    let placed = teller.post(201, ORDERS, ada, &order("MUG-BLUE", 2, "tok_ok")).await;
    let path = format!("{ORDERS}/{}", id(&placed));
    teller.orders.insert("cancelled", id(&placed));
    // Cancelled at once, it may never have left the shelf, and then does not come back.
    teller.shop.settles_within(SOON).await;
    let why = json!({"reason": "a change of mind"});
    teller.post(404, &format!("{path}/cancel"), bob, &why).await;
    let cancelled = teller.post(200, &format!("{path}/cancel"), ada, &why).await;
    assert_eq!(
        (&cancelled["status"], &cancelled["payment_status"]),
        (&json!("cancelled"), &json!("refunded"))
    );
    teller.get(200, &path, ada).await;
    let declined = format!("{ORDERS}/{}/cancel", teller.orders["declined"]);
    assert_eq!(teller.post(409, &declined, ada, &why).await["code"], "invalid_transition");

    let waiting = teller.post(202, ORDERS, ada, &order("MUG-BLUE", 1, "tok_3ds")).await;
    let cancel = format!("{ORDERS}/{}/cancel", id(&waiting));
    assert_eq!(teller.post(200, &cancel, ada, &why).await["status"], "cancelled");

    let placed = teller.post(201, ORDERS, ada, &order("MUG-BLUE", 3, "tok_ok")).await;
    let path = format!("{ORDERS}/{}", id(&placed));
    let refunds = format!("{path}/refunds");
    teller.orders.insert("refunded", id(&placed));
    let some = json!({"amount": {"amount": 600, "currency": "EUR"}, "reason": "a scratch"});
    teller.post(403, &refunds, ada, &some).await;
    teller.post(201, &refunds, admin, &some).await;
    let order = teller.get(200, &path, ada).await;
    assert_eq!(
        (&order["payment_status"], &order["refunded"]["amount"]),
        (&json!("partially_refunded"), &json!(600))
    );
    let line = json!({"lines": [{"sku": "MUG-BLUE", "quantity": 1}], "reason": "one is broken"});
    teller.post(201, &refunds, admin, &line).await;
    let too_much = json!({"amount": {"amount": 1801, "currency": "EUR"}, "reason": "more than there is"});
    assert_eq!(teller.post(409, &refunds, admin, &too_much).await["code"], "refund_exceeds_captured");
    teller.post(201, &refunds, admin, &json!({"reason": "the rest"})).await;
    let order = teller.get(200, &path, ada).await;
    assert_eq!(order["payment_status"], "refunded");
    teller.post(409, &refunds, admin, &some).await;
}

/// F9: of many refunds at once no more come through than was captured.
pub(crate) async fn refunds_never_exceed_what_was_captured(topology: &Topology) {
    let shop = &topology.shop;
    shop.stock("REFUNDED", 1000, 10).await;
    let buyer = shop.server.buyer("refunded@example.test").await.expect("a buyer");
    let placed =
        shop.server.post(ORDERS, Some(&buyer), &order("REFUNDED", 1, "tok_ok")).await.expect("an answer");
    assert_eq!(placed.status, 201, "{}", placed.json());
    let order = id(&placed.json());
    let path = format!("{ORDERS}/{order}/refunds");
    let some = json!({"amount": {"amount": 300, "currency": "EUR"}, "reason": "all at once"});
    let asked = (0..8).map(|_| shop.server.post(&path, Some(&shop.admin), &some));
    let mut statuses: BTreeMap<u16, usize> = BTreeMap::new();
    for answer in futures::future::join_all(asked).await {
        *statuses.entry(answer.expect("an answer").status).or_default() += 1;
    }
    assert_eq!(statuses, BTreeMap::from([(201, 3), (409, 5)]), "three times 300 of 1000");
    shop.settles_within(SOON).await;
    assert_eq!(shop.provider_sums(&order).await["refund"], 900);
}
