//! What only a connection can do: get lost, come back, and carry errors that no handler made.

use async_trait::async_trait;
use bus::{BusError, Endpoints, Headers, Transport};
use bus_testkit::{SocketServer, SocketTransport, conformance::bus_errors, eventually};
use bytes::Bytes;
use futures::future::{join_all, pending};
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

const SOON: Duration = Duration::from_secs(20);

/// Sends the body back, never answers `deaf.*`, panics at `mad.*`, and fails with what it was given else.
#[derive(Default)]
struct Echo {
    error: Mutex<Option<BusError>>,
    asked: AtomicUsize,
    /// Calls that are inside.
    inside: Arc<AtomicUsize>,
}

struct Inside(Arc<AtomicUsize>);

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

#[async_trait]
impl Transport for Echo {
    async fn request(&self, name: &str, _: Headers, bytes: Bytes) -> Result<Bytes, BusError> {
        self.asked.fetch_add(1, SeqCst);
        self.inside.fetch_add(1, SeqCst);
        let _inside = Inside(Arc::clone(&self.inside));
        match name {
            "deaf.call" => pending().await,
            "mad.call" => panic!("as asked"),
            _ => self.error.lock().expect("not poisoned").clone().map_or(Ok(bytes), Err),
        }
    }

    fn kind(&self) -> &'static str {
        "echo"
    }
}

/// What is served, so that tests keep a look at it.
struct Shared(Arc<Echo>);

#[async_trait]
impl Transport for Shared {
    async fn request(&self, name: &str, headers: Headers, bytes: Bytes) -> Result<Bytes, BusError> {
        self.0.request(name, headers, bytes).await
    }

    fn kind(&self) -> &'static str {
        self.0.kind()
    }
}

async fn served() -> (Arc<Echo>, SocketServer, Arc<SocketTransport>) {
    let echo = Arc::new(Echo::default());
    let server = SocketServer::bind(Shared(Arc::clone(&echo))).await.expect("a free port");
    let client = Arc::new(SocketTransport::connect(server.address()));
    (echo, server, client)
}

async fn ask(client: &SocketTransport, name: &str, body: &'static str) -> Result<Bytes, BusError> {
    client.request(name, Headers::new(), Bytes::from(body)).await
}

/// C21: errors of the bus itself cross the wire as values, whoever made them.
#[tokio::test]
async fn a_bus_error_outside_of_any_answer_is_the_same_value() {
    let (echo, _server, client) = served().await;
    for error in bus_errors() {
        *echo.error.lock().expect("not poisoned") = Some(error.clone());
        assert_eq!(ask(&client, "any.call", "").await, Err(error));
    }
}

/// The transport carries bytes and does not care what they mean.
#[tokio::test]
async fn bytes_that_are_no_json_arrive_as_they_are() {
    let (_, _server, client) = served().await;
    let bodies = ["", "not json", "\u{0}\u{1}", "{\"a\":"];
    let answers = join_all(bodies.iter().cycle().take(200).map(|body| ask(&client, "any.call", body))).await;
    for (answer, body) in answers.into_iter().zip(bodies.iter().cycle()) {
        assert_eq!(answer, Ok(Bytes::from(*body)));
    }
    assert_eq!(client.pending(), 0);
}

/// C22: a name that nobody serves is answered at once.
#[tokio::test]
async fn an_unknown_name_is_answered_with_a_value() {
    let server = SocketServer::bind(Endpoints::default()).await.expect("a free port");
    let client = SocketTransport::connect(server.address());
    let answer = tokio::time::timeout(SOON, ask(&client, "a.b", "")).await.expect("at once");
    assert_eq!(answer, Err(BusError::UnknownName { name: "a.b".into() }));
}

/// CALL-17: a lost connection fails all that wait on it, with a typed error, and leaves nothing pending; the
/// next call connects anew, to whoever is there by then.
#[tokio::test]
async fn a_lost_connection_fails_what_waits_and_the_next_call_reconnects() {
    let (echo, server, client) = served().await;
    let address = server.address();
    let waiting: Vec<_> = (0..20)
        .map(|_| {
            let client = Arc::clone(&client);
            bus::spawn(async move { ask(&client, "deaf.call", "").await })
        })
        .collect();
    eventually("all are heard", SOON, async || echo.asked.load(SeqCst) == 20).await;
    assert_eq!(client.pending(), 20);
    server.stop().await;
    let lost = |port: &str| Err(BusError::Unavailable { port: port.into() });
    for call in waiting {
        assert_eq!(call.await.expect("it does not panic"), lost("deaf"));
    }
    assert_eq!(client.pending(), 0);
    eventually("the server has let go of them", SOON, async || echo.inside.load(SeqCst) == 0).await;
    assert_eq!(ask(&client, "any.call", "hello").await, lost("any"), "nobody is there");

    let _server = SocketServer::bind_at(address, Shared(echo)).await.expect("the port is free again");
    assert_eq!(ask(&client, "any.call", "hello").await, Ok("hello".into()));
}

/// C20: a caller who leaves takes the entry along, and the server hears of it.
#[tokio::test]
async fn a_cancelled_call_leaves_nothing_on_either_side() {
    let (echo, _server, client) = served().await;
    for asked in 1..=20 {
        let waiting = bus::spawn({
            let client = Arc::clone(&client);
            async move { ask(&client, "deaf.call", "").await }
        });
        eventually("it is heard", SOON, async || echo.asked.load(SeqCst) == asked).await;
        waiting.abort();
    }
    eventually("the client is rid of them", SOON, async || client.pending() == 0).await;
    eventually("and the server too", SOON, async || echo.inside.load(SeqCst) == 0).await;
    assert_eq!(ask(&client, "any.call", "hello").await, Ok("hello".into()), "the connection is unharmed");
}

/// A panic outside of any handler is an answer as well.
#[tokio::test]
async fn a_panic_in_the_server_fails_its_call_only() {
    let (_, _server, client) = served().await;
    let answer = ask(&client, "mad.call", "").await;
    assert!(matches!(answer, Err(BusError::Failed { .. })), "{answer:?}");
    assert_eq!(ask(&client, "any.call", "hello").await, Ok("hello".into()));
}
