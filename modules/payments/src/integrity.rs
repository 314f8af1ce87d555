//! The books against the provider's, row for row. Under traffic: what is running explains itself, and a difference
//! counts only when a second look finds it again.

use crate::{
    Service,
    attempt::{Attempt, COLUMNS, Step},
    provider::{EntryKind, LedgerEntry},
};
use bus::BusError;
use futures::StreamExt as _;
use kernel::{IntegrityCheck, OrderId};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// How many of the newest payments are held against the provider's books.
const PAGE: i64 = 1000;
const AT_ONCE: usize = 16;

/// Between two looks at what does not agree: whatever ran at the first has been written down by the second.
const SECOND_LOOK: Duration = Duration::from_millis(250);

/// What really happened to a charge.
#[derive(Debug, Default, PartialEq, Eq)]
struct Account {
    authorized: bool,
    captured: i64,
    voided: bool,
    refunded: i64,
}

impl Service {
    pub(crate) async fn check(&self) -> Result<Vec<IntegrityCheck>, BusError> {
        let overdue = self.now().before(self.settings.reconcile_every * 6 + self.settings.lease()).micros();
        let mut checks = vec![
            self.check_books().await?,
            self.check_rows(
                "what is open is being looked after",
                "SELECT id FROM payment WHERE step <> '' AND due_at < $1 ORDER BY due_at LIMIT 1000",
                Some(overdue),
            )
            .await?,
            self.check_rows(
                "refunds = what is held and what went back",
                "SELECT p.id FROM payment p WHERE p.refund_held > 0 AND (\
                 p.refund_held <> (SELECT COALESCE(SUM(amount), 0) FROM refund r WHERE r.payment_id = p.id \
                 AND r.status <> 'failed') OR \
                 p.refunded <> (SELECT COALESCE(SUM(amount), 0) FROM refund r WHERE r.payment_id = p.id \
                 AND r.status = 'succeeded')) ORDER BY p.id DESC LIMIT 1000",
                None,
            )
            .await?,
            self.check_rows(
                "no payment needs attention",
                "SELECT id FROM payment WHERE attention IS NOT NULL ORDER BY id LIMIT 1000",
                None,
            )
            .await?,
        ];
        let bad = "SELECT event_id FROM webhook_event WHERE state IN ('dead', 'mismatch') ORDER BY position LIMIT 1000";
        let rows = self.database.reader().rows(bad, []).await?;
        let ids = rows.iter().map(|row| row.get("event_id")).collect::<Result<Vec<String>, _>>()?;
        checks.push(violations("every webhook of a payment is understood", ids));
        Ok(checks)
    }

    async fn check_rows(
        &self,
        invariant: &str,
        sql: &str,
        value: Option<i64>,
    ) -> Result<IntegrityCheck, BusError> {
        let rows = self.database.reader().rows(sql, value.map(Into::into)).await?;
        let ids = rows.iter().map(|row| Ok(row.get::<uuid::Uuid>("id")?.to_string()));
        Ok(violations(invariant, ids.collect::<Result<Vec<_>, BusError>>()?))
    }

    /// Captured and refunded at the provider = captured and refunded here, charge by charge, and no money is
    /// held for a payment that came to nothing.
    async fn check_books(&self) -> Result<IntegrityCheck, BusError> {
        let sql = format!("SELECT {COLUMNS} FROM payment ORDER BY id DESC LIMIT $1");
        let rows = self.database.reader().rows(&sql, [PAGE.into()]).await?;
        let mut orders = BTreeSet::new();
        for row in &rows {
            let attempt = Attempt::from_row(row)?;
            if !attempt.is_tombstone() {
                orders.insert(attempt.order_id);
            }
        }
        let mut wrong = self.differences(orders.into_iter().collect()).await?;
        if !wrong.is_empty() {
            tokio::time::sleep(SECOND_LOOK).await;
            wrong = self.differences(wrong.into_iter().map(|(order, _)| order).collect()).await?;
        }
        let sample = wrong.into_iter().map(|(order, what)| format!("order {order}: {what}")).collect();
        Ok(violations("captured and refunded = the provider's books", sample))
    }

    async fn differences(&self, orders: Vec<OrderId>) -> Result<Vec<(OrderId, String)>, BusError> {
        let found: Vec<_> = futures::stream::iter(orders)
            .map(|order| async move { Ok((order, self.difference(order).await?)) })
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        let found = found.into_iter().collect::<Result<Vec<_>, BusError>>()?;
        Ok(found.into_iter().filter_map(|(order, what)| Some((order, what?))).collect())
    }

    async fn difference(&self, order: OrderId) -> Result<Option<String>, BusError> {
        let ledger = match self.ask(self.provider.transactions(&order.to_string())).await {
            Ok(ledger) => ledger,
            // Not knowing is no violation; the reconciler complains about a provider that does not answer.
            Err(error) => {
                tracing::warn!(%order, %error, "the provider's books cannot be read");
                return Ok(None);
            }
        };
        // Read after the ledger: what the provider did is in here by now, or is being done.
        let sql = format!("SELECT {COLUMNS} FROM payment WHERE order_id = $1");
        let rows = self.database.reader().rows(&sql, [order.0.into()]).await?;
        let attempts = rows.iter().map(Attempt::from_row).collect::<Result<Vec<_>, _>>()?;
        Ok(compare(&attempts, &ledger))
    }
}

/// What does not agree, if anything.
fn compare(attempts: &[Attempt], ledger: &[LedgerEntry]) -> Option<String> {
    let mut accounts: BTreeMap<&str, Account> = BTreeMap::new();
    for entry in ledger {
        let account = accounts.entry(entry.charge.as_str()).or_default();
        match entry.kind {
            EntryKind::Authorize => account.authorized = true,
            EntryKind::Capture => account.captured += entry.amount.amount,
            EntryKind::Void => account.voided = true,
            EntryKind::Refund => account.refunded += entry.amount.amount,
        }
    }
    // A payment whose charge is not known yet may own any charge that nobody else does.
    let runs = attempts.iter().any(|attempt| attempt.charge.is_none() && attempt.step != Step::None);
    for attempt in attempts {
        let Some(charge) = attempt.charge.as_deref() else { continue };
        let account = accounts.remove(charge).unwrap_or_default();
        if attempt.step != Step::None || attempt.refund_held != attempt.refunded {
            continue;
        }
        if (account.captured, account.refunded) != (attempt.captured, attempt.refunded) {
            return Some(format!(
                "payment {}: captured {} and refunded {} here, {} and {} at the provider",
                attempt.id, attempt.captured, attempt.refunded, account.captured, account.refunded
            ));
        }
        let held = account.authorized && !account.voided && account.captured == 0;
        if held && attempt.status.came_to_nothing() {
            return Some(format!("payment {} is {}, and its money is held", attempt.id, attempt.status));
        }
    }
    let stray = accounts.into_iter().find(|(_, account)| {
        account.captured != account.refunded
            || (account.authorized && !account.voided && account.captured == 0)
    });
    stray.filter(|_| !runs).map(|(charge, _)| format!("charge {charge} belongs to no payment"))
}

fn violations(invariant: &str, mut ids: Vec<String>) -> IntegrityCheck {
    let violations = ids.len() as u64;
    ids.truncate(10);
    IntegrityCheck { invariant: invariant.to_owned(), violations, sample: ids }
}
