//! A small system: orders and a gateway call inventory, payments runs beside them; whatever is sent can be held,
//! changed and sent by somebody else.

use async_trait::async_trait;
use bus::{BusError, Headers, Sources, Transport};
use bus_testkit::ManualClock;
use bus_trust::{Guard, Identity, Peer, Peers, PublicKey, Roster, Sealed};
use bytes::Bytes;
use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex},
};
use tracing::subscriber::DefaultGuard;

/// What goes over the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) name: String,
    pub(crate) headers: Headers,
    pub(crate) bytes: Bytes,
}

/// Keeps what it is asked, and answers with the same bytes.
#[derive(Default)]
pub(crate) struct Recorder(Mutex<Vec<Sent>>);

impl Recorder {
    pub(crate) fn seen(&self) -> Vec<Sent> {
        self.0.lock().expect("not poisoned").clone()
    }
}

#[async_trait]
impl Transport for Recorder {
    async fn request(&self, name: &str, headers: Headers, bytes: Bytes) -> Result<Bytes, BusError> {
        let sent = Sent { name: name.to_owned(), headers, bytes: bytes.clone() };
        self.0.lock().expect("not poisoned").push(sent);
        Ok(bytes)
    }

    fn kind(&self) -> &'static str {
        "loopback"
    }
}

/// What has been logged in this thread.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("not poisoned").clone()).expect("UTF-8")
    }

    pub(crate) fn listen(&self) -> DefaultGuard {
        let log = self.clone();
        let writer = move || log.clone();
        let subscriber = tracing_subscriber::fmt().with_ansi(false).without_time().with_writer(writer);
        tracing::subscriber::set_default(subscriber.finish())
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("not poisoned").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub(crate) struct World {
    pub(crate) clock: ManualClock,
    pub(crate) peers: Peers,
    pub(crate) roster: Roster,
    pub(crate) orders: Arc<Identity>,
    pub(crate) payments: Arc<Identity>,
    pub(crate) gateway: Arc<Identity>,
    pub(crate) inventory: Arc<Identity>,
    pub(crate) inner: Arc<Recorder>,
    pub(crate) guard: Arc<Guard>,
    pub(crate) log: Log,
    _listening: DefaultGuard,
}

pub(crate) fn peer(keys: &[PublicKey], runs: &[&str]) -> Peer {
    let runs = runs.iter().map(ToString::to_string).collect();
    Peer { keys: keys.to_vec(), runs, speaks_for: None }
}

pub(crate) fn headers(pairs: &[(&str, &str)]) -> Headers {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

pub(crate) const USER: &str = r#"{"user":"00000000-0000-0000-0000-000000000001","role":"customer","session":"00000000-0000-0000-0000-000000000002"}"#;

impl World {
    pub(crate) fn new() -> Self {
        Self::with(|guard| guard)
    }

    pub(crate) fn with(setting: impl FnOnce(Guard) -> Guard) -> Self {
        let made = |name: &str| Arc::new(Identity::generate(name).expect("a key"));
        let (orders, payments) = (made("orders"), made("payments"));
        let (gateway, inventory) = (made("gateway"), made("inventory"));
        let known = |identity: &Identity, runs: &[&str]| {
            (identity.name().to_owned(), peer(&[identity.public_key()], runs))
        };
        let roster = Roster {
            peers: BTreeMap::from([
                known(&orders, &["orders"]),
                known(&payments, &["payments"]),
                known(&inventory, &["inventory"]),
                known(&gateway, &[]),
            ]),
            allow: BTreeMap::from([
                ("inventory".into(), vec!["orders".into(), "gateway".into()]),
                ("payments".into(), vec!["orders".into()]),
            ]),
            control: vec!["gateway".into()],
        };
        let peers = Peers::new(roster.clone()).expect("a good roster");
        let (clock, inner, log) = (ManualClock::default(), Arc::<Recorder>::default(), Log::default());
        let sources = Sources::with_clock(Arc::new(clock.clone()));
        let answers = Arc::clone(&inner) as Arc<dyn Transport>;
        let guard = Arc::new(setting(Guard::new(answers, peers.clone(), sources)));
        let _listening = log.listen();
        Self { clock, peers, roster, orders, payments, gateway, inventory, inner, guard, log, _listening }
    }

    pub(crate) fn sources(&self) -> Sources {
        Sources::with_clock(Arc::new(self.clock.clone()))
    }

    /// What `identity` sends to `audience`, caught on its way.
    pub(crate) async fn catch(&self, identity: &Arc<Identity>, audience: &str, call: Sent) -> Sent {
        let net = Arc::<Recorder>::default();
        let carrier = Arc::clone(&net) as Arc<dyn Transport>;
        let sealed = Sealed::new(carrier, Arc::clone(identity), audience, self.sources());
        sealed.request(&call.name, call.headers, call.bytes).await.expect("caught");
        net.seen().remove(0)
    }

    /// A call of orders to inventory, sealed as it has to be.
    pub(crate) async fn reserve(&self) -> Sent {
        let headers = headers(&[("caller", USER), ("timeout-ms", "10000"), ("attempt", "1")]);
        let bytes = Bytes::from_static(br#"{"order":"o-1"}"#);
        self.catch(&self.orders, "inventory", Sent { name: "inventory.reserve".into(), headers, bytes }).await
    }

    pub(crate) async fn send(&self, sent: &Sent) -> Result<Bytes, BusError> {
        self.guard.request(&sent.name, sent.headers.clone(), sent.bytes.clone()).await
    }

    pub(crate) async fn taken(&self, sent: &Sent) {
        let before = self.inner.seen().len();
        assert_eq!(self.send(sent).await, Ok(sent.bytes.clone()), "{sent:?}\n{}", self.log.text());
        assert_eq!(self.inner.seen().len(), before + 1);
    }

    /// It is refused for this reason, which is in the log and not in the answer, and nothing behind the guard hears of it.
    pub(crate) async fn refused(&self, sent: &Sent, reason: &str) {
        let (before, logged) = (self.inner.seen().len(), self.log.text().len());
        let answer = self.send(sent).await;
        assert_eq!(answer, Err(BusError::NotTrusted { name: sent.name.clone() }), "{sent:?}");
        assert_eq!(self.inner.seen().len(), before, "it went through: {sent:?}");
        let log = self.log.text().split_off(logged);
        assert!(log.contains(reason), "{reason:?} is not in {log:?}");
    }
}
