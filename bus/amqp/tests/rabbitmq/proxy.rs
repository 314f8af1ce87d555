//! A way to the broker that can be cut and mended.

use bus_testkit::free_address;
use lapin::uri::AMQPUri;
use std::net::SocketAddr;
use tokio::{
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};

/// Passes connections on to the broker.
pub(crate) struct Proxy {
    broker: AMQPUri,
    address: SocketAddr,
    passing: Option<JoinHandle<()>>,
}

impl Proxy {
    pub(crate) async fn to(broker: &str) -> Self {
        let broker: AMQPUri = broker.parse().expect("an AMQP URL");
        // Not one that a connection may be given while the way is cut.
        let address = free_address().expect("a free port");
        let listener = TcpListener::bind(address).await.expect("it is free");
        let mut proxy = Self { broker, address, passing: None };
        proxy.pass(listener);
        proxy
    }

    /// The broker's URL by this way.
    pub(crate) fn url(&self) -> String {
        let mut uri = self.broker.clone();
        uri.authority.host = self.address.ip().to_string();
        uri.authority.port = self.address.port();
        uri.to_string()
    }

    fn pass(&mut self, listener: TcpListener) {
        let broker = (self.broker.authority.host.clone(), self.broker.authority.port);
        self.passing = Some(bus::spawn(async move {
            // Owned here, so that the connections end with the proxy.
            let mut connections = JoinSet::new();
            while let Ok((mut near, _)) = listener.accept().await {
                let broker = broker.clone();
                connections.spawn(async move {
                    let mut far = TcpStream::connect(broker).await?;
                    tokio::io::copy_bidirectional(&mut near, &mut far).await
                });
            }
        }));
    }

    /// Ends every connection, and lets nobody in.
    pub(crate) async fn cut(&mut self) {
        if let Some(passing) = self.passing.take() {
            passing.abort();
            assert!(passing.await.expect_err("it never ends by itself").is_cancelled());
        }
    }

    pub(crate) async fn mend(&mut self) {
        let listener = TcpListener::bind(self.address).await.expect("the port is free again");
        self.pass(listener);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(passing) = &self.passing {
            passing.abort();
        }
    }
}
