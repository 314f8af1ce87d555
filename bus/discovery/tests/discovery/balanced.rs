//! What balancing makes of calls that fail: on transports that do as they are told, and on sockets.

use crate::world::{Does, SOON, World, shown};
use async_trait::async_trait;
use bus::{BusError, Headers, Transport};
use bus_discovery::{Balance, Balanced, Balancer, State, Strategy, Watch};
use bus_testkit::{SocketServer, SocketTransport};
use bytes::Bytes;
use futures::future::join_all;
use std::{sync::Arc, time::Duration};

fn turns() -> Balance {
    Balance { strategy: Strategy::RoundRobin, ..Balance::default() }
}

fn balanced(world: &Arc<World>, watch: Watch, balance: Balance) -> Balanced {
    Balanced::new("shop", "world", watch, balance, world.connect())
}

async fn ask(balanced: &Balanced) -> Result<Bytes, BusError> {
    balanced.request("shop.ask", Headers::new(), Bytes::new()).await
}

fn unavailable() -> Result<Bytes, BusError> {
    Err(BusError::Unavailable { port: "shop.ask".into() })
}

/// One call is one attempt; the next one goes elsewhere, and the instance is tried again later.
#[tokio::test(start_paused = true)]
async fn after_a_refusal_the_next_call_goes_elsewhere() {
    for strategy in [Strategy::RoundRobin, Strategy::LeastInFlight, Strategy::ByKey] {
        let world = Arc::new(World::default());
        let (_tell, watch) = shown("ab");
        let balanced = balanced(&world, watch, Balance { strategy, ..Balance::default() });
        world.set("a", Does::Refuse);
        let mut answers = Vec::new();
        while answers.last() != Some(&unavailable()) {
            answers.push(ask(&balanced).await);
        }
        assert_eq!(world.heard().len(), answers.len(), "nothing is repeated here");
        for _ in 0..50 {
            assert_eq!(ask(&balanced).await, Ok("b".into()), "{strategy:?}");
        }
        assert_eq!(balanced.instances()[0].state, State::Suspect);
        world.set("a", Does::Answer);
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(balanced.instances()[0].state, State::Alive);
        world.heard();
        for _ in 0..50 {
            ask(&balanced).await.expect("both answer");
        }
        assert!(world.heard().contains(&"a".to_owned()), "{strategy:?}");
    }
}

/// One that stays down costs one call each time that it is tried, less and less often.
#[tokio::test(start_paused = true)]
async fn an_instance_that_stays_down_is_tried_less_and_less_often() {
    let world = Arc::new(World::default());
    let (_tell, watch) = shown("ab");
    let balanced = balanced(&world, watch, turns());
    world.set("a", Does::Refuse);
    let mut failures = Vec::new();
    for tenth in 0..1200_u32 {
        if ask(&balanced).await.is_err() {
            failures.push(tenth / 10);
        }
        tokio::time::advance(Duration::from_millis(100)).await;
    }
    let pauses: Vec<_> = failures.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(pauses.is_sorted(), "{pauses:?}");
    assert!((6..10).contains(&failures.len()), "{failures:?}");
}

/// C16: a zombie takes calls and never answers. After a few that were silent until their deadline, others are asked;
/// calls that were given up earlier say nothing.
#[tokio::test(start_paused = true)]
async fn an_instance_that_is_silent_is_left_alone() {
    let world = Arc::new(World::default());
    let (_tell, watch) = shown("ab");
    let balanced = balanced(&world, watch, turns());
    world.set("a", Does::Hang);
    let wait = async |patience: u64| {
        let headers = Headers::from([("timeout-ms".to_owned(), "500".to_owned())]);
        let call = balanced.request("shop.ask", headers, Bytes::new());
        tokio::time::timeout(Duration::from_millis(patience), call).await.ok()
    };
    for _ in 0..20 {
        wait(100).await;
    }
    assert_eq!(balanced.instances()[0].state, State::Alive, "nobody waited long enough to know");
    assert_eq!(balanced.instances()[0].in_flight, 0);
    let silent = join_all((0..12).map(|_| wait(500))).await.into_iter().filter(Option::is_none).count();
    assert_eq!(silent, 6);
    assert_eq!(balanced.instances()[0].state, State::Suspect);
    world.heard();
    for _ in 0..10 {
        assert_eq!(wait(500).await, Some(Ok("b".into())));
    }
}

/// Sixty calls that find the same door shut are one strike.
#[tokio::test(start_paused = true)]
async fn calls_that_fail_together_are_one_strike() {
    let world = Arc::new(World::default());
    let (_tell, watch) = shown("a");
    let balanced = balanced(&world, watch, turns());
    world.set("a", Does::Refuse);
    for _ in 0..60 {
        assert_eq!(ask(&balanced).await, unavailable(), "the only one there is, is asked all the same");
    }
    tokio::time::advance(Duration::from_millis(1001)).await;
    assert_eq!(balanced.instances()[0].state, State::Alive);
}

/// An answer that is an error is an answer.
#[tokio::test]
async fn an_instance_that_answers_with_an_error_is_alive() {
    struct Refusing;
    #[async_trait]
    impl Transport for Refusing {
        async fn request(&self, name: &str, _: Headers, _: Bytes) -> Result<Bytes, BusError> {
            Err(BusError::Overloaded { port: name.into(), retry_after_ms: 1 })
        }
        fn kind(&self) -> &'static str {
            "refusing"
        }
    }
    let (_tell, watch) = shown("ab");
    let balanced = Balanced::new("shop", "refusing", watch, turns(), |_| Arc::new(Refusing));
    for _ in 0..10 {
        assert!(matches!(ask(&balanced).await, Err(BusError::Overloaded { .. })));
    }
    assert!(balanced.instances().iter().all(|it| it.state == State::Alive));
    assert_eq!(balanced.kind(), "refusing");
}

#[tokio::test]
async fn events_go_the_way_of_events() {
    let (_tell, watch) = shown("a");
    let balanced = balanced(&Arc::default(), watch, turns());
    let receipt = balanced.deliver("shop.inbox", Headers::new(), Bytes::new()).await;
    assert_eq!(receipt, Ok("delivered to a".into()));
}

/// Whoever proxies for others balances over clients of its own.
#[tokio::test]
async fn anything_can_be_kept_for_an_instance() {
    let (_tell, watch) = shown("ab");
    let balancer = Balancer::new("shop", watch, turns(), |instance| format!("client of {}", instance.id));
    let picked = balancer.pick(None, None).expect("there are two");
    assert_eq!((picked.id(), picked.as_str()), ("a", "client of a"));
    assert_eq!(balancer.instances()[0].in_flight, 1);
    picked.unreachable();
    assert_eq!(balancer.instances()[0].in_flight, 0);
    assert!((0..10).all(|_| balancer.pick(None, None).is_some_and(|it| it.id() == "b")));
}

/// Answers with its name.
struct Named(&'static str);

#[async_trait]
impl Transport for Named {
    async fn request(&self, _: &str, _: Headers, _: Bytes) -> Result<Bytes, BusError> {
        Ok(Bytes::from(self.0))
    }

    fn kind(&self) -> &'static str {
        "named"
    }
}

/// Two servers on sockets, one of which dies and comes back: no more calls fail than find out.
#[tokio::test]
async fn a_server_that_dies_costs_few_calls_and_takes_some_again_when_it_is_back() {
    let one = SocketServer::bind(Named("one")).await.expect("a free port");
    let other = SocketServer::bind(Named("other")).await.expect("a free port");
    let (address, members) = (one.address(), [one.address(), other.address()]);
    let list = bus_discovery::StaticList::new().with(
        "shop",
        members.map(|it| bus_discovery::Instance::new(it.to_string(), it.to_string())).to_vec(),
    );
    let watch = bus_discovery::Discovery::watch(&list, "shop").expect("a target");
    let ejection = bus_discovery::Ejection {
        first: Duration::from_millis(50),
        longest: Duration::from_millis(50),
        ..Balance::default().ejection
    };
    let balanced = Balanced::new("shop", "socket", watch, Balance { ejection, ..turns() }, |instance| {
        Arc::new(SocketTransport::connect(instance.address.parse().expect("an address")))
    });
    assert_eq!([ask(&balanced).await, ask(&balanced).await].iter().filter(|it| it.is_ok()).count(), 2);
    one.stop().await;
    bus_testkit::eventually("somebody finds out", SOON, async || ask(&balanced).await.is_err()).await;
    assert_eq!(ask(&balanced).await, Ok("other".into()));
    let _one = SocketServer::bind_at(address, Named("one")).await.expect("the port is free again");
    bus_testkit::eventually("it takes calls again", SOON, async || ask(&balanced).await == Ok("one".into()))
        .await;
}
