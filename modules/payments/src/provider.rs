//! The provider as payments sees it: what can be asked, what it may say, and how the asking can fail.

use async_trait::async_trait;
use bus::Timestamp;
use kernel::Money;
use serde::Deserialize;

/// Asks for money to be set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorizeCharge {
    /// Names the request at the provider: asked twice, it is carried out once.
    pub idempotency_key: String,
    /// The order's id.
    pub reference: String,
    /// How much.
    pub amount: Money,
    /// The means of payment.
    pub token: String,
}

/// Takes the money that was set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaptureCharge {
    /// Names the request at the provider.
    pub idempotency_key: String,
    /// The provider's charge.
    pub charge: String,
    /// How much.
    pub amount: Money,
}

/// Lets the money go that was set aside, or calls off a charge that waits for its buyer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VoidCharge {
    /// Names the request at the provider.
    pub idempotency_key: String,
    /// The provider's charge.
    pub charge: String,
}

/// Gives captured money back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefundCharge {
    /// Names the request at the provider.
    pub idempotency_key: String,
    /// The provider's charge.
    pub charge: String,
    /// How much.
    pub amount: Money,
}

/// What the provider says became of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderAnswer {
    /// The provider's charge.
    pub charge: String,
    /// What was done.
    pub verdict: Verdict,
    /// How much it was done with, where the provider says it.
    pub amount: Option<Money>,
    /// The reference that the provider has, where it says it.
    pub reference: Option<String>,
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The money is set aside.
    Authorized,
    /// The buyer has to approve first.
    RequiresAction {
        /// Where.
        url: String,
    },
    /// The money was taken.
    Captured,
    /// The money was let go.
    Voided,
    /// The money was given back.
    Refunded,
    /// Refused, for good: the same request will never be carried out.
    Declined {
        /// Why, as a stable word.
        code: String,
    },
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProviderError {
    /// The request was not sent. Nothing was done.
    #[error("the provider cannot be reached")]
    Unreachable,
    /// The request makes no sense to the provider. Nothing was done, and asking again will not help.
    #[error("the provider did not understand: {0}")]
    Refused(String),
    /// No answer, or one that says nothing: it may have been carried out, or may yet be.
    #[error("the provider's answer is not known: {0}")]
    Unknown(String),
}

/// What a row of the provider's own ledger is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryKind {
    /// Setting money aside.
    Authorize,
    /// Taking it.
    Capture,
    /// Letting it go.
    Void,
    /// Giving it back.
    Refund,
}

/// A row of the provider's own ledger that was carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerEntry {
    /// The provider's charge.
    pub charge: String,
    /// What was done.
    pub kind: EntryKind,
    /// With how much.
    pub amount: Money,
    /// When.
    pub at: Timestamp,
}

/// What a webhook tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderEvent {
    /// The request that it is about.
    pub idempotency_key: String,
    /// The order's id, if the provider is right.
    pub reference: String,
    /// What became of the request.
    pub answer: ProviderAnswer,
}

/// A payment provider. Every request carries a key that is stored before the call and is the same however
/// often it is sent: `pay-<payment>-<step>` and `ref-<refund>`.
#[async_trait]
pub trait Provider: Send + Sync + 'static {
    /// Its name in paths and settings.
    fn name(&self) -> &str;

    /// Sets money aside.
    async fn authorize(&self, request: AuthorizeCharge) -> Result<ProviderAnswer, ProviderError>;

    /// Takes it.
    async fn capture(&self, request: CaptureCharge) -> Result<ProviderAnswer, ProviderError>;

    /// Lets it go.
    async fn void(&self, request: VoidCharge) -> Result<ProviderAnswer, ProviderError>;

    /// Gives captured money back.
    async fn refund(&self, request: RefundCharge) -> Result<ProviderAnswer, ProviderError>;

    /// What became of the request with this key; `None` where it was never heard of. A request that is being
    /// carried out is [`ProviderError::Unknown`].
    async fn lookup(&self, idempotency_key: &str) -> Result<Option<ProviderAnswer>, ProviderError>;

    /// What was really carried out for a reference, oldest first.
    async fn transactions(&self, reference: &str) -> Result<Vec<LedgerEntry>, ProviderError>;

    /// Reads a webhook whose signature is good; `None` for one that says nothing to payments. The format here
    /// is the sandbox's.
    fn read_webhook(&self, body: &str) -> Option<ProviderEvent> {
        read_webhook(body)
    }
}

fn read_webhook(body: &str) -> Option<ProviderEvent> {
    #[derive(Deserialize)]
    struct Body {
        r#type: String,
        #[serde(default)]
        reference: String,
        #[serde(default)]
        charge: String,
        amount: Option<Money>,
        #[serde(default)]
        code: String,
        #[serde(default)]
        idempotency_key: String,
    }
    let body: Body = serde_json::from_str(body).ok()?;
    let verdict = match body.r#type.as_str() {
        "charge.authorized" => Verdict::Authorized,
        "charge.captured" => Verdict::Captured,
        "charge.voided" => Verdict::Voided,
        "charge.refunded" => Verdict::Refunded,
        "charge.declined" => Verdict::Declined { code: body.code },
        _ => return None,
    };
    let reference = Some(body.reference.clone());
    let answer = ProviderAnswer { charge: body.charge, verdict, amount: body.amount, reference };
    Some(ProviderEvent { idempotency_key: body.idempotency_key, reference: body.reference, answer })
}
