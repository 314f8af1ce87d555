//! A real gateway on a free port, with one small resource of its own and the routes that a test wants.

use crate::client::{Answer, Client};
use actix_web::{HttpResponse, web};
use bus::{Bus, Caller, Policies, Role, Sources};
use bus_discovery::{Instance, Member, Members, State, Watch};
use cleave::gateway::{
    AuthFailure, Authenticator, Gateway, GatewaySettings, Lifecycle, ModuleState, Readiness,
    proxy::{Discovery, Proxy, RouteSection},
    serve, stop,
};
use serde_json::{Value, json};
use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, mpsc},
    time::{Duration, Instant},
};
use tokio::sync::watch;
use uuid::Uuid;

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) proxy: Proxy,
    /// What a reload reads: routes, or why there are none.
    pub(crate) written: Arc<Mutex<Result<Value, String>>>,
    found: watch::Sender<Arc<Members>>,
    stop: Option<mpsc::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

/// A route for everybody to this upstream, with more that is said of it.
pub(crate) fn route(path: &str, upstream: &str, more: Value) -> Value {
    let mut route = json!({"path": path, "auth": "none", "upstream": [upstream]});
    if let (Value::Object(route), Value::Object(more)) = (&mut route, more) {
        route.extend(more);
    }
    route
}

impl Server {
    /// One route: all of `/up`.
    pub(crate) fn to(upstream: &str, more: Value) -> Self {
        Self::with(json!([route("/up/{*rest}", upstream, more)]), |_| {})
    }

    pub(crate) fn with(routes: Value, change: impl FnOnce(&mut GatewaySettings)) -> Self {
        let mut settings = GatewaySettings {
            workers: 1,
            request_deadline: Duration::from_secs(5),
            head_timeout: Duration::from_secs(5),
            body_timeout: Duration::from_millis(400),
            shutdown_timeout: Duration::from_secs(5),
            ..GatewaySettings::default()
        };
        change(&mut settings);
        let written = Arc::new(Mutex::new(Ok(routes)));
        let read = Arc::clone(&written);
        let read = move || {
            let routes = read.lock().expect("not poisoned").clone()?;
            serde_json::from_value::<Vec<RouteSection>>(routes).map_err(|error| error.to_string())
        };
        let (found, told) = watch::channel(Arc::default());
        let proxy = Proxy::new(Arc::new(read), Arc::new(Told(told)), "test");
        let (started, start) = mpsc::channel();
        let (stopper, stopped) = mpsc::channel::<()>();
        let thread = std::thread::spawn({
            let proxy = proxy.clone();
            move || run(settings, proxy, &started, stopped)
        });
        let address = start.recv().expect("the server starts");
        Self { address, proxy, written, found, stop: Some(stopper), thread: Some(thread) }
    }

    pub(crate) fn connect(&self) -> Client {
        Client::connect(self.address)
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], "")
    }

    /// One request on a connection of its own.
    pub(crate) fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        self.connect().ask(text(method, path, headers, body))
    }

    /// From now on `dns:things:80` is there.
    pub(crate) fn finds(&self, addresses: &[SocketAddr]) {
        let member = |address: &SocketAddr| {
            let instance = Instance::new(address.to_string(), format!("http://{address}"));
            Member { instance, state: State::Alive }
        };
        let list = addresses.iter().map(member).collect();
        self.found.send_replace(Arc::new(Members { known: true, list }));
    }

    /// Tells the server to stop, without waiting.
    pub(crate) fn begin_stop(&mut self) {
        drop(self.stop.take());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.begin_stop();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A request as text.
pub(crate) fn text(method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> String {
    let mut text = format!("{method} {path} HTTP/1.1\r\nHost: shop.test\r\n");
    for (name, value) in headers {
        text += &format!("{name}: {value}\r\n");
    }
    if !body.is_empty() {
        text += &format!("Content-Length: {}\r\n", body.len());
    }
    text + "\r\n" + body
}

fn run(
    settings: GatewaySettings,
    proxy: Proxy,
    started: &mpsc::Sender<SocketAddr>,
    stopped: mpsc::Receiver<()>,
) {
    cleave::block_on(async move {
        let lifecycle = Lifecycle::on(tokio::runtime::Handle::current());
        let document = json!({
            "openapi": "3.1.0", "info": {"title": "t", "version": "1"},
            "paths": {"/api/v1/things/{id}": {"get": {"responses": {}}}},
        });
        let gateway = Gateway {
            settings: settings.clone(),
            bus: Bus::new(Policies::default()),
            sources: Sources::system(),
            authenticator: Arc::new(Tokens),
            readiness: Arc::new(Nothing),
            metrics: Arc::new(String::new),
            openapi: serde_json::from_value(document).expect("a contract"),
            routes: vec![Arc::new(|app: &mut web::ServiceConfig| {
                let thing = || async { HttpResponse::Ok().json(json!({"ours": true})) };
                app.route("/api/v1/things/{id}", web::get().to(thing));
            })],
            proxy,
            lifecycle: lifecycle.clone(),
        };
        let (server, address) = serve(gateway, "127.0.0.1:0").expect("it starts");
        let handle = server.handle();
        started.send(address).expect("waited for");
        let stopper = bus::spawn(async move {
            let _ = tokio::task::spawn_blocking(move || stopped.recv()).await;
            stop(&handle, &lifecycle, &settings).await;
        });
        server.await.expect("it ends in peace");
        stopper.await.expect("it stops in peace");
    });
}

struct Tokens;

#[async_trait::async_trait]
impl Authenticator for Tokens {
    async fn authenticate(&self, bearer: &str) -> Result<Caller, AuthFailure> {
        let role = match bearer {
            "customer" => Role::Customer,
            "staff" => Role::Staff,
            "admin" => Role::Admin,
            _ => return Err(AuthFailure::Invalid),
        };
        Ok(Caller { user: Uuid::from_u128(role as u128 + 1), role, session: Uuid::nil() })
    }
}

struct Nothing;

impl Readiness for Nothing {
    fn modules(&self) -> Vec<ModuleState> {
        Vec::new()
    }
}

struct Told(Watch);

impl Discovery for Told {
    fn watch(&self, name: &str) -> Result<Watch, String> {
        if name == "dns:things:80" { Ok(self.0.clone()) } else { Err("is not known".into()) }
    }
}

/// Waits for a state, not for a time.
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::yield_now();
    }
}
