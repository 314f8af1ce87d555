//! A shop as its clients see it: stocked, bought from, looked into.

use crate::{
    http::Answer,
    process::{ADMIN, Server},
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    io,
    sync::Arc,
    time::{Duration, Instant},
};

/// A running shop and its admin's token.
#[derive(Debug)]
pub struct Shop {
    /// The server that clients talk to.
    pub server: Arc<Server>,
    /// The admin's access token.
    pub admin: String,
}

impl Shop {
    /// Signs the admin in.
    ///
    /// # Errors
    /// Where the server refuses.
    pub async fn of(server: impl Into<Arc<Server>>) -> io::Result<Self> {
        let server = server.into();
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
        self.try_look(path).await.unwrap_or_else(|why| panic!("{why}"))
    }

    async fn try_look(&self, path: &str) -> Result<Value, String> {
        match self.server.get(path, Some(&self.admin)).await {
            Ok(answer) if answer.status == 200 => Ok(answer.json()),
            Ok(answer) => Err(format!("{path}: {} {}", answer.status, answer.json())),
            Err(error) => Err(format!("{path}: {error}")),
        }
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
        // A message may hop past a look at one module after the other, but hardly past two.
        let mut quiet = 0;
        while quiet < 2 {
            let unsettled = self.unsettled().await;
            quiet = if unsettled.is_empty() { quiet + 1 } else { 0 };
            let waited = began.elapsed();
            assert!(waited < patience || quiet > 0, "not settled within {patience:?}: {unsettled:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// What is still on its way or off; a module that does not answer is, too.
    async fn unsettled(&self) -> Vec<Value> {
        self.look_around().await.unwrap_or_else(|why| vec![why.into()])
    }

    async fn look_around(&self) -> Result<Vec<Value>, String> {
        let list = |answer: Value| answer["data"].as_array().expect("a list").clone();
        // In one read: asked one by one, a saga that goes from one state to another is in none.
        let states = "running,waiting,unwinding,needs_attention";
        let sagas = self.try_look(&format!("/api/v1/admin/sagas?state={states}")).await?;
        let mut unsettled = sagas["unavailable"].as_array().expect("a list").clone();
        unsettled.extend(list(sagas));
        let late = |module: &Value| ["outbox_lag_ms", "inbox_lag_ms"].iter().any(|lag| module[lag] != 0);
        unsettled.extend(list(self.try_look("/api/v1/admin/modules").await?).into_iter().filter(late));
        let integrity = self.try_look("/api/v1/admin/integrity").await?;
        let sound = |check: &Value| check["violations"] == 0;
        let checks = integrity["checks"].as_array().expect("checks").iter();
        unsettled.extend(checks.filter(|check| !sound(check)).cloned());
        Ok(unsettled)
    }

    /// Asks for a module to be moved: `local`, `http://…`, `nats:…`, `amqp:…`.
    ///
    /// # Panics
    /// Where no answer came.
    pub async fn place(&self, module: &str, to: &str) -> Answer {
        let path = format!("/api/v1/admin/modules/{module}/placement");
        self.server.put(&path, Some(&self.admin), &json!({"to": to})).await.expect("an answer")
    }

    /// Where a module is, as the server says: `local`, or the place that it was moved to.
    ///
    /// # Panics
    /// As [`Shop::look`].
    pub async fn place_of(&self, module: &str) -> String {
        let modules = self.look("/api/v1/admin/modules").await;
        let modules = modules["data"].as_array().expect("a list");
        let found = modules.iter().find(|known| known["module"] == module).expect("the module is known");
        let at = found["at"].as_str().or_else(|| found["placement"].as_str());
        at.expect("it is somewhere").to_owned()
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
