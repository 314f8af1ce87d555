//! What becomes of a payment when the provider is heard of: pure, so that every order of answers can be played.
//!
//! Callers, webhooks and the reconciler bring the same findings through here. Whoever comes second with what is
//! known changes nothing, so they may come in any order and any number.

use crate::attempt::{Attempt, NOBODY, Step};
use crate::provider::{ProviderAnswer, Verdict};
use bus::Timestamp;
use payments_ports::PaymentStatus as Status;
use std::time::Duration;

/// What was found out about a payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Finding {
    Authorized {
        charge: String,
    },
    RequiresAction {
        charge: String,
        url: String,
    },
    Declined {
        code: String,
    },
    Captured,
    CaptureDeclined {
        code: String,
    },
    Voided,
    VoidDeclined {
        code: String,
    },
    /// The answer is not about what was asked.
    Mismatch {
        what: String,
        charge: String,
    },
    /// No answer, or one that says nothing yet.
    Unknown {
        why: String,
    },
    /// The provider never heard of the authorization, and it is too late for it.
    NeverHeard,
}

/// Who found it out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Witness {
    /// A call, whose caller is told by the answer.
    Caller,
    Webhook,
    Reconciler,
}

/// When it was found out, and how long to wait before the next look.
#[derive(Debug, Clone)]
pub(crate) struct Moment {
    pub(crate) now: Timestamp,
    pub(crate) pause: Duration,
    pub(crate) challenge_every: Duration,
    pub(crate) watch_for: Duration,
    pub(crate) attention_after: i64,
    /// Until when a caller who is told of an authorization has its capture for itself, where it goes on to that.
    pub(crate) capture_until: Option<Timestamp>,
}

/// What is to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) attempt: Attempt,
    /// A line of the history.
    pub(crate) entry: Option<(&'static str, String)>,
    /// Tell the other modules.
    pub(crate) publish: bool,
}

impl Finding {
    /// What an answer to a step's request means.
    pub(crate) fn of(attempt: &Attempt, step: Step, answer: &ProviderAnswer) -> Self {
        let charge = answer.charge.clone();
        if let Some(what) = mismatch(attempt, answer) {
            return Self::Mismatch { what, charge };
        }
        match (step, &answer.verdict) {
            (Step::Authorize | Step::Watch, Verdict::Authorized) => Self::Authorized { charge },
            (Step::Authorize | Step::Watch, Verdict::RequiresAction { url }) => {
                Self::RequiresAction { charge, url: url.clone() }
            }
            (Step::Authorize | Step::Watch, Verdict::Declined { code }) => {
                Self::Declined { code: code.clone() }
            }
            (Step::Capture, Verdict::Captured) => Self::Captured,
            (Step::Capture, Verdict::Declined { code }) => Self::CaptureDeclined { code: code.clone() },
            (Step::Void, Verdict::Voided) => Self::Voided,
            (Step::Void, Verdict::Declined { code }) => Self::VoidDeclined { code: code.clone() },
            (step, verdict) => {
                Self::Mismatch { what: format!("{} was answered with {verdict:?}", step.as_str()), charge }
            }
        }
    }
}

/// What in an answer is not what was asked for, if anything.
fn mismatch(attempt: &Attempt, answer: &ProviderAnswer) -> Option<String> {
    let known = attempt.charge.as_ref().filter(|charge| **charge != answer.charge);
    if let Some(known) = known {
        return Some(format!("the charge is {known}, and the provider speaks of {}", answer.charge));
    }
    if let Some(amount) = answer.amount.filter(|amount| *amount != attempt.amount) {
        return Some(format!("{} was asked for, and the provider speaks of {amount}", attempt.amount));
    }
    let reference = attempt.order_id.to_string();
    let other = answer.reference.as_ref().filter(|other| **other != reference)?;
    Some(format!("the order is {reference}, and the provider speaks of {other}"))
}

/// What a finding changes; `None` where it is nothing new.
pub(crate) fn settle(
    attempt: &Attempt,
    finding: &Finding,
    witness: Witness,
    moment: &Moment,
) -> Option<Change> {
    let found = match finding {
        Finding::Authorized { charge } => authorized(attempt, charge, witness, moment),
        Finding::RequiresAction { charge, url } => requires_action(attempt, charge, url, witness, moment),
        Finding::Declined { code } => declined(attempt, code, witness, moment),
        Finding::Captured => captured(attempt, witness, moment),
        Finding::CaptureDeclined { code } => capture_declined(attempt, code, witness, moment),
        Finding::Voided => voided(attempt, "", witness, moment),
        Finding::VoidDeclined { code } => void_declined(attempt, code, witness, moment),
        Finding::Mismatch { what, charge } => mismatched(attempt, what, charge, moment),
        Finding::Unknown { why } => unknown(attempt, why, moment),
        Finding::NeverHeard => never_heard(attempt, witness, moment),
    };
    if found.is_none() && witness == Witness::Caller && attempt.step == Step::Tell {
        // A webhook was faster; the caller is told now.
        return Some(told(attempt));
    }
    found
}

/// Somebody was told of an outcome: nothing is left to do.
pub(crate) fn told(attempt: &Attempt) -> Change {
    let attempt = Attempt { step: Step::None, waiting_until: NOBODY, ..attempt.clone() };
    Change { attempt, entry: None, publish: false }
}

fn authorized(attempt: &Attempt, charge: &str, witness: Witness, moment: &Moment) -> Option<Change> {
    let charge = Some(charge.to_owned());
    match (attempt.status, attempt.step) {
        (Status::Processing | Status::RequiresAction, Step::Authorize) => {
            let next = Attempt { status: Status::Authorized, charge, action_url: None, ..attempt.clone() };
            Some(if attempt.undo {
                go_on(next, Step::Void, "authorized", "to be undone", moment)
            } else {
                let mut change = settled(next, Step::None, ("authorized", ""), witness, moment);
                if let (Witness::Caller, Some(until)) = (witness, moment.capture_until) {
                    change.attempt.step = Step::Capture;
                    (change.attempt.due_at, change.attempt.waiting_until) = (until, until);
                }
                change
            })
        }
        // F7: it was given up, or undone before it was known, and has come about after all.
        (Status::Voided | Status::Failed, step) if attempt.charge.is_none() && step != Step::Void => {
            Some(late(Attempt { charge, ..attempt.clone() }, moment))
        }
        (Status::Declined, step) if step != Step::Void => {
            Some(late(Attempt { charge, ..attempt.clone() }, moment))
        }
        _ => None,
    }
}

fn late(next: Attempt, moment: &Moment) -> Change {
    go_on(Attempt { undo: true, ..next }, Step::Void, "late_success", "to be undone", moment)
}

fn requires_action(
    attempt: &Attempt,
    charge: &str,
    url: &str,
    witness: Witness,
    moment: &Moment,
) -> Option<Change> {
    let known = Attempt { charge: Some(charge.to_owned()), ..attempt.clone() };
    match (attempt.status, attempt.step) {
        (Status::Processing | Status::RequiresAction, Step::Authorize) if attempt.undo => {
            Some(go_on(known, Step::Void, "requires_action", "to be undone", moment))
        }
        (Status::Processing, Step::Authorize) => {
            let next = Attempt { status: Status::RequiresAction, action_url: Some(url.to_owned()), ..known };
            let mut change = settled(next, Step::Authorize, ("requires_action", ""), witness, moment);
            change.attempt.due_at = moment.now.after(moment.challenge_every);
            Some(change)
        }
        (Status::RequiresAction, Step::Authorize) => {
            let due_at = moment.now.after(moment.challenge_every);
            Some(Change { attempt: Attempt { due_at, ..attempt.clone() }, entry: None, publish: false })
        }
        (Status::Voided | Status::Failed, Step::Watch) => Some(late(known, moment)),
        _ => None,
    }
}

fn declined(attempt: &Attempt, code: &str, witness: Witness, moment: &Moment) -> Option<Change> {
    match (attempt.status, attempt.step) {
        (Status::Processing | Status::RequiresAction, Step::Authorize) => {
            let status = if attempt.undo { Status::Voided } else { Status::Declined };
            let decline_code = Some(code.to_owned());
            let next = Attempt { status, decline_code, action_url: None, live: false, ..attempt.clone() };
            Some(settled(next, Step::None, ("declined", code), witness, moment))
        }
        // What was given up was refused: nothing can come of it any more.
        (_, Step::Watch) => Some(told(attempt)),
        _ => None,
    }
}

fn captured(attempt: &Attempt, witness: Witness, moment: &Moment) -> Option<Change> {
    if attempt.status.was_captured() || attempt.is_tombstone() {
        return None;
    }
    let next = Attempt {
        status: Status::Captured,
        captured: attempt.amount.amount,
        action_url: None,
        decline_code: None,
        ..attempt.clone()
    };
    if attempt.undo || attempt.status.came_to_nothing() {
        // It came about although it is to be undone.
        let next = Attempt { undo: true, ..next };
        return Some(go_on(next, Step::Refund, "captured", "to be undone", moment));
    }
    Some(settled(next, Step::None, ("captured", ""), witness, moment))
}

fn capture_declined(attempt: &Attempt, code: &str, witness: Witness, moment: &Moment) -> Option<Change> {
    if attempt.step != Step::Capture {
        return None;
    }
    let next = Attempt { status: Status::Authorized, decline_code: Some(code.to_owned()), ..attempt.clone() };
    Some(if attempt.undo {
        go_on(next, Step::Void, "capture_declined", code, moment)
    } else {
        settled(next, Step::None, ("capture_declined", code), witness, moment)
    })
}

fn voided(attempt: &Attempt, detail: &str, witness: Witness, moment: &Moment) -> Option<Change> {
    let open = matches!(attempt.status, Status::Processing | Status::RequiresAction | Status::Authorized);
    if attempt.status.was_captured() || !(open || attempt.step == Step::Void) {
        return None;
    }
    let next =
        Attempt { status: Status::Voided, action_url: None, live: false, undo: true, ..attempt.clone() };
    Some(settled(next, Step::None, ("voided", detail), witness, moment))
}

/// A void that is refused says what the charge is instead.
fn void_declined(attempt: &Attempt, code: &str, witness: Witness, moment: &Moment) -> Option<Change> {
    match (attempt.step, code) {
        (Step::Void | Step::Capture, "already_voided" | "not_authorized") => {
            voided(attempt, code, witness, moment)
        }
        (Step::Void, "already_captured") => {
            Some(go_on(attempt.clone(), Step::Capture, "attention", "a void met a captured charge", moment))
        }
        (Step::Void, _) => {
            let what = format!("the provider refuses to void: {code}");
            mismatched(attempt, &what, attempt.charge.as_deref().unwrap_or_default(), moment)
        }
        _ => None,
    }
}

/// Never confirms anything: a person has to look, and meanwhile the provider is asked again.
fn mismatched(attempt: &Attempt, what: &str, charge: &str, moment: &Moment) -> Option<Change> {
    let is_new = attempt.attention.as_deref() != Some(what);
    let open = matches!(attempt.step, Step::Authorize | Step::Capture | Step::Void | Step::Watch);
    if !is_new && !open {
        return None;
    }
    let mut next = Attempt { attention: Some(what.to_owned()), ..attempt.clone() };
    if open {
        next.due_at = moment.now.after(moment.pause);
        next.waiting_until = NOBODY;
    }
    if attempt.step == Step::Authorize && attempt.charge.is_none() && !charge.is_empty() {
        next.charge = Some(charge.to_owned());
    }
    if attempt.step == Step::Authorize && attempt.undo {
        // Whatever it is, it is not wanted.
        next.step = Step::Void;
        next.due_at = moment.now;
    }
    if attempt.step == Step::Capture {
        next.status = Status::Processing;
    }
    next.version += i64::from(is_new);
    Some(Change { attempt: next, entry: is_new.then(|| ("attention", what.to_owned())), publish: false })
}

fn unknown(attempt: &Attempt, why: &str, moment: &Moment) -> Option<Change> {
    if matches!(attempt.step, Step::None | Step::Tell) {
        return None;
    }
    let somebody_waited = attempt.waiting_until > NOBODY;
    // What a person has to look at is asked about less often.
    let pause = if attempt.attention.is_some() { moment.pause * 6 } else { moment.pause };
    let mut next = Attempt { due_at: moment.now.after(pause), waiting_until: NOBODY, ..attempt.clone() };
    if attempt.step == Step::Capture {
        next.status = Status::Processing;
    }
    if attempt.status == Status::RequiresAction && attempt.step == Step::Authorize {
        next.due_at = moment.now.after(moment.challenge_every);
    }
    let mut entry = somebody_waited.then(|| ("processing", why.to_owned()));
    let patience_ends = attempt.attempts >= moment.attention_after && attempt.attention.is_none();
    if patience_ends && attempt.step != Step::Watch {
        next.attention = Some(why.to_owned());
        entry = Some(("attention", why.to_owned()));
    }
    next.version += i64::from(next.status != attempt.status);
    Some(Change { attempt: next, entry, publish: false })
}

fn never_heard(attempt: &Attempt, witness: Witness, moment: &Moment) -> Option<Change> {
    let age = attempt.created_at.until(moment.now);
    let next_watch = moment.now.after(moment.pause.max(age / 2));
    match (attempt.status, attempt.step) {
        (Status::Processing, Step::Authorize) => {
            let status = if attempt.undo { Status::Voided } else { Status::Failed };
            let kind = if attempt.undo { "voided" } else { "failed" };
            let next = Attempt { status, live: false, ..attempt.clone() };
            let entry = (kind, "the provider never heard of it");
            let mut change = settled(next, Step::Watch, entry, witness, moment);
            change.attempt.due_at = next_watch;
            Some(change)
        }
        (_, Step::Watch) if age > moment.watch_for => Some(told(attempt)),
        (_, Step::Watch) => {
            let attempt = Attempt { due_at: next_watch, ..attempt.clone() };
            Some(Change { attempt, entry: None, publish: false })
        }
        _ => None,
    }
}

/// The payment came to an outcome that others may act on.
fn settled(
    mut next: Attempt,
    step: Step,
    (kind, detail): (&'static str, &str),
    witness: Witness,
    moment: &Moment,
) -> Change {
    let waited_for = next.waiting_until > moment.now;
    let mut publish = witness != Witness::Caller;
    next.step = step;
    next.attempts = 0;
    next.attention = None;
    next.version += 1;
    if witness == Witness::Webhook && waited_for && step == Step::None {
        // Somebody is about to be told by an answer. Should that fail, the reconciler tells everybody.
        next.step = Step::Tell;
        next.due_at = next.waiting_until;
        publish = false;
    } else {
        next.waiting_until = NOBODY;
    }
    Change { attempt: next, entry: Some((kind, detail.to_owned())), publish }
}

/// The payment came to something that is no outcome: the reconciler, or whoever works on it, goes on at once.
fn go_on(mut next: Attempt, step: Step, kind: &'static str, detail: &str, moment: &Moment) -> Change {
    next.step = step;
    next.due_at = moment.now;
    next.attempts = 0;
    next.version += 1;
    Change { attempt: next, entry: Some((kind, detail.to_owned())), publish: false }
}

#[cfg(test)]
#[path = "settle_tests.rs"]
mod tests;
