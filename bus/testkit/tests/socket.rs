//! The wire suite on the socket transport.

use async_trait::async_trait;
use bus::{BusError, Headers, Transport};
use bus_testkit::{
    SocketServer, SocketTransport,
    wire::{Line, Wire},
};
use bytes::Bytes;
use std::{net::SocketAddr, sync::Arc};

struct Socket;

#[async_trait(?Send)]
impl Wire for Socket {
    fn name(&self) -> &'static str {
        "socket"
    }

    async fn serve(&self, answers: Arc<dyn Transport>) -> Box<dyn Line> {
        let server = SocketServer::bind(Shared(Arc::clone(&answers))).await.expect("a free port");
        let address = server.address();
        let client = Arc::new(SocketTransport::connect(address));
        Box::new(SocketLine { answers, address, server: Some(server), client })
    }
}

struct SocketLine {
    answers: Arc<dyn Transport>,
    address: SocketAddr,
    server: Option<SocketServer>,
    client: Arc<SocketTransport>,
}

#[async_trait(?Send)]
impl Line for SocketLine {
    fn client(&self) -> Arc<dyn Transport> {
        Arc::clone(&self.client) as Arc<dyn Transport>
    }

    fn pending(&self) -> usize {
        self.client.pending()
    }

    async fn cut(&mut self) {
        self.server.take().expect("it serves").stop().await;
    }

    async fn restore(&mut self) {
        let server = SocketServer::bind_at(self.address, Shared(Arc::clone(&self.answers))).await;
        self.server = Some(server.expect("the port is free again"));
    }
}

struct Shared(Arc<dyn Transport>);

#[async_trait]
impl Transport for Shared {
    async fn request(&self, name: &str, headers: Headers, bytes: Bytes) -> Result<Bytes, BusError> {
        self.0.request(name, headers, bytes).await
    }

    fn kind(&self) -> &'static str {
        self.0.kind()
    }
}

bus_testkit::wire! {
    socket: super::Socket,
}
