//! Faults put into the code on purpose: each must turn its suite red, or the suite is blind there.
//!
//! `cargo run -p tests --bin mutants [name …]` tries them in a copy of the sources; the architecture suite only checks
//! that each still finds the place that it breaks. The numbers are those of the catalogue of mutants (M…).

/// A fault and the suite that has to notice it.
#[derive(Debug)]
pub struct Mutant {
    /// What it is called.
    pub name: &'static str,
    /// The source file, from the root.
    pub file: &'static str,
    /// What stands there once.
    pub original: &'static str,
    /// What is put in its place.
    pub fault: &'static str,
    /// The arguments of `cargo test`.
    pub suite: &'static [&'static str],
}

const DURABLE: &[&str] = &["-p", "bus-durable", "--test", "durable"];
const DURABLE_ON_BOTH: &[&str] = &["-p", "bus-durable", "--test", "durable", "--", "--include-ignored"];
const INVENTORY: &[&str] = &["-p", "inventory"];
const SANDBOX: &[&str] = &["-p", "sandbox"];
const PAYMENTS: &[&str] = &["-p", "payments"];

/// All of them.
pub const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "m1-commits-are-not-synced",
        file: "bus/durable/src/open.rs",
        original: ".synchronous(SqliteSynchronous::Full)",
        fault: ".synchronous(SqliteSynchronous::Normal)",
        suite: DURABLE,
    },
    Mutant {
        name: "m2-a-refused-unit-publishes",
        file: "bus/durable/src/group.rs",
        original: "Ran::MustUndo => return Ok(Grouped::Undone),",
        fault: "Ran::MustUndo => later.append(own),",
        suite: DURABLE,
    },
    Mutant {
        name: "m3-marked-before-it-is-acknowledged",
        file: "bus/durable/src/relay.rs",
        original: "let receipts = self.bus.deliver(self.subscriber, deliveries.clone(), self.patience).await?;",
        fault: "let sent = self.bus.deliver(self.subscriber, deliveries.clone(), self.patience).await; \
                let receipts = sent.unwrap_or_else(|_| vec![Receipt::Stored; deliveries.len()]);",
        suite: DURABLE,
    },
    Mutant {
        name: "m4-handled-outside-of-the-effects-transaction",
        file: "bus/durable/src/inbox.rs",
        original: "tx.handled(*position);",
        fault: "let _ = position;",
        suite: DURABLE,
    },
    Mutant {
        name: "m5-a-duplicate-is-an-error",
        file: "bus/durable/src/inbox.rs",
        original: " ON CONFLICT (message_id, subscription) DO NOTHING",
        fault: "",
        suite: DURABLE,
    },
    Mutant {
        name: "m6-a-provider-key-for-every-try",
        file: "modules/payments/src/attempt.rs",
        original: r#"format!("pay-{}-{}", self.id, step.as_str())"#,
        fault: r#"format!("pay-{}-{}{}", self.id, step.as_str(), self.attempts)"#,
        suite: PAYMENTS,
    },
    Mutant {
        name: "m7-no-answer-is-a-refusal",
        file: "modules/payments/src/service.rs",
        original: "(Err(error), _) => Finding::Unknown { why: error.to_string() },",
        fault: "(Err(error), _) => Finding::Declined { code: error.to_string() },",
        suite: PAYMENTS,
    },
    Mutant {
        name: "m8-a-release-leaves-no-tombstone",
        file: "modules/inventory/src/reservations.rs",
        original: "tx.insert_later(row(order, &[], RELEASED, now, now)?);",
        fault: "let _ = now;",
        suite: INVENTORY,
    },
    Mutant {
        name: "m9-released-twice-it-comes-back-twice",
        file: "modules/inventory/src/reservations.rs",
        original: "tx.execute(sql, [RELEASED.into(), order.0.into()]).await?;",
        fault: "let _ = sql;",
        suite: INVENTORY,
    },
    Mutant {
        name: "m10-only-rows-after-the-last-one-leave",
        file: "bus/durable/src/relay.rs",
        original: "WHERE d.module = $1 AND d.state = 'pending' ORDER BY",
        fault: "WHERE d.module = $1 AND d.state = 'pending' AND d.position > COALESCE((SELECT MAX(x.position) \
                FROM outbox_delivery x WHERE x.module = d.module AND x.state = 'done'), 0) ORDER BY",
        suite: DURABLE_ON_BOTH,
    },
    Mutant {
        name: "m11-a-key-is-everybodys",
        file: "app/edge/src/idempotency.rs",
        original: "(Some(caller), _) => caller.user.to_string(),",
        fault: "(Some(_), _) => String::new(),",
        suite: &["-p", "edge"],
    },
    Mutant {
        name: "m12-a-late-owner-is-not-fenced",
        file: "bus/durable/src/saga/store.rs",
        original: "WHERE saga.id = v.column1 AND saga.version = v.column2",
        fault: "WHERE saga.id = v.column1 AND v.column2 > 0",
        suite: DURABLE,
    },
    Mutant {
        name: "m13-stock-is-taken-unseen",
        file: "modules/inventory/src/reservations.rs",
        original: "AND EXISTS (SELECT 1 FROM product WHERE product.id = variant.product_id AND product.status = 'active')\",\n    must_match: true,",
        fault: "AND EXISTS (SELECT 1 FROM product WHERE product.id = variant.product_id AND product.status = 'active')\",\n    must_match: false,",
        suite: INVENTORY,
    },
    Mutant {
        name: "m17-reservations-do-not-expire",
        file: "modules/inventory/src/expiry.rs",
        original: "reservations::expire(*order, tx).await",
        fault: "{ let _ = (order, tx); Ok::<bool, BusError>(false) }",
        suite: INVENTORY,
    },
    Mutant {
        name: "a-stale-update-is-let-through",
        file: "bus/durable/src/batch.rs",
        original: "Ok(!must_match || done.rows_affected()",
        fault: "Ok(true || done.rows_affected()",
        suite: DURABLE,
    },
    Mutant {
        name: "a-lost-answer-is-tried-again",
        file: "bus/durable/src/writer.rs",
        original: "let unknown = transaction.was_alone() && trouble != Trouble::Contention;",
        fault: "let unknown = false;",
        suite: DURABLE_ON_BOTH,
    },
    Mutant {
        name: "a-statement-alone-takes-no-locks",
        file: "bus/durable/src/batch.rs",
        original: "let parts = self.parts(!locks.is_empty());",
        fault: "let parts = self.parts(false);",
        suite: DURABLE_ON_BOTH,
    },
    Mutant {
        name: "a-remembered-number-has-no-guard",
        file: "bus/durable/src/later.rs",
        original: "let _ = write!(sql, \" AND {table}.value = v.column3\");",
        fault: "let _ = write!(sql, \" AND v.column3 IS NOT NULL\");",
        suite: DURABLE_ON_BOTH,
    },
    Mutant {
        name: "a-stale-charge-is-decided-on",
        file: "modules/payments/sandbox/src/writer.rs",
        original: "if books.is_unfounded() {",
        fault: "if false && books.is_unfounded() {",
        suite: SANDBOX,
    },
    Mutant {
        name: "an-undone-unit-keeps-its-number",
        file: "bus/durable/src/group.rs",
        original: "numbers = Numbers::default();",
        fault: "",
        suite: DURABLE,
    },
    Mutant {
        name: "a-resting-saga-is-taken-up-before-it-is-due",
        file: "bus/durable/src/saga/store.rs",
        original: "Expr::cust(\"phase IN ('running', 'waiting', 'unwinding')\").and(wanted)",
        fault: "Expr::cust(\"phase IN ('running', 'waiting', 'unwinding')\")",
        suite: DURABLE,
    },
    Mutant {
        name: "an-outage-counts-against-a-saga",
        file: "bus/durable/src/saga/engine.rs",
        original: "Err(NotUndone::Unreachable(error.to_string()))",
        fault: "failed(error.to_string())",
        suite: DURABLE,
    },
];
