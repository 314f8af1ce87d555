//! Each fault does what it says, and says that it did.

use async_trait::async_trait;
use bus::{BusError, Delivery, Headers, Receipt, Receive, Transport};
use bus_testkit::{Fault, Faults, Faulty, FaultyInbox};
use bytes::Bytes;
use futures::FutureExt;
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

#[derive(Default)]
struct Counting(AtomicUsize);

#[async_trait]
impl Transport for Counting {
    async fn request(&self, _: &str, _: Headers, bytes: Bytes) -> Result<Bytes, BusError> {
        self.0.fetch_add(1, SeqCst);
        Ok(bytes)
    }

    fn kind(&self) -> &'static str {
        "counting"
    }
}

#[async_trait]
impl Receive for Counting {
    async fn receive(&self, _: Vec<Delivery>) -> Result<Vec<Receipt>, BusError> {
        self.0.fetch_add(1, SeqCst);
        Ok(Vec::new())
    }
}

/// Each fault with how often the request arrives, and the answer: `None` where none ever comes.
fn table() -> [(Fault, usize, Option<bool>); 6] {
    [
        (Fault::DropRequest, 0, None),
        (Fault::DropAnswer, 1, None),
        (Fault::BreakBefore, 0, Some(false)),
        (Fault::BreakAfter, 1, Some(false)),
        (Fault::Delay(Duration::from_secs(3600)), 0, None),
        (Fault::Duplicate, 2, Some(true)),
    ]
}

#[tokio::test]
async fn each_fault_strikes_a_request_once() {
    for (fault, arrivals, answered) in table() {
        let (inner, faults) = (Arc::new(Counting::default()), Faults::none());
        let faulty = Faulty::new(Arc::clone(&inner) as Arc<dyn Transport>, Arc::clone(&faults));
        let ask = |name| faulty.request(name, Headers::new(), Bytes::new()).now_or_never();
        faults.inject("shop.order", fault, 1);
        assert!(matches!(ask("shop.list"), Some(Ok(_))), "another name is spared");
        assert_eq!(faults.fired(fault), 0);
        assert_eq!(ask("shop.order").map(|answer| answer.is_ok()), answered, "{fault:?}");
        assert_eq!(inner.0.load(SeqCst), 1 + arrivals, "{fault:?}");
        assert_eq!((faults.fired(fault), faults.fired_on("shop.order")), (1, 1), "{fault:?}");
        faults.assert_all_fired();
        assert!(matches!(ask("shop.order"), Some(Ok(_))), "it strikes once");
    }
}

#[tokio::test]
async fn each_fault_strikes_a_delivery_once() {
    for (fault, arrivals, answered) in table() {
        let (inner, faults) = (Arc::new(Counting::default()), Faults::none());
        let faulty = FaultyInbox::new("shop", Arc::clone(&inner) as Arc<dyn Receive>, Arc::clone(&faults));
        faults.inject("*", fault, 1);
        assert_eq!(faulty.receive(Vec::new()).now_or_never().map(|answer| answer.is_ok()), answered);
        assert_eq!(inner.0.load(SeqCst), arrivals, "{fault:?}");
        assert_eq!((faults.fired(fault), faults.fired_on("shop.inbox")), (1, 1), "{fault:?}");
        assert!(matches!(faulty.receive(Vec::new()).now_or_never(), Some(Ok(_))), "it strikes once");
    }
}

#[tokio::test(start_paused = true)]
async fn a_delayed_request_arrives_later() {
    let (inner, faults) = (Arc::new(Counting::default()), Faults::none());
    let faulty = Faulty::new(inner, Arc::clone(&faults));
    faults.inject("*", Fault::Delay(Duration::from_secs(60)), 1);
    let asked = tokio::time::Instant::now();
    assert!(faulty.request("shop.order", Headers::new(), Bytes::new()).await.is_ok());
    assert_eq!(asked.elapsed(), Duration::from_secs(60));
}

#[test]
#[should_panic(expected = "never fired")]
fn a_fault_that_never_fired_fails_the_test_that_asked_for_it() {
    let faults = Faults::none();
    faults.inject("*", Fault::Duplicate, 1);
    faults.assert_all_fired();
}
