//! What the provider decides: pure, over rows that the store read and will write.

use crate::{
    charge::{AuthorizeCharge, ChargeOutcome, Task},
    entities::{
        charges::{self, ChargeState},
        operations::{self, Outcome},
        transactions::{self, TransactionKind, TransactionStatus},
        webhooks,
    },
    error::SandboxError,
    rules::{capture_refusal, outcome, refund_refusal, status, void_refusal},
    token::Token,
    webhook::{EventBody, event_id},
};
use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};
use uuid::Uuid;

/// The version of a charge that is not in the table yet.
pub(crate) const NEW_CHARGE: i64 = 1;

/// The rows that one batch touches, and what it makes of them.
#[derive(Default)]
pub(crate) struct Books {
    charges: BTreeMap<Uuid, Account>,
    operations: HashMap<String, operations::Model>,
    pub(crate) changes: Changes,
}

struct Account {
    row: charges::Model,
    changed: bool,
    /// It is as it was last seen, which nobody has looked up since.
    remembered: bool,
}

impl From<charges::Model> for Account {
    fn from(row: charges::Model) -> Self {
        Self { row, changed: false, remembered: false }
    }
}

/// What is to be written.
#[derive(Default)]
pub(crate) struct Changes {
    /// In the order of their ids, so that two processes lock rows in one order.
    pub(crate) charges: Vec<charges::Model>,
    pub(crate) operations: Vec<operations::Model>,
    /// Keys whose outcome was pending, with what came of it.
    pub(crate) settled: Vec<(String, Outcome, String)>,
    pub(crate) transactions: Vec<transactions::Model>,
    pub(crate) webhooks: Vec<webhooks::Model>,
}

/// Where and when a decision is made.
pub(crate) struct Moment<'a> {
    pub(crate) at: i64,
    pub(crate) id: Uuid,
    pub(crate) charge: &'a dyn Fn() -> Uuid,
    pub(crate) public_url: &'a str,
    /// The request has already waited as long as its token says.
    pub(crate) waited: bool,
}

#[derive(Debug)]
pub(crate) enum Verdict {
    Outcome(ChargeOutcome),
    /// Done, if there was something to do, and nobody will hear of it.
    Silence,
    /// To be asked again after this time.
    Later(Duration),
    Refused(SandboxError),
}

/// What one request comes to.
struct Ruling<'a> {
    kind: TransactionKind,
    outcome: Outcome,
    code: &'a str,
    amount: i64,
    key: &'a str,
}

impl Books {
    pub(crate) fn new(charges: Vec<charges::Model>, operations: Vec<operations::Model>) -> Self {
        Self {
            charges: charges.into_iter().map(|row| (row.id, row.into())).collect(),
            operations: operations.into_iter().map(|row| (row.key.clone(), row)).collect(),
            changes: Changes::default(),
        }
    }

    /// Adds a charge as it was last seen.
    pub(crate) fn remember_charge(&mut self, row: charges::Model) {
        self.charges.insert(row.id, Account { remembered: true, ..row.into() });
    }

    /// Whether a decision rests on what was remembered of a charge, and changes nothing of it that would tell whether
    /// it still is so.
    pub(crate) fn is_unfounded(&self) -> bool {
        self.charges.values().any(|account| account.remembered && !account.changed)
    }

    pub(crate) fn into_changes(mut self) -> Changes {
        self.changes.charges =
            self.charges.into_values().filter(|account| account.changed).map(|a| a.row).collect();
        self.changes.operations.sort_by(|a, b| a.key.cmp(&b.key));
        self.changes
    }

    pub(crate) fn decide(&mut self, task: &Task, moment: &Moment<'_>) -> Verdict {
        let fingerprint = task.fingerprint();
        if let Some(known) = task.key().and_then(|key| self.operations.get(key)) {
            return if known.fingerprint == fingerprint {
                Verdict::Outcome(outcome(known, moment.public_url))
            } else {
                Verdict::Refused(SandboxError::KeyReused)
            };
        }
        match task {
            Task::Authorize(request) => self.authorize(request, fingerprint, moment),
            Task::Answer { charge, approve } => self.answer(*charge, *approve, moment),
            Task::Capture(r) => {
                let amount = (r.amount.amount, r.amount.currency.code());
                self.operate(
                    r.charge,
                    TransactionKind::Capture,
                    amount,
                    &r.idempotency_key,
                    fingerprint,
                    moment,
                )
            }
            Task::Refund(r) => {
                let amount = (r.amount.amount, r.amount.currency.code());
                self.operate(
                    r.charge,
                    TransactionKind::Refund,
                    amount,
                    &r.idempotency_key,
                    fingerprint,
                    moment,
                )
            }
            Task::Void(r) => self.operate(
                r.charge,
                TransactionKind::Void,
                (0, ""),
                &r.idempotency_key,
                fingerprint,
                moment,
            ),
        }
    }

    fn authorize(&mut self, request: &AuthorizeCharge, fingerprint: String, moment: &Moment<'_>) -> Verdict {
        let token = Token::parse(&request.token);
        let (state, outcome, code) = match token {
            Token::LostFail => return Verdict::Silence,
            Token::Slow(wait) if !moment.waited => return Verdict::Later(wait),
            Token::Invalid => (ChargeState::Declined, Outcome::Declined, "invalid_token"),
            _ if request.amount.amount <= 0 => (ChargeState::Declined, Outcome::Declined, "invalid_amount"),
            Token::Decline { code } => (ChargeState::Declined, Outcome::Declined, code),
            Token::Challenge => (ChargeState::RequiresAction, Outcome::RequiresAction, ""),
            _ => (ChargeState::Authorized, Outcome::Authorized, ""),
        };
        let amount = request.amount.amount;
        let row = charges::Model {
            id: (moment.charge)(),
            version: NEW_CHARGE,
            idempotency_key: request.idempotency_key.clone(),
            reference: request.reference.clone(),
            token: request.token.clone(),
            currency: request.amount.currency.code().to_owned(),
            status: state,
            requested: amount,
            authorized: if state == ChargeState::Authorized { amount } else { 0 },
            captured: 0,
            refunded: 0,
            refund_failures: 0,
            created_at: moment.at,
        };
        let kind = TransactionKind::Authorize;
        let ruling = Ruling { kind, outcome, code, amount, key: &request.idempotency_key };
        self.enter(&row, &ruling, moment);
        let verdict = self.remember(&row, &ruling, fingerprint, moment);
        self.charges.insert(row.id, Account { changed: true, ..row.into() });
        if token == Token::LostOk { Verdict::Silence } else { verdict }
    }

    /// Captures, voids or refunds a charge that is there.
    fn operate(
        &mut self,
        charge: Uuid,
        kind: TransactionKind,
        (amount, currency): (i64, &str),
        key: &str,
        fingerprint: String,
        moment: &Moment<'_>,
    ) -> Verdict {
        let Some(account) = self.charges.get_mut(&charge) else {
            return Verdict::Refused(SandboxError::UnknownCharge(charge));
        };
        let token = account.row.token.clone();
        let token = Token::parse(&token);
        match (kind, token) {
            (TransactionKind::Capture, Token::SlowCapture(wait)) if !moment.waited => {
                return Verdict::Later(wait);
            }
            (TransactionKind::Void | TransactionKind::Refund, Token::RefundFail(times))
                if times.is_none_or(|times| account.row.refund_failures < i64::from(times)) =>
            {
                account.change().refund_failures += 1;
                return Verdict::Refused(SandboxError::Failed);
            }
            _ => {}
        }
        let row = &account.row;
        let pending = row.status == ChargeState::RequiresAction;
        let refusal = match kind {
            TransactionKind::Capture => capture_refusal(row, token, amount, currency),
            TransactionKind::Refund => refund_refusal(row, amount, currency),
            TransactionKind::Void | TransactionKind::Authorize => void_refusal(row),
        };
        let amount = if kind == TransactionKind::Void { row.requested } else { amount };
        let ruling = match refusal {
            Some(code) => Ruling { kind, outcome: Outcome::Declined, code, amount, key },
            None => {
                let row = account.change();
                let outcome = match kind {
                    TransactionKind::Capture => {
                        row.captured = amount;
                        row.status = ChargeState::Captured;
                        Outcome::Captured
                    }
                    TransactionKind::Refund => {
                        row.refunded += amount;
                        Outcome::Refunded
                    }
                    TransactionKind::Void | TransactionKind::Authorize => {
                        row.status = ChargeState::Voided;
                        Outcome::Voided
                    }
                };
                Ruling { kind, outcome, code: "", amount, key }
            }
        };
        let row = account.row.clone();
        if pending && ruling.outcome == Outcome::Voided {
            // What became of the authorization is known now: the buyer can no longer approve it.
            self.settle(&row.idempotency_key, Outcome::Declined, "voided");
        }
        self.enter(&row, &ruling, moment);
        let verdict = self.remember(&row, &ruling, fingerprint, moment);
        let lost = ruling.outcome == Outcome::Captured && token == Token::CaptureLostOk;
        if lost { Verdict::Silence } else { verdict }
    }

    /// The buyer's word on the challenge page; it counts once.
    fn answer(&mut self, charge: Uuid, approve: bool, moment: &Moment<'_>) -> Verdict {
        let Some(account) = self.charges.get_mut(&charge) else {
            return Verdict::Refused(SandboxError::UnknownCharge(charge));
        };
        if account.row.status != ChargeState::RequiresAction {
            return Verdict::Refused(SandboxError::InvalidRequest("the challenge was answered before"));
        }
        let row = account.change();
        let (outcome, code) = if approve {
            row.status = ChargeState::Authorized;
            row.authorized = row.requested;
            (Outcome::Authorized, "")
        } else {
            row.status = ChargeState::Declined;
            (Outcome::Declined, "authentication_abandoned")
        };
        let row = account.row.clone();
        let key = &row.idempotency_key;
        let ruling = Ruling { kind: TransactionKind::Authorize, outcome, code, amount: row.requested, key };
        self.settle(key, outcome, code);
        self.enter(&row, &ruling, moment);
        Verdict::Outcome(ChargeOutcome { charge, status: status(outcome, code, charge, moment.public_url) })
    }

    /// Writes into the ledger, and tells the shop where something came to pass.
    fn enter(&mut self, charge: &charges::Model, ruling: &Ruling<'_>, moment: &Moment<'_>) {
        self.changes.transactions.push(transactions::Model {
            reference: charge.reference.clone(),
            at: moment.at,
            id: moment.id,
            charge: charge.id,
            kind: ruling.kind,
            status: match ruling.outcome {
                Outcome::Declined => TransactionStatus::Declined,
                Outcome::RequiresAction => TransactionStatus::RequiresAction,
                _ => TransactionStatus::Succeeded,
            },
            code: ruling.code.to_owned(),
            amount: ruling.amount,
            currency: charge.currency.clone(),
            idempotency_key: ruling.key.to_owned(),
        });
        let event = match ruling.outcome {
            Outcome::Authorized => "charge.authorized",
            Outcome::Captured => "charge.captured",
            Outcome::Voided => "charge.voided",
            Outcome::Refunded => "charge.refunded",
            // The event is about the charge: a capture or refund that was refused leaves it as it was.
            Outcome::Declined if ruling.kind == TransactionKind::Authorize => "charge.declined",
            Outcome::Declined | Outcome::RequiresAction => return,
        };
        let body = EventBody {
            id: event_id(moment.id),
            r#type: event,
            reference: &charge.reference,
            charge: charge.id,
            amount: ruling.amount,
            currency: &charge.currency,
            status: ruling.outcome.as_str(),
            code: ruling.code,
            at: moment.at,
            idempotency_key: ruling.key,
        };
        let body = body.to_json();
        self.changes.webhooks.push(webhooks::Model { id: moment.id, body, due_at: moment.at, attempts: 0 });
    }

    fn remember(
        &mut self,
        charge: &charges::Model,
        ruling: &Ruling<'_>,
        fingerprint: String,
        moment: &Moment<'_>,
    ) -> Verdict {
        let row = operations::Model {
            key: ruling.key.to_owned(),
            charge: charge.id,
            fingerprint,
            outcome: ruling.outcome,
            code: ruling.code.to_owned(),
        };
        let verdict = Verdict::Outcome(outcome(&row, moment.public_url));
        self.operations.insert(row.key.clone(), row.clone());
        self.changes.operations.push(row);
        verdict
    }

    fn settle(&mut self, key: &str, outcome: Outcome, code: &str) {
        if let Some(known) = self.operations.get_mut(key) {
            known.outcome = outcome;
            code.clone_into(&mut known.code);
        }
        self.changes.settled.push((key.to_owned(), outcome, code.to_owned()));
    }
}

impl Account {
    fn change(&mut self) -> &mut charges::Model {
        if !self.changed {
            self.changed = true;
            self.row.version += 1;
        }
        &mut self.row
    }
}
