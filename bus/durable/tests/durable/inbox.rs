//! The inbox: each message is handled once, in the order of its key, whatever its handler does.

use crate::world::{
    Echoed, Handler, Home, LOG, Moved, POST, SHOP, SOON, Verdict, bus, count, dispatch, effect, effects,
    effects_reach, number, publish, quick, steps,
};
use async_trait::async_trait;
use bus::{BusError, Delivery, Event as _, Message, OnDeadLetter, Receipt, Sources, Subscription};
use bus_durable::{Database, DeadLetter, Dispatch, DispatchSettings, Subscriber, Subscribers, Tx};
use bus_testkit::eventually;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::sync::watch;

fn message(thing: &str, step: i64) -> Message {
    let data = serde_json::to_string(&Moved { thing: thing.into(), step }).expect("JSON");
    let (id, at) = (Sources::system().id(), Sources::system().now());
    let (name, source, key) = (Moved::NAME.into(), "shop".into(), thing.into());
    Message { id, name, source, key, sequence: step, at, trace: None, data }
}

fn to(subscription: Subscription, message: Message) -> Delivery {
    Delivery { subscription: subscription.id.into(), message }
}

async fn letters(database: &Database) -> Vec<DeadLetter> {
    database.dead_letters(None, 100).await.expect("listed")
}

async fn dead(database: &Database, number: usize) {
    eventually("a dead letter", SOON, async || letters(database).await.len() == number).await;
}

/// C3, EVT-7, EVT-8: a failed handler leaves exactly its own message unhandled; it is handled once it can be.
async fn a_failed_handler_leaves_exactly_its_own(home: Home) {
    let database = home.open().await;
    let well = Arc::new(AtomicBool::new(false));
    let is_well = Arc::clone(&well);
    let handler = Handler::new(SHOP, move |moved, _| match &*moved.thing {
        "bad" if !is_well.load(Ordering::SeqCst) => Verdict::FailAfterwards,
        _ => Verdict::Handle,
    });
    let settings = DispatchSettings {
        retry: bus_durable::RetryPolicy { max_attempts: 10_000, ..quick().retry },
        ..quick()
    };
    let dispatch = Dispatch::start(&database, &bus(), handler.subscribers(), &settings);
    for thing in ["a", "bad", "b", "c", "bad"] {
        publish(&database, thing, 1).await;
    }
    effects_reach(&database, SHOP, 3).await;
    eventually("it was tried", SOON, async || handler.tries("bad", 1) > 3).await;
    eventually("both wait", SOON, async || count(&database, "inbox", "state = 'pending'").await == 2).await;
    assert_eq!(count(&database, "inbox", "state = 'done' AND done_at >= received_at").await, 3);
    assert_eq!(steps(&database, SHOP, "bad").await, [0_i64; 0], "nothing of what it wrote is there");
    well.store(true, Ordering::SeqCst);
    effects_reach(&database, SHOP, 5).await;
    assert_eq!(steps(&database, SHOP, "bad").await, [1, 1]);
    assert_eq!(letters(&database).await, []);
    dispatch.stop().await;
}

/// C7, EVT-17: what cannot be decoded is a dead letter at once, with its bytes; the others go on; and a list of
/// dead letters does not decode them either.
async fn what_cannot_be_decoded_is_a_dead_letter_with_its_bytes(home: Home) {
    let database = home.open_as("post", &[POST]).await;
    let handler = Handler::good(POST);
    let dispatch = dispatch(&database, &handler);
    let garbage = "{\"thing\": \u{fffd} not JSON \u{1F4A3}";
    let unreadable = |key: &str, data: &str| Message { data: data.into(), ..message(key, 1) };
    let other = Message { name: "shop.unheard.v1".into(), ..message("other", 1) };
    let future = unreadable("future", "{\"thing\": \"future\", \"step\": 1, \"more\": []}");
    let deliveries = [message("a", 1), unreadable("bad", garbage), other, future, message("b", 1)];
    let receipts = dispatch.inbox().receive(deliveries.map(|message| to(POST, message)).to_vec()).await;
    assert_eq!(receipts, Ok(vec![Receipt::Stored; 5]));
    effects_reach(&database, POST, 3).await;
    dead(&database, 2).await;
    let letters = letters(&database).await;
    assert_eq!((&*letters[0].key, &*letters[0].data, letters[0].attempts), ("bad", garbage, 1));
    assert_eq!((&*letters[1].key, &*letters[1].event), ("other", "shop.unheard.v1"));
    assert_eq!(handler.all_tries(), 3, "a later schema's more fields are tolerated");
    dispatch.stop().await;
}

/// C10, EVT-16: the same message goes to two subscriptions, and both handle it once.
async fn one_message_to_two_subscriptions_is_handled_by_both(home: Home) {
    const TOO: Subscription = Subscription { id: "shop.moved_too", ..SHOP };
    let database = home.open_as("shop", &[SHOP, TOO]).await;
    let (first, second) = (Handler::good(SHOP), Handler::good(TOO));
    let subscribers = Subscribers::default().with(SHOP, first.clone()).with(TOO, second.clone());
    let dispatch = Dispatch::start(&database, &bus(), subscribers, &quick());
    for step in 1..=10 {
        publish(&database, "thing", step).await;
    }
    effects_reach(&database, SHOP, 10).await;
    effects_reach(&database, TOO, 10).await;
    dispatch.stop().await;
    for subscription in [SHOP, TOO] {
        assert_eq!(steps(&database, subscription, "thing").await, (1..=10).collect::<Vec<_>>());
    }
    assert_eq!((first.all_tries(), second.all_tries()), (10, 10));
}

/// C26, EVT-19, I11: the order of each key is kept under failures, panics, retries and concurrency, and every
/// message has one effect.
async fn the_order_of_a_key_survives_everything(home: Home) {
    let database = home.open().await;
    let handler =
        Handler::new(SHOP, |moved, tried| match (moved.step * 7 + i64::try_from(tried).unwrap_or(0)) % 11 {
            0 => Verdict::Fail,
            1 => Verdict::FailAfterwards,
            2 => Verdict::Panic,
            3 => Verdict::PanicAfterwards,
            _ => Verdict::Handle,
        });
    let retry = bus_durable::RetryPolicy { max_attempts: 20, ..quick().retry };
    let settings = DispatchSettings { retry, concurrency: 8, ..quick() };
    let dispatch = Dispatch::start(&database, &bus(), handler.subscribers(), &settings);
    let publishing = (0..12).map(|thing| {
        let database = database.clone();
        async move {
            for step in 1..=25 {
                publish(&database, &format!("thing {thing}"), step).await;
            }
        }
    });
    futures::future::join_all(publishing).await;
    effects_reach(&database, SHOP, 300).await;
    dispatch.stop().await;
    for thing in 0..12 {
        let steps = steps(&database, SHOP, &format!("thing {thing}")).await;
        assert_eq!(steps, (1..=25).collect::<Vec<_>>(), "thing {thing}");
    }
    assert!(handler.all_tries() > 350, "there were failures: {}", handler.all_tries());
    assert_eq!(effects(&database, SHOP).await.len(), 300);
}

/// Waits inside until it is let go; counts how many are inside.
struct Crowd {
    inside: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
    open: watch::Receiver<bool>,
}

#[async_trait]
impl Subscriber for Crowd {
    type Event = Moved;
    type Prepared = Moved;

    async fn prepare(&self, event: Moved) -> Result<Moved, BusError> {
        let inside = self.inside.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(inside, Ordering::SeqCst);
        let _ = self.open.clone().wait_for(|open| *open).await;
        // Others may come in while this one is on its way out.
        tokio::task::yield_now().await;
        self.inside.fetch_sub(1, Ordering::SeqCst);
        Ok(event)
    }

    async fn apply(&self, event: &Moved, tx: &Tx<'_>) -> Result<(), BusError> {
        effect(tx, SHOP.id, &event.thing, event.step).await
    }
}

/// EVT-10, EVT-19: keys are handled in parallel, as many as there is room for and never more.
async fn keys_run_in_parallel_within_the_head_room(home: Home) {
    for concurrency in [1, 4] {
        let (inside, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (let_go, open) = watch::channel(false);
        let crowd = Crowd { inside: Arc::clone(&inside), most: Arc::clone(&most), open };
        let own = home.other().await;
        let database = own.open().await;
        // One key far ahead of the others, so that whole pages are of keys that are busy.
        for step in 1..=30 {
            publish(&database, "long", step).await;
        }
        for thing in 0..20 {
            publish(&database, &format!("thing {thing}"), 1).await;
        }
        // Nobody is late, and no second look makes good what the first has left out.
        let settings = DispatchSettings { concurrency, poll: SOON, lease: SOON, patience: SOON, ..quick() };
        let dispatch =
            Dispatch::start(&database, &bus(), Subscribers::default().with(SHOP, crowd), &settings);
        eventually("the room is full", SOON, async || inside.load(Ordering::SeqCst) == concurrency).await;
        let_go.send_replace(true);
        effects_reach(&database, SHOP, 50).await;
        assert_eq!(most.load(Ordering::SeqCst), concurrency);
        dispatch.stop().await;
    }
}

/// EVT-13: a message that comes again, also within one batch, is stored once and acknowledged every time.
async fn duplicates_are_acknowledged_and_stored_once(home: Home) {
    let database = home.open_as("post", &[POST]).await;
    let handler = Handler::good(POST);
    let dispatch = dispatch(&database, &handler);
    let inbox = dispatch.inbox();
    let (first, second) = (to(POST, message("thing", 1)), to(POST, message("thing", 2)));
    let unknown = Delivery { subscription: "post.nothing".into(), ..first.clone() };
    let batch = vec![first.clone(), first.clone(), unknown, second.clone(), first.clone()];
    let receipts = inbox.receive(batch).await.expect("received");
    let unknown = Receipt::UnknownSubscription;
    assert_eq!(receipts, [Receipt::Stored, Receipt::Stored, unknown, Receipt::Stored, Receipt::Stored]);
    assert_eq!(count(&database, "inbox", "1 = 1").await, 2);
    effects_reach(&database, POST, 2).await;
    let many =
        futures::future::join_all((0..20).map(|_| inbox.receive(vec![second.clone(), first.clone()]))).await;
    assert!(many.iter().all(|receipts| receipts == &Ok(vec![Receipt::Stored; 2])), "{many:?}");
    assert_eq!(inbox.receive(vec![]).await, Ok(vec![]));
    assert_eq!(count(&database, "inbox", "1 = 1").await, 2);
    assert_eq!(steps(&database, POST, "thing").await, [1, 2], "nothing happens a second time");
    assert_eq!(handler.all_tries(), 2);
    dispatch.stop().await;
}

/// B13, EVT-23: poison is tried exactly as often as the policy says, is one dead letter, and holds no other key
/// up. Later messages of its own key wait (`block`) or go on (`skip`), as the subscription declares.
async fn poison_is_one_dead_letter_and_holds_up_its_own_key_at_most(home: Home) {
    const SKIP: Subscription =
        Subscription { id: "shop.skipping", on_dead_letter: OnDeadLetter::Skip, ..SHOP };
    for (subscription, verdict) in [
        (SHOP, Verdict::Fail),
        (SHOP, Verdict::PanicAfterwards),
        (SKIP, Verdict::FailAfterwards),
        (SKIP, Verdict::Panic),
        (SKIP, Verdict::Hang),
    ] {
        let own = home.other().await;
        let database = own.open_as("shop", &[subscription]).await;
        let well = Arc::new(AtomicBool::new(false));
        let is_well = Arc::clone(&well);
        let handler = Handler::new(subscription, move |moved, _| match (&*moved.thing, moved.step) {
            ("poison", 2) if !is_well.load(Ordering::SeqCst) => verdict,
            _ => Verdict::Handle,
        });
        // Only what hangs is to be late.
        let patience = if verdict == Verdict::Hang { Duration::from_millis(300) } else { quick().patience };
        let settings = DispatchSettings { patience, ..quick() };
        let dispatch = Dispatch::start(&database, &bus(), handler.subscribers(), &settings);
        for step in 1..=4 {
            publish(&database, "poison", step).await;
            publish(&database, "other", step).await;
        }
        dead(&database, 1).await;
        let blocks = subscription.on_dead_letter == OnDeadLetter::Block;
        effects_reach(&database, subscription, if blocks { 5 } else { 7 }).await;
        assert_eq!(steps(&database, subscription, "other").await, [1, 2, 3, 4], "{verdict:?}");
        let expected: &[i64] = if blocks { &[1] } else { &[1, 3, 4] };
        assert_eq!(steps(&database, subscription, "poison").await, expected, "{verdict:?}");
        assert_eq!(handler.tries("poison", 2), 3, "{verdict:?}: exactly max_attempts");
        let letters = letters(&database).await;
        assert_eq!((letters[0].attempts, &*letters[0].key), (3, "poison"));
        assert!(!letters[0].error.is_empty());
        well.store(true, Ordering::SeqCst);
        assert!(database.replay_dead_letter(letters[0].id.clone()).await.expect("replayed"));
        assert!(!database.replay_dead_letter(letters[0].id.clone()).await.expect("replayed"), "once");
        effects_reach(&database, subscription, 8).await;
        let expected: &[i64] = if blocks { &[1, 2, 3, 4] } else { &[1, 3, 4, 2] };
        assert_eq!(steps(&database, subscription, "poison").await, expected, "{verdict:?}");
        dispatch.stop().await;
    }
}

/// B13: a dead letter that is given up lets the later ones of its key go.
async fn a_discarded_dead_letter_frees_its_key(home: Home) {
    let database = home.open().await;
    let handler =
        Handler::new(SHOP, |moved, _| if moved.step == 1 { Verdict::Fail } else { Verdict::Handle });
    let dispatch = dispatch(&database, &handler);
    for step in 1..=3 {
        publish(&database, "thing", step).await;
    }
    dead(&database, 1).await;
    assert_eq!(steps(&database, SHOP, "thing").await, [0_i64; 0]);
    let letter = letters(&database).await.remove(0);
    assert!(database.discard_dead_letter(letter.id).await.expect("discarded"));
    effects_reach(&database, SHOP, 2).await;
    assert_eq!(steps(&database, SHOP, "thing").await, [2, 3]);
    assert_eq!(letters(&database).await, []);
    dispatch.stop().await;
}

/// B12, F25, C6, CB-16: however long a module that a handler needs is away, or the breaker before it is open, the
/// message is no dead letter and needs no operator; and the tries meanwhile are not counted against it.
async fn an_outage_makes_no_dead_letters(home: Home) {
    let database = home.open().await;
    let handler = Handler::new(SHOP, |moved, tried| match (&*moved.thing, tried) {
        ("needy", 0..8) => Verdict::Away,
        ("needy", 8..10) => Verdict::Fail,
        _ => Verdict::Handle,
    });
    let dispatch = dispatch(&database, &handler);
    publish(&database, "needy", 1).await;
    publish(&database, "needy", 2).await;
    publish(&database, "other", 1).await;
    effects_reach(&database, SHOP, 3).await;
    assert_eq!(steps(&database, SHOP, "needy").await, [1, 2]);
    assert_eq!(handler.tries("needy", 1), 11, "eight for the outage, two failures, and the good one");
    assert_eq!(letters(&database).await, []);
    dispatch.stop().await;
}

/// Hears what the second module says.
struct Third;

#[async_trait]
impl Subscriber for Third {
    type Event = Echoed;
    type Prepared = Echoed;

    async fn prepare(&self, event: Echoed) -> Result<Echoed, BusError> {
        Ok(event)
    }

    async fn apply(&self, event: &Echoed, tx: &Tx<'_>) -> Result<(), BusError> {
        effect(tx, LOG.id, &event.thing, event.step).await
    }
}

/// EVT-25: an event that a handler publishes reaches a third module, once for each message and only with the
/// handler's effect; the trace is the same all the way.
async fn an_event_published_in_a_handler_reaches_a_third_module(home: Home) {
    let all = [POST, LOG];
    let (second, third) = (home.other().await, home.other().await);
    let shop = home.open_as("shop", &all).await;
    let (post, log) = (second.open_as("post", &all).await, third.open_as("log", &all).await);
    let bus = bus();
    let handler =
        Handler::new(POST, |_, tried| if tried == 0 { Verdict::FailAfterwards } else { Verdict::Echo });
    let running = [
        Dispatch::start(&shop, &bus, Subscribers::default(), &quick()),
        Dispatch::start(&post, &bus, handler.subscribers(), &quick()),
        Dispatch::start(&log, &bus, Subscribers::default().with(LOG, Third), &quick()),
    ];
    for step in 1..=5 {
        publish(&shop, "thing", step).await;
    }
    effects_reach(&log, LOG, 5).await;
    assert_eq!(steps(&log, LOG, "thing").await, [1, 2, 3, 4, 5]);
    assert_eq!(count(&post, "outbox", "source = 'post'").await, 5, "nothing of the failed tries");
    let traces = async |database: &Database, table: &str| {
        let sql = format!("SELECT SUBSTR(trace, 4, 32) AS trace FROM {table} ORDER BY sequence");
        let rows = database.reader().rows(&sql, []).await.expect("read");
        rows.iter().map(|row| row.get::<String>("trace").expect("a trace")).collect::<Vec<_>>()
    };
    assert_eq!(traces(&shop, "outbox").await, traces(&log, "inbox").await);
    for dispatch in running {
        dispatch.stop().await;
    }
}

/// B9: a message that comes again long after it was handled has no second effect.
async fn a_late_copy_has_no_second_effect(home: Home) {
    let clock = bus_testkit::ManualClock::default();
    let database = home.open_with("post", &[POST], Sources::with_clock(Arc::new(clock.clone()))).await;
    let handler = Handler::good(POST);
    let dispatch = dispatch(&database, &handler);
    let delivery = to(POST, message("thing", 1));
    dispatch.inbox().receive(vec![delivery.clone()]).await.expect("received");
    effects_reach(&database, POST, 1).await;
    for pause in [180, 3600, 5 * 24 * 3600] {
        clock.advance(Duration::from_secs(pause));
        dispatch.inbox().receive(vec![delivery.clone()]).await.expect("received");
    }
    dispatch.inbox().receive(vec![to(POST, message("thing", 2))]).await.expect("received");
    effects_reach(&database, POST, 2).await;
    assert_eq!(steps(&database, POST, "thing").await, [1, 2]);
    assert_eq!(number(&database, "SELECT COUNT(*) AS n FROM inbox").await, 2);
    dispatch.stop().await;
}

crate::on_both! {
    /// C3, EVT-7, EVT-8.
    a_failed_handler_leaves_exactly_its_own;
    /// C7, EVT-17.
    what_cannot_be_decoded_is_a_dead_letter_with_its_bytes;
    /// C10, EVT-16.
    one_message_to_two_subscriptions_is_handled_by_both;
    /// C26, EVT-19, I11.
    the_order_of_a_key_survives_everything;
    /// EVT-10, EVT-19.
    keys_run_in_parallel_within_the_head_room;
    /// EVT-13.
    duplicates_are_acknowledged_and_stored_once;
    /// B13, EVT-23.
    poison_is_one_dead_letter_and_holds_up_its_own_key_at_most;
    /// B13.
    a_discarded_dead_letter_frees_its_key;
    /// B12, F25, C6, CB-16.
    an_outage_makes_no_dead_letters;
    /// EVT-25.
    an_event_published_in_a_handler_reaches_a_third_module;
    /// B9.
    a_late_copy_has_no_second_effect;
}
