//! A payment as its row has it: what the port tells of it, and what is being done about it.

use bus::{BusError, Timestamp};
use bus_durable::Row;
use kernel::{Currency, Money, OrderId, PaymentId, UserId};
use payments_ports::{Payment, PaymentStatus};
use uuid::Uuid;

/// What is being asked of the provider, or has yet to be done, for a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Nothing.
    None,
    /// The money is being set aside, or waits for the buyer.
    Authorize,
    /// The money is being taken.
    Capture,
    /// The money is being let go.
    Void,
    /// What is left of the captured money has to go back.
    Refund,
    /// An outcome is known that nobody may have been told.
    Tell,
    /// It was given up; what arrives late will be undone.
    Watch,
}

impl Step {
    const ALL: [Self; 7] =
        [Self::None, Self::Authorize, Self::Capture, Self::Void, Self::Refund, Self::Tell, Self::Watch];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Authorize => "authorize",
            Self::Capture => "capture",
            Self::Void => "void",
            Self::Refund => "refund",
            Self::Tell => "tell",
            Self::Watch => "watch",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.as_str() == text)
    }
}

/// One attempt to pay for an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attempt {
    pub(crate) id: PaymentId,
    pub(crate) order_id: OrderId,
    pub(crate) user_id: UserId,
    pub(crate) amount: Money,
    pub(crate) token: String,
    pub(crate) status: PaymentStatus,
    pub(crate) step: Step,
    /// It is to be undone, whatever becomes of it.
    pub(crate) undo: bool,
    /// It stands in the way of another attempt for the order.
    pub(crate) live: bool,
    pub(crate) charge: Option<String>,
    pub(crate) captured: i64,
    /// Refunds that succeeded, and those whose answer is not known.
    pub(crate) refund_held: i64,
    pub(crate) refunded: i64,
    pub(crate) decline_code: Option<String>,
    pub(crate) action_url: Option<String>,
    pub(crate) attention: Option<String>,
    pub(crate) due_at: Timestamp,
    /// Until when somebody waits who will be told; the past where nobody does.
    pub(crate) waiting_until: Timestamp,
    /// When the provider was last asked to set the money aside.
    pub(crate) sent_at: Timestamp,
    pub(crate) attempts: i64,
    pub(crate) version: i64,
    pub(crate) created_at: Timestamp,
}

/// The columns of [`Attempt::from_row`].
pub(crate) const COLUMNS: &str = "id, order_id, user_id, amount, currency, token, status, step, undo, live, charge, \
     captured, refund_held, refunded, decline_code, action_url, attention, due_at, waiting_until, sent_at, attempts, \
     version, created_at";

/// The currency of a payment that was never asked for: ISO 4217's "no currency".
pub(crate) const NO_CURRENCY: &str = "XXX";

pub(crate) const NOBODY: Timestamp = Timestamp::from_micros(0);

impl Attempt {
    pub(crate) fn from_row(row: &Row) -> Result<Self, BusError> {
        let time = |column: &str| row.get::<i64>(column).map(Timestamp::from_micros);
        let (status, step) = (row.get::<String>("status")?, row.get::<String>("step")?);
        Ok(Self {
            id: row.get::<Uuid>("id")?.into(),
            order_id: row.get::<Uuid>("order_id")?.into(),
            user_id: row.get::<Uuid>("user_id")?.into(),
            amount: money(row)?,
            token: row.get("token")?,
            status: status.parse().map_err(|error| BusError::failed(&format!("{status}: {error}")))?,
            step: Step::parse(&step).ok_or_else(|| BusError::failed(&format!("{step}: not a step")))?,
            undo: row.get::<i64>("undo")? != 0,
            live: row.get::<i64>("live")? != 0,
            charge: row.get("charge")?,
            captured: row.get("captured")?,
            refund_held: row.get("refund_held")?,
            refunded: row.get("refunded")?,
            decline_code: row.get("decline_code")?,
            action_url: row.get("action_url")?,
            attention: row.get("attention")?,
            due_at: time("due_at")?,
            waiting_until: time("waiting_until")?,
            sent_at: time("sent_at")?,
            attempts: row.get("attempts")?,
            version: row.get("version")?,
            created_at: time("created_at")?,
        })
    }

    /// What is still to be given back of what was taken, beside what is on its way.
    pub(crate) fn refundable(&self) -> Money {
        self.money(self.captured - self.refund_held)
    }

    pub(crate) fn money(&self, amount: i64) -> Money {
        Money::new(amount, self.amount.currency)
    }

    /// The key of a step's request at the provider: of the payment and the step, never of the try.
    pub(crate) fn key(&self, step: Step) -> String {
        format!("pay-{}-{}", self.id, step.as_str())
    }

    /// Whether this row only keeps a late authorization from doing anything.
    pub(crate) fn is_tombstone(&self) -> bool {
        self.order_id.0.is_nil()
    }

    /// As the port tells it.
    pub(crate) fn payment(&self) -> Payment {
        Payment {
            id: self.id,
            order_id: self.order_id,
            user_id: self.user_id,
            amount: self.amount,
            captured: self.money(self.captured),
            refunded: self.money(self.refunded),
            status: self.status,
            decline_code: self.decline_code.clone(),
            action_url: self.action_url.clone(),
            version: self.version,
            created_at: self.created_at,
        }
    }
}

/// The amount of a row with its currency.
pub(crate) fn money(row: &Row) -> Result<Money, BusError> {
    let currency: Currency =
        row.get::<String>("currency")?.parse().map_err(|error| BusError::failed(&error))?;
    Ok(Money::new(row.get("amount")?, currency))
}
