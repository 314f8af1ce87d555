//! The calling end.

use super::frame::{Frame, Head, frames, write};
use async_trait::async_trait;
use bus::{BusError, Headers, Transport};
use bytes::Bytes;
use futures::StreamExt;
use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::{
    net::TcpStream,
    sync::{mpsc, oneshot},
};

/// Calls a [`SocketServer`](super::SocketServer). Connects at the first call, and at the next one after the
/// connection was lost.
pub struct SocketTransport {
    address: SocketAddr,
    connection: tokio::sync::Mutex<Option<Arc<Connection>>>,
    waiters: Arc<Waiters>,
}

struct Connection {
    /// As many frames as calls are admitted by the link; the cancelled ones among them are small.
    outgoing: mpsc::UnboundedSender<Frame>,
    number: u64,
}

/// Who waits for an answer, on which connection.
#[derive(Default)]
struct Waiters(Mutex<Table>);

#[derive(Default)]
struct Table {
    next: u64,
    waiting: HashMap<u64, (u64, oneshot::Sender<Result<Bytes, BusError>>)>,
}

impl SocketTransport {
    /// Calls the server at this address, which need not be there yet.
    #[must_use]
    pub fn connect(address: SocketAddr) -> Self {
        Self { address, connection: tokio::sync::Mutex::default(), waiters: Arc::default() }
    }

    /// How many answers are waited for.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.waiters.table().waiting.len()
    }

    async fn connection(&self) -> io::Result<Arc<Connection>> {
        let mut current = self.connection.lock().await;
        if let Some(connection) = current.as_ref().filter(|connection| !connection.outgoing.is_closed()) {
            return Ok(Arc::clone(connection));
        }
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let (outgoing, to_send) = mpsc::unbounded_channel();
        let connection = Arc::new(Connection { outgoing, number: self.waiters.number() });
        let end = End { waiters: Arc::clone(&self.waiters), connection: connection.number };
        bus::spawn(carry(stream, end, to_send));
        Ok(Arc::clone(current.insert(connection)))
    }
}

#[async_trait]
impl Transport for SocketTransport {
    async fn request(&self, name: &str, headers: Headers, bytes: Bytes) -> Result<Bytes, BusError> {
        let lost = || BusError::Unavailable { port: name.split('.').next().unwrap_or(name).to_owned() };
        let connection = self.connection().await.map_err(|_| lost())?;
        let (answer, answered) = oneshot::channel();
        let waiter = Waiter::enter(&self.waiters, &connection, answer);
        let head = Head::Request { id: waiter.id, name: name.to_owned(), headers };
        connection.outgoing.send(Frame { head, body: bytes }).map_err(|_| lost())?;
        answered.await.unwrap_or_else(|_| Err(lost()))
    }

    fn kind(&self) -> &'static str {
        "socket"
    }
}

impl Waiters {
    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn number(&self) -> u64 {
        let mut table = self.table();
        table.next += 1;
        table.next
    }
}

/// An entry in the table, which leaves it with its owner.
struct Waiter<'a> {
    waiters: &'a Waiters,
    connection: &'a Connection,
    id: u64,
}

impl<'a> Waiter<'a> {
    fn enter(
        waiters: &'a Waiters,
        connection: &'a Connection,
        answer: oneshot::Sender<Result<Bytes, BusError>>,
    ) -> Self {
        let id = waiters.number();
        waiters.table().waiting.insert(id, (connection.number, answer));
        Self { waiters, connection, id }
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        if self.waiters.table().waiting.remove(&self.id).is_some() {
            let head = Head::Cancel { id: self.id };
            let _ = self.connection.outgoing.send(Frame { head, body: Bytes::new() });
        }
    }
}

/// The end of a connection, however it comes: nobody waits on it any longer.
struct End {
    waiters: Arc<Waiters>,
    connection: u64,
}

impl Drop for End {
    fn drop(&mut self) {
        self.waiters.table().waiting.retain(|_, (connection, _)| *connection != self.connection);
    }
}

async fn carry(stream: TcpStream, end: End, mut to_send: mpsc::UnboundedReceiver<Frame>) {
    // Whatever ends this task, `to_send` is dropped before `end`: first nothing more is taken, then those
    // who wait are told, and nobody slips in between.
    let (read, mut socket) = stream.into_split();
    let writing = async {
        while let Some(frame) = to_send.recv().await {
            if write(&mut socket, &frame).await.is_err() {
                return;
            }
        }
    };
    let reading = async {
        let mut frames = pin!(frames(read));
        while let Some(Frame { head: Head::Answer { id, error }, body }) = frames.next().await {
            let waiting = end.waiters.table().waiting.remove(&id);
            if let Some((_, answer)) = waiting {
                let _ = answer.send(error.map_or(Ok(body), Err));
            }
        }
    };
    tokio::select! {
        () = writing => {}
        () = reading => {}
    }
}
