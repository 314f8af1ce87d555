//! A dead leaf under three layers, and what each call costs it.

use crate::world::{Look, ShopError, ShopPort, Take, World};
use async_trait::async_trait;
use bus::{
    Bus, BusError, Direct, Endpoints, Forced, Headers, Policies, Resilience, RetryRule, Served, Transport,
};
use bytes::Bytes;
use futures::future::join_all;
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

const AT_ONCE: usize = 20;

/// Counts what reaches it, and is dead in this way.
struct Dead {
    asked: AtomicUsize,
    way: Way,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Refuses,
    Hangs,
}

#[async_trait]
impl Transport for Dead {
    async fn request(&self, _: &str, _: Headers, _: Bytes) -> Result<Bytes, BusError> {
        self.asked.fetch_add(1, SeqCst);
        match self.way {
            Way::Refuses => Err(BusError::Unavailable { port: "shop".into() }),
            Way::Hangs => std::future::pending().await,
        }
    }

    fn kind(&self) -> &'static str {
        "dead"
    }
}

/// A layer that asks the next one, and what it makes of an error.
struct Layer {
    next: Bus,
    ask: Ask,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ask {
    /// Once, and says what was wrong: the bus does the rest.
    Plainly,
    /// Once, and takes the blame, so that it looks as if it were down itself.
    Blaming,
    /// Up to four times, as Moleculer does with three retries.
    FourTimes,
}

#[async_trait]
impl ShopPort for Layer {
    async fn look(&self, request: Look) -> Result<u32, ShopError> {
        match self.ask {
            // The next layer is another module.
            Ask::Plainly => self.next.look(request).await.map_err(|error| match error {
                ShopError::Unavailable(BusError::Unavailable { .. }) => {
                    BusError::Unavailable { port: "next".into() }.into()
                }
                other => other,
            }),
            Ask::Blaming => self.next.look(request).await,
            Ask::FourTimes => {
                let mut answer = self.next.look(request.clone()).await;
                for _ in 0..3 {
                    if answer.is_err() {
                        answer = self.next.look(request.clone()).await;
                    }
                }
                answer
            }
        }
    }

    async fn take(&self, _: Take) -> Result<u32, ShopError> {
        Err(ShopError::SoldOut)
    }
}

/// A bus at the top of three layers (its own calls are those of the first), with the dead leaf at the bottom.
fn stack(dead: &Arc<Dead>, resilience: Resilience, ask: Ask) -> Vec<Bus> {
    let policies = Policies::default().with_resilience(resilience).expect("sound");
    let mut buses = vec![Bus::new(policies.clone())];
    buses[0].connect("shop", Arc::clone(dead) as Arc<dyn Transport>);
    for _ in 0..2 {
        let next = buses[buses.len() - 1].clone();
        let served =
            Served::new(Arc::new(Layer { next, ask }) as Arc<dyn ShopPort>, Arc::new(Direct), &policies);
        let bus = Bus::new(policies.clone());
        bus.connect("shop", Arc::new(Endpoints::default().with_port(&served)));
        buses.push(bus);
    }
    buses
}

async fn executions_per_call(
    calls: usize,
    way: Way,
    ask: Ask,
    breaker: Forced,
    resilience: Resilience,
) -> f64 {
    let dead = Arc::new(Dead { asked: AtomicUsize::new(0), way });
    let buses = stack(&dead, resilience, ask);
    for bus in &buses {
        assert!(bus.force_breaker("shop", breaker));
    }
    let top = &buses[buses.len() - 1];
    let above = Layer { next: top.clone(), ask: if ask == Ask::FourTimes { ask } else { Ask::Blaming } };
    // So many at a time that hanging ones do not take for ever.
    for _ in 0..calls / AT_ONCE {
        let answers = join_all((0..AT_ONCE).map(|_| above.look(Look {}))).await;
        assert!(answers.iter().all(Result::is_err));
    }
    f64::from(u32::try_from(dead.asked.load(SeqCst)).expect("few"))
        / f64::from(u32::try_from(calls).expect("few"))
}

/// M2, C11, B22: at most 1.2 executions a call, with the breakers forced closed, so that it is the budget that holds;
/// and fewer with them.
#[tokio::test(start_paused = true)]
async fn a_dead_leaf_under_three_layers_costs_little_more() {
    for way in [Way::Refuses, Way::Hangs] {
        let resilience = Resilience { query_timeout: Some(Duration::from_secs(5)), ..Resilience::default() };
        let cost = executions_per_call(1000, way, Ask::Plainly, Forced::Closed, resilience).await;
        assert!((1.0..=1.2).contains(&cost), "{cost} executions a call: {way:?}");
        let cost = executions_per_call(1000, way, Ask::Plainly, Forced::Auto, resilience).await;
        assert!(cost <= 1.2, "{cost} executions a call: {way:?}, with breakers");
    }
}

/// Layers that hide what was wrong make every layer try again. Three budgets and the breakers hold that too.
#[tokio::test(start_paused = true)]
async fn layers_that_take_the_blame_cost_little_more() {
    let resilience = Resilience::default();
    let cost = executions_per_call(1000, Way::Refuses, Ask::Blaming, Forced::Auto, resilience).await;
    assert!(cost <= 1.2, "{cost} executions a call");
    let cost = executions_per_call(1000, Way::Refuses, Ask::Blaming, Forced::Closed, resilience).await;
    assert!(cost <= 1.4, "{cost} executions a call by the budgets alone");
}

/// The control: three layers that each try four times without a budget are 64 executions a call.
#[tokio::test(start_paused = true)]
async fn without_a_budget_it_would_be_64() {
    let once =
        Resilience { retry: RetryRule { attempts: 1, ..RetryRule::default() }, ..Resilience::default() };
    let cost = executions_per_call(20, Way::Refuses, Ask::FourTimes, Forced::Closed, once).await;
    assert!((cost - 64.0).abs() < f64::EPSILON, "{cost} executions a call");
}

/// When the leaf is back, so are all who call it, whatever the storm was: nothing stays shut.
#[tokio::test(start_paused = true)]
async fn after_the_storm_everything_is_as_before() {
    let world = World::new();
    world.faults.inject("*", bus_testkit::Fault::BreakBefore, 60);
    let mut refused = 0;
    while world.look().await.is_err() {
        refused += 1;
        tokio::time::advance(Duration::from_millis(20)).await;
        assert!(refused < 100_000, "it stays shut");
    }
    for _ in 0..100 {
        assert_eq!(world.look().await, Ok(0));
    }
}
