//! Every order of findings, played without a database.

use super::*;
use kernel::{Currency, Money, OrderId, PaymentId, UserId};
use proptest::prelude::*;
use uuid::Uuid;

const NOW: Timestamp = Timestamp::from_micros(1_767_225_600_000_000);

fn moment() -> Moment {
    Moment {
        now: NOW,
        pause: Duration::from_secs(1),
        challenge_every: Duration::from_secs(30),
        watch_for: Duration::from_secs(3600),
        attention_after: 3,
        capture_until: None,
    }
}

fn fresh() -> Attempt {
    Attempt {
        id: PaymentId(Uuid::from_u128(1)),
        order_id: OrderId(Uuid::from_u128(2)),
        user_id: UserId(Uuid::from_u128(3)),
        amount: Money::new(1999, Currency::EUR),
        token: "tok_ok".into(),
        status: Status::Processing,
        step: Step::Authorize,
        undo: false,
        live: true,
        charge: None,
        captured: 0,
        refund_held: 0,
        refunded: 0,
        decline_code: None,
        action_url: None,
        attention: None,
        due_at: NOW.after(Duration::from_secs(10)),
        waiting_until: NOW.after(Duration::from_secs(8)),
        sent_at: NOW,
        attempts: 0,
        version: 1,
        created_at: NOW,
    }
}

fn charge() -> String {
    "ch_1".into()
}

fn authorized() -> Finding {
    Finding::Authorized { charge: charge() }
}

fn answer(amount: i64, reference: Uuid) -> ProviderAnswer {
    ProviderAnswer {
        charge: charge(),
        verdict: Verdict::Authorized,
        amount: Some(Money::new(amount, Currency::EUR)),
        reference: Some(reference.to_string()),
    }
}

#[test]
fn an_answer_about_something_else_confirms_nothing() {
    let attempt = fresh();
    assert_eq!(Finding::of(&attempt, Step::Authorize, &answer(1999, Uuid::from_u128(2))), authorized());
    for wrong in [answer(1998, Uuid::from_u128(2)), answer(1999, Uuid::from_u128(9))] {
        let finding = Finding::of(&attempt, Step::Authorize, &wrong);
        let change = settle(&attempt, &finding, Witness::Caller, &moment()).expect("an alarm");
        assert_eq!(change.attempt.status, Status::Processing);
        assert!(change.attempt.attention.is_some() && !change.publish);
    }
}

/// F5: a webhook that overtakes the call's own answer leaves the telling to the call.
#[test]
fn a_webhook_leaves_the_telling_to_a_caller_who_waits() {
    let change = settle(&fresh(), &authorized(), Witness::Webhook, &moment()).expect("is new");
    assert_eq!((change.attempt.status, change.attempt.step), (Status::Authorized, Step::Tell));
    assert!(!change.publish);
    let told = settle(&change.attempt, &authorized(), Witness::Caller, &moment()).expect("tells");
    assert_eq!((told.attempt.step, told.attempt.version), (Step::None, change.attempt.version));

    let alone = Attempt { waiting_until: NOBODY, ..fresh() };
    let change = settle(&alone, &authorized(), Witness::Webhook, &moment()).expect("is new");
    assert!(change.publish && change.attempt.step == Step::None);
}

/// The intent is in the same row as the outcome that it follows, for the caller who said so and for nobody else.
#[test]
fn a_capture_is_announced_with_its_authorization() {
    let until = NOW.after(Duration::from_secs(10));
    let moment = Moment { capture_until: Some(until), ..moment() };
    let change = settle(&fresh(), &authorized(), Witness::Caller, &moment).expect("is new");
    assert_eq!((change.attempt.status, change.attempt.step), (Status::Authorized, Step::Capture));
    assert_eq!((change.attempt.due_at, change.attempt.waiting_until), (until, until));
    let change = settle(&fresh(), &authorized(), Witness::Reconciler, &moment).expect("is new");
    assert_eq!(change.attempt.step, Step::None);
    let undone = Attempt { undo: true, ..fresh() };
    let change = settle(&undone, &authorized(), Witness::Caller, &moment).expect("is new");
    assert_eq!(change.attempt.step, Step::Void);
}

/// F7: what comes late is undone.
#[test]
fn a_late_success_of_what_was_given_up_is_undone() {
    let failed =
        settle(&fresh(), &Finding::NeverHeard, Witness::Reconciler, &moment()).expect("fails").attempt;
    assert_eq!((failed.status, failed.step, failed.live), (Status::Failed, Step::Watch, false));
    let late = settle(&failed, &authorized(), Witness::Webhook, &moment()).expect("is new");
    assert_eq!((late.attempt.step, late.attempt.undo), (Step::Void, true));
    assert_eq!(late.entry.expect("is in the history").0, "late_success");
    let undone =
        settle(&late.attempt, &Finding::Voided, Witness::Reconciler, &moment()).expect("voids").attempt;
    assert_eq!((undone.status, undone.step), (Status::Voided, Step::None));
    assert_eq!(settle(&undone, &authorized(), Witness::Webhook, &moment()), None, "sent once more");
}

#[test]
fn what_does_not_settle_calls_for_attention() {
    let mut attempt = fresh();
    for tries in 0..4 {
        attempt.attempts = tries;
        let finding = Finding::Unknown { why: "no answer".into() };
        attempt = settle(&attempt, &finding, Witness::Reconciler, &moment()).expect("is put off").attempt;
        assert_eq!(attempt.attention.is_some(), tries >= 3);
    }
    let settled = settle(&attempt, &authorized(), Witness::Reconciler, &moment()).expect("settles");
    assert!(settled.publish && settled.attempt.attention.is_none());
}

fn finding() -> impl Strategy<Value = Finding> {
    prop_oneof![
        Just(authorized()),
        Just(Finding::RequiresAction { charge: charge(), url: "https://pay".into() }),
        Just(Finding::Declined { code: "no".into() }),
        Just(Finding::Captured),
        Just(Finding::CaptureDeclined { code: "no".into() }),
        Just(Finding::Voided),
        Just(Finding::VoidDeclined { code: "already_captured".into() }),
        Just(Finding::VoidDeclined { code: "already_voided".into() }),
        Just(Finding::Mismatch { what: "other".into(), charge: charge() }),
        Just(Finding::Unknown { why: "silence".into() }),
        Just(Finding::NeverHeard),
    ]
}

fn witness() -> impl Strategy<Value = Witness> {
    prop_oneof![Just(Witness::Caller), Just(Witness::Webhook), Just(Witness::Reconciler)]
}

proptest! {
    /// F5: whatever is heard, in any order, from anybody, as often as one likes.
    #[test]
    fn no_order_of_findings_loses_a_payment(
        heard in prop::collection::vec((finding(), witness()), 0..12),
        undo in any::<bool>(),
    ) {
        let mut attempt = Attempt { undo, ..fresh() };
        for (finding, witness) in heard {
            let Some(change) = settle(&attempt, &finding, witness, &moment()) else { continue };
            let next = change.attempt;
            prop_assert!(next.version >= attempt.version);
            prop_assert!(next.status != Status::Processing || next.step != Step::None, "left alone: {next:?}");
            prop_assert!(!attempt.status.was_captured() || next.status.was_captured(), "taken money forgotten");
            prop_assert!(!change.publish || next.status != Status::Processing);
            prop_assert!(!(next.undo && next.status == Status::Authorized) || next.step != Step::None,
                "money held for nothing: {next:?}");
            prop_assert!(!(next.undo && next.status == Status::Captured) || next.step == Step::Refund);
            prop_assert!(next.refund_held == attempt.refund_held && next.refunded == attempt.refunded);
            attempt = next;
        }
        // What is heard twice in a row is nothing new.
        for finding in [authorized(), Finding::Captured, Finding::Voided] {
            if let Some(change) = settle(&attempt, &finding, Witness::Webhook, &moment()) {
                prop_assert_eq!(settle(&change.attempt, &finding, Witness::Webhook, &moment()), None);
            }
        }
    }

    /// F5: the order's way through, its webhooks duplicated and shuffled among the answers.
    #[test]
    fn webhooks_in_any_order_come_to_the_same_payment(
        order in Just(vec![0, 0, 0, 1, 1, 1]).prop_shuffle(),
        callers in prop::collection::vec(any::<bool>(), 6),
    ) {
        let mut attempt = fresh();
        for (which, caller) in order.into_iter().zip(callers) {
            let finding = if which == 0 { authorized() } else { Finding::Captured };
            let witness = if caller { Witness::Caller } else { Witness::Webhook };
            if let Some(change) = settle(&attempt, &finding, witness, &moment()) {
                attempt = change.attempt;
            }
        }
        prop_assert_eq!((attempt.status, attempt.captured), (Status::Captured, 1999));
    }
}
