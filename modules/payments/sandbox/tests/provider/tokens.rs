//! What each token does, from authorization to refund.

use crate::support::*;
use sandbox::{ChargeStatus, SandboxError};

on_both! {
    /// The table of tokens, as far as it is about the authorization's answer.
    async fn each_token_is_answered_as_the_table_says(fixture: &Fixture) {
        let sandbox = fixture.open().await;
        for (token, status) in [
            ("tok_ok", ChargeStatus::Authorized),
            ("tok_decline", declined("card_declined")),
            ("tok_decline_insufficient_funds", declined("insufficient_funds")),
            ("tok_slow_20", ChargeStatus::Authorized),
            ("tok_slow", ChargeStatus::Authorized),
            ("tok_capture_decline", ChargeStatus::Authorized),
            ("tok_refund_fail_1", ChargeStatus::Authorized),
            ("4242424242424242", declined("invalid_token")),
        ] {
            let outcome = sandbox.authorize(authorize(token, 500, token)).await.expect("an outcome");
            assert_eq!(outcome.status, status, "{token}");
            assert_eq!(sandbox.lookup(token).await.expect("reads"), Some(outcome), "{token}");
        }
        let nothing = sandbox.authorize(authorize("zero", 0, "tok_ok")).await.expect("an outcome");
        assert_eq!(nothing.status, declined("invalid_amount"));
        assert_eq!(ledger(&sandbox, "order-tok_ok").await, ["authorize succeeded 500"]);
        assert_eq!(ledger(&sandbox, "order-tok_decline").await, ["authorize declined 500"]);
        sandbox.close().await;
    }

    async fn a_charge_goes_from_authorization_to_refund(fixture: &Fixture) {
        let sandbox = fixture.open().await;
        let charge = authorized(&sandbox, "a", "tok_ok").await;
        let captured = sandbox.capture(capture("c", charge, 900)).await.expect("an outcome");
        assert_eq!((captured.charge, captured.status), (charge, ChargeStatus::Captured));
        let refunded = sandbox.refund(refund("r", charge, 300)).await.expect("an outcome");
        assert_eq!(refunded.status, ChargeStatus::Refunded);
        assert_eq!(
            ledger(&sandbox, "order-a").await,
            ["authorize succeeded 1000", "capture succeeded 900", "refund succeeded 300"]
        );
        sandbox.close().await;
    }

    /// F12: the provider carried it out and the answer was lost; whoever asks by key learns it.
    async fn a_lost_answer_leaves_its_effect(fixture: &Fixture) {
        let sandbox = fixture.open().await;
        give_up(sandbox.authorize(authorize("a", 1000, "tok_lost_ok"))).await;
        let found = settled(&sandbox, "a").await.expect("was carried out");
        assert_eq!(found.status, ChargeStatus::Authorized);
        // One answer was lost, not every answer: the same request again is answered from the stored outcome.
        let again = sandbox.authorize(authorize("a", 1000, "tok_lost_ok")).await.expect("an outcome");
        assert_eq!(again, found);
        assert_eq!(ledger(&sandbox, "order-a").await, ["authorize succeeded 1000"]);

        let charge = authorized(&sandbox, "b", "tok_capture_lost_ok").await;
        give_up(sandbox.capture(capture("b-c", charge, 1000))).await;
        let found = settled(&sandbox, "b-c").await.expect("was carried out");
        assert_eq!(found.status, ChargeStatus::Captured);
        sandbox.close().await;
    }

    /// F12: the request never arrived, and the provider says so.
    async fn a_lost_request_leaves_nothing(fixture: &Fixture) {
        let sandbox = fixture.open().await;
        give_up(sandbox.authorize(authorize("a", 1000, "tok_lost_fail"))).await;
        assert_eq!(settled(&sandbox, "a").await, None);
        assert!(ledger(&sandbox, "order-a").await.is_empty());
        sandbox.close().await;
    }

    /// F12: "never heard of it" about a request that is being carried out would make the caller charge twice.
    async fn a_slow_request_outlives_its_caller_and_is_never_denied(fixture: &Fixture) {
        let sandbox = fixture.open().await;
        give_up(sandbox.authorize(authorize("a", 1000, "tok_slow_2000"))).await;
        assert!(matches!(sandbox.lookup("a").await, Err(SandboxError::InProgress)));
        assert_eq!(settled(&sandbox, "a").await.expect("was carried out").status, ChargeStatus::Authorized);

        let charge = authorized(&sandbox, "b", "tok_slow_capture_2000").await;
        give_up(sandbox.capture(capture("b-c", charge, 1000))).await;
        let waited = sandbox.capture(capture("b-c", charge, 1000)).await.expect("an outcome");
        assert_eq!(waited.status, ChargeStatus::Captured);
        assert_eq!(ledger(&sandbox, "order-b").await, ["authorize succeeded 1000", "capture succeeded 1000"]);
        sandbox.close().await;
    }

    /// F3, F8: a capture that is refused leaves an authorization that can be let go.
    async fn a_refused_capture_leaves_a_charge_to_void(fixture: &Fixture) {
        let sandbox = fixture.open().await;
        let charge = authorized(&sandbox, "a", "tok_capture_decline").await;
        let refused = sandbox.capture(capture("c", charge, 1000)).await.expect("an outcome");
        assert_eq!(refused.status, declined("capture_declined"));
        let voided = sandbox.void(void("v", charge)).await.expect("an outcome");
        assert_eq!(voided.status, ChargeStatus::Voided);
        assert_eq!(
            ledger(&sandbox, "order-a").await,
            ["authorize succeeded 1000", "capture declined 1000", "void succeeded 1000"]
        );
        sandbox.close().await;
    }

    /// B17: an undo that fails n times and then works, and one that never does; also across a restart.
    async fn refunds_fail_as_often_as_the_token_says(fixture: &Fixture) {
        let sandbox = fixture.open().await;
        let twice = authorized(&sandbox, "a", "tok_refund_fail_2").await;
        let always = authorized(&sandbox, "b", "tok_refund_fail").await;
        sandbox.capture(capture("c", twice, 1000)).await.expect("captured");
        let failed = sandbox.refund(refund("r", twice, 1000)).await;
        assert!(matches!(failed, Err(SandboxError::Failed)), "{failed:?}");
        assert_eq!(sandbox.lookup("r").await.expect("reads"), None);
        sandbox.close().await;

        let sandbox = fixture.open().await;
        assert!(matches!(sandbox.refund(refund("r", twice, 1000)).await, Err(SandboxError::Failed)));
        let third = sandbox.refund(refund("r", twice, 1000)).await.expect("an outcome");
        assert_eq!(third.status, ChargeStatus::Refunded);
        for _ in 0..5 {
            assert!(matches!(sandbox.void(void("v", always)).await, Err(SandboxError::Failed)));
        }
        sandbox.close().await;
    }
}
