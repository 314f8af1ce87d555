//! The serving half.

use crate::{
    ListenerSettings,
    call::Service,
    connection::{Open, serve},
};
use async_trait::async_trait;
use bus::{BusError, Listener, Transport};
use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    net::TcpListener,
    task::JoinSet,
    time::{Instant, sleep, timeout_at},
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

/// Where no connection can be accepted (no descriptor is free, as a rule), trying again at once only burns time.
const PAUSE: Duration = Duration::from_millis(50);

/// Answers `POST /bus/<name>` for the modules that are open, until it is stopped or dropped.
pub struct HttpListener {
    address: SocketAddr,
    service: Arc<Service>,
    connections: Arc<AtomicUsize>,
    stopping: CancellationToken,
    accepting: Mutex<Option<AbortOnDropHandle<()>>>,
}

impl HttpListener {
    /// Listens at this address; port 0 is any that is free. No module is open yet.
    ///
    /// # Errors
    /// Where the address cannot be had.
    pub async fn bind(
        address: SocketAddr,
        answers: Arc<dyn Transport>,
        settings: ListenerSettings,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let service = Arc::new(Service::new(answers, settings));
        let (stopping, connections) = (CancellationToken::new(), Arc::default());
        let accepting = accept(listener, Arc::clone(&service), Arc::clone(&connections), stopping.clone());
        let accepting = Mutex::new(Some(AbortOnDropHandle::new(bus::spawn(accepting))));
        Ok(Self { address, service, connections, stopping, accepting })
    }

    /// Where it is reached.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections are open.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// Accepts nothing more, closes what is idle, and returns when what runs has been answered; at the deadline
    /// the rest is cut off. What has begun behind it runs to its end all the same.
    pub async fn stop(&self, deadline: Instant) {
        self.stopping.cancel();
        let accepting = self.accepting.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut accepting) = accepting
            && timeout_at(deadline, &mut accepting).await.is_err()
        {
            tracing::warn!(connections = self.connections(), "calls were cut off");
            accepting.abort();
            let _ = accepting.await;
        }
    }
}

#[async_trait]
impl Listener for HttpListener {
    async fn open(&self, module: &str) -> Result<(), BusError> {
        self.service.doors.open(module);
        Ok(())
    }

    /// A call whose caller has hung up is no longer counted, although it runs to its end.
    async fn close(&self, module: &str) {
        self.service.doors.close(module).await;
    }

    fn is_ready(&self) -> bool {
        !self.stopping.is_cancelled()
    }

    fn kind(&self) -> &'static str {
        "http"
    }
}

async fn accept(
    listener: TcpListener,
    service: Arc<Service>,
    count: Arc<AtomicUsize>,
    stopping: CancellationToken,
) {
    // Owned here, so that the connections end with the listener.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = stopping.cancelled() => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok(_) if count.load(Ordering::Relaxed) >= service.settings.connections => {
                    tracing::warn!("too many connections: one more is closed at once");
                }
                Ok((stream, _)) => {
                    let (service, open) = (Arc::clone(&service), Open::serving(&count));
                    connections.spawn(serve(stream, service, stopping.clone(), open));
                }
                Err(error) => {
                    tracing::error!(%error, "no connection can be accepted");
                    sleep(PAUSE).await;
                }
            },
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}
