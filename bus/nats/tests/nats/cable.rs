//! A cable to the broker that can be cut while the broker lives on.

use std::net::SocketAddr;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};

pub(crate) struct Cable {
    address: SocketAddr,
    cuts: watch::Sender<()>,
    _carrying: JoinSet<()>,
}

impl Cable {
    pub(crate) async fn to(url: &str) -> Self {
        let broker = url.trim_start_matches("nats://").to_owned();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let cuts = watch::Sender::new(());
        let mut carrying = JoinSet::new();
        carrying.spawn(carry(listener, broker, cuts.clone()));
        Self { address, cuts, _carrying: carrying }
    }

    pub(crate) fn url(&self) -> String {
        format!("nats://{}", self.address)
    }

    /// Ends every connection; the next one is carried.
    pub(crate) fn cut(&self) {
        self.cuts.send_replace(());
    }
}

async fn carry(listener: TcpListener, broker: String, cuts: watch::Sender<()>) {
    let mut connections = JoinSet::new();
    while let Ok((mut near, _)) = listener.accept().await {
        let (broker, mut cut) = (broker.clone(), cuts.subscribe());
        connections.spawn(async move {
            let mut far = TcpStream::connect(broker).await.expect("the broker is there");
            tokio::select! {
                _ = copy_bidirectional(&mut near, &mut far) => {}
                _ = cut.changed() => {}
            }
        });
    }
}
