//! A real server on a free port with a small module behind it, and a client that sends bytes as told.

use crate::{
    client::{Answer, read_all},
    things::{Things, contract, routes},
};
use actix_web::web;
use bus::{Bus, BusError, Caller, Policies, Role, Sources};
use cleave::gateway::{
    AuthFailure, Authenticator, Gateway, GatewaySettings, Health, Lifecycle, ModuleState, Readiness,
    proxy::Proxy, serve, stop,
};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use std::{
    io::Write as _,
    net::{SocketAddr, TcpStream},
    sync::{Arc, Mutex, OnceLock, atomic::AtomicUsize, mpsc},
    time::{Duration, Instant},
};
use tokio::sync::Semaphore;
use uuid::Uuid;

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) things: Arc<Things>,
    pub(crate) lifecycle: Lifecycle,
    pub(crate) health: Arc<Mutex<Health>>,
    stop: Option<mpsc::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::with(|_| {})
    }

    /// A server with other settings than the short ones that tests like.
    pub(crate) fn with(change: impl FnOnce(&mut GatewaySettings)) -> Self {
        let mut settings = GatewaySettings {
            workers: 1,
            request_deadline: Duration::from_secs(5),
            head_timeout: Duration::from_secs(5),
            body_timeout: Duration::from_secs(4),
            shutdown_timeout: Duration::from_secs(5),
            ..GatewaySettings::default()
        };
        change(&mut settings);
        log();
        let things = Arc::new(Things {
            asked: AtomicUsize::new(0),
            written: AtomicUsize::new(0),
            gate: Semaphore::new(0),
        });
        let health = Arc::new(Mutex::new(Health::Ready));
        let (started, start) = mpsc::channel();
        let (stopper, stopped) = mpsc::channel::<()>();
        let thread = std::thread::spawn({
            let (things, health) = (Arc::clone(&things), Arc::clone(&health));
            move || run(settings, things, health, &started, stopped)
        });
        let (address, lifecycle) = start.recv().expect("the server starts");
        Self { address, things, lifecycle, health, stop: Some(stopper), thread: Some(thread) }
    }

    /// Tells the server to stop, without waiting.
    pub(crate) fn begin_stop(&mut self) {
        drop(self.stop.take());
    }

    pub(crate) fn join(&mut self) {
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the server ends in peace");
        }
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], "")
    }

    pub(crate) fn get_as(&self, token: &str, path: &str) -> Answer {
        self.send("GET", path, &[("authorization", &format!("Bearer {token}"))], "")
    }

    pub(crate) fn post_json(&self, path: &str, body: &str) -> Answer {
        self.send("POST", path, &[("content-type", "application/json")], body)
    }

    /// One request on a connection of its own.
    pub(crate) fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut text = format!("{method} {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n");
        for (name, value) in headers {
            text += &format!("{name}: {value}\r\n");
        }
        if !body.is_empty() || method == "POST" {
            text += &format!("Content-Length: {}\r\n", body.len());
        }
        text += "\r\n";
        text += body;
        let mut answers = self.raw(text.as_bytes());
        assert_eq!(answers.len(), 1, "one answer to {method} {path}");
        answers.remove(0)
    }

    /// Sends bytes and reads until the server closes.
    pub(crate) fn raw(&self, bytes: &[u8]) -> Vec<Answer> {
        let mut socket = self.connect();
        // A server that refuses early may have closed already: what it said counts.
        let _ = socket.write_all(bytes);
        read_all(&mut socket)
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let socket = TcpStream::connect(self.address).expect("connects");
        socket.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
        socket
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.begin_stop();
        self.things.gate.add_permits(1000);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(
    settings: GatewaySettings,
    things: Arc<Things>,
    health: Arc<Mutex<Health>>,
    started: &mpsc::Sender<(SocketAddr, Lifecycle)>,
    stopped: mpsc::Receiver<()>,
) {
    let system = actix_rt::System::with_tokio_rt(|| {
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
    });
    system.block_on(async move {
        let lifecycle = Lifecycle::on(tokio::runtime::Handle::current());
        let gateway = Gateway {
            settings: settings.clone(),
            bus: Bus::new(Policies::default()),
            sources: Sources::system(),
            authenticator: Arc::new(Tokens),
            readiness: Arc::new(Modules(health)),
            metrics: Arc::new(|| recorder().render()),
            openapi: contract(),
            routes: vec![Arc::new(move |app: &mut web::ServiceConfig| routes(app, &things))],
            proxy: Proxy::none(),
            lifecycle: lifecycle.clone(),
        };
        let (server, address) = serve(gateway, "127.0.0.1:0").expect("it starts");
        let handle = server.handle();
        started.send((address, lifecycle.clone())).expect("waited for");
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
            "down" => return Err(BusError::Unavailable { port: "users".into() }.into()),
            _ => return Err(AuthFailure::Invalid),
        };
        Ok(Caller { user: Uuid::from_u128(role as u128 + 1), role, session: Uuid::nil() })
    }
}

struct Modules(Arc<Mutex<Health>>);

impl Readiness for Modules {
    fn modules(&self) -> Vec<ModuleState> {
        let state = *self.0.lock().expect("not poisoned");
        vec![ModuleState {
            module: "things".into(),
            placement: "local",
            state,
            at: None,
            instances: Vec::new(),
        }]
    }
}

pub(crate) fn recorder() -> &'static PrometheusHandle {
    static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();
    RECORDER.get_or_init(|| PrometheusBuilder::new().install_recorder().expect("the only recorder"))
}

/// Everything that was logged so far, one JSON event a line.
pub(crate) fn log() -> &'static Arc<Mutex<Vec<u8>>> {
    static LOG: OnceLock<Arc<Mutex<Vec<u8>>>> = OnceLock::new();
    LOG.get_or_init(|| {
        recorder();
        let log: Arc<Mutex<Vec<u8>>> = Arc::default();
        let writer = Arc::clone(&log);
        tracing_subscriber::fmt()
            .json()
            .with_max_level(tracing_subscriber::filter::LevelFilter::INFO)
            .with_writer(move || Sink(Arc::clone(&writer)))
            .init();
        log
    })
}

struct Sink(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("not poisoned").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
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
