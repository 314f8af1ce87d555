//! Who moves the messages: of the processes that share a database one at a time, also when it vanishes.

use crate::world::{
    Handler, Home, SHOP, SOON, Verdict, bus, dispatch, effects, effects_reach, publish, quick, steps,
};
use bus::Sources;
use bus_durable::{Dispatch, DispatchSettings, Lease};
use bus_testkit::{ManualClock, eventually};
use std::{sync::Arc, time::Duration};

/// A lease has one holder, who may renew it; it ends when it is given up or its time is over.
async fn a_lease_has_one_holder(home: Home) {
    let clock = ManualClock::default();
    let sources = || Sources::with_clock(Arc::new(clock.clone()));
    let length = Duration::from_secs(3);
    let here = home.open_with("shop", &[SHOP], sources()).await;
    let first = Lease::new(here.clone(), "duty", length);
    assert!(first.take().await.expect("asked"));
    if !home.is_postgres() {
        // A file has one process: whoever else held it is dead.
        assert!(Lease::new(here, "duty", length).take().await.expect("asked"));
        return;
    }
    let second = Lease::new(home.open_with("shop", &[SHOP], sources()).await, "duty", length);
    assert!(!second.take().await.expect("asked"));
    clock.advance(Duration::from_secs(2));
    assert!(first.take().await.expect("asked"), "renewed");
    clock.advance(Duration::from_secs(2));
    assert!(!second.take().await.expect("asked"));
    clock.advance(Duration::from_secs(2));
    assert!(second.take().await.expect("asked"), "its time is over");
    assert!(!first.take().await.expect("asked"));
    first.release().await.expect("asked");
    assert!(!first.take().await.expect("asked"), "what it does not hold it cannot give up");
    second.release().await.expect("asked");
    assert!(first.take().await.expect("asked"));
    // B23: taken while the clock was an hour fast, it does not hold for an hour.
    clock.advance(Duration::from_secs(3600));
    assert!(first.take().await.expect("asked"));
    clock.set(clock_now(&clock).before(Duration::from_secs(3600)));
    assert!(second.take().await.expect("asked"), "no lease outlives a clock that was wrong");
}

fn clock_now(clock: &ManualClock) -> bus::Timestamp {
    bus::Clock::now(clock)
}

/// C5, EVT-9: whoever moves the messages vanishes without a word. Within ten seconds it goes on elsewhere, with
/// the default lease, and nobody has to do anything.
async fn dispatch_recovers_when_its_owner_vanishes(home: Home) {
    let stuck = Handler::new(SHOP, |moved, _| if moved.step > 5 { Verdict::Hang } else { Verdict::Handle });
    let settings = DispatchSettings { poll: Duration::from_millis(50), ..DispatchSettings::default() };
    let first = home.open().await;
    let vanishing = Dispatch::start(&first, &bus(), stuck.subscribers(), &settings);
    for step in 1..=10 {
        publish(&first, "thing", step).await;
    }
    eventually("it hangs", SOON, async || stuck.tries("thing", 6) == 1).await;
    let handler = Handler::good(SHOP);
    let second = if home.is_postgres() { home.open().await } else { first.clone() };
    let waiting = Dispatch::start(&second, &bus(), handler.subscribers(), &settings);
    if home.is_postgres() {
        assert!(!waiting.is_owner() && vanishing.is_owner());
    }
    drop(vanishing);
    eventually("it goes on elsewhere", Duration::from_secs(10), async || {
        effects(&second, SHOP).await.len() == 10
    })
    .await;
    assert_eq!(steps(&second, SHOP, "thing").await, (1..=10).collect::<Vec<_>>());
    waiting.stop().await;
}

/// Dispatch that is stopped hands its duty over, without waiting for the lease to end.
async fn a_stopped_owner_hands_over_at_once(home: Home) {
    let settings = || DispatchSettings { lease: SOON * 2, ..quick() };
    let (here, handler) = (home.open().await, Handler::good(SHOP));
    let there = if home.is_postgres() { home.open().await } else { here.clone() };
    let first = Dispatch::start(&here, &bus(), handler.subscribers(), &settings());
    eventually("the first has it", SOON, async || first.is_owner()).await;
    first.stop().await;
    let second = Dispatch::start(&there, &bus(), handler.subscribers(), &settings());
    eventually("the second has it", SOON, async || second.is_owner()).await;
    publish(&there, "thing", 1).await;
    effects_reach(&there, SHOP, 1).await;
    second.stop().await;
}

crate::on_both! {
    /// B23, EVT-9.
    a_lease_has_one_holder;
    /// C5.
    dispatch_recovers_when_its_owner_vanishes;
    /// EVT-9.
    a_stopped_owner_hands_over_at_once;
}

/// C4, EVT-9, B8: two processes share a database and both dispatch, while the duty goes to and fro between them.
/// Every message is handled once and the order of every key is kept.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL"]
async fn two_processes_handle_every_message_once_and_in_order() {
    let home = Home::postgres().await;
    let (here, there) = (home.open().await, home.open().await);
    let (left, right) = (Handler::good(SHOP), Handler::good(SHOP));
    let processes = [(&here, &left), (&there, &right)];
    let mut running = processes.map(|(database, handler)| Some(dispatch(database, handler)));
    for round in 0..6 {
        for step in 1..=10 {
            for thing in 0..6 {
                let database = if thing % 2 == 0 { &here } else { &there };
                publish(database, &format!("thing {thing}"), round * 10 + step).await;
            }
        }
        // Whoever has the duty loses it, by turns in order and without a word, and comes back once the other has it.
        let has =
            |running: &[Option<Dispatch>; 2], i: usize| running[i].as_ref().is_some_and(Dispatch::is_owner);
        eventually("one has the duty", SOON, async || has(&running, 0) || has(&running, 1)).await;
        let (owner, other) = if has(&running, 0) { (0, 1) } else { (1, 0) };
        let old = running[owner].take().expect("it runs");
        if round % 2 == 0 {
            old.stop().await
        } else {
            drop(old)
        }
        eventually("the other has the duty", SOON, async || has(&running, other)).await;
        running[owner] = Some(dispatch(processes[owner].0, processes[owner].1));
    }
    effects_reach(&here, SHOP, 360).await;
    for dispatch in running.into_iter().flatten() {
        dispatch.stop().await;
    }
    assert_eq!(effects(&here, SHOP).await.len(), 360);
    for thing in 0..6 {
        let steps = steps(&here, SHOP, &format!("thing {thing}")).await;
        assert_eq!(steps, (1..=60).collect::<Vec<_>>(), "thing {thing}");
    }
    assert!(left.all_tries() > 0 && right.all_tries() > 0, "both had it");
}

/// B23, B18: two processes whose clocks are an hour apart take the duty from each other again and again, and
/// both act. Still every message has one effect, in the order of its key.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL"]
async fn two_owners_at_once_do_no_harm() {
    let home = Home::postgres().await;
    let ahead = ManualClock::at(Sources::system().now().after(Duration::from_secs(3600)));
    let here = home.open().await;
    let there = home.open_with("shop", &[SHOP], Sources::with_clock(Arc::new(ahead))).await;
    let (left, right) = (Handler::good(SHOP), Handler::good(SHOP));
    let settings = DispatchSettings { lease: Duration::from_millis(300), ..quick() };
    let first = Dispatch::start(&here, &bus(), left.subscribers(), &settings);
    let second = Dispatch::start(&there, &bus(), right.subscribers(), &settings);
    let mut step = 0;
    // Until both have done some of it.
    while left.all_tries() < 20 || right.all_tries() < 20 {
        step += 1;
        for thing in 0..4 {
            publish(if thing % 2 == 0 { &here } else { &there }, &format!("thing {thing}"), step).await;
        }
        assert!(step < 2000, "{} {}", left.all_tries(), right.all_tries());
    }
    let all = usize::try_from(step * 4).expect("a count");
    effects_reach(&here, SHOP, all).await;
    first.stop().await;
    second.stop().await;
    assert_eq!(effects(&here, SHOP).await.len(), all);
    for thing in 0..4 {
        let steps = steps(&here, SHOP, &format!("thing {thing}")).await;
        assert_eq!(steps, (1..=step).collect::<Vec<_>>(), "thing {thing}");
    }
}
