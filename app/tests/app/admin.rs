//! Sagas, dead letters and integrity, as an admin sees them.

use crate::world::{Client, sql, start};
use serde_json::{Value, json};

/// EVT-16, EVT-17: a dead letter keeps its bytes and its error, is listed without being read, replayed, discarded.
#[test]
fn a_dead_letter_is_listed_replayed_and_discarded() {
    let data = tempfile::tempdir().expect("a directory");
    cleave::block_on(async {
        start(data.path()).await.stop().await;
        // Nobody handles the second any more: once it is replayed it stays on its way.
        for (n, module, subscription) in
            [(1, "inventory", "inventory.ship_stock"), (2, "notifications", "notifications.forgotten")]
        {
            let insert = format!(
                "INSERT INTO inbox (message_id, subscription, name, source, key, sequence, at, data, state, attempts, \
                 due_at, received_at, error) VALUES (randomblob(16), '{subscription}', 'orders.order_placed.v1', 'orders', \
                 'key-{n}', 1, {n}, 'no JSON', 'dead', 8, 0, {n}, 'it was no JSON')"
            );
            assert_eq!(sql(data.path(), module, &insert).await, 1);
        }
        let app = start(data.path()).await;
        let admin = Client::admin(&app).await;
        let list = admin.get("/api/v1/admin/dead-letters?limit=1").await;
        let first = &list.json["data"][0];
        assert_eq!((&first["module"], &first["data"]), (&json!("inventory"), &json!("no JSON")), "{list:?}");
        assert_eq!((&first["error"], &first["attempts"]), (&json!("it was no JSON"), &json!(8)));
        let cursor = list.json["next_cursor"].as_str().expect("there is another");
        let rest = admin.get(&format!("/api/v1/admin/dead-letters?limit=1&cursor={cursor}")).await;
        assert_eq!(rest.json["data"][0]["module"], "notifications", "{rest:?}");
        assert_eq!(rest.json["next_cursor"], Value::Null);
        let report = admin.get("/api/v1/admin/integrity").await;
        assert_eq!(report.json["violations"], 2, "{report:?}");

        let id = |letter: &Value| letter["id"].as_str().expect("an id").to_owned();
        let discarded = format!("/api/v1/admin/dead-letters/{}", id(first));
        assert_eq!(admin.delete(&discarded).await.status, 204);
        assert_eq!(admin.delete(&discarded).await.status, 404);
        let replayed = format!("/api/v1/admin/dead-letters/{}/replay", id(&rest.json["data"][0]));
        assert_eq!(admin.post(&replayed, &json!({})).await.status, 202);
        assert_eq!(admin.post(&replayed, &json!({})).await.status, 404, "it is on its way");
        assert_eq!(admin.delete("/api/v1/admin/dead-letters/bm8").await.status, 404);
        app.stop().await;
    });
}

/// Section 5.1, API5: admin only; a saga is shown with its steps, newest first.
#[test]
fn sagas_are_listed_by_state_to_admins_only() {
    let data = tempfile::tempdir().expect("a directory");
    cleave::block_on(async {
        let app = start(data.path()).await;
        let (admin, buyer) = (Client::admin(&app).await, Client::buyer(&app, "ada@example.test").await);
        admin.stock("MUG", 9).await;
        for key in ["a", "b", "c"] {
            assert_eq!(buyer.order("MUG", key).await.expect("an answer").status, 201);
        }
        for path in ["/api/v1/admin/sagas", "/api/v1/admin/dead-letters", "/api/v1/admin/integrity"] {
            assert_eq!(
                (Client::of(&app).get(path).await.status, buyer.get(path).await.status),
                (401, 403),
                "{path}"
            );
        }
        let first = admin.get("/api/v1/admin/sagas?state=completed&limit=2").await;
        let cursor =
            first.json["next_cursor"].as_str().unwrap_or_else(|| panic!("there is another: {first:?}"));
        let rest = admin.get(&format!("/api/v1/admin/sagas?state=completed&limit=2&cursor={cursor}")).await;
        let id = |page: &Value, n: usize| page["data"][n]["id"].as_str().expect("an id").to_owned();
        assert!(id(&first.json, 0) > id(&first.json, 1) && id(&first.json, 1) > id(&rest.json, 0));
        assert_eq!(
            (rest.json["data"].as_array().map(Vec::len), &rest.json["next_cursor"]),
            (Some(1), &Value::Null)
        );
        assert_eq!(first.json["data"][0]["kind"], "orders.placement");
        let none = admin.get("/api/v1/admin/sagas?state=running,waiting,unwinding,needs_attention").await;
        assert_eq!(none.json["data"], json!([]));
        let all = admin.get("/api/v1/admin/sagas?state=running,completed").await;
        assert_eq!(all.json["data"], admin.get("/api/v1/admin/sagas").await.json["data"]);
        assert_eq!(admin.get("/api/v1/admin/sagas?state=running,").await.status, 422);
        assert_eq!(admin.get("/api/v1/admin/sagas?state=flying").await.status, 422);
        assert_eq!(admin.get("/api/v1/admin/sagas?cursor=x").await.json["code"], "invalid_cursor");
        let unknown = format!("/api/v1/admin/sagas/{}/retry", id(&rest.json, 0));
        assert_eq!(admin.post(&unknown, &json!({})).await.status, 404, "it needs no attention");
        app.stop().await;
    });
}

/// F15: the contract's routes are in the document, and so are those of operations.
#[test]
fn the_contract_names_every_resource() {
    let data = tempfile::tempdir().expect("a directory");
    cleave::block_on(async {
        let app = start(data.path()).await;
        let document = Client::of(&app).get("/openapi.json").await.json;
        for path in [
            "/api/v1/users",
            "/api/v1/products",
            "/api/v1/orders",
            "/api/v1/payments",
            "/api/v1/notifications",
            "/api/v1/admin/sagas",
            "/api/v1/admin/sagas/{id}/retry",
            "/api/v1/admin/dead-letters",
            "/api/v1/admin/dead-letters/{id}",
            "/api/v1/admin/dead-letters/{id}/replay",
            "/api/v1/admin/integrity",
            "/api/v1/admin/modules",
            "/sandbox/transactions",
            "/readyz",
        ] {
            assert!(document["paths"][path].is_object(), "{path}");
        }
        app.stop().await;
    });
}
