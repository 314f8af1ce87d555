//! Sagas whose steps fail, repeat themselves, panic and leave their outcome unknown (matrices 1 to 4 of section 3.3).

use crate::{
    script::{Elsewhere, Fault, Point, STEPS, begin, end_workers, engine, history, phase_is, settings, view},
    world::{Home, SHOP, SOON, count, number},
};
use bus::Sources;
use bus_durable::{
    Database,
    saga::{Phase, SagaSettings},
};
use bus_testkit::{ManualClock, eventually};
use std::{sync::Arc, time::Duration};
use tokio::sync::watch;

/// How often the saga about a thing has come to this end.
async fn ends(database: &Database, end: &str, thing: &str) -> i64 {
    count(database, "note", &format!("name = '{end} {thing}' AND value = 1")).await
}

/// Drives one saga and looks at what is left.
async fn run(database: &Database, elsewhere: &Elsewhere, thing: &str) -> Phase {
    let engine = engine(database, elsewhere, settings());
    let (stop, stopped) = watch::channel(false);
    let workers = engine.workers(stopped);
    drop(begin(&engine, database, thing).await);
    let ended = async || matches!(view(database, thing).await.state, Phase::Completed | Phase::Compensated);
    eventually(&format!("{thing} ends"), SOON, ended).await;
    eventually("nobody drives it", SOON, async || engine.driving() == 0).await;
    end_workers(&stop, workers).await;
    let phase = view(database, thing).await.state;
    elsewhere.assert_all_fired();
    let events = count(database, "outbox", &format!("key = '{thing}'")).await;
    assert_eq!(events, 1, "{thing}: its end is told once");
    let (good, bad) = (ends(database, "completed", thing).await, ends(database, "compensated", thing).await);
    assert_eq!((good, bad), if phase == Phase::Completed { (1, 0) } else { (0, 1) }, "{thing}");
    phase
}

/// Every step does what it is there for, once; also when every request is sent twice (matrix 1).
async fn a_saga_completes_and_repeated_steps_have_one_effect(home: Home) {
    let database = home.open().await;
    let elsewhere = Elsewhere::default();
    assert_eq!(run(&database, &elsewhere, "plain").await, Phase::Completed);
    elsewhere.assert_done_once("plain");
    assert_eq!(history(&view(&database, "plain").await), ["reserve done", "authorize done", "capture done"]);
    let elsewhere = Elsewhere::default().twice();
    assert_eq!(run(&database, &elsewhere, "twice").await, Phase::Completed);
    elsewhere.assert_done_once("twice");
}

/// Each step refuses once: everything up to it is undone, it included, and nothing after it was touched
/// (matrix 2); also when every undo is sent twice (matrix 3).
async fn every_step_that_refuses_is_unwound(home: Home) {
    let database = home.open().await;
    for twice in [false, true] {
        for step in 0..STEPS {
            let thing = format!("{step} {twice}");
            let mut elsewhere = Elsewhere::with([(Point::BeforeAct(step), Fault::Refuse)]);
            if twice {
                elsewhere = elsewhere.twice();
            }
            assert_eq!(run(&database, &elsewhere, &thing).await, Phase::Compensated);
            elsewhere.assert_undone(&thing, step);
            let steps = elsewhere.steps();
            assert!(steps[step + 1..].iter().all(|remote| remote.acts + remote.undos == 0), "{steps:?}");
            let view = view(&database, &thing).await;
            assert_eq!(view.error.as_deref(), Some("told to refuse"));
            let history = history(&view);
            assert!(history[step].ends_with(" refused"), "the failing step is the one recorded: {history:?}");
            assert_eq!(history.iter().filter(|line| line.ends_with(" undone")).count(), step + 1);
        }
    }
}

/// No answer from each step, carried out or not, and panics in its place: tried again it completes; always the
/// same, it is undone. Never both (matrix 4).
async fn a_step_without_an_answer_converges(home: Home) {
    let database = home.open().await;
    let mut cases = Vec::new();
    for step in 0..STEPS {
        for point in [Point::BeforeAct(step), Point::AfterAct(step)] {
            for fault in [Fault::Unknown, Fault::Panic] {
                for times in [1, 2, 3] {
                    cases.push((step, point, fault.clone(), times));
                }
            }
        }
    }
    // One after the other: an engine takes every saga of its kind to be its own process's.
    for (step, point, fault, times) in cases {
        let thing = format!("{point:?} {fault:?} {times}");
        let elsewhere = Elsewhere::with(std::iter::repeat_n((point, fault), times));
        let phase = run(&database, &elsewhere, &thing).await;
        if times < 3 {
            assert_eq!(phase, Phase::Completed, "{thing}");
            elsewhere.assert_done_once(&thing);
        } else {
            assert_eq!(phase, Phase::Compensated, "{thing}");
            elsewhere.assert_undone(&thing, step);
        }
    }
}

/// B17: an undo that fails or panics is tried again until it is done.
async fn an_undo_that_fails_is_tried_again(home: Home) {
    let database = home.open().await;
    let refuse = (Point::BeforeAct(2), Fault::Refuse);
    let mut cases = Vec::new();
    for step in 0..STEPS {
        for point in [Point::BeforeUndo(step), Point::AfterUndo(step)] {
            for fault in [Fault::Fail, Fault::Panic] {
                cases.push((point, fault));
            }
        }
    }
    for (point, fault) in cases {
        let thing = format!("{point:?} {fault:?}");
        let elsewhere = Elsewhere::with([refuse.clone(), (point, fault.clone()), (point, fault)]);
        assert_eq!(run(&database, &elsewhere, &thing).await, Phase::Compensated);
        elsewhere.assert_undone(&thing, 2);
        let view = view(&database, &thing).await;
        assert!(history(&view).iter().any(|line| line.ends_with("undo_failed")), "{view:?}");
    }
}

/// Three sagas that wait for no time at all are taken up again, one after the other, by whoever looks for due ones.
async fn due_ones_are_looked_after(database: &Database, besides: &str) {
    let elsewhere = Elsewhere::default();
    let engine = engine(database, &elsewhere, settings());
    let (stop, stopped) = watch::channel(false);
    let workers = engine.workers(stopped);
    for other in ["first", "second", "third"] {
        elsewhere.add(Point::BeforeAct(0), Fault::Wait(database.sources().now()));
        let other = format!("{other} besides {besides}");
        drop(begin(&engine, database, &other).await);
        let ended = async || view(database, &other).await.state == Phase::Completed;
        eventually("it goes on", SOON, ended).await;
    }
    end_workers(&stop, workers).await;
}

/// I6: whoever has to undo cannot be reached for longer than any number of attempts: nobody has to look.
async fn an_undo_that_does_not_get_through_is_tried_until_it_does(home: Home) {
    let clock = ManualClock::default();
    let database = home.open_with("shop", &[SHOP], Sources::with_clock(Arc::new(clock.clone()))).await;
    let faults = std::iter::repeat_n((Point::BeforeUndo(1), Fault::Unknown), 40);
    let elsewhere = Elsewhere::with(std::iter::once((Point::BeforeAct(2), Fault::Refuse)).chain(faults));
    let engine = engine(&database, &elsewhere, settings());
    let (_stop, stopped) = watch::channel(false);
    let _workers = engine.workers(stopped);
    drop(begin(&engine, &database, "thing").await);
    let age = std::cell::Cell::new(Duration::ZERO);
    let ended = async || {
        // The longest pause.
        clock.advance(Duration::from_secs(10));
        age.set(age.get().max(database.oldest_open_saga().await.expect("read")));
        let state = view(&database, "thing").await.state;
        assert_ne!(state, Phase::NeedsAttention);
        state == Phase::Compensated
    };
    eventually("it is undone", SOON, ended).await;
    assert!(age.get() >= Duration::from_secs(60), "seen to be open: {:?}", age.get());
    assert_eq!(database.oldest_open_saga().await, Ok(Duration::ZERO), "and not any more");
    elsewhere.assert_all_fired();
    elsewhere.assert_undone("thing", 2);
    let seen = history(&view(&database, "thing").await);
    let outages = seen.iter().filter(|line| line.ends_with("unreachable")).count();
    assert_eq!(outages, 1, "one line for one outage: {seen:?}");
}

/// B17, I6: an undo that keeps failing is given up after its attempts, where an operator sees it; tried again by
/// him it completes.
async fn an_undo_that_keeps_failing_needs_attention(home: Home) {
    let clock = ManualClock::default();
    let database = home.open_with("shop", &[SHOP], Sources::with_clock(Arc::new(clock.clone()))).await;
    let faults = std::iter::repeat_n((Point::BeforeUndo(1), Fault::Fail), 15);
    let elsewhere = Elsewhere::with(std::iter::once((Point::BeforeAct(2), Fault::Refuse)).chain(faults));
    let engine = engine(&database, &elsewhere, settings());
    let (_stop, stopped) = watch::channel(false);
    let _workers = engine.workers(stopped);
    drop(begin(&engine, &database, "thing").await);
    let pass_time = async |phase: Phase| {
        let there = async || {
            clock.advance(Duration::from_secs(61));
            view(&database, "thing").await.state == phase
        };
        eventually(phase.name(), SOON, there).await;
    };
    pass_time(Phase::NeedsAttention).await;
    assert_eq!(elsewhere.fired(), 1 + 12, "as often as the policy says");
    let seen = database.sagas(&[Phase::NeedsAttention], None, 10).await.expect("listed");
    let [seen] = seen.as_slice() else { panic!("{seen:?}") };
    assert_eq!((&*seen.key, seen.attempts), ("thing", 12));
    assert!(seen.error.is_some());
    let undo_failed = history(seen).iter().filter(|line| line.ends_with("undo_failed")).count();
    assert_eq!(undo_failed, 1, "one line for one reason");
    clock.advance(Duration::from_secs(3600));
    assert_eq!(
        view(&database, "thing").await.state,
        Phase::NeedsAttention,
        "nothing but an operator moves it"
    );
    assert!(database.retry_saga(seen.id).await.expect("asked"));
    assert!(!database.retry_saga(seen.id).await.expect("asked"), "once");
    pass_time(Phase::Compensated).await;
    elsewhere.assert_all_fired();
    elsewhere.assert_undone("thing", 2);
    assert_eq!(ends(&database, "compensated", "thing").await, 1);
    assert!(!database.retry_saga(seen.id).await.expect("asked"));
}

/// An end that cannot be written is tried again, and is there once.
async fn an_end_that_fails_is_tried_again(home: Home) {
    let database = home.open().await;
    for (i, end) in [Phase::Completed, Phase::Compensated].into_iter().enumerate() {
        for (point, fault) in [
            (Point::BeforeEnd, Fault::Fail),
            (Point::AfterEnd, Fault::Fail),
            (Point::BeforeEnd, Fault::Panic),
            (Point::AfterEnd, Fault::Panic),
        ] {
            let thing = format!("{end:?} {point:?} {fault:?}");
            // Twice: a group that has to undo a unit runs it once more.
            let faults = [(point, fault.clone()), (point, fault)];
            let refusal = std::iter::repeat_n((Point::BeforeAct(1), Fault::Refuse), i);
            let elsewhere = Elsewhere::with(faults.into_iter().chain(refusal));
            assert_eq!(run(&database, &elsewhere, &thing).await, end, "{thing}");
            match end {
                Phase::Completed => elsewhere.assert_done_once(&thing),
                _ => elsewhere.assert_undone(&thing, 1),
            }
        }
    }
}

/// A step that waits (3-D Secure) is asked again at its time or when it is woken, whichever is first; what it
/// writes when it waits is there while it waits.
async fn a_saga_that_waits_goes_on_in_time_or_when_woken(home: Home) {
    let clock = ManualClock::default();
    let database = home.open_with("shop", &[SHOP], Sources::with_clock(Arc::new(clock.clone()))).await;
    let later = database.sources().now().after(Duration::from_secs(900));
    for woken in [true, false] {
        let thing = format!("woken {woken}");
        let elsewhere = Elsewhere::with([(Point::BeforeAct(1), Fault::Wait(later))]);
        let engine = engine(&database, &elsewhere, settings());
        let (stop, stopped) = watch::channel(false);
        let workers = engine.workers(stopped);
        let driven = begin(&engine, &database, &thing).await.await.expect("driven");
        assert_eq!(driven.phase, Phase::Waiting);
        due_ones_are_looked_after(&database, &thing).await;
        let waits = view(&database, &thing).await;
        assert_eq!((waits.state, waits.due_at), (Phase::Waiting, later), "its time has not come");
        assert_eq!(
            number(&database, &format!("SELECT value AS n FROM note WHERE name = 'waiting {thing}'")).await,
            1
        );
        if woken {
            let state = (engine.clone(), thing.clone());
            let woke = database
                .write(state, |(engine, thing), tx| Box::pin(async move { engine.wake(thing, tx).await }));
            let woke: Result<(), bus::BusError> = woke.await;
            woke.expect("woken");
            engine.ring();
        } else {
            clock.advance(Duration::from_secs(901));
        }
        phase_is(&database, &thing, Phase::Completed).await;
        elsewhere.assert_done_once(&thing);
        let history = history(&view(&database, &thing).await);
        assert_eq!(history, ["reserve done", "authorize waiting", "authorize done", "capture done"]);
        assert_eq!(engine.state_of(&thing).await.expect("read").expect("there").learnt, [0, 1, 2]);
        end_workers(&stop, workers).await;
    }
}

/// Refused after it has waited, everything is undone, whoever drives it by then.
async fn a_saga_refused_after_waiting_is_unwound(home: Home) {
    let database = home.open().await;
    let now = database.sources().now();
    for step in 0..STEPS {
        let thing = format!("step {step}");
        let faults = [
            (Point::AfterAct(step), Fault::Wait(now)),
            (Point::BeforeAct(step), Fault::Pause(crate::script::Pause::open())),
        ];
        let faults = faults.into_iter().chain([(Point::BeforeAct(step), Fault::Refuse)]);
        let elsewhere = Elsewhere::with(faults);
        assert_eq!(run(&database, &elsewhere, &thing).await, Phase::Compensated);
        elsewhere.assert_undone(&thing, step);
    }
}

/// A step that takes longer than it may is one without an answer; its saga is held meanwhile.
async fn a_step_that_hangs_is_one_without_an_answer(home: Home) {
    let database = home.open().await;
    let hang = || (Point::AfterAct(1), Fault::Pause(crate::script::Pause::new()));
    let elsewhere = Elsewhere::with([hang(), hang()]);
    let hasty = SagaSettings { step_timeout: Duration::from_millis(300), ..settings() };
    let engine = engine(&database, &elsewhere, hasty);
    let (_stop, stopped) = watch::channel(false);
    let _workers = engine.workers(stopped);
    let driven = begin(&engine, &database, "thing").await.await.expect("driven");
    assert_eq!(driven.phase, Phase::Completed);
    elsewhere.assert_all_fired();
    elsewhere.assert_done_once("thing");
    assert_eq!(elsewhere.steps()[0].acts, 1, "held for longer than the lease, nobody else began it anew");
}

crate::on_both! {
    /// Section 3.3, matrix 1.
    a_saga_completes_and_repeated_steps_have_one_effect;
    /// Section 3.3, matrices 2 and 3.
    every_step_that_refuses_is_unwound;
    /// Section 3.3, matrix 4; B16.
    a_step_without_an_answer_converges;
    /// B17.
    an_undo_that_fails_is_tried_again;
    /// I6.
    an_undo_that_does_not_get_through_is_tried_until_it_does;
    /// B17, I6.
    an_undo_that_keeps_failing_needs_attention;
    /// Section 3.3.
    an_end_that_fails_is_tried_again;
    /// Design section 4.
    a_saga_that_waits_goes_on_in_time_or_when_woken;
    /// Section 3.3, matrix 2.
    a_saga_refused_after_waiting_is_unwound;
    /// B14, B16.
    a_step_that_hangs_is_one_without_an_answer;
}
