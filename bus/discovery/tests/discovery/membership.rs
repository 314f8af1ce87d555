//! What balancing makes of members that come, go and waver.

use crate::world::{Does, SOON, World, members, shown};
use bus::{BusError, Headers, Transport};
use bus_discovery::{
    Balance, Balanced, Discovery, Instance, State, StaticList, Strategy, Watch, first_answer,
};
use bytes::Bytes;
use futures::future::join_all;
use std::{collections::BTreeMap, sync::Arc};

const TURNS: Balance = Balance {
    strategy: Strategy::RoundRobin,
    ejection: bus_discovery::Ejection {
        first: std::time::Duration::from_secs(1),
        longest: std::time::Duration::from_secs(30),
        unanswered: 3,
    },
    panic_below: 25,
};

fn balanced(world: &Arc<World>, watch: Watch, balance: Balance) -> Arc<Balanced> {
    Arc::new(Balanced::new("shop", "world", watch, balance, world.connect()))
}

async fn ask(balanced: &Balanced) -> Result<Bytes, BusError> {
    balanced.request("shop.ask", Headers::new(), Bytes::new()).await
}

fn states(balanced: &Balanced) -> Vec<(String, State)> {
    balanced.instances().into_iter().map(|it| (it.id, it.state)).collect()
}

/// Waits until the balancer has seen what is shown.
async fn seen(balanced: &Balanced, ids: &str) {
    let wanted: Vec<_> = members(ids).list.iter().map(|it| (it.instance.id.clone(), it.state)).collect();
    bus_testkit::eventually("it is seen", SOON, async || states(balanced) == wanted).await;
}

#[tokio::test]
async fn a_static_list_is_known_at_once_and_can_be_replaced() {
    let here = |name: &str| Instance::new(name, name);
    let list = StaticList::new().with("shop", vec![here("a"), here("b")]);
    let (shop, nobody) = (list.watch("shop").expect("a target"), list.watch("nobody").expect("a target"));
    assert_eq!(*first_answer(&shop).await, *members("ab"));
    assert!(first_answer(&nobody).await.list.is_empty());
    let (world, balanced_over) = (Arc::new(World::default()), shop.clone());
    let balanced = balanced(&world, balanced_over, TURNS);
    let answers = [ask(&balanced).await, ask(&balanced).await, ask(&balanced).await];
    assert_eq!(answers, [Ok("a".into()), Ok("b".into()), Ok("a".into())]);
    list.set("shop", vec![here("b"), here("c")]);
    seen(&balanced, "bc").await;
    assert_eq!(world.transports(), (3, 1), "who stayed keeps its transport");
    assert!(list.register("shop", here("d")).is_err(), "somebody else writes the list");
}

#[tokio::test]
async fn without_instances_the_answer_is_unavailable_at_once() {
    let (_tell, watch) = shown("");
    let balanced = balanced(&Arc::default(), watch, Balance::default());
    let unavailable = Err(BusError::Unheard { port: "shop".into() });
    assert_eq!(ask(&balanced).await, unavailable);
    assert_eq!(balanced.deliver("shop.inbox", Headers::new(), Bytes::new()).await, unavailable);
}

/// C16: an instance that leaves finishes what it has; its transport is dropped after that, and not before.
#[tokio::test]
async fn an_instance_that_goes_finishes_what_it_has() {
    let world = Arc::new(World::default());
    let (tell, watch) = shown("a");
    let balanced = balanced(&world, watch, Balance::default());
    world.set("a", Does::Wait);
    let calls: Vec<_> = (0..20)
        .map(|_| {
            let balanced = Arc::clone(&balanced);
            bus::spawn(async move { ask(&balanced).await })
        })
        .collect();
    bus_testkit::eventually("all have arrived", SOON, async || world.heard_so_far() == 20).await;
    assert_eq!(balanced.instances()[0].in_flight, 20);
    for stage in ["Ab", "a?b", "b"] {
        tell.send_replace(members(stage));
        seen(&balanced, stage).await;
        assert_eq!(ask(&balanced).await, Ok("b".into()), "new calls go elsewhere: {stage}");
        assert!(calls.iter().all(|call| !call.is_finished()));
    }
    assert_eq!(world.transports(), (2, 0));
    world.go();
    for answer in join_all(calls).await {
        assert_eq!(answer.expect("it does not panic"), Ok("a".into()));
    }
    assert_eq!(world.transports(), (2, 1));
}

/// C16: an instance that wavers between alive and suspect costs no connection and fails no call.
#[tokio::test]
async fn flapping_fails_no_call_and_makes_no_connection() {
    let world = Arc::new(World::default());
    let (tell, watch) = shown("abc");
    let balanced = balanced(&world, watch, Balance::default());
    let steady = bus::spawn({
        let balanced = Arc::clone(&balanced);
        async move {
            for _ in 0..2000 {
                ask(&balanced).await.expect("somebody is always alive");
                tokio::task::yield_now().await;
            }
        }
    });
    for stage in ["a?bc", "ab?c?", "a?b?c?", "abc", "aBc?"].into_iter().cycle().take(500) {
        tell.send_replace(members(stage));
        tokio::task::yield_now().await;
    }
    steady.await.expect("no call fails");
    assert_eq!(world.transports(), (3, 0));
}

/// Whoever is suspect gets no new calls, unless too few are alive: then all are used.
#[tokio::test]
async fn all_are_used_when_too_few_are_alive() {
    let world = Arc::new(World::default());
    let (tell, watch) = shown("abcd?");
    let balanced = balanced(&world, watch, Balance { panic_below: 50, ..TURNS });
    let asked = async |stage: &str| {
        tell.send_replace(members(stage));
        seen(&balanced, stage).await;
        for _ in 0..12 {
            ask(&balanced).await.expect("an answer");
        }
        let mut counts = BTreeMap::<String, usize>::new();
        world.heard().into_iter().for_each(|address| *counts.entry(address).or_default() += 1);
        counts.into_iter().map(|(address, count)| format!("{address}{count}")).collect::<String>()
    };
    assert_eq!(asked("abcd?").await, "a4b4c4");
    assert_eq!(asked("abc?d?").await, "a6b6");
    assert_eq!(asked("ab?c?d?").await, "a3b3c3d3", "a panic");
    assert_eq!(asked("a?b?c?d?").await, "a3b3c3d3");
    assert_eq!(asked("aBCD").await, "a12", "those that leave are no reason to panic");
    assert_eq!(asked("ABcd?").await, "c12");
    assert_eq!(asked("abcd").await, "a3b3c3d3");
}

/// The same key goes to the same instance from every caller, and what comes or goes moves its own keys only.
#[tokio::test]
async fn calls_of_one_key_go_to_one_instance() {
    let by_key = Balance { strategy: Strategy::ByKey, ..TURNS };
    let owners = async |header: &str, ids: &str| {
        let (_tell, watch) = shown(ids);
        let balanced = balanced(&Arc::default(), watch, by_key);
        let mut owners = Vec::new();
        for key in 0..50 {
            let headers = Headers::from([(header.to_owned(), format!("sku-{key}"))]);
            owners.push(balanced.request("shop.ask", headers, Bytes::new()).await.expect("an answer"));
        }
        owners
    };
    let (one, other, fewer) =
        (owners("key", "abcd").await, owners("key", "abcd").await, owners("key", "abd").await);
    assert_eq!(one, other, "two callers that know nothing of each other");
    assert_eq!(one, owners("caller", "abcd").await, "without a key it is whoever is called for");
    for (before, after) in one.iter().zip(&fewer) {
        assert!(before == after || before == "c", "{before:?} lost a key to {after:?}");
    }
    assert!(["a", "b", "c", "d"].iter().all(|id| one.iter().any(|owner| owner == id)));
}
