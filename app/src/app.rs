//! The program as it runs: the modules, and the HTTP server before them.

use crate::{
    admin::{self, Desk},
    authentication::{KeySource, TokenAuthenticator},
    gateway::{
        self, Gateway, GatewaySettings, Lifecycle,
        proxy::{Names, NotReloaded, Proxy},
    },
    modules::{self, Background, FirstAdmin, Modules, Placement, StartError},
    settings::Settings,
    telemetry,
};
use actix_server::ServerHandle;
use bus::Bus;
use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};
use tokio::{task::JoinHandle, time::Instant};

/// A running program. Must be started, used and stopped inside of [`block_on`].
pub struct App {
    address: SocketAddr,
    modules: Arc<Modules>,
    server: ServerHandle,
    serving: JoinHandle<io::Result<()>>,
    lifecycle: Lifecycle,
    gateway: GatewaySettings,
    proxy: Proxy,
}

/// Runs `work` on the runtime that the program needs: actix's system over tokio's pool of threads. Actors do not
/// start without the one, and work would share one thread without the other.
///
/// # Panics
/// Where the system gives no threads.
pub fn block_on<F: Future>(work: F) -> F::Output {
    let runtime = || {
        let threads = std::thread::available_parallelism().map_or(2, usize::from).max(2);
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(threads)
            .enable_all()
            .build()
            .expect("the system gives a few threads")
    };
    actix_rt::System::with_tokio_rt(runtime).block_on(work)
}

impl App {
    /// Starts the modules, then the server; it is ready when this returns.
    ///
    /// # Errors
    /// [`StartError`] naming the setting, the module or the port that is in the way.
    pub async fn start(mut settings: Settings) -> Result<Self, StartError> {
        // Fails where it has been done before, which is as well.
        drop(rustls::crypto::ring::default_provider().install_default());
        pin_port(&mut settings)?;
        let metrics = telemetry::start_metrics(settings.data_dir.clone())?;
        let keys = KeySource::from_setting(settings.jwks.as_deref())?;
        let modules = Arc::new(Modules::start(&settings, Background::Works).await?);
        let opened = modules.open_process().await;
        match opened.and_then(|()| serve(&settings, &modules, metrics, keys)) {
            Ok((server, address, lifecycle, proxy)) => {
                let handle = server.handle();
                tracing::info!(%address, "ready");
                Ok(Self {
                    address,
                    modules,
                    server: handle,
                    serving: bus::spawn(server),
                    lifecycle,
                    gateway: settings.http.gateway(),
                    proxy,
                })
            }
            Err(error) => {
                modules.stop(Instant::now() + settings.http.gateway().shutdown_timeout).await;
                Err(error)
            }
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where other processes call this one over HTTP, where they do.
    #[must_use]
    pub fn wire_address(&self) -> Option<SocketAddr> {
        self.modules.wire.address()
    }

    /// What reaches its modules.
    #[must_use]
    pub fn bus(&self) -> &Bus {
        self.modules.bus()
    }

    /// Reads the routes to other services again; those before stay where something is wrong with the new ones.
    ///
    /// # Errors
    /// What is wrong.
    pub fn reload(&self) -> Result<usize, NotReloaded> {
        self.proxy.reload()
    }

    /// The admin that this start made, on an empty database. To be shown to a person once.
    #[must_use]
    pub fn first_admin(&self) -> Option<&FirstAdmin> {
        self.modules.first_admin.as_ref()
    }

    /// Waits for the server to end by itself, which it does only where something is very wrong.
    ///
    /// # Errors
    /// What the server says.
    pub async fn failed(&mut self) -> io::Result<()> {
        (&mut self.serving).await.unwrap_or_else(|error| Err(io::Error::other(error)))
    }

    /// Stops in order: not ready any more, nothing taken any more, what runs is finished, messages and writers are
    /// drained, databases closed. All of it within `http.shutdown_timeout`.
    pub async fn stop(self) {
        let began = Instant::now();
        let whole = self.gateway.shutdown_timeout;
        let http = GatewaySettings {
            // Requests have most of the time; what is behind them needs some too.
            shutdown_timeout: whole.mul_f64(0.6).max(Duration::from_millis(100)),
            ..self.gateway
        };
        let requests = gateway::stop(&self.server, &self.lifecycle, &http);
        if tokio::time::timeout_at(began + http.drain_delay + whole.mul_f64(0.75), requests).await.is_err() {
            tracing::warn!("requests were still running when the modules had to stop");
        }
        self.modules.stop(began + http.drain_delay + whole).await;
        tracing::info!(ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX), "stopped");
    }
}

fn serve(
    settings: &Settings,
    modules: &Arc<Modules>,
    metrics: telemetry::Metrics,
    keys: KeySource,
) -> Result<(actix_server::Server, SocketAddr, Lifecycle, Proxy), StartError> {
    let (bus, sources) = (modules.bus().clone(), modules.sources().clone());
    let desk =
        Desk { bus: bus.clone(), sources: sources.clone(), message_age: settings.durable.message_age.0 };
    let openapi = modules::openapi(settings, &bus);
    let mut routes = modules::routes(settings, &bus, &sources);
    routes.push(admin::routes(desk, modules));
    let tokens = settings.token_terms();
    let users = Arc::new(bus.clone());
    let lifecycle = Lifecycle::on(tokio::runtime::Handle::current());
    let scraped = bus.clone();
    let written = settings.clone();
    let read = move || match written.read_again() {
        Ok(settings) => Ok(settings.gateway.routes),
        Err(error) => Err(crate::chain(&error)),
    };
    let id = sources.id::<uuid::Uuid>().simple().to_string();
    let proxy = Proxy::new(Arc::new(read), Arc::new(Names::on(tokio::runtime::Handle::current())), &id);
    let gateway = Gateway {
        settings: settings.http.gateway(),
        bus: bus.clone(),
        sources: sources.clone(),
        authenticator: Arc::new(TokenAuthenticator::new(tokens.0, tokens.1, keys, users, sources)),
        readiness: Arc::new(Placement(Arc::clone(modules))),
        metrics: Arc::new(move || metrics.render(&scraped)),
        openapi,
        routes,
        proxy: proxy.clone(),
        lifecycle: lifecycle.clone(),
    };
    let (server, address) = gateway::serve(gateway, &settings.http.listen)?;
    Ok((server, address, lifecycle, proxy))
}

/// Takes a free port where none is named: the sandbox has to know it before the server listens.
fn pin_port(settings: &mut Settings) -> Result<(), StartError> {
    let listen = &mut settings.http.listen;
    if let Some(host) = listen.strip_suffix(":0") {
        let failed = |source| gateway::BindError::Listen { address: listen.clone(), source };
        let free = TcpListener::bind(listen.as_str()).and_then(|listener| listener.local_addr());
        *listen = format!("{host}:{}", free.map_err(failed)?.port());
    }
    Ok(())
}
