//! The adapter as the suites need it.

use async_trait::async_trait;
use bus::{Bus, Direct, Endpoints, Executor, Listener, Policies, Receive, Served, Transport};
use bus_http::{HttpListener, HttpSettings, HttpTransport, ListenerSettings};
use bus_testkit::{
    Attachment, Placement,
    wire::{Line, MODULE, Wire},
};
use std::{net::SocketAddr, sync::Arc};
use tokio::time::Instant;

/// Over HTTP, to a listener in this process.
pub(crate) struct Http;

impl Http {
    async fn connect(module: &str, endpoints: Endpoints) -> (HttpListener, Arc<HttpTransport>) {
        let listener = listen(free(), Arc::new(endpoints)).await;
        listener.open(module).await.expect("it opens");
        let transport = call(listener.address());
        (listener, transport)
    }
}

pub(crate) fn free() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

pub(crate) async fn listen(address: SocketAddr, answers: Arc<dyn Transport>) -> HttpListener {
    HttpListener::bind(address, answers, ListenerSettings::default()).await.expect("the address is free")
}

pub(crate) fn call(address: SocketAddr) -> Arc<HttpTransport> {
    let transport = HttpTransport::new(&format!("http://{address}"), HttpSettings::default());
    Arc::new(transport.expect("an address"))
}

#[async_trait(?Send)]
impl Placement for Http {
    fn name(&self) -> &'static str {
        "http"
    }

    async fn attach(&self, bus: &Bus, serve: &dyn Fn(Arc<dyn Executor>) -> Served) -> Attachment {
        let served = serve(Arc::new(Direct));
        let port = served.port();
        let (listener, transport) = Self::connect(port, Endpoints::default().with_port(&served)).await;
        bus.connect(port, transport);
        let serving = Bus::new(Policies::default());
        serving.serve(served);
        Attachment::new(serving, vec![Box::new(listener)])
    }

    async fn attach_inbox(&self, bus: &Bus, module: &str, inbox: Arc<dyn Receive>) -> Attachment {
        let endpoints = Endpoints::default().with_inbox(module, inbox);
        let (listener, transport) = Self::connect(module, endpoints).await;
        bus.connect_inbox(module, transport);
        Attachment::new(bus.clone(), vec![Box::new(listener)])
    }
}

#[async_trait(?Send)]
impl Wire for Http {
    fn name(&self) -> &'static str {
        "http"
    }

    async fn serve(&self, answers: Arc<dyn Transport>) -> Box<dyn Line> {
        let listener = Arc::new(listen(free(), Arc::clone(&answers)).await);
        listener.open(MODULE).await.expect("it opens");
        let client = call(listener.address());
        Box::new(HttpLine { answers, listener, client })
    }
}

struct HttpLine {
    answers: Arc<dyn Transport>,
    listener: Arc<HttpListener>,
    client: Arc<HttpTransport>,
}

#[async_trait(?Send)]
impl Line for HttpLine {
    fn client(&self) -> Arc<dyn Transport> {
        Arc::clone(&self.client) as Arc<dyn Transport>
    }

    fn pending(&self) -> usize {
        self.client.pending()
    }

    async fn cut(&mut self) {
        self.listener.stop(Instant::now()).await;
    }

    async fn restore(&mut self) {
        self.listener = Arc::new(listen(self.listener.address(), Arc::clone(&self.answers)).await);
        self.listener.open(MODULE).await.expect("it opens");
    }

    fn listener(&self) -> Option<Arc<dyn Listener>> {
        Some(Arc::clone(&self.listener) as Arc<dyn Listener>)
    }
}
