//! The calling half: how many connections it has, which it uses again, and that it sends nothing twice.

use crate::peer::{Peer, Reply, ok, ok_with};
use bus::{Bus, BusError, Headers, Operation, Policies, Policy, Transport};
use bus_http::{HttpSettings, HttpTransport};
use bus_testkit::eventually;
use bytes::Bytes;
use futures::future::join_all;
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};
use tokio::{net::TcpSocket, sync::Semaphore, time::timeout};

const SOON: Duration = Duration::from_secs(20);

pub(crate) fn transport(address: SocketAddr, settings: HttpSettings) -> Arc<HttpTransport> {
    Arc::new(HttpTransport::new(&format!("http://{address}"), settings).expect("an address"))
}

fn narrow(address: SocketAddr, connections: usize) -> Arc<HttpTransport> {
    transport(address, HttpSettings { connections, ..HttpSettings::default() })
}

async fn ask(transport: &HttpTransport) -> Result<Bytes, BusError> {
    let asked = transport.request("shop.order", Headers::new(), Bytes::from("{}"));
    timeout(SOON, asked).await.expect("it does not hang")
}

fn lost() -> Result<Bytes, BusError> {
    Err(BusError::Unavailable { port: "shop".into() })
}

/// One after the other over one connection, and at once over no more than allowed: the rest wait their turn.
#[tokio::test]
async fn connections_are_bounded_and_further_calls_wait_for_one() {
    let gate = Arc::new(Semaphore::new(0));
    let peer = Peer::new({
        let gate = Arc::clone(&gate);
        move |_| Reply::Later(Arc::clone(&gate), ok("1"))
    })
    .await;
    let transport = narrow(peer.address, 4);
    let calls = bus::spawn({
        let transport = Arc::clone(&transport);
        async move { join_all((0..12).map(|_| ask(&transport))).await }
    });
    eventually("four are heard", SOON, async || peer.requests().len() == 4).await;
    assert_eq!((transport.pending(), peer.connections()), (12, (4, 4)));
    gate.add_permits(12);
    assert_eq!(calls.await.expect("it does not panic"), vec![Ok(Bytes::from("1")); 12]);
    for _ in 0..10 {
        gate.add_permits(1);
        assert_eq!(ask(&transport).await, Ok("1".into()));
    }
    assert_eq!((transport.pending(), peer.connections()), (0, (4, 4)));
}

/// CALL-9: whoever gives up waiting for a connection takes none, and nobody else's.
#[tokio::test]
async fn a_call_that_gives_up_waiting_for_a_connection_leaves_nothing() {
    let gate = Arc::new(Semaphore::new(0));
    let peer = Peer::new({
        let gate = Arc::clone(&gate);
        move |_| Reply::Later(Arc::clone(&gate), ok("1"))
    })
    .await;
    let transport = narrow(peer.address, 1);
    let first = bus::spawn({
        let transport = Arc::clone(&transport);
        async move { ask(&transport).await }
    });
    eventually("the first is heard", SOON, async || peer.requests().len() == 1).await;
    for _ in 0..10 {
        let waiting = timeout(Duration::from_millis(5), ask(&transport)).await;
        assert!(waiting.is_err(), "{waiting:?}");
        assert_eq!(transport.pending(), 1);
    }
    gate.add_permits(2);
    assert_eq!(first.await.expect("it does not panic"), Ok("1".into()));
    assert_eq!(ask(&transport).await, Ok("1".into()));
    assert_eq!((peer.requests().len(), peer.connections()), (2, (1, 1)));
}

/// CALL-18, C12: what was written may have been heard, on a new connection as on one that was used before, and is
/// not sent again behind the bus's back.
#[tokio::test]
async fn a_request_that_was_written_is_never_sent_again() {
    for answered_before in [0, 1, 5] {
        let peer =
            Peer::new(
                move |number| {
                    if number < answered_before { Reply::Say(ok("1")) } else { Reply::Last(Vec::new()) }
                },
            )
            .await;
        let transport = narrow(peer.address, 1);
        for _ in 0..answered_before {
            assert_eq!(ask(&transport).await, Ok("1".into()));
        }
        assert_eq!(ask(&transport).await, lost());
        assert_eq!((peer.requests().len(), peer.connections().0), (answered_before + 1, 1));
        assert_eq!(transport.pending(), 0);
    }
}

/// A connection that its target closed while it was idle is not a failure of the next call.
#[tokio::test]
async fn a_connection_that_was_closed_while_idle_costs_no_call() {
    let peer = Peer::new(|_| Reply::Last(ok("1"))).await;
    let transport = narrow(peer.address, 2);
    for calls in 1..=20 {
        assert_eq!(ask(&transport).await, Ok("1".into()));
        eventually("it is closed on both ends", SOON, async || peer.connections().1 == 0).await;
        assert_eq!(peer.requests().len(), calls);
    }
}

/// A request must not meet its target's farewell half-way, so a connection is given up long before that.
#[tokio::test]
async fn a_connection_is_not_used_any_more_when_its_target_is_about_to_close_it() {
    for (said, connections) in [("keep-alive: timeout=0\r\n", 5), ("keep-alive: max=9, timeout=600\r\n", 1)] {
        let peer = Peer::always(ok_with(said, "1")).await;
        let transport = narrow(peer.address, 1);
        for _ in 0..5 {
            assert_eq!(ask(&transport).await, Ok("1".into()));
        }
        assert_eq!(peer.connections().0, connections, "{said}");
    }
}

/// CALL-17: nobody is waited for who is not there.
#[tokio::test]
async fn nobody_there_is_known_at_once() {
    // Bound, so that nobody else takes the port, and not listening.
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind(([127, 0, 0, 1], 0).into()).expect("a free port");
    let transport = narrow(socket.local_addr().expect("bound"), 1);
    for _ in 0..3 {
        assert_eq!(ask(&transport).await, Err(BusError::Unheard { port: "shop".into() }));
    }
    assert_eq!(transport.pending(), 0);
}

/// CALL-20: a peer that falls silent, before or in the middle of its answer, is left at the deadline, and the
/// connection with it.
#[tokio::test]
async fn a_silent_peer_is_left_at_the_deadline_and_its_connection_is_free() {
    let whole = r#"{"done":true}"#;
    for said in [0, 7, 40, ok(whole).len() - 1] {
        let recovered = Arc::new(AtomicBool::new(false));
        let peer = Peer::new({
            let recovered = Arc::clone(&recovered);
            move |_| {
                let answer = ok(whole);
                let said = if recovered.load(SeqCst) { answer.len() } else { said };
                Reply::Say(answer[..said].to_vec())
            }
        })
        .await;
        let transport = narrow(peer.address, 1);
        let brief = Policy { deadline: Duration::from_millis(300), ..Policy::default() };
        let bus = Bus::new(Policies::default().with_port("shop", brief).expect("a good policy"));
        bus.connect_operations("shop", Arc::clone(&transport) as Arc<dyn Transport>);
        let answer = timeout(SOON, bus.operate("shop", Operation::Lag)).await.expect("it does not hang");
        assert_eq!(answer, Err(BusError::DeadlineExceeded { name: "shop.operations".into() }), "{said}");
        assert_eq!(transport.pending(), 0);
        eventually("the connection is closed", SOON, async || peer.connections().1 == 0).await;
        recovered.store(true, SeqCst);
        assert_eq!(ask(&transport).await, Ok(whole.into()), "the only connection there may be");
    }
}
