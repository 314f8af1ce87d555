//! A program on a free port with databases of its own, a client for it, and the built binary for its commands.

use bus_durable::sea_orm::{ConnectionTrait, Database};
use cleave::{App, StartError, settings::Settings};
use serde_json::{Value, json};
use std::{
    net::SocketAddr,
    path::Path,
    process::{Command, Output},
    time::Duration,
};

pub(crate) const ADMIN: (&str, &str) = ("admin@example.test", "a brass lantern at noon");

/// The settings of a test: everything through the codec, so that no value is shared that a split would not share.
pub(crate) fn settings(data: &Path, more: &[(&str, &str)]) -> Settings {
    let data = data.to_str().expect("UTF-8");
    let usual = [
        ("CLEAVE__DATA_DIR", data),
        ("CLEAVE__HTTP__LISTEN", "127.0.0.1:0"),
        ("CLEAVE__HTTP__WORKERS", "1"),
        ("CLEAVE__BUS__STRICT", "true"),
        ("CLEAVE__ADMIN__EMAIL", ADMIN.0),
        ("CLEAVE__ADMIN__PASSWORD", ADMIN.1),
    ];
    let all = usual.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Settings::read(None, all).expect("the settings serve")
}

pub(crate) async fn start(data: &Path) -> App {
    try_start(data).await.expect("starts")
}

pub(crate) async fn try_start(data: &Path) -> Result<App, StartError> {
    App::start(settings(data, &[])).await
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) replayed: bool,
    pub(crate) json: Value,
}

/// Somebody with a token, or nobody.
#[derive(Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    address: SocketAddr,
    token: Option<String>,
}

impl Client {
    pub(crate) fn of(app: &App) -> Self {
        // No connection is kept, so that each request stands for itself.
        let http = reqwest::Client::builder().pool_max_idle_per_host(0).build().expect("a client");
        Self { http, address: app.address(), token: None }
    }

    pub(crate) async fn admin(app: &App) -> Self {
        Self::of(app).signed_in(ADMIN.0, ADMIN.1).await
    }

    pub(crate) async fn buyer(app: &App, email: &str) -> Self {
        let client = Self::of(app);
        let new = json!({"email": email, "name": "A Buyer", "password": "a password for tests"});
        assert_eq!(client.post("/api/v1/users", &new).await.status, 201);
        client.signed_in(email, "a password for tests").await
    }

    pub(crate) async fn signed_in(&self, email: &str, password: &str) -> Self {
        let answer = self.post("/api/v1/sessions", &json!({"email": email, "password": password})).await;
        let token = answer.json["access_token"].as_str().unwrap_or_else(|| panic!("signs in: {answer:?}"));
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(self.http.get(self.url(path))).await.expect("an answer")
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send(self.http.delete(self.url(path))).await.expect("an answer")
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(self.http.post(self.url(path)).json(body)).await.expect("an answer")
    }

    pub(crate) async fn order(&self, sku: &str, key: &str) -> Result<Answer, reqwest::Error> {
        let body = json!({"lines": [{"sku": sku, "quantity": 1}], "payment": {"token": "tok_ok"}});
        let request = self.http.post(self.url("/api/v1/orders")).header("Idempotency-Key", key).json(&body);
        self.send(request).await
    }

    pub(crate) async fn stock(&self, sku: &str, on_hand: i64) {
        let product = json!({"title": format!("The {sku}"), "status": "active", "variants": [
            {"sku": sku, "price": {"amount": 1999, "currency": "EUR"}, "on_hand": on_hand}]});
        let made = self.post("/api/v1/products", &product).await;
        assert_eq!(made.status, 201, "{made:?}");
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<Answer, reqwest::Error> {
        let request = match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        let response = request.send().await?;
        let (status, replayed) =
            (response.status().as_u16(), response.headers().contains_key("idempotent-replayed"));
        let bytes = response.bytes().await?;
        Ok(Answer { status, replayed, json: serde_json::from_slice(&bytes).unwrap_or(Value::Null) })
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

/// Waits for a state, not for a time.
pub(crate) async fn eventually<F: Future<Output = bool>>(what: &str, holds: impl Fn() -> F) {
    bus_testkit::eventually(what, Duration::from_secs(10), async || holds().await).await;
}

/// Carries out SQL in a stopped module's file.
pub(crate) async fn sql(data: &Path, module: &str, statement: &str) -> u64 {
    let file = data.join(format!("{module}.db"));
    let database = Database::connect(format!("sqlite://{}", file.display())).await.expect("opens");
    let done = database.execute_unprepared(statement).await.expect("the statement serves");
    database.close().await.expect("closes");
    done.rows_affected()
}

/// Runs the built program to its end.
pub(crate) fn run(data: &Path, arguments: &[&str], more: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_cleave"))
        .args(arguments)
        .current_dir(data)
        .env("CLEAVE__DATA_DIR", data.join("data"))
        .env("CLEAVE__HTTP__LISTEN", "127.0.0.1:0")
        .envs(more.iter().copied())
        .output()
        .expect("the program runs")
}

pub(crate) fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("{}{}", text(&output.stdout), text(&output.stderr))
}
