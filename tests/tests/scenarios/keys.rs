//! Idempotency keys: the same request again is the same answer.

use crate::{placement::id, teller::Teller};
use serde_json::json;
use std::sync::Arc;
use tests::{http::Request, shop::order};

pub(crate) async fn a_request_is_safe_to_repeat(teller: &mut Teller<'_>) {
    let (ada, bob) = (teller.token("ada"), teller.token("bob"));
    let path = "/api/v1/orders";
    let headers = [("Idempotency-Key", "the-first-of-adas")];
    let wish = order("MUG-BLUE", 1, "tok_ok");
    let ask = |token, json| Request {
        method: "POST",
        path,
        token: Some(token),
        json: Some(json),
        headers: &headers,
    };
    let first = teller.ask(201, &ask(&ada, &wish)).await;
    let second = teller.ask(201, &ask(&ada, &wish)).await;
    assert_eq!((first.json(), second.header("idempotent-replayed")), (second.json(), Some("true")));
    let other = order("MUG-BLUE", 2, "tok_ok");
    assert_eq!(teller.ask(422, &ask(&ada, &other)).await.json()["code"], "idempotency_key_reused");
    let bobs = teller.ask(201, &ask(&bob, &wish)).await.json();
    assert_ne!(id(&bobs), id(&first.json()), "B20: a key is its caller's");

    // What was refused for good is kept, too.
    let headers = [("Idempotency-Key", "the-second")];
    let wish = order("MUG-BLUE", 1, "tok_decline");
    let request = Request { method: "POST", path, token: Some(&ada), json: Some(&wish), headers: &headers };
    let (first, second) = (teller.ask(402, &request).await, teller.ask(402, &request).await);
    assert_eq!(id(&first.json()), id(&second.json()));

    // While the first is still running, the second is told to wait.
    let headers = [("Idempotency-Key", "the-third")];
    let wish = order("MUG-BLUE", 1, "tok_slow_3000");
    let running = {
        let (server, token, wish) = (Arc::clone(&teller.shop.server), ada.clone(), wish.clone());
        bus::spawn(async move {
            let headers = [("Idempotency-Key", "the-third")];
            let request =
                Request { method: "POST", path, token: Some(&token), json: Some(&wish), headers: &headers };
            server.ask(&request).await.expect("an answer").json()
        })
    };
    teller.wait(path, Some(&ada), |orders| orders["data"][0]["status"] == "processing").await;
    let request = Request { method: "POST", path, token: Some(&ada), json: Some(&wish), headers: &headers };
    let early = teller.ask(409, &request).await;
    assert_eq!(early.json()["code"], "idempotency_key_in_use");
    assert!(early.header("retry-after").is_some());
    let placed = running.await.expect("runs");
    assert_eq!(placed["status"], "placed", "{placed}");
    assert_eq!(id(&teller.ask(201, &request).await.json()), id(&placed));

    // Other modules keep keys as well.
    let admin = teller.admin.clone();
    let headers = [("Idempotency-Key", "a-count")];
    let count = json!({"delta": 5, "reason": "found in the cellar"});
    let path = "/api/v1/stock/POSTER/adjustments";
    let request =
        Request { method: "POST", path, token: Some(&admin), json: Some(&count), headers: &headers };
    for _ in 0..2 {
        assert_eq!(teller.ask(201, &request).await.json()["on_hand"], 55);
    }
}
