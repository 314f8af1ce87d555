//! The connection to the broker as the rest of the program has it: always there, whatever becomes of the one underneath.

use crate::{
    connection::{Connection, Drive},
    headers,
    listener::NatsListener,
    settings::{InvalidNatsSettings, NatsSettings, Server},
    subjects::Subjects,
    transport::NatsTransport,
};
use bus::{BusError, Listener, Transport};
use bytes::Bytes;
use std::{sync::Arc, time::Duration};
use tokio::{sync::watch, task::JoinSet};
use tokio_util::sync::CancellationToken;

/// How long to wait before the servers are tried again, at first and at most.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// A process's use of a broker. Clones are the same; it ends with the last of them, its transports and its listeners.
#[derive(Clone)]
pub struct Nats(Arc<Shared>);

pub(crate) struct Shared {
    pub(crate) settings: NatsSettings,
    pub(crate) subjects: Subjects,
    current: watch::Receiver<Option<Arc<Connection>>>,
    _keeper: JoinSet<()>,
}

impl Nats {
    /// Connects, and connects again whenever the connection is lost. The broker need not be there yet: see
    /// [`Nats::connected`].
    ///
    /// # Errors
    /// [`InvalidNatsSettings`] where trying would be in vain.
    pub async fn connect(settings: NatsSettings) -> Result<Self, InvalidNatsSettings> {
        let (servers, subjects) = (settings.servers().await?, settings.subjects()?);
        let (connected, current) = watch::channel(None);
        let mut keeper = JoinSet::new();
        keeper.spawn(keep(servers, connected));
        Ok(Self(Arc::new(Shared { settings, subjects, current, _keeper: keeper })))
    }

    /// Returns once there is a connection.
    pub async fn connected(&self) {
        let mut current = self.0.current.clone();
        // Ends with an error only if the task that connects is gone, which goes with `self`.
        let _ = current.wait_for(Option::is_some).await;
    }

    /// Whether there is a connection now.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.0.connection().is_some()
    }

    /// How many replies are waited for.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.0.connection().map_or(0, |connection| connection.pending())
    }

    /// The calling half.
    #[must_use]
    pub fn transport(&self) -> Arc<dyn Transport> {
        Arc::new(NatsTransport(Arc::clone(&self.0)))
    }

    /// The serving half, which answers with `answers`. Dropped, it is gone without a farewell: close the modules first.
    #[must_use]
    pub fn listener(&self, answers: Arc<dyn Transport>) -> Arc<dyn Listener> {
        Arc::new(NatsListener::new(Arc::clone(&self.0), answers))
    }
}

impl Shared {
    /// The connection that there is now.
    pub(crate) fn connection(&self) -> Option<Arc<Connection>> {
        self.current.borrow().clone()
    }

    /// The connection, as soon as there is one; `None` if `closing` comes first.
    pub(crate) async fn connection_unless(&self, closing: &CancellationToken) -> Option<Arc<Connection>> {
        let mut current = self.current.clone();
        tokio::select! {
            biased;
            () = closing.cancelled() => None,
            found = current.wait_for(Option::is_some) => found.ok()?.clone(),
        }
    }

    /// Answers whoever asked under this name, by the connection that there is now: the one that the question came by
    /// may be gone, and the one who asked still there.
    pub(crate) async fn answer(&self, name: &str, reply: &str, answer: Result<Bytes, BusError>) {
        let Some(connection) = self.connection() else { return };
        let sent = connection.send(name, headers::write_answer(reply, answer)).await;
        // An answer that is too large is none, and whoever asked has to hear that.
        if let Err(error @ BusError::Failed { .. }) = sent {
            let _ = connection.send(name, headers::write_answer(reply, Err(error))).await;
        }
    }
}

/// Keeps a connection to one of the servers.
async fn keep(mut servers: Vec<Server>, connected: watch::Sender<Option<Arc<Connection>>>) {
    let up = metrics::gauge!("nats_connected");
    let mut pause = PAUSES.0;
    let mut quiet = false;
    loop {
        if let Some((connection, drive)) = dial(&servers, quiet).await {
            (pause, quiet) = (PAUSES.0, false);
            connected.send_replace(Some(Arc::clone(&connection)));
            up.set(1.0);
            connection.run(drive).await;
            up.set(0.0);
            connected.send_replace(None);
            tracing::warn!("the connection to NATS is lost");
            servers.rotate_left(1);
        } else {
            quiet = true;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSES.1);
    }
}

/// Tries one server after the other; complains unless that was done already.
async fn dial(servers: &[Server], quiet: bool) -> Option<(Arc<Connection>, Drive)> {
    for server in servers {
        let (host, port) = (server.address.host(), server.address.port());
        match Connection::open(server.clone()).await {
            Ok(opened) => {
                tracing::info!(host, port, "connected to NATS");
                return Some(opened);
            }
            Err(error) if quiet => tracing::debug!(host, port, %error, "still no connection to NATS"),
            Err(error) => tracing::warn!(host, port, %error, "no connection to NATS"),
        }
    }
    None
}
