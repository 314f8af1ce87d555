//! Connections to upstreams that are open and idle, one pool per worker: no lock, no other thread.

use super::{failure::Failure, upload::Upload, upstream::Instance};
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper_util::rt::TokioIo;
use std::{cell::RefCell, collections::HashMap, io, rc::Rc, sync::Arc, time::Duration};
use tokio::{
    net::TcpStream,
    time::{Instant, timeout},
};
use tokio_rustls::client::TlsStream;
use tokio_util::either::Either;

/// How long a connection is kept idle.
const IDLE: Duration = Duration::from_secs(30);
/// How long it may have been idle for a request that must not be sent twice: the longer, the likelier is it that the
/// upstream closes it at this moment.
const FRESH: Duration = Duration::from_secs(1);
/// How many are kept for one instance.
const KEPT: usize = 256;
/// The largest head of an answer.
const HEAD: usize = 64 << 10;

/// The idle connections of a worker.
#[derive(Clone, Default)]
pub(crate) struct Pool(Rc<RefCell<Connections>>);

#[derive(Default)]
struct Connections {
    /// By the origin.
    idle: HashMap<Arc<str>, Vec<Idle>>,
    swept: Option<Instant>,
}

struct Idle {
    sender: SendRequest<Upload>,
    since: Instant,
}

/// A connection on which one request may be sent.
pub(crate) struct Lease {
    pub(crate) sender: SendRequest<Upload>,
    home: Option<(Arc<str>, Pool)>,
}

impl Pool {
    /// An idle connection that should still be open.
    pub(crate) fn take(&self, instance: &Instance, must_be_fresh: bool) -> Option<Lease> {
        let most = if must_be_fresh { FRESH } else { IDLE };
        let mut connections = self.0.borrow_mut();
        let idle = connections.idle.get_mut(&instance.origin)?;
        // The last one has waited least.
        while let Some(Idle { sender, .. }) = idle.pop_if(|idle| idle.since.elapsed() <= most) {
            if !sender.is_closed() {
                let home = Some((Arc::clone(&instance.origin), self.clone()));
                return Some(Lease { sender, home });
            }
        }
        None
    }

    /// A new connection.
    pub(crate) async fn connect(&self, instance: &Instance, patience: Duration) -> Result<Lease, Failure> {
        let socket = connect(instance, patience).await?;
        let (sender, connection) =
            client().handshake(TokioIo::new(socket)).await.map_err(|_| Failure::Unreachable)?;
        // It ends when the sender is dropped or the upstream closes; whoever waits for an answer is told why.
        actix_rt::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection to an upstream ended");
            }
        });
        let home = Some((Arc::clone(&instance.origin), self.clone()));
        Ok(Lease { sender, home })
    }
}

/// How answers are read: as strictly as hyper does by itself.
pub(crate) fn client() -> Builder {
    let mut builder = Builder::new();
    builder.max_buf_size(HEAD);
    builder
}

/// A connection, in the clear or not.
pub(crate) type Socket = Either<TcpStream, TlsStream<TcpStream>>;

/// Connects, and notes where nobody is there, or nobody who can show that it is he.
pub(crate) async fn connect(instance: &Instance, patience: Duration) -> Result<Socket, Failure> {
    let reached = async {
        let socket = TcpStream::connect(&*instance.authority).await?;
        // Without it a small request waits for the upstream's delayed acknowledgement.
        let _ = socket.set_nodelay(true);
        Ok::<_, io::Error>(match &instance.tls {
            None => Either::Left(socket),
            Some(tls) => Either::Right(tls.connector.connect(tls.name.clone(), socket).await?),
        })
    };
    let error = match timeout(patience, reached).await {
        Ok(Ok(socket)) => return Ok(socket),
        Ok(Err(error)) => format!("{error:?}"),
        Err(_) => "no answer in time".to_owned(),
    };
    tracing::warn!(upstream = &*instance.authority, error, "an upstream cannot be connected to");
    instance.miss();
    Err(Failure::Unreachable)
}

impl Lease {
    /// A connection that no pool wants back.
    pub(crate) fn alone(sender: SendRequest<Upload>) -> Self {
        Self { sender, home: None }
    }

    /// Gives the connection back, once the whole answer has been read.
    pub(crate) fn give_back(self) {
        let Self { sender, home } = self;
        let Some((origin, pool)) = home.filter(|_| !sender.is_closed()) else { return };
        let now = Instant::now();
        let mut connections = pool.0.borrow_mut();
        if connections.swept.is_none_or(|at| now - at > IDLE) {
            connections.swept = Some(now);
            connections.idle.retain(|_, idle| {
                idle.retain(|idle| now - idle.since <= IDLE && !idle.sender.is_closed());
                !idle.is_empty()
            });
        }
        let idle = connections.idle.entry(origin).or_default();
        if idle.len() < KEPT {
            idle.push(Idle { sender, since: now });
        }
    }
}
