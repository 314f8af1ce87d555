//! Nothing else changes: the suites that every placement and every wire pass, through a seal and a guard.

use async_trait::async_trait;
use bus::{Bus, Endpoints, Executor, Policies, Receive, Served, Sources, Transport};
use bus_testkit::{
    Attachment, Placement, SocketServer, SocketTransport,
    wire::{Line, Wire},
};
use bus_trust::{Guard, Identity, Peer, Peers, Roster, Sealed};
use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};

/// Who calls and who serves in these suites: the modules `probe`, `shop` and `wire`, and `street`, whose events
/// are told.
struct Parties {
    caller: Arc<Identity>,
    server: Arc<Identity>,
    peers: Peers,
}

impl Parties {
    fn new() -> Self {
        let made = |name| Arc::new(Identity::generate(name).expect("a key"));
        let (caller, server) = (made("caller"), made("server"));
        let modules = || ["probe", "shop", "street", "wire"].map(String::from).to_vec();
        let peer = |identity: &Identity| Peer {
            keys: vec![identity.public_key()],
            runs: modules(),
            speaks_for: None,
        };
        let roster = Roster {
            peers: BTreeMap::from([("caller".into(), peer(&caller)), ("server".into(), peer(&server))]),
            allow: modules().into_iter().map(|module| (module, vec!["caller".into()])).collect(),
            control: vec![],
        };
        Self { caller, server, peers: Peers::new(roster).expect("a good roster") }
    }

    fn guard(&self, inner: Arc<dyn Transport>) -> Guard {
        let guard = Guard::new(inner, self.peers.clone(), Sources::system());
        guard.with_signed_answers(Arc::clone(&self.server))
    }

    fn seal(&self, inner: Arc<dyn Transport>, audience: &str) -> Arc<dyn Transport> {
        let sealed = Sealed::new(inner, Arc::clone(&self.caller), audience, Sources::system());
        Arc::new(sealed.with_answers_from(self.peers.clone()))
    }
}

struct Trusted;

#[async_trait(?Send)]
impl Placement for Trusted {
    fn name(&self) -> &'static str {
        "sealed loopback"
    }

    async fn attach(&self, bus: &Bus, serve: &dyn Fn(Arc<dyn Executor>) -> Served) -> Attachment {
        let served = serve(Arc::new(bus::Direct));
        let port = served.port();
        let parties = Parties::new();
        let guard = parties.guard(Arc::new(Endpoints::default().with_port(&served)));
        let serving = Bus::new(Policies::default());
        serving.serve(served);
        bus.connect(port, parties.seal(Arc::new(guard), port));
        Attachment::new(serving, Vec::new())
    }

    async fn attach_inbox(&self, bus: &Bus, module: &str, inbox: Arc<dyn Receive>) -> Attachment {
        let parties = Parties::new();
        let guard = parties.guard(Arc::new(Endpoints::default().with_inbox(module, inbox)));
        bus.connect_inbox(module, parties.seal(Arc::new(guard), module));
        Attachment::new(bus.clone(), Vec::new())
    }
}

bus_testkit::conformance! {
    sealed_loopback: super::Trusted,
}

struct SealedSocket;

struct SocketLine {
    parties: Parties,
    answers: Arc<dyn Transport>,
    address: SocketAddr,
    server: Option<SocketServer>,
    socket: Arc<SocketTransport>,
}

#[async_trait(?Send)]
impl Wire for SealedSocket {
    fn name(&self) -> &'static str {
        "sealed socket"
    }

    async fn serve(&self, answers: Arc<dyn Transport>) -> Box<dyn Line> {
        let parties = Parties::new();
        let server = SocketServer::bind(parties.guard(Arc::clone(&answers))).await.expect("a free port");
        let address = server.address();
        let socket = Arc::new(SocketTransport::connect(address));
        Box::new(SocketLine { parties, answers, address, server: Some(server), socket })
    }
}

#[async_trait(?Send)]
impl Line for SocketLine {
    fn client(&self) -> Arc<dyn Transport> {
        self.parties.seal(Arc::clone(&self.socket) as Arc<dyn Transport>, bus_testkit::wire::MODULE)
    }

    fn pending(&self) -> usize {
        self.socket.pending()
    }

    async fn cut(&mut self) {
        self.server.take().expect("it serves").stop().await;
    }

    async fn restore(&mut self) {
        let guard = self.parties.guard(Arc::clone(&self.answers));
        let server = SocketServer::bind_at(self.address, guard).await;
        self.server = Some(server.expect("the port is free again"));
    }
}

bus_testkit::wire! {
    sealed_socket: super::SealedSocket,
}
