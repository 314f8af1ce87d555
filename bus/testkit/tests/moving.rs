//! A module that moves while it is called: those who wait, those who run, and those who still ask at the old place.

use async_trait::async_trait;
use bus::{
    Bus, BusError, Context, Direct, Endpoints, ErrorKind, Headers, Policies, Policy, PortError, Served,
    Transport,
};
use bus_testkit::eventually;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};
use tokio::{sync::Semaphore, time::Instant};

const SOON: Duration = Duration::from_secs(20);

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Where {}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Work {}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, thiserror::Error)]
pub enum ShopError {
    #[error(transparent)]
    Unavailable(#[from] BusError),
}

impl PortError for ShopError {
    fn kind(&self) -> ErrorKind {
        let Self::Unavailable(error) = self;
        error.kind()
    }
}

bus::port! {
    /// Says where it is.
    "shop" pub trait ShopPort {
        #[query]
        /// Where the call was answered.
        async fn place(&self, request: Where) -> Result<String, ShopError>;
        #[command]
        /// Takes until it is let go.
        async fn work(&self, request: Work) -> Result<String, ShopError>;
    }
}

struct Shop {
    at: &'static str,
    asked: AtomicUsize,
    go: Semaphore,
}

#[async_trait]
impl ShopPort for Shop {
    async fn place(&self, _: Where) -> Result<String, ShopError> {
        self.asked.fetch_add(1, SeqCst);
        Ok(self.at.into())
    }

    async fn work(&self, _: Work) -> Result<String, ShopError> {
        self.asked.fetch_add(1, SeqCst);
        self.go.acquire().await.expect("open").forget();
        Ok(self.at.into())
    }
}

fn shop(at: &'static str) -> Arc<Shop> {
    Arc::new(Shop { at, asked: AtomicUsize::new(0), go: Semaphore::new(0) })
}

fn served(shop: &Arc<Shop>) -> Served {
    Served::new(Arc::clone(shop) as Arc<dyn ShopPort>, Arc::new(Direct), &Policies::default())
}

fn elsewhere(shop: &Arc<Shop>) -> Arc<dyn Transport> {
    Arc::new(Endpoints::default().with_port(&served(shop)))
}

fn bus_with_queue(queue: usize) -> Bus {
    Bus::new(Policies::new(Policy { queue, ..Policy::default() }).expect("sound"))
}

fn calling(bus: &Bus) -> tokio::task::JoinHandle<Result<String, ShopError>> {
    let bus = bus.clone();
    bus::spawn(async move { bus.place(Where {}).await })
}

async fn until_waiting(bus: &Bus, count: usize) {
    eventually("they wait", SOON, async || bus.status()[0].waiting == count).await;
}

#[tokio::test]
async fn calls_that_wait_go_where_the_module_is_then() {
    let (bus, here, there) = (bus_with_queue(100), shop("here"), shop("there"));
    bus.serve(served(&here));
    let held = bus.hold_module("shop");
    let waiting: Vec<_> = (0..10).map(|_| calling(&bus)).collect();
    until_waiting(&bus, 10).await;
    assert_eq!(bus.status()[0].placement, "moving");
    assert!(bus.has("shop"), "it is somewhere");
    bus.connect_module("shop", &elsewhere(&there));
    assert!(waiting.iter().all(|call| !call.is_finished()), "not before it has settled");
    drop(held.settle());
    for call in waiting {
        assert_eq!(call.await.expect("it does not panic"), Ok("there".into()));
    }
    assert_eq!((here.asked.load(SeqCst), bus.status()[0].placement), (0, "remote"));
}

#[tokio::test]
async fn a_move_that_is_given_up_leaves_everything_as_it_was() {
    let (bus, here) = (bus_with_queue(100), shop("here"));
    bus.serve(served(&here));
    let held = bus.hold_module("shop");
    let waiting = calling(&bus);
    until_waiting(&bus, 1).await;
    bus.connect_module("shop", &elsewhere(&shop("there")));
    drop(held);
    assert_eq!(waiting.await.expect("it does not panic"), Ok("here".into()));
    assert_eq!(bus.place(Where {}).await, Ok("here".into()));
}

#[tokio::test]
async fn what_had_begun_ends_before_the_module_is_drained() {
    let (bus, here) = (bus_with_queue(100), shop("here"));
    bus.serve(served(&here));
    let running = {
        let bus = bus.clone();
        bus::spawn(async move { bus.work(Work {}).await })
    };
    eventually("it runs", SOON, async || here.asked.load(SeqCst) == 1).await;
    let held = bus.hold_module("shop");
    assert!(!held.drained(Instant::now()).await, "a call runs");
    // Its caller leaves: the call goes on, and is still waited for.
    running.abort();
    assert!(!held.drained(Instant::now() + Duration::from_millis(20)).await);
    here.go.add_permits(1);
    assert!(held.drained(Instant::now() + SOON).await);
}

#[tokio::test(start_paused = true)]
async fn those_who_wait_are_bounded_and_keep_their_deadlines() {
    let (bus, here) = (bus_with_queue(2), shop("here"));
    bus.serve(served(&here));
    let held = bus.hold_module("shop");
    let waiting: Vec<_> = (0..2).map(|_| calling(&bus)).collect();
    until_waiting(&bus, 2).await;
    let refused = bus.place(Where {}).await;
    assert!(matches!(refused, Err(ShopError::Unavailable(BusError::Overloaded { .. }))), "{refused:?}");
    for call in waiting {
        let late = call.await.expect("it does not panic");
        assert_eq!(late, Err(BusError::DeadlineExceeded { name: "shop.place".into() }.into()));
    }
    assert_eq!(bus.status()[0].waiting, 0, "nobody is left behind");
    drop(held.settle());
}

#[tokio::test]
async fn a_module_that_has_moved_is_still_answered_at_its_old_place() {
    let (old, there) = (bus_with_queue(100), shop("there"));
    old.connect_module("shop", &elsewhere(&there));
    let asking = bus_with_queue(100);
    asking.connect_module("shop", &old.answers());
    assert_eq!(asking.place(Where {}).await, Ok("there".into()));
}

#[tokio::test]
async fn two_processes_that_take_each_other_for_its_place_do_not_pass_a_call_on_for_ever() {
    let (one, two) = (bus_with_queue(100), bus_with_queue(100));
    one.connect_module("shop", &two.answers());
    two.connect_module("shop", &one.answers());
    let refused = one.place(Where {}).await;
    assert!(matches!(refused, Err(ShopError::Unavailable(BusError::TooDeep { .. }))), "{refused:?}");
}

#[tokio::test]
async fn names_that_nobody_has_are_answered_at_once() {
    let bus = bus_with_queue(100);
    bus.serve(served(&shop("here")));
    let ask = async |name: &str| bus.answers().request(name, Headers::new(), Bytes::from("{}")).await;
    assert_eq!(ask("shop.fly").await, Err(BusError::UnknownName { name: "shop.fly".into() }));
    assert_eq!(ask("users.find").await, Err(BusError::Unavailable { port: "users".into() }));
    assert_eq!(ask("shop.inbox").await, Err(BusError::Unavailable { port: "shop".into() }));
    assert_eq!(ask("nonsense").await, Err(BusError::UnknownName { name: "nonsense".into() }));
    let extra: Arc<dyn Transport> = Arc::new(Endpoints::default().with_port(&served(&shop("x"))));
    bus.answer("shop.place", &extra);
    assert!(ask("shop.place").await.is_ok());
}

/// A call whose deadline passed on its way is not begun (M3).
#[tokio::test]
async fn a_late_call_is_not_begun_here() {
    let (bus, here) = (bus_with_queue(100), shop("here"));
    bus.serve(served(&here));
    let mut headers = Context::default().to_headers();
    headers.insert("timeout-ms".into(), "0".into());
    let answer = bus.answers().request("shop.place", headers, Bytes::from("{}")).await;
    assert_eq!(answer, Err(BusError::DeadlineExceeded { name: "shop.place".into() }));
    assert_eq!(here.asked.load(SeqCst), 0);
}

#[tokio::test]
async fn a_shadow_compares_reads_and_repeats_no_write() {
    let (bus, here, there) = (bus_with_queue(100), shop("here"), shop("here"));
    bus.serve(served(&here));
    assert!(bus.shadow("shop", Some(elsewhere(&there))));
    for _ in 0..3 {
        assert_eq!(bus.place(Where {}).await, Ok("here".into()));
    }
    here.go.add_permits(1);
    bus.work(Work {}).await.expect("carried out");
    let report = || bus.status()[0].shadow.clone().expect("there is a shadow");
    eventually("three are compared", SOON, async || report().same == 3).await;
    assert_eq!((there.asked.load(SeqCst), report().skipped, report().different), (3, 1, 0));

    assert!(bus.shadow("shop", Some(elsewhere(&shop("elsewhere")))));
    assert_eq!(bus.place(Where {}).await, Ok("here".into()), "the caller never sees it");
    eventually("the difference is seen", SOON, async || report().different == 1).await;
    assert_eq!(report().last_difference.as_deref(), Some("shop.place "));
    assert!(bus.shadow("shop", None) && bus.status()[0].shadow.is_none());
    assert!(!bus.shadow("users", None), "what is not here has no shadow");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_that_comes_and_goes_loses_no_call() {
    let (bus, here, there) = (bus_with_queue(1000), shop("here"), shop("there"));
    let moves = Arc::new(AtomicUsize::new(0));
    bus.serve(served(&here));
    let callers: Vec<_> = (0..8)
        .map(|_| {
            let (bus, moves) = (bus.clone(), Arc::clone(&moves));
            bus::spawn(async move {
                let mut answered = 0;
                // However fast they are: it has moved while they called.
                while answered < 500 || moves.load(SeqCst) <= 2 {
                    let answer = bus.place(Where {}).await.expect("every call is answered");
                    assert!(["here", "there"].contains(&answer.as_str()));
                    answered += 1;
                }
                answered
            })
        })
        .collect();
    while callers.iter().any(|caller| !caller.is_finished()) && moves.load(SeqCst) < 10_000 {
        let held = bus.hold_module("shop");
        assert!(held.drained(Instant::now() + SOON).await);
        if moves.load(SeqCst).is_multiple_of(2) {
            bus.connect_module("shop", &elsewhere(&there));
        } else {
            bus.serve(served(&here));
        }
        drop(held.settle());
        moves.fetch_add(1, SeqCst);
    }
    for caller in callers {
        assert!(caller.await.expect("nobody fails") >= 500);
    }
}
