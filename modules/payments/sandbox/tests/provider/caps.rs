//! No more is captured than authorized, no more refunded than captured.

use crate::support::*;
use futures::future::join_all;
use sandbox::{ChargeStatus, SandboxError, TransactionKind, TransactionStatus};
use sea_orm::ConnectionTrait;
use uuid::Uuid;

on_both! {
    /// F9: fifty refunds of 1.00 race for 10.00; ten get it.
    async fn fifty_concurrent_refunds_never_exceed_what_was_captured(fixture: &Fixture) {
        let sandbox = fixture.open().await;
        let charge = authorized(&sandbox, "a", "tok_ok").await;
        sandbox.capture(capture("c", charge, 1000)).await.expect("captured");
        let keys: Vec<String> = (0..50).map(|i| format!("r{i}")).collect();
        let outcomes = join_all(keys.iter().map(|key| sandbox.refund(refund(key, charge, 100)))).await;
        let refunded = outcomes.iter().filter(|o| matches!(o, Ok(o) if o.status == ChargeStatus::Refunded));
        assert_eq!(refunded.count(), 10);
        let refused = declined("amount_exceeds_captured");
        assert_eq!(outcomes.iter().filter(|o| matches!(o, Ok(o) if o.status == refused)).count(), 40);
        let rows = sandbox.transactions("order-a").await.expect("a ledger");
        let given_back = rows.iter().filter(|t| {
            t.kind == TransactionKind::Refund && t.status == TransactionStatus::Succeeded
        });
        assert_eq!(given_back.map(|t| t.amount.amount).sum::<i64>(), 1000);
        sandbox.close().await;
    }

    /// F5: at most one capture per charge.
    async fn a_charge_is_captured_once(fixture: &Fixture) {
        let sandbox = fixture.open().await;
        let charge = authorized(&sandbox, "a", "tok_ok").await;
        let keys: Vec<String> = (0..20).map(|i| format!("c{i}")).collect();
        let outcomes = join_all(keys.iter().map(|key| sandbox.capture(capture(key, charge, 400)))).await;
        let captured = outcomes.iter().filter(|o| matches!(o, Ok(o) if o.status == ChargeStatus::Captured));
        assert_eq!(captured.count(), 1);
        sandbox.close().await;
    }

    async fn what_does_not_fit_the_charge_is_refused(fixture: &Fixture) {
        let sandbox = fixture.open().await;
        let charge = authorized(&sandbox, "a", "tok_ok").await;
        let status = |outcome: Result<sandbox::ChargeOutcome, SandboxError>| outcome.expect("an outcome").status;
        assert_eq!(status(sandbox.capture(capture("1", charge, 1001)).await), declined("amount_exceeds_authorized"));
        assert_eq!(status(sandbox.capture(capture("2", charge, -1)).await), declined("invalid_amount"));
        assert_eq!(status(sandbox.refund(refund("3", charge, 1)).await), declined("not_captured"));
        let mut dollars = capture("4", charge, 1000);
        dollars.amount.currency = "USD".parse().expect("a code");
        assert_eq!(status(sandbox.capture(dollars).await), declined("currency_mismatch"));
        assert_eq!(status(sandbox.capture(capture("5", charge, 1000)).await), ChargeStatus::Captured);
        assert_eq!(status(sandbox.void(void("6", charge)).await), declined("already_captured"));
        assert_eq!(status(sandbox.refund(refund("7", charge, i64::MAX)).await), declined("amount_exceeds_captured"));

        let declined_charge = sandbox.authorize(authorize("b", 1000, "tok_decline")).await.expect("an outcome");
        let refused = sandbox.capture(capture("8", declined_charge.charge, 1000)).await;
        assert_eq!(status(refused), declined("not_authorized"));
        let nobody = Uuid::from_u128(7);
        assert!(matches!(sandbox.void(void("9", nobody)).await, Err(SandboxError::UnknownCharge(id)) if id == nobody));
        sandbox.close().await;
    }

    /// F9: the caps hold in the database, whatever the code above it does.
    async fn a_check_stands_behind_every_cap(fixture: &Fixture) {
        let sandbox = fixture.open().await;
        let charge = authorized(&sandbox, "a", "tok_ok").await;
        sandbox.capture(capture("c", charge, 800)).await.expect("captured");
        let rows = fixture.rows().await;
        for trespass in [
            "UPDATE charges SET refunded = captured + 1",
            "UPDATE charges SET refunded = -1",
            "UPDATE charges SET captured = authorized + 1",
            "UPDATE charges SET authorized = requested + 1",
            "UPDATE charges SET status = 'voided'",
            "INSERT INTO transactions SELECT reference, at + 1, id, charge, kind, status, code, amount, currency, \
             idempotency_key FROM transactions WHERE kind = 'capture'",
        ] {
            let error = rows.execute_unprepared(trespass).await.expect_err(trespass).to_string().to_lowercase();
            assert!(error.contains("check") || error.contains("unique"), "{trespass}: {error}");
        }
        rows.execute_unprepared("UPDATE charges SET refunded = captured").await.expect("within the cap");
        rows.close().await.expect("closes");
        sandbox.close().await;
    }
}
