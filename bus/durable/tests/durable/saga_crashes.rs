//! Sagas whose process dies at every boundary, and again while the next one recovers (matrices 5 to 7 of section 3.3).

use crate::{
    script::{Elsewhere, Fault, Point, STEPS, live_through},
    world::{Home, count},
};
use bus_durable::saga::Phase;
use std::sync::Arc;

fn forward() -> Vec<Point> {
    let acts = (0..STEPS).flat_map(|step| [Point::BeforeAct(step), Point::AfterAct(step)]);
    acts.chain([Point::BeforeEnd, Point::AfterEnd]).collect()
}

fn backward() -> Vec<Point> {
    let undos = (0..STEPS).rev().flat_map(|step| [Point::BeforeUndo(step), Point::AfterUndo(step)]);
    undos.chain([Point::BeforeEnd, Point::AfterEnd]).collect()
}

/// Lives through these faults to this end, whose effects are there once.
async fn lives(home: &Arc<Home>, thing: &str, faults: Vec<(Point, Fault)>, end: Phase) {
    let elsewhere = Elsewhere::with(faults);
    let view = live_through(home, &elsewhere, thing).await;
    assert_eq!(view.state, end, "{thing}: {view:?}");
    elsewhere.assert_all_fired();
    match end {
        Phase::Completed => elsewhere.assert_done_once(thing),
        _ => elsewhere.assert_undone(thing, STEPS - 1),
    }
    let database = home.open().await;
    let (name, other) = (if end == Phase::Completed { "completed" } else { "compensated" }, end.name());
    assert_eq!(
        count(&database, "note", &format!("name = '{name} {thing}' AND value = 1")).await,
        1,
        "{other}"
    );
    assert_eq!(count(&database, "note", &format!("name LIKE '%d {thing}'")).await, 1);
    assert_eq!(count(&database, "outbox", &format!("key = '{thing}'")).await, 1, "its end is told once");
    database.close().await;
}

/// Section 3.3, matrix 5: killed at every boundary of a saga that would complete, it completes.
async fn killed_on_its_way_a_saga_completes(home: Home) {
    let home = Arc::new(home);
    for point in forward() {
        lives(&home, &format!("{point:?}"), vec![(point, Fault::Crash)], Phase::Completed).await;
    }
}

/// Section 3.3, matrix 5: killed at every boundary of its unwinding, it is unwound to its end.
async fn killed_while_it_unwinds_a_saga_is_unwound(home: Home) {
    let home = Arc::new(home);
    for point in backward() {
        let faults = vec![(Point::BeforeAct(STEPS - 1), Fault::Refuse), (point, Fault::Crash)];
        lives(&home, &format!("{point:?}"), faults, Phase::Compensated).await;
    }
}

/// Section 3.3, matrix 6: killed at one boundary, and at another while it recovers.
async fn killed_twice_a_saga_still_ends(home: Home) {
    let stride = if home.is_postgres() { 5 } else { 1 };
    let home = Arc::new(home);
    let points = forward();
    let pairs = points.iter().flat_map(|first| points.iter().map(move |second| (*first, *second)));
    for (first, second) in pairs.step_by(stride) {
        // The later point of two is reached in the second life, or in the first: both fire.
        let thing = format!("{first:?} {second:?}");
        lives(&home, &thing, vec![(first, Fault::Crash), (second, Fault::Crash)], Phase::Completed).await;
    }
    let points = backward();
    let pairs = points.iter().flat_map(|first| points.iter().map(move |second| (*first, *second)));
    for (first, second) in pairs.step_by(stride * 3) {
        let refuse = (Point::BeforeAct(STEPS - 1), Fault::Refuse);
        let thing = format!("undo {first:?} {second:?}");
        lives(&home, &thing, vec![refuse, (first, Fault::Crash), (second, Fault::Crash)], Phase::Compensated)
            .await;
    }
}

/// Section 3.3, matrix 6, B15, I4: killed after any step had acted, and the first step refuses the next process,
/// since its time is over. What had acted after it is undone too: no money without an order.
async fn what_acted_before_a_crash_is_undone_by_whoever_finds_the_way_closed(home: Home) {
    let home = Arc::new(home);
    for point in forward().into_iter().skip(1) {
        for step in 0..STEPS {
            // The step lets the first process pass and refuses the second.
            let pass = (Point::BeforeAct(step), Fault::Pause(crate::script::Pause::open()));
            let reached = match point {
                Point::BeforeAct(at) => at > step,
                Point::AfterAct(at) => at >= step,
                _ => true,
            };
            let mut faults = vec![(point, Fault::Crash), (Point::BeforeAct(step), Fault::Refuse)];
            if reached {
                faults.insert(1, pass);
            }
            lives(&home, &format!("{point:?} then {step}"), faults, Phase::Compensated).await;
        }
    }
}

crate::on_both! {
    /// Section 3.3, matrix 5.
    killed_on_its_way_a_saga_completes;
    /// Section 3.3, matrix 5.
    killed_while_it_unwinds_a_saga_is_unwound;
    /// Section 3.3, matrix 6.
    killed_twice_a_saga_still_ends;
    /// Section 3.3, matrix 6; I4.
    what_acted_before_a_crash_is_undone_by_whoever_finds_the_way_closed;
}
