//! Does everything add up? Each module's own invariants, and those between modules, with the number of violations.
//!
//! Asked under traffic: what a running saga or a message on its way explains is no violation, and a violation is
//! confirmed by a second look. A module that cannot be asked is named; nothing is said of its invariants.

use super::{Desk, money_and_stock, sagas::ask_all};
use actix_web::{get, web::Data};
use bus::{BusError, Operation, Outcome, Phase, PortError, Request, Timestamp};
use edge::{Admin, Reply};
use inventory_ports::CheckInventory;
use kernel::IntegrityCheck;
use notifications_ports::CheckNotifications;
use orders_ports::CheckOrders;
use payments_ports::CheckPayments;
use serde::Serialize;
use std::{collections::BTreeSet, time::Duration};
use utoipa::ToSchema;

/// How many violations are named.
const SAMPLE: usize = 10;
/// How long after its time a saga may be left alone: longer than any lease.
const OVERDUE: Duration = Duration::from_secs(60);

/// An invariant and how often it is violated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Check {
    /// As a sentence.
    pub(crate) invariant: String,
    /// How many violate it; null where that could not be found out: a module did not answer, or messages on their way
    /// may explain what was seen.
    pub(crate) violations: Option<u64>,
    /// The first of them, as one would look them up.
    pub(crate) sample: Vec<String>,
    /// The module that did not answer, where one did not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) unavailable: Option<String>,
}

impl Check {
    pub(crate) fn found(invariant: &str, found: &BTreeSet<String>) -> Self {
        Self {
            invariant: invariant.to_owned(),
            violations: Some(u64::try_from(found.len()).unwrap_or(u64::MAX)),
            sample: found.iter().take(SAMPLE).cloned().collect(),
            unavailable: None,
        }
    }

    pub(crate) fn unavailable(invariant: &str, module: &str) -> Self {
        let (invariant, module) = (invariant.to_owned(), module.to_owned());
        Self { invariant, violations: None, sample: Vec::new(), unavailable: Some(module) }
    }
}

impl From<IntegrityCheck> for Check {
    fn from(check: IntegrityCheck) -> Self {
        let IntegrityCheck { invariant, violations, sample } = check;
        Self { invariant, violations: Some(violations), sample, unavailable: None }
    }
}

/// Every invariant that could be looked at from here.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Report {
    #[schema(value_type = String, format = DateTime)]
    pub(crate) checked_at: Timestamp,
    /// All of them together.
    pub(crate) violations: u64,
    pub(crate) checks: Vec<Check>,
}

/// How much is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// Between modules, the newest thousand orders or so: an answer in time.
    Newest,
    /// Every order, in a shop that stands still: messages may wait as long as they like.
    Everything,
}

/// Looks at every invariant.
#[utoipa::path(tag = "operations", security(("bearer" = [])),
    responses(
        (status = 200, body = Report),
        (status = 401, body = edge::schema::Problem, content_type = "application/problem+json"),
        (status = 403, body = edge::schema::Problem, content_type = "application/problem+json")))]
#[get("/api/v1/admin/integrity")]
pub(crate) async fn integrity(_admin: Admin, desk: Data<Desk>) -> Reply {
    Reply::ok(&report(&desk, Extent::Newest).await)
}

pub(crate) async fn report(desk: &Desk, extent: Extent) -> Report {
    let (modules, between, messages) = tokio::join!(
        of_modules(desk),
        Box::pin(money_and_stock::checks(desk, extent)),
        Box::pin(of_messages(desk, extent))
    );
    let checks: Vec<Check> = modules.into_iter().chain(between).chain(messages).collect();
    let violations = checks.iter().filter_map(|check| check.violations).sum();
    Report { checked_at: desk.sources.now(), violations, checks }
}

/// What the modules say of themselves.
async fn of_modules(desk: &Desk) -> Vec<Check> {
    let (inventory, orders, payments, notifications) = tokio::join!(
        Box::pin(ask(desk, CheckInventory {})),
        Box::pin(ask(desk, CheckOrders {})),
        Box::pin(ask(desk, CheckPayments {})),
        Box::pin(ask(desk, CheckNotifications {}))
    );
    [inventory, orders, payments, notifications].concat()
}

async fn ask<R>(desk: &Desk, request: R) -> Vec<Check>
where
    R: Request<Response = Vec<IntegrityCheck>>,
{
    if !desk.bus.has(R::PORT) {
        return Vec::new();
    }
    match desk.bus.call(request).await {
        Ok(checks) => checks.into_iter().map(Check::from).collect(),
        Err(error) => {
            tracing::warn!(module = R::PORT, error = %shown(&error), "a module's invariants could not be looked at");
            vec![Check::unavailable(&format!("what {} says of itself", R::PORT), R::PORT)]
        }
    }
}

fn shown<E: PortError>(error: &E) -> &dyn std::fmt::Display {
    error
}

/// Messages are delivered and handled, and sagas go on.
async fn of_messages(desk: &Desk, extent: Extent) -> Vec<Check> {
    let (mut checks, mut late, mut dead, mut stuck) =
        (Vec::new(), BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let letters = Operation::DeadLetters { after: None, limit: 1000 };
    for (module, answer) in ask_all(desk, &letters).await {
        match answer {
            Ok(Outcome::DeadLetters(found)) => dead.extend(found.into_iter().map(|letter| {
                format!("{module} {}: {} of {}", letter.id.subscription, letter.message_id, letter.key)
            })),
            _ => checks.push(Check::unavailable("no message is a dead letter", &module)),
        }
    }
    if extent == Extent::Newest {
        for (module, answer) in ask_all(desk, &Operation::Lag).await {
            match answer {
                Ok(Outcome::Lag { outbox, inbox }) => {
                    for (place, age) in [("outbox", outbox), ("inbox", inbox)] {
                        if age > desk.message_age {
                            late.insert(format!("{module}'s {place}: {} s", age.as_secs()));
                        }
                    }
                }
                _ => checks.push(Check::unavailable("messages are delivered and handled in time", &module)),
            }
        }
        checks.push(Check::found("messages are delivered and handled in time", &late));
        stuck.extend(overdue(desk).await);
        checks.push(Check::found("no saga is left alone", &stuck));
    }
    checks.push(Check::found("no message is a dead letter", &dead));
    checks
}

/// Sagas whose time came long ago.
async fn overdue(desk: &Desk) -> Vec<String> {
    let by = desk.sources.now().before(OVERDUE);
    let mut found = Vec::new();
    let phases = vec![Phase::Running, Phase::Unwinding];
    for (module, answer) in ask_all(desk, &Operation::Sagas { phases, before: None, limit: 500 }).await {
        // A module that did not answer is named with the checks above.
        if let Ok(Outcome::Sagas(sagas)) = answer {
            let late = sagas.into_iter().filter(|saga| saga.due_at < by);
            found.extend(late.map(|saga| format!("{module}: {} {} about {}", saga.kind, saga.id, saga.key)));
        }
    }
    found
}

/// How old a module's oldest undelivered and oldest unhandled message are.
pub(crate) async fn lag(desk: &Desk, module: &str) -> Result<(Duration, Duration), BusError> {
    match desk.bus.operate(module, Operation::Lag).await? {
        Outcome::Lag { outbox, inbox } => Ok((outbox, inbox)),
        _ => Err(BusError::Codec { name: format!("{module}.operations") }),
    }
}
