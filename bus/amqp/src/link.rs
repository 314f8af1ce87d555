//! Keeps a connection: dials, watches, dials again.

use crate::{backoff::Backoff, dial::dial, session::Session, settings::AmqpSettings};
use lapin::uri::AMQPUri;
use std::sync::Arc;
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

/// How the connection stands.
#[derive(Clone)]
pub(crate) enum Standing {
    /// The first attempt is under way.
    Starting,
    /// There is one.
    Up(Arc<Session>),
    /// There is none; it is being tried for.
    Down,
}

/// A connection that is kept as long as a clone of this is.
#[derive(Clone)]
pub(crate) struct Link {
    standing: watch::Receiver<Standing>,
    _kept: Arc<DropGuard>,
}

impl Link {
    /// Begins to connect.
    pub(crate) fn start(uri: AMQPUri, settings: Arc<AmqpSettings>) -> Self {
        let (standing, seen) = watch::channel(Standing::Starting);
        let stop = CancellationToken::new();
        let kept = Arc::new(stop.clone().drop_guard());
        drop(bus::spawn(async move {
            let broker = format!("{}:{}", uri.authority.host, uri.authority.port);
            let mut backoff = Backoff::new();
            let keeping = async {
                loop {
                    match dial(&uri, &settings).await {
                        Ok(session) => {
                            let session = Arc::new(session);
                            standing.send_replace(Standing::Up(Arc::clone(&session)));
                            tracing::info!(broker, "connected to RabbitMQ");
                            metrics::counter!("amqp_connections_total").increment(1);
                            session.ended().await;
                            tracing::warn!(broker, "the connection to RabbitMQ is lost");
                        }
                        Err(error) => tracing::warn!(broker, %error, "RabbitMQ cannot be reached"),
                    }
                    standing.send_replace(Standing::Down);
                    backoff.pause().await;
                }
            };
            stop.run_until_cancelled(keeping).await;
            standing.send_replace(Standing::Down);
        }));
        Self { standing: seen, _kept: kept }
    }

    /// How it stands, to be looked at and waited on.
    pub(crate) fn watch(&self) -> watch::Receiver<Standing> {
        self.standing.clone()
    }

    pub(crate) fn is_up(&self) -> bool {
        matches!(*self.standing.borrow(), Standing::Up(_))
    }

    /// The connection, when there is one.
    pub(crate) async fn session(&self) -> Arc<Session> {
        let mut standing = self.standing.clone();
        loop {
            if let Standing::Up(session) = &*standing.borrow_and_update() {
                return Arc::clone(session);
            }
            if standing.changed().await.is_err() {
                // What keeps the connection is gone, and with it the runtime.
                std::future::pending::<()>().await;
            }
        }
    }

    /// The connection, if there is one now.
    pub(crate) fn session_now(&self) -> Option<Arc<Session>> {
        match &*self.standing.borrow() {
            Standing::Up(session) => Some(Arc::clone(session)),
            Standing::Starting | Standing::Down => None,
        }
    }
}
