//! The sandbox as a payment provider, and its webhooks as calls of the payments port: the shop's ordinary ways
//! in and out, with nothing of the sandbox known to payments.

use async_trait::async_trait;
use bus::Timestamp;
use payments::{
    AuthorizeCharge, CaptureCharge, EntryKind, LedgerEntry, Provider, ProviderAnswer, ProviderError,
    RefundCharge, Verdict, VoidCharge,
};
use payments_ports::{PaymentsError, PaymentsPort, ReceiveWebhook};
use sandbox::{
    ChargeOutcome, ChargeStatus, Sandbox, SandboxError, SignedWebhook, TransactionKind, TransactionStatus,
    WebhookSink,
};
use std::sync::Arc;

/// The provider's name in settings and in the webhooks' path.
pub const NAME: &str = "sandbox";

/// Asks the sandbox.
#[derive(Clone)]
pub struct SandboxProvider(Sandbox);

impl SandboxProvider {
    /// Asks this sandbox.
    #[must_use]
    pub fn new(sandbox: Sandbox) -> Self {
        Self(sandbox)
    }
}

fn answer(outcome: ChargeOutcome) -> ProviderAnswer {
    let verdict = match outcome.status {
        ChargeStatus::Authorized => Verdict::Authorized,
        ChargeStatus::Captured => Verdict::Captured,
        ChargeStatus::Voided => Verdict::Voided,
        ChargeStatus::Refunded => Verdict::Refunded,
        ChargeStatus::Declined { code } => Verdict::Declined { code },
        ChargeStatus::RequiresAction { url } => Verdict::RequiresAction { url },
    };
    ProviderAnswer { charge: outcome.charge.to_string(), verdict, amount: None, reference: None }
}

fn no_answer(error: SandboxError) -> ProviderError {
    match error {
        SandboxError::UnknownCharge(_)
        | SandboxError::InvalidRequest(_)
        | SandboxError::InvalidSettings(_) => ProviderError::Refused(error.to_string()),
        // A key that was used is one whose first request may have been carried out: looking it up tells.
        SandboxError::KeyReused
        | SandboxError::Failed
        | SandboxError::InProgress
        | SandboxError::Closed
        | SandboxError::Database(_) => ProviderError::Unknown(error.to_string()),
    }
}

fn charge(text: &str) -> Result<uuid::Uuid, ProviderError> {
    text.parse().map_err(|_| ProviderError::Refused(format!("{text} is no charge of the sandbox")))
}

#[async_trait]
impl Provider for SandboxProvider {
    fn name(&self) -> &str {
        NAME
    }

    async fn authorize(&self, request: AuthorizeCharge) -> Result<ProviderAnswer, ProviderError> {
        let AuthorizeCharge { idempotency_key, reference, amount, token } = request;
        let request = sandbox::AuthorizeCharge { idempotency_key, reference, amount, token };
        self.0.authorize(request).await.map(answer).map_err(no_answer)
    }

    async fn capture(&self, request: CaptureCharge) -> Result<ProviderAnswer, ProviderError> {
        let CaptureCharge { idempotency_key, charge: id, amount } = request;
        let request = sandbox::CaptureCharge { idempotency_key, charge: charge(&id)?, amount };
        self.0.capture(request).await.map(answer).map_err(no_answer)
    }

    async fn void(&self, request: VoidCharge) -> Result<ProviderAnswer, ProviderError> {
        let VoidCharge { idempotency_key, charge: id } = request;
        let request = sandbox::VoidCharge { idempotency_key, charge: charge(&id)? };
        self.0.void(request).await.map(answer).map_err(no_answer)
    }

    async fn refund(&self, request: RefundCharge) -> Result<ProviderAnswer, ProviderError> {
        let RefundCharge { idempotency_key, charge: id, amount } = request;
        let request = sandbox::RefundCharge { idempotency_key, charge: charge(&id)?, amount };
        self.0.refund(request).await.map(answer).map_err(no_answer)
    }

    async fn lookup(&self, idempotency_key: &str) -> Result<Option<ProviderAnswer>, ProviderError> {
        let found = self.0.lookup(idempotency_key).await.map_err(no_answer)?;
        Ok(found.map(answer))
    }

    async fn transactions(&self, reference: &str) -> Result<Vec<LedgerEntry>, ProviderError> {
        let rows = self.0.transactions(reference).await.map_err(no_answer)?;
        let done = rows.into_iter().filter(|row| row.status == TransactionStatus::Succeeded);
        Ok(done
            .map(|row| LedgerEntry {
                charge: row.charge.to_string(),
                kind: match row.kind {
                    TransactionKind::Authorize => EntryKind::Authorize,
                    TransactionKind::Capture => EntryKind::Capture,
                    TransactionKind::Void => EntryKind::Void,
                    TransactionKind::Refund => EntryKind::Refund,
                },
                amount: row.amount,
                at: Timestamp::from_micros(row.at),
            })
            .collect())
    }
}

/// Posts the sandbox's webhooks to payments, wherever that is served.
pub struct WebhooksToPort(Arc<dyn PaymentsPort>);

impl WebhooksToPort {
    /// Posts them to this port.
    #[must_use]
    pub fn new(port: Arc<dyn PaymentsPort>) -> Self {
        Self(port)
    }
}

#[async_trait]
impl WebhookSink for WebhooksToPort {
    async fn post(&self, webhook: SignedWebhook) -> Result<u16, String> {
        let body = String::from_utf8(webhook.body).map_err(|error| error.to_string())?;
        let request = ReceiveWebhook {
            provider: NAME.into(),
            id: webhook.id,
            timestamp: webhook.timestamp.to_string(),
            signature: webhook.signature,
            body,
        };
        match self.0.receive_webhook(request).await {
            Ok(_) => Ok(200),
            Err(PaymentsError::InvalidSignature) => Ok(401),
            Err(error) => Err(error.to_string()),
        }
    }
}
