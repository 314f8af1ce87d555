//! What a saga does next: a pure function of what it is and what has happened.

use crate::{Decision, RetryPolicy};
use bus::{Phase, SagaEntry, Timestamp};
use std::time::Duration;

/// What came of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Acted {
    /// It is done.
    Done,
    /// It was refused for good: everything is undone.
    Refused(String),
    /// It waits for something outside, and is asked again then or when woken.
    Wait(Timestamp),
    /// No answer came: it may or may not have been carried out.
    Unknown(String),
}

/// Why a step has not been undone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotUndone {
    /// Whoever has to do it cannot be reached: it is tried again for as long as that lasts.
    Unreachable(String),
    /// It was tried: where that goes on, somebody has to look.
    Failed(String),
}

/// What happened to a saga.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// It was begun, taken over after a crash, or its time has come.
    Resumed,
    /// The current step acted.
    Acted(Acted),
    /// The current step was undone, or not.
    Undone(Result<(), NotUndone>),
    /// An operator wants it tried again.
    Retried,
}

/// What is to be carried out next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Let this step act.
    Act(usize),
    /// Let this step act again after a pause.
    ActAfter(usize, Duration),
    /// Save, then undo this step.
    SaveAndUndo(usize),
    /// Undo this step.
    Undo(usize),
    /// Save, with what the module writes when it waits.
    Wait,
    /// Save; it goes on when it is due.
    Rest,
    /// Save the good end, with what the module writes then.
    Complete,
    /// Save the undone end, with what the module writes then.
    Compensate,
    /// Nothing: it has ended.
    Nothing,
}

/// A saga without its state: what decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// Where it stands.
    pub phase: Phase,
    /// The current step.
    pub step: usize,
    /// How often the current step, or its undo, has failed.
    pub attempts: u32,
    /// It was driven before, by a process that may have got further than it has saved, or still be at it.
    pub taken_over: bool,
    /// When it goes on by itself.
    pub due_at: Timestamp,
    /// What went wrong.
    pub error: Option<String>,
    /// What has happened.
    pub history: Vec<SagaEntry>,
}

impl Instance {
    /// A saga that begins, owned by its process until `due_at`.
    #[must_use]
    pub fn begin(due_at: Timestamp) -> Self {
        let (phase, history) = (Phase::Running, Vec::new());
        Self { phase, step: 0, attempts: 0, taken_over: false, due_at, error: None, history }
    }

    fn note(&mut self, at: Timestamp, what: &str, outcome: &str, detail: Option<&str>) {
        let detail: Option<String> = detail.map(|text| text.chars().take(500).collect());
        let repeats =
            |last: &SagaEntry| (&*last.what, &*last.outcome, &last.detail) == (what, outcome, &detail);
        if self.history.last().is_some_and(repeats) {
            // A saga may wait, and an undo fail, a thousand times for one reason: one line.
            return;
        }
        self.history.push(SagaEntry { at, what: what.into(), outcome: outcome.into(), detail });
    }
}

/// How patient a saga is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// A step without an answer: tried again, then everything is undone.
    pub(crate) act: RetryPolicy,
    /// An undo that fails: tried again, then somebody has to look.
    pub(crate) undo: RetryPolicy,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            act: RetryPolicy {
                max_attempts: 3,
                base: Duration::from_millis(100),
                cap: Duration::from_millis(500),
            },
            undo: RetryPolicy {
                max_attempts: 12,
                base: Duration::from_millis(200),
                cap: Duration::from_secs(60),
            },
        }
    }
}

/// Decides what a saga does next. `steps` are the names of its steps, `random` is in 0..1.
pub fn decide(saga: &mut Instance, input: Input, steps: &[&str], now: Timestamp, random: f64) -> Effect {
    let patience = Patience::default();
    let name = steps.get(saga.step).copied().unwrap_or("end");
    match (saga.phase, input) {
        (Phase::Running | Phase::Waiting, Input::Resumed) => {
            saga.phase = Phase::Running;
            next_act(saga, steps)
        }
        (Phase::Unwinding, Input::Resumed) => Effect::Undo(saga.step),
        (Phase::NeedsAttention, Input::Retried) => {
            saga.phase = Phase::Unwinding;
            saga.attempts = 0;
            saga.note(now, name, "retried", None);
            Effect::Undo(saga.step)
        }
        (Phase::Running, Input::Acted(Acted::Done)) => {
            saga.note(now, name, "done", None);
            (saga.step, saga.attempts) = (saga.step + 1, 0);
            next_act(saga, steps)
        }
        (Phase::Running, Input::Acted(Acted::Wait(until))) => {
            saga.note(now, name, "waiting", None);
            (saga.phase, saga.due_at, saga.attempts) = (Phase::Waiting, until, 0);
            Effect::Wait
        }
        (Phase::Running, Input::Acted(Acted::Refused(why))) => {
            saga.note(now, name, "refused", Some(&why));
            unwind(saga, steps, why)
        }
        (Phase::Running, Input::Acted(Acted::Unknown(why))) => {
            saga.attempts += 1;
            saga.note(now, name, "unknown", Some(&why));
            match patience.act.decide(saga.attempts, random) {
                Decision::Again(pause) => Effect::ActAfter(saga.step, pause),
                Decision::GiveUp => unwind(saga, steps, why),
            }
        }
        (Phase::Unwinding, Input::Undone(Ok(()))) => {
            saga.note(now, name, "undone", None);
            saga.attempts = 0;
            match saga.step.checked_sub(1) {
                Some(before) => {
                    saga.step = before;
                    Effect::Undo(before)
                }
                None => {
                    saga.phase = Phase::Compensated;
                    Effect::Compensate
                }
            }
        }
        (Phase::Unwinding, Input::Undone(Err(NotUndone::Unreachable(why)))) => {
            // One line for the whole outage, however its errors alternate; it tells how long that has lasted.
            saga.note(now, name, "unreachable", None);
            let since = saga.history.last().map_or(now, |first| first.at);
            saga.error = Some(why);
            saga.due_at = now.after(patience.undo.outage(since.until(now), random));
            Effect::Rest
        }
        (Phase::Unwinding, Input::Undone(Err(NotUndone::Failed(why)))) => {
            saga.attempts += 1;
            saga.note(now, name, "undo_failed", Some(&why));
            saga.error = Some(why);
            match patience.undo.decide(saga.attempts, random) {
                Decision::Again(pause) => saga.due_at = now.after(pause),
                Decision::GiveUp => saga.phase = Phase::NeedsAttention,
            }
            Effect::Rest
        }
        // What happens to a saga that has ended, or out of its turn, changes nothing.
        _ => Effect::Nothing,
    }
}

fn next_act(saga: &mut Instance, steps: &[&str]) -> Effect {
    if saga.step < steps.len() {
        return Effect::Act(saga.step);
    }
    saga.phase = Phase::Completed;
    Effect::Complete
}

/// The failed step is undone too, since its outcome may be unknown. Of a saga that was taken over, so are all
/// the steps after it: whoever drove it before may have got that far, or be about to.
fn unwind(saga: &mut Instance, steps: &[&str], why: String) -> Effect {
    if saga.taken_over {
        saga.step = saga.step.max(steps.len().saturating_sub(1));
    }
    (saga.phase, saga.attempts, saga.error) = (Phase::Unwinding, 0, Some(why));
    Effect::SaveAndUndo(saga.step)
}
