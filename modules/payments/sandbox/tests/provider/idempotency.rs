//! Every request can be sent again, at once or later.

use crate::support::*;
use futures::future::join_all;
use sandbox::{ChargeStatus, SandboxError};
use sea_orm::{ConnectionTrait, DbBackend};

on_both! {
    /// F9, design 3.1: each request twice, one after the other.
    async fn a_repeated_request_is_answered_from_what_was_stored(fixture: &Fixture) {
        let sandbox = fixture.open().await;
        let first = sandbox.authorize(authorize("a", 1000, "tok_ok")).await.expect("an outcome");
        assert_eq!(sandbox.authorize(authorize("a", 1000, "tok_ok")).await.expect("an outcome"), first);
        let captured = sandbox.capture(capture("c", first.charge, 1000)).await.expect("an outcome");
        assert_eq!(sandbox.capture(capture("c", first.charge, 1000)).await.expect("an outcome"), captured);
        let refunded = sandbox.refund(refund("r", first.charge, 400)).await.expect("an outcome");
        assert_eq!(sandbox.refund(refund("r", first.charge, 400)).await.expect("an outcome"), refunded);
        assert_eq!(ledger(&sandbox, "order-a").await.len(), 3);

        let charge = authorized(&sandbox, "b", "tok_ok").await;
        let voided = sandbox.void(void("v", charge)).await.expect("an outcome");
        assert_eq!(sandbox.void(void("v", charge)).await.expect("an outcome"), voided);
        // A refusal is remembered like anything else.
        let refused = sandbox.void(void("v2", charge)).await.expect("an outcome");
        assert_eq!(refused.status, declined("already_voided"));
        assert_eq!(sandbox.void(void("v2", charge)).await.expect("an outcome"), refused);
        assert_eq!(ledger(&sandbox, "order-b").await.len(), 3);
        sandbox.close().await;
    }

    /// F5, F9: twenty times the same request at once has one effect and one answer.
    async fn concurrent_repeats_have_one_effect(fixture: &Fixture) {
        let sandbox = fixture.open().await;
        let answers = join_all((0..20).map(|_| sandbox.authorize(authorize("a", 1000, "tok_ok")))).await;
        let charge = answers[0].as_ref().expect("an outcome").charge;
        assert!(answers.iter().all(|a| a.as_ref().is_ok_and(|outcome| outcome.charge == charge)));
        join_all((0..20).map(|_| sandbox.capture(capture("c", charge, 1000)))).await;
        let refunds = join_all((0..20).map(|_| sandbox.refund(refund("r", charge, 600)))).await;
        assert!(refunds.iter().all(|r| r.as_ref().is_ok_and(|o| o.status == ChargeStatus::Refunded)));
        assert_eq!(
            ledger(&sandbox, "order-a").await,
            ["authorize succeeded 1000", "capture succeeded 1000", "refund succeeded 600"]
        );
        sandbox.close().await;
    }

    /// F1, F5: two processes with one database are two writers; a key still has one effect.
    async fn two_writers_on_one_database_have_one_effect_per_key(fixture: &Fixture) {
        let (one, two) = (fixture.open().await, fixture.open().await);
        for round in 0..20 {
            let key = format!("k{round}");
            let request = authorize(&key, 1000, "tok_ok");
            let (a, b) = tokio::join!(one.authorize(request.clone()), two.authorize(request));
            let charge = a.expect("an outcome").charge;
            assert_eq!(charge, b.expect("an outcome").charge);
            let captures = (format!("{key}-1"), format!("{key}-2"));
            let (a, b) = tokio::join!(
                one.capture(capture(&captures.0, charge, 1000)),
                two.capture(capture(&captures.1, charge, 1000)),
            );
            let statuses = [a.expect("an outcome").status, b.expect("an outcome").status];
            assert!(statuses.contains(&ChargeStatus::Captured), "{statuses:?}");
            assert!(statuses.contains(&declined("already_captured")), "{statuses:?}");
        }
        one.close().await;
        two.close().await;
    }

    /// F1: a writer that remembers a charge does not decide on it as it was before another changed it.
    async fn what_another_writer_did_is_not_overlooked(fixture: &Fixture) {
        let (one, two) = (fixture.open().await, fixture.open().await);
        let charge = authorized(&one, "a", "tok_ok").await;
        two.capture(capture("c", charge, 1000)).await.expect("an outcome");
        let refunded = one.refund(refund("r", charge, 400)).await.expect("an outcome");
        assert_eq!(refunded.status, ChargeStatus::Refunded, "it was not captured when it was last seen here");
        let refunded = two.refund(refund("r2", charge, 600)).await.expect("an outcome");
        assert_eq!(refunded.status, ChargeStatus::Refunded, "all that is left");
        let refused = one.refund(refund("r3", charge, 600)).await.expect("an outcome");
        assert!(matches!(refused.status, ChargeStatus::Declined { .. }), "{refused:?}");
        let voided = authorized(&one, "b", "tok_ok").await;
        two.void(void("v", voided)).await.expect("an outcome");
        assert_eq!(one.void(void("v2", voided)).await.expect("an outcome").status, declined("already_voided"));
        one.close().await;
        two.close().await;
    }

    /// Group commit: an item that the database refuses takes none of its neighbours down.
    async fn a_bad_item_does_not_take_its_neighbours_down(fixture: &Fixture) {
        let sandbox = fixture.open().await;
        let rows = fixture.rows().await;
        let trap = match rows.get_database_backend() {
            DbBackend::Sqlite => {
                "CREATE TRIGGER poison BEFORE INSERT ON transactions WHEN NEW.reference = 'order-k20' \
                 BEGIN SELECT RAISE(ABORT, 'poison'); END"
            }
            _ => "ALTER TABLE transactions ADD CONSTRAINT poison CHECK (reference <> 'order-k20')",
        };
        rows.execute_unprepared(trap).await.expect("the trap is set");
        rows.close().await.expect("closes");
        let keys: Vec<String> = (0..40).map(|i| format!("k{i}")).collect();
        let outcomes = join_all(keys.iter().map(|key| sandbox.authorize(authorize(key, 1000, "tok_ok")))).await;
        for (key, outcome) in keys.iter().zip(outcomes) {
            if key == "k20" {
                assert!(matches!(outcome, Err(SandboxError::Database(_))), "{outcome:?}");
                assert_eq!(sandbox.lookup(key).await.expect("reads"), None);
            } else {
                assert_eq!(outcome.expect(key).status, ChargeStatus::Authorized);
                assert_eq!(ledger(&sandbox, &format!("order-{key}")).await, ["authorize succeeded 1000"]);
            }
        }
        sandbox.close().await;
    }

    /// 5.5: a key names one request.
    async fn a_key_with_other_parameters_is_refused(fixture: &Fixture) {
        let sandbox = fixture.open().await;
        let charge = authorized(&sandbox, "a", "tok_ok").await;
        let other_amount = sandbox.authorize(authorize("a", 999, "tok_ok")).await;
        assert!(matches!(other_amount, Err(SandboxError::KeyReused)));
        assert!(matches!(sandbox.capture(capture("a", charge, 1000)).await, Err(SandboxError::KeyReused)));
        assert_eq!(ledger(&sandbox, "order-a").await, ["authorize succeeded 1000"]);
        for key in ["", "tab\t", &"x".repeat(256)] {
            let refused = sandbox.void(void(key, charge)).await;
            assert!(matches!(refused, Err(SandboxError::InvalidRequest(_))), "{key:?}");
        }
        sandbox.close().await;
    }

    /// C1: what was answered is there after a restart, and after a close nothing is promised any more.
    async fn outcomes_survive_a_restart(fixture: &Fixture) {
        let sandbox = fixture.open().await;
        let charge = authorized(&sandbox, "a", "tok_ok").await;
        sandbox.close().await;
        assert!(matches!(sandbox.void(void("v", charge)).await, Err(SandboxError::Closed)));

        let sandbox = fixture.open().await;
        let found = sandbox.lookup("a").await.expect("reads").expect("is there");
        assert_eq!((found.charge, found.status), (charge, ChargeStatus::Authorized));
        assert_eq!(sandbox.lookup("v").await.expect("reads"), None);
        sandbox.close().await;
    }
}
