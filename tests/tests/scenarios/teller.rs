//! Whoever goes through the script: asks, expects a status, and writes everything down.

use crate::SOON;
use serde_json::{Value, json};
use std::{collections::BTreeMap, time::Duration};
use tests::{
    http::{Answer, Request},
    process::PASSWORD,
    shop::Shop,
    transcript::Transcript,
};
use tokio::time::Instant;

pub(crate) struct Teller<'a> {
    pub(crate) shop: &'a Shop,
    pub(crate) admin: String,
    /// The access tokens of those who have signed in, by their names.
    tokens: BTreeMap<&'static str, String>,
    /// Orders that a later scenario looks at, by what they are remembered for.
    pub(crate) orders: BTreeMap<&'static str, String>,
    transcript: Transcript,
}

impl<'a> Teller<'a> {
    pub(crate) fn of(shop: &'a Shop) -> Self {
        Self {
            shop,
            admin: shop.admin.clone(),
            tokens: BTreeMap::new(),
            orders: BTreeMap::new(),
            transcript: Transcript::of(shop.server.address),
        }
    }

    pub(crate) fn said(self) -> Vec<Value> {
        self.transcript.into_entries()
    }

    /// Registers somebody, who is signed in from then on.
    pub(crate) async fn meet(&mut self, name: &'static str) {
        let email = format!("{name}@example.test");
        let new = json!({"email": email, "name": name, "password": PASSWORD});
        self.post(201, "/api/v1/users", None, &new).await;
        let credentials = json!({"email": email, "password": PASSWORD});
        let session = self.post(201, "/api/v1/sessions", None, &credentials).await;
        self.tokens.insert(name, session["access_token"].as_str().expect("a token").to_owned());
    }

    /// The access token of somebody who was met.
    pub(crate) fn token(&self, name: &str) -> String {
        self.tokens[name].clone()
    }

    pub(crate) async fn get(&mut self, status: u16, path: &str, token: Option<&str>) -> Value {
        self.ask(status, &Request { path, token, ..Request::default() }).await.json()
    }

    pub(crate) async fn post(&mut self, status: u16, path: &str, token: Option<&str>, json: &Value) -> Value {
        self.ask(status, &Request { method: "POST", path, token, json: Some(json), headers: &[] })
            .await
            .json()
    }

    /// Asks, and writes the answer down.
    pub(crate) async fn ask(&mut self, status: u16, request: &Request<'_>) -> Answer {
        let answer = self.transcript.ask(request).await.expect("an answer");
        expect(status, request, &answer);
        answer
    }

    /// Gets what was written as often as somebody looked after it meanwhile: its version differs from run to run.
    pub(crate) async fn get_settled(&mut self, path: &str, token: Option<&str>) -> Value {
        let request = Request { path, token, ..Request::default() };
        let mut answer = self.shop.server.ask(&request).await.expect("an answer");
        expect(200, &request, &answer);
        let is_tag = |line: &&str| line.to_ascii_lowercase().starts_with("etag:");
        answer.head = answer.head.lines().filter(|line| !is_tag(line)).collect::<Vec<_>>().join("\r\n");
        let mut body = answer.json();
        forget_versions(&mut body);
        self.transcript.note(&request, &answer, body.clone());
        body
    }

    /// Gets a list whose order depends on which module was faster, and writes it down in another one. What happened
    /// more than once, because it was tried more than once, is written down once.
    pub(crate) async fn get_sorted(&mut self, path: &str, token: Option<&str>, by: &[&str]) -> Vec<Value> {
        let request = Request { path, token, ..Request::default() };
        let answer = self.shop.server.ask(&request).await.expect("an answer");
        expect(200, &request, &answer);
        let mut body = answer.json();
        let rows = body["data"].as_array_mut().expect("a list");
        for row in rows.iter_mut().filter(|row| is_of_a_payment(row)) {
            // Whether the provider's webhook or the answer to a call told it is not the same in every run.
            row["actor"] = "<whoever was first>".into();
        }
        let key = |row: &Value| by.iter().map(|member| row[member].to_string()).collect::<Vec<_>>();
        rows.sort_by_key(key);
        rows.dedup_by_key(|row| key(row));
        let rows = rows.clone();
        self.transcript.note(&request, &answer, body);
        rows
    }

    /// Gets, again and again, until what comes is as wanted; nothing is written down.
    pub(crate) async fn wait(&self, path: &str, token: Option<&str>, wanted: impl Fn(&Value) -> bool) {
        let deadline = Instant::now() + SOON;
        loop {
            let answer = self.shop.server.get(path, token).await.expect("an answer").json();
            if wanted(&answer) {
                return;
            }
            assert!(Instant::now() < deadline, "{path} stays as it is: {answer}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Whether it is an entry of a timeline that payments has written.
fn is_of_a_payment(row: &Value) -> bool {
    row["kind"].as_str().is_some_and(|kind| kind.starts_with("payment."))
}

fn forget_versions(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(forget_versions),
        Value::Object(members) => {
            for (name, member) in members {
                if name == "version" {
                    *member = "<a version>".into();
                }
                forget_versions(member);
            }
        }
        _ => {}
    }
}

fn expect(status: u16, request: &Request<'_>, answer: &Answer) {
    let (method, path) = (request.method, request.path);
    assert_eq!(answer.status, status, "{method} {path}: {}", String::from_utf8_lossy(&answer.body));
}
