//! Binds the listener, builds one app per worker, and stops in order.

use super::{
    Gateway, GatewaySettings, InvalidSettings, Lifecycle, Shared, admin,
    admission::Admission,
    docs, headers, observe, operations, pipeline,
    proxy::{self, Destination, NotReloaded, Pool, Proxy},
    rate_limit::Limits,
    table::Table,
    wire::{Connection, HeadLimits, Offers, Rules},
};
use actix_http::{HttpService, Request, Response, body::BoxBody, error::DispatchError};
use actix_server::{Server, ServerHandle};
use actix_service::{ServiceFactoryExt as _, fn_service, map_config};
use actix_web::{
    App, HttpMessage as _, HttpResponse, ResponseError as _,
    dev::AppConfig,
    http::{Method, header},
    middleware::from_fn,
    web,
};
use edge::{BodyLimit, Problem};
use std::{
    io,
    net::{SocketAddr, ToSocketAddrs},
    sync::Arc,
    time::Duration,
};
use tokio::net::{TcpSocket, TcpStream};
use utoipa::OpenApi as _;

/// Why the server did not start.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The settings make no sense.
    #[error(transparent)]
    Settings(#[from] InvalidSettings),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: String,
        /// What the system says.
        source: io::Error,
    },
    /// The routes to other services make no sense.
    #[error(transparent)]
    Routes(#[from] NotReloaded),
    /// The contract cannot be written down.
    #[error("the OpenAPI document cannot be written")]
    Contract(#[from] serde_json::Error),
}

/// Starts the server on `listen` (`127.0.0.1:8080`; port 0 takes a free one) and tells where it listens.
/// To be called on an actix system. It serves while the returned [`Server`] is polled; it listens to no
/// signals: call [`stop`].
///
/// # Errors
/// [`BindError`] where it cannot.
pub fn serve(gateway: Gateway, listen: &str) -> Result<(Server, SocketAddr), BindError> {
    gateway.settings.check()?;
    observe::describe();
    let Gateway {
        settings,
        bus,
        sources,
        authenticator,
        readiness,
        metrics,
        mut openapi,
        routes,
        proxy,
        lifecycle,
    } = gateway;
    openapi.merge(operations::Contract::openapi());
    let document = serde_json::to_value(&openapi)?;
    let table = Table::of(&document);
    proxy.start(table.roots())?;
    let shared = web::Data::new(Shared {
        admission: Admission::new(settings.max_in_flight),
        limits: Limits::new(settings.rate_per_caller, settings.rate_per_ip),
        openapi: document.to_string(),
        table,
        settings: settings.clone(),
        bus,
        sources: sources.clone(),
        authenticator,
        readiness,
        metrics,
        proxy: proxy.clone(),
        lifecycle: lifecycle.clone(),
    });
    let rules = Arc::new(Rules {
        limits: HeadLimits { head: settings.head_limit, target: settings.target_limit, headers: 96 },
        head_timeout: settings.head_timeout,
        body_timeout: settings.body_timeout,
        write_timeout: settings.write_timeout,
        offers: offers(&proxy),
        sources,
    });
    let refused = |source| BindError::Listen { address: listen.to_owned(), source };
    let (listener, address) = bind(listen).map_err(refused)?;
    let builder = Server::build()
        .workers(settings.workers)
        .max_concurrent_connections(settings.max_connections)
        .shutdown_timeout(settings.shutdown_timeout.as_secs().max(1))
        .disable_signals();
    let drained = builder.graceful_shutdown_signal();
    let builder = builder.listen("gateway", listener, move || {
        let (shared, routes, lifecycle) = (shared.clone(), routes.clone(), lifecycle.clone());
        let (proxy, upgrading, stopping) = (proxy.clone(), shared.clone(), drained.clone());
        let app = App::new()
            .app_data(shared)
            .app_data(Pool::default())
            .app_data(BodyLimit(settings.body_limit))
            .app_data(lifecycle.writes().clone())
            .configure(move |app| routes.iter().for_each(|add| add(app)))
            .configure(operations::routes)
            .configure(admin::routes)
            .configure(proxy::admin::resources)
            .configure(docs::routes)
            .default_service(web::to(HttpResponse::NotFound))
            .wrap(from_fn(pipeline::handle));
        let (drained, limit, rules) = (drained.clone(), settings.body_limit, Arc::clone(&rules));
        let service = HttpService::build()
            .graceful_shutdown_signal(move || {
                let drained = drained.clone();
                async move { drained.notified().await }
            })
            .keep_alive(settings.keep_alive)
            // Heads have their time in `wire`, every one of them.
            .client_request_timeout(Duration::ZERO)
            .client_disconnect_timeout(Duration::from_secs(2))
            .local_addr(address)
            .on_connect_ext(|connection: &Connection, data| {
                data.insert(connection.link().clone());
            })
            .expect(move |request: Request| {
                let outcome = expected(request, &proxy, limit);
                async move { outcome }
            })
            .upgrade(fn_service(move |(request, client)| {
                let (shared, stopping) = (upgrading.clone(), stopping.clone());
                async move {
                    proxy::serve_upgrade(request, client, &shared, stopping.notified()).await;
                    Ok::<_, actix_http::Error>(())
                }
            }))
            .h1(map_config(app, |()| AppConfig::default()));
        fn_service(move |io: TcpStream| {
            let rules = Arc::clone(&rules);
            async move {
                // Without it a small answer waits for the client's delayed acknowledgement.
                let _ = io.set_nodelay(true);
                let peer = io.peer_addr().ok();
                Ok::<_, DispatchError>((Connection::new(io, rules), peer))
            }
        })
        .and_then(service)
    });
    let server = builder.map_err(refused)?.run();
    Ok((server, address))
}

/// Stops in order: `/readyz` says no, then the listener closes, then what runs ends, then the public writes
/// whose clients have gone. At most `drain_delay` and twice `shutdown_timeout`.
pub async fn stop(server: &ServerHandle, lifecycle: &Lifecycle, settings: &GatewaySettings) {
    lifecycle.drain();
    tokio::time::sleep(settings.drain_delay).await;
    server.stop(true).await;
    if tokio::time::timeout(settings.shutdown_timeout, lifecycle.writes().done()).await.is_err() {
        tracing::warn!(writes = lifecycle.writes().running(), "public writes were still running at the end");
    }
}

fn bind(listen: &str) -> io::Result<(std::net::TcpListener, SocketAddr)> {
    let mut last = io::Error::other("the name has no address");
    for address in listen.to_socket_addrs()? {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        // A restarted server takes its port back although old connections linger.
        socket.set_reuseaddr(true)?;
        match socket.bind(address).and_then(|()| socket.listen(1024)) {
            Ok(listener) => {
                let address = listener.local_addr()?;
                return Ok((listener.into_std()?, address));
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Whether an offer to change the protocol is wanted. Which route takes it is looked at again when it is served.
fn offers(proxy: &Proxy) -> Offers {
    let proxy = proxy.clone();
    Arc::new(move |path, protocol| match proxy.find(path, &Method::GET) {
        Destination::Route(taken) => taken.route.upgrades.iter().any(|known| known == protocol),
        _ => false,
    })
}

/// `Expect: 100-continue`: a body that would be too large is not asked for.
fn expected(request: Request, proxy: &Proxy, limit: usize) -> Result<Request, Response<BoxBody>> {
    let limit = match proxy.find(request.path(), request.method()) {
        Destination::Route(taken) => {
            taken.route.max_body.map_or(limit, |most| usize::try_from(most).unwrap_or(limit))
        }
        _ => limit,
    };
    let announced = request
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > limit as u64) {
        let mut response = Problem::body_too_large(limit).instance(request.path()).error_response();
        headers::secure(response.headers_mut());
        return Err(response.into());
    }
    Ok(request)
}
