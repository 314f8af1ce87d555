//! Sagas with more than one process after them: late owners, wake-ups that cross, rows that nobody can read.

use crate::{
    script::{
        Elsewhere, Facts, Fault, Pause, Point, Scripts, begin, end_workers, engine, phase_is, settings, view,
    },
    world::{Home, SOON, count, number, run},
};
use bus::BusError;
use bus_durable::{
    Database,
    saga::{Engine, Phase, SagaSettings},
};
use bus_testkit::eventually;
use std::time::Duration;
use tokio::sync::watch;

/// Another process on the same rows; in a file, where there is only one, another engine in this process.
async fn another(home: &Home, database: &Database) -> Database {
    if home.is_postgres() { home.open().await } else { database.clone() }
}

async fn ended(database: &Database, end: &str, thing: &str) {
    assert_eq!(count(database, "note", &format!("name = '{end} {thing}' AND value = 1")).await, 1);
    assert_eq!(count(database, "note", &format!("name LIKE '%d {thing}'")).await, 1);
    assert_eq!(count(database, "outbox", &format!("key = '{thing}'")).await, 1, "told once");
}

/// B18: the owner is paused past its lease, another process takes the saga over and ends it. The late owner
/// wakes up, goes on where it was, and is fenced: everything has one effect and one end.
async fn a_late_owner_is_fenced(home: Home) {
    let here = home.open().await;
    let there = another(&home, &here).await;
    for point in [Point::BeforeAct(0), Point::BeforeAct(1), Point::AfterAct(1), Point::AfterAct(2)] {
        let (thing, pause) = (format!("{point:?}"), Pause::new());
        let elsewhere = Elsewhere::with([(point, Fault::Pause(pause.clone()))]);
        // Nobody renews its hold: it is paused.
        let paused = engine(&here, &elsewhere, settings());
        let driven = begin(&paused, &here, &thing).await;
        pause.reached().await;
        let other = engine(&there, &elsewhere, settings());
        let (stop, stopped) = watch::channel(false);
        let workers = other.workers(stopped);
        phase_is(&there, &thing, Phase::Completed).await;
        let version = number(&here, &format!("SELECT version AS n FROM saga WHERE key = '{thing}'")).await;
        pause.let_go();
        let driven = driven.await.expect("it comes to its end");
        assert_eq!(driven.phase, Phase::Running, "it does not know how the saga ended");
        elsewhere.assert_done_once(&thing);
        ended(&here, "completed", &thing).await;
        let now = number(&here, &format!("SELECT version AS n FROM saga WHERE key = '{thing}'")).await;
        assert_eq!(version, now, "the late owner wrote nothing");
        end_workers(&stop, workers).await;
    }
}

/// B15, B18, T-LATE: the other process finds the first step refused and undoes everything, while the late owner
/// has not yet asked for the second. When it does, it finds the door closed.
async fn a_late_owner_finds_the_doors_closed(home: Home) {
    let here = home.open().await;
    let there = another(&home, &here).await;
    for point in [Point::BeforeAct(1), Point::AfterAct(1), Point::BeforeAct(2), Point::AfterAct(2)] {
        let (thing, pause) = (format!("{point:?}"), Pause::new());
        let elsewhere = Elsewhere::with([
            (point, Fault::Pause(pause.clone())),
            (Point::BeforeAct(0), Fault::Pause(Pause::open())),
            (Point::BeforeAct(0), Fault::Refuse),
        ]);
        let paused = engine(&here, &elsewhere, settings());
        let driven = begin(&paused, &here, &thing).await;
        pause.reached().await;
        let other = engine(&there, &elsewhere, settings());
        let (stop, stopped) = watch::channel(false);
        let workers = other.workers(stopped);
        phase_is(&there, &thing, Phase::Compensated).await;
        pause.let_go();
        let driven = driven.await.expect("it comes to its end");
        assert_eq!(driven.phase, Phase::Running);
        elsewhere.assert_all_fired();
        elsewhere.assert_undone(&thing, 2);
        ended(&here, "compensated", &thing).await;
        end_workers(&stop, workers).await;
    }
}

async fn wake(engine: &Engine<Scripts>, database: &Database, thing: &str) {
    let state = (engine.clone(), thing.to_owned());
    let woken =
        database.write(state, |(engine, thing), tx| Box::pin(async move { engine.wake(thing, tx).await }));
    let woken: Result<(), BusError> = woken.await;
    woken.expect("woken");
    engine.ring();
}

/// A wake-up that comes after the step was asked and before its waiting is saved is not lost: what it tells is
/// new to the step, which would otherwise wait for a time far off.
async fn a_wake_up_that_crosses_the_wait_is_not_lost(home: Home) {
    let database = home.open().await;
    let far = database.sources().now().after(Duration::from_secs(900));
    let pause = Pause::new();
    let elsewhere = Elsewhere::with([
        (Point::BeforeAct(1), Fault::Pause(pause.clone())),
        (Point::AfterAct(1), Fault::Wait(far)),
    ]);
    let engine = engine(&database, &elsewhere, settings());
    let (_stop, stopped) = watch::channel(false);
    let _workers = engine.workers(stopped);
    drop(begin(&engine, &database, "thing").await);
    pause.reached().await;
    wake(&engine, &database, "thing").await;
    pause.let_go();
    phase_is(&database, "thing", Phase::Completed).await;
    elsewhere.assert_all_fired();
    elsewhere.assert_done_once("thing");
}

/// Writes a saga's start and lets nobody drive it, as a crash at that moment does.
async fn abandon(engine: &Engine<Scripts>, database: &Database, thing: &str) {
    let saga = engine.prepare(thing.to_owned(), Facts { thing: thing.to_owned(), learnt: vec![] });
    let state = (engine.clone(), saga);
    let begun = database.write(state, |(engine, saga), tx| Box::pin(async move { engine.begin(saga, tx) }));
    let begun: Result<(), BusError> = begun.await;
    begun.expect("begun");
}

/// B28: a saga that this program cannot read, because a newer one wrote it, holds no other up, and is left as
/// it is for whoever can.
async fn a_saga_that_cannot_be_read_holds_no_other_up(home: Home) {
    let database = home.open().await;
    let elsewhere = Elsewhere::default();
    let engine = engine(&database, &elsewhere, settings());
    for thing in ["a", "newer", "b", "c"] {
        abandon(&engine, &database, thing).await;
    }
    run(&database, "UPDATE saga SET due_at = 0, state = '{\"newer\": true}' WHERE key = 'newer'").await;
    let (_stop, stopped) = watch::channel(false);
    let _workers = engine.workers(stopped);
    for thing in ["a", "b", "c"] {
        phase_is(&database, thing, Phase::Completed).await;
    }
    assert_eq!(count(&database, "saga", "key = 'newer' AND phase = 'running'").await, 1);
}

/// C5, B18: what a crash has left, more than one page of it, is taken over by two processes at once, each saga by
/// one of them.
async fn many_orphans_are_taken_over_each_by_one(home: Home) {
    let here = home.open().await;
    let there = another(&home, &here).await;
    let elsewhere = Elsewhere::default();
    let (first, second) = (engine(&here, &elsewhere, settings()), engine(&there, &elsewhere, settings()));
    for i in 0..150 {
        abandon(&first, &here, &format!("thing {i}")).await;
    }
    let (_stop, stopped) = watch::channel(false);
    let _workers = (first.workers(stopped.clone()), second.workers(stopped));
    let open = async || count(&here, "saga", "phase <> 'completed'").await;
    eventually("all are completed", SOON, async || open().await == 0).await;
    assert_eq!(count(&here, "note", "name LIKE 'completed %' AND value = 1").await, 150);
    assert_eq!(count(&here, "outbox", "1 = 1").await, 150);
    eventually("nobody drives", SOON, async || first.driving() + second.driving() == 0).await;
}

crate::on_both! {
    /// B18.
    a_late_owner_is_fenced;
    /// B15, B18.
    a_late_owner_finds_the_doors_closed;
    /// Design section 4.
    a_wake_up_that_crosses_the_wait_is_not_lost;
    /// B28.
    a_saga_that_cannot_be_read_holds_no_other_up;
    /// C5, B18.
    many_orphans_are_taken_over_each_by_one;
}

/// B14, B18: an owner that is alive and slow keeps its saga, however long a step takes; also one that has waited.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL"]
async fn a_slow_owner_keeps_its_saga() {
    let home = Home::postgres().await;
    let (here, there) = (home.open().await, home.open().await);
    let (pause, now) = (Pause::new(), here.sources().now());
    // Asked the second time it is slow: by then it was woken, and is driven by whoever was first.
    let elsewhere = Elsewhere::with([
        (Point::AfterAct(1), Fault::Wait(now)),
        (Point::BeforeAct(2), Fault::Pause(pause.clone())),
    ]);
    // Long enough that whoever renews in time is in time on a busy machine too.
    let slow = SagaSettings { lease: Duration::from_secs(3), ..settings() };
    let engines = [engine(&here, &elsewhere, slow), engine(&there, &elsewhere, slow)];
    let (_stop, stopped) = watch::channel(false);
    let _workers = engines.each_ref().map(|engine| engine.workers(stopped.clone()));
    drop(begin(&engines[0], &here, "thing").await);
    pause.reached().await;
    let driving = || engines[0].driving() + engines[1].driving();
    // Whoever let it wait may not have let go of it yet.
    eventually("one drives it", SOON, async || driving() == 1).await;
    let begun = here.sources().now();
    eventually("two leases are over", SOON, async || {
        assert_eq!(driving(), 1, "one drives it");
        begun.until(here.sources().now()) > slow.lease * 2
    })
    .await;
    assert_eq!(view(&here, "thing").await.state, Phase::Running);
    pause.let_go();
    phase_is(&here, "thing", Phase::Completed).await;
    elsewhere.assert_done_once("thing");
    assert_eq!(elsewhere.steps().map(|remote| remote.acts), [1, 2, 1]);
}
