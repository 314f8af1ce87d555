//! A shop as its clients see it: stocked, bought from, looked into.

use crate::process::{ADMIN, Server};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    io,
    time::{Duration, Instant},
};

/// A running shop and its admin's token.
#[derive(Debug)]
pub struct Shop {
    /// The server.
    pub server: Server,
    /// The admin's access token.
    pub admin: String,
}

impl Shop {
    /// Signs the admin in.
    ///
    /// # Errors
    /// Where the server refuses.
    pub async fn of(server: Server) -> io::Result<Self> {
        let admin = server.sign_in(ADMIN.0, ADMIN.1).await?;
        Ok(Self { server, admin })
    }

    /// Puts a product with one variant on sale.
    ///
    /// # Panics
    /// Where the shop refuses.
    pub async fn stock(&self, sku: &str, price: i64, on_hand: i64) {
        let product = json!({"title": format!("The {sku}"), "status": "active", "variants": [
            {"sku": sku, "price": {"amount": price, "currency": "EUR"}, "on_hand": on_hand}]});
        let made =
            self.server.post("/api/v1/products", Some(&self.admin), &product).await.expect("an answer");
        assert_eq!(made.status, 201, "{}", made.json());
    }

    /// What the admin gets at a path.
    ///
    /// # Panics
    /// Where there is no 200.
    pub async fn look(&self, path: &str) -> Value {
        let answer = self.server.get(path, Some(&self.admin)).await.expect("an answer");
        assert_eq!(answer.status, 200, "{path}: {}", answer.json());
        answer.json()
    }

    /// All rows of a list, page by page.
    ///
    /// # Panics
    /// As [`Shop::look`].
    pub async fn walk(&self, path: &str) -> Vec<Value> {
        let mut rows = Vec::new();
        let mut cursor = String::new();
        loop {
            let mark = if path.contains('?') { '&' } else { '?' };
            let page = self.look(&format!("{path}{mark}limit=100{cursor}")).await;
            rows.extend(page["data"].as_array().expect("a list").iter().cloned());
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return rows,
            }
        }
    }

    /// Waits until no saga works any more, no message is on its way and integrity is clean.
    ///
    /// # Panics
    /// Where that takes longer than `patience`; with what is off.
    pub async fn settles_within(&self, patience: Duration) {
        let began = Instant::now();
        loop {
            let mut open = Vec::new();
            for state in ["running", "waiting", "unwinding", "needs_attention"] {
                let path = format!("/api/v1/admin/sagas?state={state}");
                open.extend(self.look(&path).await["data"].as_array().expect("a list").iter().cloned());
            }
            let integrity = self.look("/api/v1/admin/integrity").await;
            if open.is_empty() && integrity["violations"] == 0 {
                return;
            }
            assert!(
                began.elapsed() < patience,
                "not settled within {patience:?}: {} open sagas, of which {:?}; integrity: {integrity}",
                open.len(),
                open.first()
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// What the provider really did for an order: how much of each kind succeeded.
    ///
    /// # Panics
    /// As [`Shop::look`].
    pub async fn provider_sums(&self, order: &str) -> BTreeMap<String, i64> {
        let ledger = self.look(&format!("/sandbox/transactions?reference={order}")).await;
        let mut sums = BTreeMap::new();
        for transaction in ledger["data"].as_array().expect("a list") {
            if transaction["status"] == "succeeded" {
                let kind = transaction["kind"].as_str().expect("a kind").to_owned();
                *sums.entry(kind).or_insert(0) +=
                    transaction["amount"]["amount"].as_i64().expect("an amount");
            }
        }
        sums
    }
}

/// The body of an order for one SKU.
#[must_use]
pub fn order(sku: &str, quantity: u32, token: &str) -> Value {
    json!({"lines": [{"sku": sku, "quantity": quantity}], "payment": {"token": token}})
}
