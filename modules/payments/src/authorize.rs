//! Setting money aside: the payment is committed with its key, the provider is asked, the answer is committed.

use crate::{
    Service,
    attempt::{Attempt, NOBODY, Step},
    provider::AuthorizeCharge,
    service::{finding, lock},
    settle::{Finding, Witness, told},
    store,
};
use bus::{BusError, Timestamp};
use bus_durable::Tx;
use kernel::PaymentId;
use payments_ports::{AuthorizePayment, Payment, PaymentStatus, PaymentsError};

/// What the first unit of work finds.
enum Begun {
    /// The provider is to be asked, for the first time or again under the same key.
    Ask(Attempt),
    /// It is known already.
    Known(Attempt),
    /// The order has another one.
    InFlight(PaymentId),
    /// The id belongs to another request.
    Reused,
}

/// How long the row is the caller's, and what is too old to be sent again.
struct Terms {
    now: Timestamp,
    due_at: Timestamp,
    waiting_until: Timestamp,
    not_before: Timestamp,
}

impl Service {
    pub(crate) async fn authorize_payment(
        &self,
        request: AuthorizePayment,
    ) -> Result<Payment, PaymentsError> {
        if request.amount.amount <= 0 {
            return Err(PaymentsError::InvalidAmount);
        }
        let now = self.now();
        let waiting_until = now.after(self.settings.caller_waits());
        let not_before = now.before(self.settings.give_up_after);
        let terms = Terms { now, due_at: waiting_until, waiting_until, not_before };
        let capture_next = request.capture_next;
        let locks = vec![lock(request.payment_id), format!("order:{}", request.order_id)];
        let begun = self
            .database
            .write_locking(locks, (request, terms), |(request, terms), tx| {
                Box::pin(begin(request, terms, tx))
            })
            .await?;
        let attempt = match begun {
            Begun::Ask(attempt) => {
                let finding = self.send_authorization(&attempt).await;
                let mut moment = self.moment(attempt.attempts);
                moment.capture_until = capture_next.then(|| self.announced_until());
                self.record_at(&attempt, finding, Witness::Caller, moment).await?
            }
            Begun::Known(attempt) => attempt,
            Begun::InFlight(payment_id) => return Err(PaymentsError::AttemptInFlight { payment_id }),
            Begun::Reused => return Err(PaymentsError::IdReused),
        };
        answer(&attempt)
    }

    /// Asks the provider to set the money aside; the same request however often it is sent.
    pub(crate) async fn send_authorization(&self, attempt: &Attempt) -> Finding {
        let request = AuthorizeCharge {
            idempotency_key: attempt.key(Step::Authorize),
            reference: attempt.order_id.to_string(),
            amount: attempt.amount,
            token: attempt.token.clone(),
        };
        let answer = self.ask(self.provider.authorize(request)).await;
        finding(attempt, Step::Authorize, answer)
    }
}

async fn begin(request: &AuthorizePayment, terms: &Terms, tx: &Tx<'_>) -> Result<Begun, PaymentsError> {
    let new = Attempt {
        id: request.payment_id,
        order_id: request.order_id,
        user_id: request.user_id,
        amount: request.amount,
        token: request.token.clone(),
        status: PaymentStatus::Processing,
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
        due_at: terms.due_at,
        waiting_until: terms.waiting_until,
        sent_at: terms.now,
        attempts: 0,
        version: 1,
        created_at: terms.now,
    };
    // Not once more than twice: what stood in the way may have ended in between.
    for _ in 0..2 {
        if store::insert(tx, &new).await? {
            return Ok(Begun::Ask(new));
        }
        if let Some(found) = store::find(tx, request.payment_id).await? {
            return again(found, &new, terms, tx).await;
        }
        if let Some(other) = store::find_live(tx, request.order_id).await? {
            return Ok(Begun::InFlight(other));
        }
    }
    Err(BusError::Overloaded { port: "payments".into(), retry_after_ms: 100 }.into())
}

/// The request was made before, or the payment was undone before it was ever asked for.
async fn again(found: Attempt, new: &Attempt, terms: &Terms, tx: &Tx<'_>) -> Result<Begun, PaymentsError> {
    if found.is_tombstone() {
        // Now it is known what was called off.
        let named = Attempt {
            order_id: new.order_id,
            user_id: new.user_id,
            version: found.version + 1,
            ..found.clone()
        };
        store::save(tx, &named, found.version).await?;
        store::enter(tx, &named, "voided", "undone before it was asked for", new.amount, Witness::Caller);
        return Ok(Begun::Known(named));
    }
    let same = found.order_id == new.order_id && found.user_id == new.user_id;
    let untouched = found.amount.amount == 0 && found.status == PaymentStatus::Voided;
    if !same || !(untouched || (found.amount == new.amount && found.token == new.token)) {
        return Ok(Begun::Reused);
    }
    let unanswered =
        found.status == PaymentStatus::Processing && found.step == Step::Authorize && !found.undo;
    if unanswered && found.created_at > terms.not_before {
        let held =
            Attempt { due_at: terms.due_at, waiting_until: terms.waiting_until, sent_at: terms.now, ..found };
        store::save(tx, &held, held.version).await?;
        return Ok(Begun::Ask(held));
    }
    if found.step == Step::Tell {
        let told = told(&found).attempt;
        store::save(tx, &told, found.version).await?;
        return Ok(Begun::Known(told));
    }
    Ok(Begun::Known(found))
}

/// What the caller is told of a payment that it asked for.
fn answer(attempt: &Attempt) -> Result<Payment, PaymentsError> {
    match attempt.status {
        PaymentStatus::Declined => Err(PaymentsError::Declined {
            payment_id: attempt.id,
            code: attempt.decline_code.clone().unwrap_or_default(),
        }),
        status if attempt.undo || status.came_to_nothing() => {
            Err(PaymentsError::InvalidTransition { status })
        }
        _ => Ok(attempt.payment()),
    }
}

/// A row that keeps a late authorization from doing anything.
pub(crate) fn tombstone(payment_id: PaymentId, now: Timestamp) -> Result<Attempt, BusError> {
    let currency = crate::attempt::NO_CURRENCY.parse().map_err(|error| BusError::failed(&error))?;
    Ok(Attempt {
        id: payment_id,
        order_id: uuid::Uuid::nil().into(),
        user_id: uuid::Uuid::nil().into(),
        amount: kernel::Money::zero(currency),
        token: String::new(),
        status: PaymentStatus::Voided,
        step: Step::None,
        undo: true,
        live: false,
        charge: None,
        captured: 0,
        refund_held: 0,
        refunded: 0,
        decline_code: None,
        action_url: None,
        attention: None,
        due_at: now,
        waiting_until: NOBODY,
        sent_at: now,
        attempts: 0,
        version: 1,
        created_at: now,
    })
}
