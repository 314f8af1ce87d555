//! The serving end.

use super::frame::{Frame, Head, frames, write};
use bus::{BusError, Transport};
use bytes::Bytes;
use futures::{FutureExt, StreamExt};
use std::{collections::HashMap, io, net::SocketAddr, panic::AssertUnwindSafe, pin::pin, sync::Arc};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::{AbortHandle, JoinHandle, JoinSet},
};

/// Answers on 127.0.0.1 until it is stopped or dropped.
pub struct SocketServer {
    address: SocketAddr,
    accepting: JoinHandle<()>,
}

impl SocketServer {
    /// Serves on a free port. [`bus::Endpoints`] are what is served as a rule; any transport can be.
    ///
    /// # Errors
    /// Where no socket can be opened.
    pub async fn bind(answers: impl Transport) -> io::Result<Self> {
        Self::bind_at(SocketAddr::from(([127, 0, 0, 1], 0)), answers).await
    }

    /// Serves at this address.
    ///
    /// # Errors
    /// Where the address cannot be had.
    pub async fn bind_at(address: SocketAddr, answers: impl Transport) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let accepting = bus::spawn(accept(listener, Arc::new(answers)));
        Ok(Self { address, accepting })
    }

    /// Where it is reached.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Closes the door and every connection. Calls that have begun run to their end, unheard.
    pub async fn stop(mut self) {
        self.accepting.abort();
        let _ = (&mut self.accepting).await;
    }
}

impl Drop for SocketServer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, answers: Arc<dyn Transport>) {
    // Owned here, so that the connections end with the server.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => drop(connections.spawn(serve(stream, Arc::clone(&answers)))),
                Err(_) => return,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve(stream: TcpStream, answers: Arc<dyn Transport>) {
    let _ = stream.set_nodelay(true);
    let (read, mut socket) = stream.into_split();
    let (outgoing, mut to_send) = mpsc::unbounded_channel();
    let writing = async move {
        while let Some(frame) = to_send.recv().await {
            if write(&mut socket, &frame).await.is_err() {
                return;
            }
        }
    };
    let reading = async move {
        let mut frames = pin!(frames(read));
        // Owned here: a call that has not begun ends with its connection.
        let mut calls = JoinSet::new();
        let mut running: HashMap<u64, AbortHandle> = HashMap::new();
        loop {
            tokio::select! {
                Some(done) = calls.join_next() => {
                    if let Ok(id) = done {
                        running.remove(&id);
                    }
                }
                frame = frames.next() => match frame {
                    Some(Frame { head: Head::Request { id, name, headers }, body }) => {
                        let (answers, outgoing) = (Arc::clone(&answers), outgoing.clone());
                        running.insert(id, calls.spawn(async move {
                            let answer = AssertUnwindSafe(answers.request(&name, headers, body)).catch_unwind().await;
                            let answer = answer.unwrap_or_else(|_| Err(BusError::failed(&"the server panicked")));
                            let (error, body) = match answer {
                                Ok(body) => (None, body),
                                Err(error) => (Some(error), Bytes::new()),
                            };
                            let _ = outgoing.send(Frame { head: Head::Answer { id, error }, body });
                            id
                        }));
                    }
                    Some(Frame { head: Head::Cancel { id }, .. }) => {
                        if let Some(call) = running.remove(&id) {
                            call.abort();
                        }
                    }
                    Some(Frame { head: Head::Answer { .. }, .. }) | None => return,
                },
            }
        }
    };
    tokio::select! {
        () = writing => {}
        () = reading => {}
    }
}
