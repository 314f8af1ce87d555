//! What is tried again, and what is not. Time is the test's own.

use crate::world::{Look, Shop, ShopError, ShopPort, Take, World, late, served, unavailable};
use async_trait::async_trait;
use bus::{Bus, BusError, Context, Direct, Headers, Policies, Policy, Resilience, Served, Transport};
use bus_testkit::Fault;
use bytes::Bytes;
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};
use tokio::time::Instant;

fn overloaded(port: &str, retry_after_ms: u64) -> ShopError {
    BusError::Overloaded { port: port.into(), retry_after_ms }.into()
}

/// CALL-6, CALL-18: what could not be reached is tried three times, queries and commands; then it fails.
#[tokio::test(start_paused = true)]
async fn what_cannot_be_reached_is_tried_again() {
    let world = World::new();
    world.faults.inject("shop.look", Fault::BreakBefore, 2);
    assert_eq!(world.look().await, Ok(0));
    world.faults.inject("shop.take", Fault::BreakAfter, 2);
    assert_eq!(world.bus.take(Take {}).await, Ok(0));
    assert_eq!(world.shop.attempts(), [3, 1, 2, 3]);
    world.faults.inject("*", Fault::BreakBefore, 3);
    assert_eq!(world.look().await, Err(unavailable()));
    world.faults.assert_all_fired();
    assert!(world.shop.attempts().is_empty());
}

/// CALL-18, C12: a request can be kept from being tried again.
#[tokio::test(start_paused = true)]
async fn a_request_that_must_not_be_repeated_is_sent_once() {
    let world = World::under(Policies::default().without_retry("shop.take"));
    world.faults.inject("*", Fault::BreakBefore, 2);
    assert_eq!(world.bus.take(Take {}).await, Err(unavailable()));
    assert_eq!(world.look().await, Ok(0), "others are not kept");
    world.faults.assert_all_fired();
}

/// CALL-6, C11: an answer is an answer: domain errors, what something further down could not do, and what another try
/// would not change.
#[tokio::test(start_paused = true)]
async fn an_answer_is_not_asked_for_again() {
    let world = World::new();
    let further_down = BusError::Unavailable { port: "warehouse".into() };
    let answers =
        [ShopError::SoldOut, further_down.into(), overloaded("warehouse", 1), BusError::KeyReused.into()];
    for error in answers {
        world.shop.will_answer([Err(error.clone())]);
        assert_eq!(world.look().await, Err(error.clone()));
        assert_eq!(world.shop.attempts(), [1], "{error:?}");
    }
}

/// C11, CALL-6: what comes as a second attempt is repeated by whoever made it, and by nobody further down.
#[tokio::test(start_paused = true)]
async fn a_second_attempt_is_not_repeated_further_down() {
    let (world, second) = (World::new(), Headers::from([("attempt".to_owned(), "2".to_owned())]));
    world.faults.inject("*", Fault::BreakBefore, 1);
    let context = Context::from_headers(&second);
    assert_eq!(context.scope(world.look()).await, Err(unavailable()));
    world.faults.assert_all_fired();
    let context = Context::from_headers(&second);
    assert_eq!(context.scope(world.look()).await, Ok(0));
    assert_eq!(world.shop.attempts(), [2], "and it says so to the next one");
}

/// M1: time-out 100 ms, three retries: Moleculer's caller waited for 761 ms. Ours waits for 100.
#[tokio::test(start_paused = true)]
async fn one_deadline_covers_all_attempts() {
    let world = World::with(|it| it.query_timeout = Some(Duration::from_millis(40)));
    for fault in [Fault::DropRequest, Fault::Delay(Duration::from_millis(70))] {
        world.faults.inject("*", fault, 3);
        let asked = Instant::now();
        assert_eq!(world.look_within(100).await, Err(late()));
        assert!(asked.elapsed() <= Duration::from_millis(101), "{:?}", asked.elapsed());
        assert!(world.faults.fired(fault) >= 2, "there was time for a second attempt");
        while world.look().await.is_err() {}
    }
}

/// CALL-12: an attempt that times out is dropped and another one made; one that answers in time is not.
#[tokio::test(start_paused = true)]
async fn an_attempt_that_times_out_is_given_up() {
    let world = World::with(|it| it.query_timeout = Some(Duration::from_millis(40)));
    world.faults.inject("*", Fault::DropRequest, 1);
    world.faults.inject("*", Fault::Delay(Duration::from_millis(39)), 1);
    assert_eq!(world.look().await, Ok(0));
    assert_eq!(world.shop.attempts(), [2]);
    assert_eq!(world.status().in_flight, 0);
}

/// A command runs as long as it may: asked again while it runs, it would be told no more than that.
#[tokio::test(start_paused = true)]
async fn a_command_has_all_of_the_time() {
    let world = World::new();
    world.faults.inject("*", Fault::Delay(Duration::from_secs(9)), 1);
    assert_eq!(world.bus.take(Take {}).await, Ok(0));
    assert_eq!(world.shop.attempts(), [1]);
}

/// The deadline of the call is nobody's to try again after.
#[tokio::test(start_paused = true)]
async fn after_the_deadline_nothing_is_sent() {
    let world = World::new();
    world.faults.inject("*", Fault::DropRequest, 1);
    assert_eq!(world.look_within(100).await, Err(late()));
    world.faults.assert_all_fired();
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(world.shop.attempts().is_empty());
}

/// An overloaded target is asked again when it said, or not at all where that is too late.
#[tokio::test(start_paused = true)]
async fn an_overloaded_target_is_asked_again_when_it_said() {
    let world = World::new();
    world.shop.will_answer([Err(overloaded("shop", 1000))]);
    let asked = Instant::now();
    assert_eq!(world.look().await, Ok(0));
    assert!(asked.elapsed() >= Duration::from_secs(1));
    world.shop.will_answer([Err(overloaded("shop", 1000))]);
    let asked = Instant::now();
    assert_eq!(world.look_within(900).await, Err(overloaded("shop", 1000)));
    assert_eq!(asked.elapsed(), Duration::ZERO, "at once");
}

/// An earlier attempt got through and only its answer did not: its outcome is waited for, and where that does not come
/// the caller hears of the failure and not of its own shadow. A first attempt that hears it is told.
#[tokio::test(start_paused = true)]
async fn an_earlier_attempt_that_still_runs_is_waited_for() {
    let in_use = || Err(BusError::KeyInUse.into());
    let world = World::new();
    world.faults.inject("*", Fault::BreakAfter, 1);
    world.shop.will_answer([Ok(1), in_use(), Ok(2)]);
    assert_eq!(world.bus.take(Take {}).await, Ok(2));
    world.faults.inject("*", Fault::BreakAfter, 1);
    world.shop.will_answer([Ok(1), in_use(), in_use()]);
    assert_eq!(world.bus.take(Take {}).await, Err(unavailable()));
    assert_eq!(world.shop.attempts(), [1, 2, 3, 1, 2, 3]);
    world.shop.will_answer([in_use()]);
    assert_eq!(world.bus.take(Take {}).await, in_use());
    assert_eq!(world.shop.attempts(), [1]);
}

/// CALL-22: what this process itself has too much of is refused at once and sent nowhere.
#[tokio::test(start_paused = true)]
async fn a_full_queue_of_ones_own_is_no_reason_to_try_again() {
    let policies = Policies::new(Policy { concurrency: 1, queue: 0, ..Policy::default() }).expect("sound");
    let world = World::under(policies);
    world.faults.inject("*", Fault::DropRequest, 1);
    let (held, refused) = tokio::join!(world.look_within(500), async {
        tokio::task::yield_now().await;
        let asked = Instant::now();
        (world.look().await, asked.elapsed())
    });
    assert_eq!(held, Err(late()));
    assert_eq!(refused, (Err(overloaded("shop", 1000)), Duration::ZERO));
    assert!(world.shop.attempts().is_empty());
}

/// C11: when the budget is spent, calls are tried once; other calls and time bring it back.
#[tokio::test(start_paused = true)]
async fn without_budget_nothing_is_tried_again() {
    let world = World::with(|it| it.breaker.enabled = false);
    assert_eq!(world.status().retries_left, Some(10));
    while world.status().retries_left != Some(0) {
        world.faults.inject("*", Fault::BreakBefore, 1);
        assert_eq!(world.look().await, Ok(0));
    }
    world.shop.attempts();
    world.faults.inject("*", Fault::BreakBefore, 1);
    assert_eq!(world.look().await, Err(unavailable()));
    tokio::time::advance(Duration::from_secs(60)).await;
    world.faults.inject("*", Fault::BreakBefore, 1);
    assert_eq!(world.look().await, Ok(0));
}

/// A call in this process is not tried again, whatever it comes to.
#[tokio::test(start_paused = true)]
async fn a_local_call_is_made_once() {
    let (shop, bus) = (Arc::new(Shop::default()), Bus::new(Policies::default()));
    bus.serve(Served::new(Arc::clone(&shop) as Arc<dyn ShopPort>, Arc::new(Direct), bus.policies()));
    shop.will_answer([Err(unavailable())]);
    assert_eq!(bus.look(Look {}).await, Err(unavailable()));
    assert_eq!(shop.attempts(), [1]);
    assert!(bus.status()[0].breaker.is_none() && bus.status()[0].retries_left.is_none());
}

/// C11: a process that only passes a call on leaves it to the caller to try again.
#[tokio::test(start_paused = true)]
async fn whoever_passes_on_does_not_try_again() {
    let world = World::new();
    world.faults.inject("*", Fault::BreakBefore, 1);
    let answer = world.bus.answers().request("shop.look", Headers::new(), Bytes::from("{}")).await;
    assert_eq!(answer, Err(BusError::Unavailable { port: "shop".into() }));
    world.faults.assert_all_fired();
    assert!(world.bus.answers().request("shop.look", Headers::new(), Bytes::from("{}")).await.is_ok());
}

/// A key goes with the calls that are about it, and with none that these make.
#[tokio::test]
async fn a_key_travels_with_its_call_only() {
    let (leaf, middle) = (World::new(), Arc::new(Shop::default()));
    struct Middle(Bus, Arc<Shop>);
    #[async_trait]
    impl ShopPort for Middle {
        async fn look(&self, request: Look) -> Result<u32, ShopError> {
            self.1.look(request.clone()).await?;
            self.0.look(request).await
        }
        async fn take(&self, request: Take) -> Result<u32, ShopError> {
            self.1.take(request).await
        }
    }
    let service = Arc::new(Middle(leaf.bus.clone(), Arc::clone(&middle))) as Arc<dyn ShopPort>;
    let served = Served::new(service, Arc::new(Direct), &Policies::default());
    let bus = World::bus_to(Arc::new(bus::Endpoints::default().with_port(&served)));
    assert_eq!(bus::keyed("mug", bus.look(Look {})).await, Ok(0));
    assert_eq!(bus.look(Look {}).await, Ok(0));
    assert_eq!(middle.keys(), [Some("mug".into()), None]);
    assert_eq!(leaf.shop.keys(), [None, None]);
}

/// A module that is down for a while costs no call that has time enough, and the load on it stays what it was.
#[tokio::test(start_paused = true)]
async fn a_short_outage_is_bridged() {
    /// Cannot be reached until then.
    struct Away(bus::Endpoints, Instant, AtomicUsize);
    #[async_trait]
    impl Transport for Away {
        async fn request(&self, name: &str, headers: Headers, bytes: Bytes) -> Result<Bytes, BusError> {
            self.2.fetch_add(1, SeqCst);
            if Instant::now() < self.1 {
                return Err(BusError::Unavailable { port: "shop".into() });
            }
            self.0.request(name, headers, bytes).await
        }
        fn kind(&self) -> &'static str {
            "away"
        }
    }
    let shop = Arc::new(Shop::default());
    let away = Arc::new(Away(served(&shop), Instant::now() + Duration::from_millis(30), AtomicUsize::new(0)));
    let patient = Resilience {
        retry: bus::RetryRule { attempts: 10, base: Duration::from_millis(100), ..bus::RetryRule::default() },
        ..Resilience::default()
    };
    let bus = Bus::new(Policies::default().with_port_resilience("shop", patient).expect("sound"));
    bus.connect("shop", Arc::clone(&away) as Arc<dyn Transport>);
    assert_eq!(bus.look(Look {}).await, Ok(0));
    assert!(away.2.load(SeqCst) <= 10);
}
