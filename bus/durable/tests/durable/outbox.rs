//! The outbox: an event leaves if and only if what caused it is committed, and reaches everybody, once in effect.

use crate::{
    trouble::one_waits_for_a_lock,
    world::{
        Handler, Home, LOG, Moved, POST, SHOP, SOON, Undeclared, Unheard, bus, count, dispatch, effects,
        effects_reach, note, number, publish, quick, run, steps,
    },
};
use bus::{Bus, BusError, Delivery, OnDeadLetter, Receipt, Receive, Subscription};
use bus_durable::{Database, Dispatch, Published, Subscribers};
use bus_testkit::{Fault, Faults, FaultyInbox, eventually};
use std::sync::Arc;

/// B7, F21, EVT-6: the event's row and its delivery are there if the unit committed, and not if it did not,
/// whatever became of it.
async fn an_event_is_there_if_and_only_if_its_unit_committed(home: Home) {
    let database = home.open().await;
    let publish = async |end: &'static str| {
        let unit = database.write(end, |end, tx| {
            Box::pin(async move {
                tx.publish(&Moved { thing: (*end).into(), step: 1 })?;
                match *end {
                    "committed" => note(tx, "n", 1).await,
                    "refused" => Err(BusError::KeyInUse),
                    "panicked" => panic!("told to panic"),
                    _ => tx.execute("INSERT INTO nowhere VALUES (1)", []).await.map(|_| ()),
                }
            })
        });
        let unit: Result<(), BusError> = unit.await;
        unit
    };
    assert!(publish("committed").await.is_ok());
    for end in ["refused", "panicked", "broken"] {
        assert!(publish(end).await.is_err(), "{end}");
    }
    assert_eq!(count(&database, "outbox", "1 = 1").await, 1);
    assert_eq!(count(&database, "outbox", "key = 'committed'").await, 1);
    assert_eq!(
        count(&database, "outbox_delivery", "state = 'pending' AND subscription = 'shop.moved'").await,
        1
    );
    let handler = Handler::good(SHOP);
    let dispatch = dispatch(&database, &handler);
    effects_reach(&database, SHOP, 1).await;
    dispatch.stop().await;
    assert_eq!(effects(&database, SHOP).await, [("committed".into(), 1)], "none was sent of what was undone");
}

/// C1: an event that the catalogue does not declare is an error, and its unit is not committed.
async fn an_undeclared_event_is_refused(home: Home) {
    let database = home.open().await;
    let unit = database.write((), |(), tx| {
        Box::pin(async move {
            note(tx, "n", 1).await?;
            tx.publish(&Undeclared).map(|_| ())
        })
    });
    let unit: Result<(), BusError> = unit.await;
    assert_eq!(unit, Err(BusError::UnknownName { name: "shop.undeclared.v1".into() }));
    assert_eq!(count(&database, "note", "1 = 1").await, 0);
}

/// C1, M5: a declared event that nobody subscribes to is parked where an operator sees it, never gone without a word.
async fn an_event_without_subscribers_is_parked_and_seen(home: Home) {
    let database = home.open().await;
    let published = database.write((), |(), tx| Box::pin(async move { tx.publish(&Unheard) }));
    let published: Published = Result::<_, BusError>::expect(published.await, "published");
    assert_eq!(published.subscriptions, 0);
    let letters = database.dead_letters(None, 10).await.expect("listed");
    let [letter] = letters.as_slice() else { panic!("{letters:?}") };
    assert_eq!((letter.message_id, &*letter.event), (published.id, "shop.unheard.v1"));
    assert_eq!(letter.error, "nobody subscribes to this event");
    assert!(!database.replay_dead_letter(letter.id.clone()).await.expect("asked"), "nobody to replay it to");
    assert!(database.discard_dead_letter(letter.id.clone()).await.expect("asked"));
    assert!(!database.discard_dead_letter(letter.id.clone()).await.expect("asked"), "once");
    assert_eq!(database.dead_letters(None, 10).await.expect("listed"), []);
}

/// C2: a subscription that its module does not know any more is parked, seen, and goes on once it is known again.
async fn an_unknown_subscription_is_parked_and_replayed(home: Home) {
    const TOO: Subscription =
        Subscription { id: "post.moved_too", on_dead_letter: OnDeadLetter::Skip, ..POST };
    let theirs = home.other().await;
    let (shop, post) = (home.open_as("shop", &[POST, TOO]).await, theirs.open_as("post", &[POST, TOO]).await);
    let bus = bus();
    let forgetful = Dispatch::start(&post, &bus, Subscribers::default(), &quick());
    let moving = Dispatch::start(&shop, &bus, Subscribers::default(), &quick());
    publish(&shop, "thing", 1).await;
    publish(&shop, "thing", 2).await;
    let parked = async || count(&shop, "outbox_delivery", "state = 'parked'").await;
    eventually("they are parked", SOON, async || parked().await == 4).await;
    // Page by page: two deliveries of one event are two dead letters.
    let mut letters = Vec::new();
    while let [letter] = shop.dead_letters(letters.last(), 1).await.expect("listed").as_slice() {
        assert_eq!(letter.error, "no such subscription");
        letters.push(letter.id.clone());
    }
    assert_eq!(letters.len(), 4, "{letters:?}");
    forgetful.stop().await;
    let handler = Handler::good(POST);
    let knowing = Dispatch::start(&post, &bus, handler.subscribers(), &quick());
    for letter in letters.into_iter().filter(|letter| letter.subscription == POST.id) {
        assert!(shop.replay_dead_letter(letter).await.expect("replayed"));
    }
    effects_reach(&post, POST, 2).await;
    assert_eq!(steps(&post, POST, "thing").await, [1, 2]);
    assert_eq!(parked().await, 2, "the others stay where they are seen");
    moving.stop().await;
    knowing.stop().await;
}

/// B7, K-O2, K-O3: the relay's deliveries are committed in the inbox and it hears nothing of it, or only later.
/// They are sent again, and have one effect.
async fn deliveries_whose_answer_is_lost_have_one_effect(home: Home) {
    let theirs = home.other().await;
    let (shop, post) = (home.open_as("shop", &[POST]).await, theirs.open_as("post", &[POST]).await);
    let (bus, handler, faults) = (bus(), Handler::good(POST), Faults::none());
    let receiving = Dispatch::start(&post, &bus, handler.subscribers(), &quick());
    bus.serve_inbox("post", Arc::new(FaultyInbox::new("post", receiving.inbox(), Arc::clone(&faults))));
    for fault in [Fault::BreakAfter, Fault::BreakBefore, Fault::Duplicate, Fault::BreakAfter] {
        faults.inject("post.inbox", fault, 1);
    }
    for step in 1..=20 {
        publish(&shop, "thing", step).await;
    }
    let moving = Dispatch::start(&shop, &bus, Subscribers::default(), &quick());
    let pending = async || count(&shop, "outbox_delivery", "state = 'pending'").await;
    eventually("everything is delivered", SOON, async || pending().await == 0).await;
    effects_reach(&post, POST, 20).await;
    // More than one batch, so that every fault has its turn.
    for step in 21..=40 {
        publish(&shop, "thing", step).await;
        eventually("delivered", SOON, async || pending().await == 0).await;
    }
    effects_reach(&post, POST, 40).await;
    faults.assert_all_fired();
    assert_eq!(steps(&post, POST, "thing").await, (1..=40).collect::<Vec<_>>(), "once each, in order");
    moving.stop().await;
    receiving.stop().await;
}

/// B7, K-O3: the relay dies after the delivery and before its mark. The next one sends it again, to one effect.
async fn a_relay_that_dies_between_delivery_and_mark_is_made_good(home: Home) {
    let theirs = home.other().await;
    let post = theirs.open_as("post", &[POST]).await;
    let (bus, handler) = (bus(), Handler::good(POST));
    let receiving = Dispatch::start(&post, &bus, handler.subscribers(), &quick());
    let (home, inner) = (Arc::new(home), receiving.inbox());
    let at = Arc::clone(&home);
    let life = std::thread::spawn(move || {
        let life = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("starts");
        life.block_on(async {
            let shop = at.open_as("shop", &[POST]).await;
            let (stuck, mut is_stuck) = tokio::sync::watch::channel(false);
            let their_bus = crate::world::bus();
            their_bus.serve_inbox("post", Arc::new(NeverAnswers { inner, stuck }));
            let _moving = Dispatch::start(&shop, &their_bus, Subscribers::default(), &quick());
            publish(&shop, "thing", 1).await;
            is_stuck.wait_for(|stuck| *stuck).await.expect("the delivery is committed");
        });
        life.shutdown_background();
    });
    tokio::task::spawn_blocking(move || life.join().expect("lives and dies")).await.expect("joins");
    effects_reach(&post, POST, 1).await;
    let shop = home.open_as("shop", &[POST]).await;
    assert_eq!(count(&shop, "outbox_delivery", "state = 'pending'").await, 1, "it died before the mark");
    let moving = Dispatch::start(&shop, &bus, Subscribers::default(), &quick());
    eventually("the mark is made", SOON, async || {
        count(&shop, "outbox_delivery", "state = 'done'").await == 1
    })
    .await;
    publish(&shop, "thing", 2).await;
    effects_reach(&post, POST, 2).await;
    assert_eq!(steps(&post, POST, "thing").await, [1, 2]);
    assert_eq!(handler.all_tries(), 2, "the copy was not even handled");
    moving.stop().await;
    receiving.stop().await;
}

/// Commits what it receives and never says so.
struct NeverAnswers {
    inner: Arc<dyn Receive>,
    stuck: tokio::sync::watch::Sender<bool>,
}

#[async_trait::async_trait]
impl Receive for NeverAnswers {
    async fn receive(&self, deliveries: Vec<Delivery>) -> Result<Vec<Receipt>, BusError> {
        self.inner.receive(deliveries).await?;
        self.stuck.send_replace(true);
        std::future::pending().await
    }
}

/// EVT-18, C7: publishes that run at the same time in one unit all leave.
async fn concurrent_publishes_in_one_unit_all_leave(home: Home) {
    let database = home.open().await;
    let unit = database.write((), |(), tx| {
        Box::pin(async move {
            let one = |step: i64| async move {
                note(tx, &format!("n{step}"), step).await?;
                tx.publish(&Moved { thing: format!("thing {}", step % 7), step }).map(|_| ())
            };
            futures::future::try_join_all((0..150).map(one)).await.map(|_| ())
        })
    });
    let unit: Result<(), BusError> = unit.await;
    unit.expect("committed");
    assert_eq!(count(&database, "outbox", "1 = 1").await, 150);
    let dispatch = dispatch(&database, &Handler::good(SHOP));
    effects_reach(&database, SHOP, 150).await;
    for thing in 0..7 {
        let steps = steps(&database, SHOP, &format!("thing {thing}")).await;
        assert!(steps.is_sorted() && steps.len() >= 21, "{steps:?}");
    }
    dispatch.stop().await;
}

/// C8: dispatch is stopped and started over and over while events are published. Nothing is lost, doubled or
/// out of order.
async fn stopping_and_starting_loses_and_doubles_nothing(home: Home) {
    let database = home.open().await;
    let handler = Handler::good(SHOP);
    for round in 0..8 {
        let dispatch = dispatch(&database, &handler);
        for step in 1..=25 {
            publish(&database, &format!("thing {}", step % 5), round * 25 + step).await;
        }
        dispatch.stop().await;
    }
    let dispatch = dispatch(&database, &handler);
    effects_reach(&database, SHOP, 200).await;
    dispatch.stop().await;
    assert_eq!(effects(&database, SHOP).await.len(), 200);
    for thing in 0..5 {
        let steps = steps(&database, SHOP, &format!("thing {thing}")).await;
        assert!(steps.is_sorted_by(|a, b| a < b) && steps.len() == 40, "{steps:?}");
    }
    assert_eq!(handler.all_tries(), 200, "stopped in order, nothing is even begun twice");
}

/// B6, C9: a subscriber that is away holds up nobody else, and gets what it missed when it is back.
async fn a_subscriber_that_is_away_delays_nobody_else(home: Home) {
    struct Gone;
    #[async_trait::async_trait]
    impl Receive for Gone {
        async fn receive(&self, _: Vec<Delivery>) -> Result<Vec<Receipt>, BusError> {
            std::future::pending().await
        }
    }
    let theirs = home.other().await;
    let (shop, post) = (home.open_as("shop", &[SHOP, POST]).await, theirs.open_as("post", &[POST]).await);
    let bus: Bus = bus();
    bus.serve_inbox("post", Arc::new(Gone));
    let own = Handler::good(SHOP);
    let moving = Dispatch::start(&shop, &bus, own.subscribers(), &quick());
    for step in 1..=5 {
        publish(&shop, "thing", step).await;
    }
    effects_reach(&shop, SHOP, 5).await;
    assert_eq!(count(&shop, "outbox_delivery", "state = 'pending' AND module = 'post'").await, 5);
    let (outbox, inbox) = shop.lag().await.expect("read");
    assert!(outbox > inbox, "the wait is seen");
    let receiving = Dispatch::start(&post, &bus, Handler::good(POST).subscribers(), &quick());
    effects_reach(&post, POST, 5).await;
    assert_eq!(steps(&post, POST, "thing").await, [1, 2, 3, 4, 5]);
    moving.stop().await;
    receiving.stop().await;
}

crate::on_both! {
    /// B7, F21, EVT-6.
    an_event_is_there_if_and_only_if_its_unit_committed;
    /// C1.
    an_undeclared_event_is_refused;
    /// C1.
    an_event_without_subscribers_is_parked_and_seen;
    /// C2.
    an_unknown_subscription_is_parked_and_replayed;
    /// B7, K-O2, K-O3.
    deliveries_whose_answer_is_lost_have_one_effect;
    /// B7, K-O3, C5.
    a_relay_that_dies_between_delivery_and_mark_is_made_good;
    /// EVT-18.
    concurrent_publishes_in_one_unit_all_leave;
    /// C8.
    stopping_and_starting_loses_and_doubles_nothing;
    /// Design section 4.
    a_subscriber_that_is_away_delays_nobody_else;
}

/// B6, C9, EVT-20, R-GAP: of two processes, the first takes its place in the outbox and commits last. What it
/// wrote is behind the relay's back, and is delivered all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL"]
async fn an_earlier_row_that_commits_late_is_delivered() {
    use sqlx::Connection as _;
    let home = Home::postgres().await;
    let (slow, fast): (Database, Database) = (home.open().await, home.open().await);
    run(
        &slow,
        "CREATE FUNCTION hold_up() RETURNS trigger LANGUAGE plpgsql AS \
         $$ BEGIN PERFORM pg_advisory_xact_lock(7); RETURN NULL; END $$",
    )
    .await;
    run(
        &slow,
        "CREATE CONSTRAINT TRIGGER hold_up AFTER INSERT ON outbox DEFERRABLE INITIALLY DEFERRED \
         FOR EACH ROW WHEN (NEW.key = 'slow') EXECUTE FUNCTION hold_up()",
    )
    .await;
    let mut holder = sqlx::PgConnection::connect(home.url()).await.expect("connects");
    sqlx::raw_sql("SELECT pg_advisory_lock(7)").execute(&mut holder).await.expect("locked");
    let dispatch = dispatch(&fast, &Handler::good(SHOP));
    let committing = bus::spawn(async move { publish(&slow, "slow", 1).await });
    // It is in its commit.
    one_waits_for_a_lock(&fast).await;
    publish(&fast, "fast", 1).await;
    effects_reach(&fast, SHOP, 1).await;
    assert_eq!(steps(&fast, SHOP, "slow").await, [0_i64; 0], "the later one was delivered first");
    sqlx::raw_sql("SELECT pg_advisory_unlock(7)").execute(&mut holder).await.expect("let go");
    committing.await.expect("commits");
    effects_reach(&fast, SHOP, 2).await;
    let late =
        "SELECT a.position - b.position AS n FROM outbox a, outbox b WHERE a.key = 'fast' AND b.key = 'slow'";
    assert!(number(&fast, late).await > 0, "the late one had the earlier place");
    assert_eq!(effects(&fast, SHOP).await, [("fast".into(), 1), ("slow".into(), 1)]);
    dispatch.stop().await;
}

/// C1, C2: what a lone producer's catalogue knows without the subscriber's code: that there is one.
#[tokio::test]
async fn a_catalogue_knows_subscriptions_by_event_and_module() {
    let catalogue = crate::world::catalogue(&[SHOP, POST, LOG]);
    assert_eq!(catalogue.subscribers().into_iter().collect::<Vec<_>>(), ["log", "post", "shop"]);
    assert_eq!(catalogue.subscriptions("shop.moved.v1").map(<[_]>::len), Some(2));
    assert_eq!(catalogue.subscriptions("shop.unheard.v1").map(<[_]>::len), Some(0));
    assert_eq!(catalogue.subscriptions("shop.undeclared.v1"), None);
    let twice = bus_durable::Catalogue::new(["shop.moved.v1"], [SHOP, SHOP]);
    assert_eq!(twice.err(), Some(bus_durable::CatalogueError::Duplicate("shop.moved")));
    assert!(bus_durable::Catalogue::new([], [SHOP]).is_err(), "a subscription to nothing");
}
