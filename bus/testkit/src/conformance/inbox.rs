//! Deliveries to a module's inbox, wherever that is.

use super::{SOON, answers::bus_errors};
use crate::{Attachment, Placement, eventually};
use async_trait::async_trait;
use bus::{Bus, BusError, Delivery, Message, Policies, Receipt, Receive, Timestamp};
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};
use tokio::{sync::Semaphore, time::timeout};
use uuid::Uuid;

/// An inbox in memory, which can be told how to answer.
struct Inbox {
    behaviour: Mutex<Behaviour>,
    stored: Mutex<Vec<Delivery>>,
    begun: AtomicUsize,
    gate: Semaphore,
}

#[derive(Debug, Clone)]
enum Behaviour {
    Store,
    Hold,
    Panic,
    Fail(BusError),
}

#[async_trait]
impl Receive for Inbox {
    async fn receive(&self, deliveries: Vec<Delivery>) -> Result<Vec<Receipt>, BusError> {
        self.begun.fetch_add(1, SeqCst);
        let behaviour = self.behaviour.lock().expect("not poisoned").clone();
        match behaviour {
            Behaviour::Store => {}
            Behaviour::Hold => self.gate.acquire().await.expect("the gate is never closed").forget(),
            Behaviour::Panic => panic!("as asked"),
            Behaviour::Fail(error) => return Err(error),
        }
        let receipts = deliveries.iter().map(|delivery| match delivery.subscription.as_str() {
            "shop.known" => Receipt::Stored,
            _ => Receipt::UnknownSubscription,
        });
        let receipts = receipts.collect();
        self.stored.lock().expect("not poisoned").extend(deliveries);
        Ok(receipts)
    }
}

struct World {
    bus: Bus,
    inbox: Arc<Inbox>,
    attachment: Attachment,
}

impl World {
    async fn new(placement: &dyn Placement) -> Self {
        let bus = placement.bus(Policies::default());
        let inbox = Arc::new(Inbox {
            behaviour: Mutex::new(Behaviour::Store),
            stored: Mutex::default(),
            begun: AtomicUsize::new(0),
            gate: Semaphore::new(0),
        });
        let attachment = placement.attach_inbox(&bus, "shop", Arc::clone(&inbox) as Arc<dyn Receive>).await;
        Self { bus, inbox, attachment }
    }

    fn behave(&self, behaviour: Behaviour) {
        *self.inbox.behaviour.lock().expect("not poisoned") = behaviour;
    }

    async fn deliver(&self, deliveries: Vec<Delivery>) -> Result<Vec<Receipt>, BusError> {
        self.bus.deliver("shop", deliveries, SOON).await
    }
}

fn delivery(subscription: &str, number: u32) -> Delivery {
    let message = Message {
        id: Uuid::from_u128(number.into()),
        name: "shop.opened.v1".into(),
        source: "street".into(),
        key: format!("shop-{number}"),
        sequence: number.into(),
        at: Timestamp::from_micros(1_767_225_600_000_001),
        trace: Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".into()),
        data: r#"{"door":"open"}"#.into(),
    };
    Delivery { subscription: subscription.into(), message }
}

/// Every delivery has its receipt, at its place, and arrives as it was sent.
pub async fn deliveries_are_answered_with_their_receipts_in_order(placement: &dyn Placement) {
    let world = World::new(placement).await;
    let sent = vec![delivery("shop.known", 1), delivery("shop.renamed", 2), delivery("shop.known", 3)];
    let receipts = world.deliver(sent.clone()).await;
    assert_eq!(receipts, Ok(vec![Receipt::Stored, Receipt::UnknownSubscription, Receipt::Stored]));
    assert_eq!(*world.inbox.stored.lock().expect("not poisoned"), sent, "on {}", placement.name());
    assert_eq!(world.deliver(Vec::new()).await, Ok(Vec::new()));
}

/// C21: an inbox that cannot say what it stored says so in the same words everywhere.
pub async fn an_inbox_error_is_the_same_value(placement: &dyn Placement) {
    let world = World::new(placement).await;
    for error in bus_errors() {
        world.behave(Behaviour::Fail(error.clone()));
        assert_eq!(
            world.deliver(vec![delivery("shop.known", 1)]).await,
            Err(error),
            "on {}",
            placement.name()
        );
    }
}

/// C22: a module without an inbox does not hang.
pub async fn an_unknown_inbox_is_answered_at_once(placement: &dyn Placement) {
    let world = World::new(placement).await;
    let lost = world.bus.deliver("nowhere", Vec::new(), SOON);
    let answer = timeout(Duration::from_secs(5), lost).await.expect("at once");
    assert_eq!(answer, Err(BusError::Unavailable { port: "nowhere".into() }));
}

/// A panic in the inbox is an answer to its sender, not the end of the relay that sent.
pub async fn a_panicking_inbox_fails_its_delivery_only(placement: &dyn Placement) {
    let world = World::new(placement).await;
    world.behave(Behaviour::Panic);
    let answer = world.deliver(vec![delivery("shop.known", 1)]).await;
    assert!(matches!(answer, Err(BusError::Failed { .. })), "{answer:?} on {}", placement.name());
    world.behave(Behaviour::Store);
    assert_eq!(world.deliver(vec![delivery("shop.known", 2)]).await, Ok(vec![Receipt::Stored]));
}

/// M10: a sender that gives up, or goes away, does not tear a transaction apart.
pub async fn receiving_runs_to_its_end_although_the_sender_has_gone(placement: &dyn Placement) {
    let world = World::new(placement).await;
    world.behave(Behaviour::Hold);
    let bus = world.bus.clone();
    let gone = bus::spawn(async move { bus.deliver("shop", vec![delivery("shop.known", 1)], SOON).await });
    let begun = &world.inbox.begun;
    eventually("the first delivery arrives", SOON, async || begun.load(SeqCst) == 1).await;
    gone.abort();
    let brief = Duration::from_millis(300);
    let impatient = world.bus.deliver("shop", vec![delivery("shop.known", 2)], brief).await;
    assert_eq!(impatient, Err(BusError::DeadlineExceeded { name: "shop.inbox".into() }));
    world.inbox.gate.add_permits(2);
    let stored = || world.inbox.stored.lock().expect("not poisoned").len();
    eventually("what has begun is stored", SOON, async || stored() == begun.load(SeqCst)).await;
    assert!(stored() >= 1, "on {}", placement.name());
    assert_eq!(world.attachment.pending(), 0);
}
