//! The service: what every part of it shares, and the port in terms of the parts.

use crate::{
    Settings,
    attempt::{Attempt, COLUMNS, Step},
    provider::{Provider, ProviderError},
    recent::Recent,
    settle::{Finding, Moment, Witness},
    store,
};
use async_trait::async_trait;
use bus::{BusError, Context, Timestamp};
use bus_durable::{Database, RetryPolicy, Subscribers, sea_orm::DatabaseBackend};
use kernel::{IntegrityCheck, PaymentId};
use payments_ports::{
    AuthorizePayment, CapturePayment, CheckPayments, GetPayment, ListPayments, Payment, PaymentEvent,
    PaymentHistory, PaymentsError, PaymentsPort, ReceiveWebhook, Refund, RefundPayment, VoidPayment,
    WebhookReceipt,
};
use std::{sync::Arc, time::Duration};
use tokio::{sync::Notify, task::JoinHandle};

/// Why payments does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The settings name a provider that is not the one that was handed over.
    #[error("payments.provider is {wanted}, and the provider at hand is {found}")]
    Provider {
        /// What the settings say.
        wanted: String,
        /// What there is.
        found: String,
    },
    /// A secret that signs nothing.
    #[error("payments.webhook_secret is not whsec_ and the base64 of 24 to 64 bytes")]
    WebhookSecret,
    /// The database did not answer.
    #[error(transparent)]
    Database(#[from] BusError),
}

/// The implementation of the port.
pub struct Service {
    pub(crate) database: Database,
    pub(crate) provider: Arc<dyn Provider>,
    pub(crate) settings: Settings,
    /// Told when a payment or refund was left open.
    pub(crate) left_open: Notify,
    pub(crate) recent: Recent,
}

impl Service {
    /// Takes its database, migrated, and its provider.
    ///
    /// # Errors
    /// [`StartError`] where the settings make no sense or the database does not answer.
    pub async fn start(
        database: Database,
        provider: Arc<dyn Provider>,
        settings: Settings,
    ) -> Result<Arc<Self>, StartError> {
        if settings.provider != provider.name() {
            let (wanted, found) = (settings.provider, provider.name().to_owned());
            return Err(StartError::Provider { wanted, found });
        }
        for secret in [&settings.webhook_secret, &settings.webhook_secret_before] {
            if !secret.reveal().is_empty() && !crate::signature::is_secret(secret.reveal()) {
                return Err(StartError::WebhookSecret);
            }
        }
        let service =
            Self { database, provider, settings, left_open: Notify::new(), recent: Recent::default() };
        if service.database.backend() == DatabaseBackend::Sqlite {
            // A file has one process at a time: whoever held these is gone.
            service.take_over().await?;
        }
        Ok(Arc::new(service))
    }

    /// Payments subscribes to nothing.
    #[must_use]
    pub fn subscribers(self: &Arc<Self>) -> Subscribers {
        Subscribers::default()
    }

    /// The reconciler and the worker of webhooks. Several processes may run them on one database.
    #[must_use]
    pub fn workers(self: &Arc<Self>, stop: tokio::sync::watch::Receiver<bool>) -> Vec<JoinHandle<()>> {
        vec![
            bus::spawn(crate::reconcile::run(Arc::clone(self), stop.clone())),
            bus::spawn(crate::webhook_worker::run(Arc::clone(self), stop)),
        ]
    }

    async fn take_over(&self) -> Result<(), BusError> {
        self.database
            .write((), |(), tx| {
                Box::pin(async move {
                    let now = tx.now().micros();
                    let sql = "UPDATE payment SET due_at = $1, waiting_until = 0 WHERE step <> '' AND due_at > $1 \
                               AND waiting_until > 0";
                    tx.execute(sql, [now.into()]).await?;
                    let sql = "UPDATE refund SET due_at = $1 WHERE status = 'processing' AND due_at > $1";
                    tx.execute(sql, [now.into()]).await.map(|_| ())
                })
            })
            .await
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.database.sources().now()
    }

    /// Back-off with jitter, from a tenth of the reconciler's interval up to all of it.
    pub(crate) fn pause(&self, attempts: i64) -> Duration {
        let cap = self.settings.reconcile_every;
        let policy = RetryPolicy { max_attempts: u32::MAX, base: cap / 5, cap };
        policy.pause(u32::try_from(attempts + 1).unwrap_or(u32::MAX), rand::random())
    }

    pub(crate) fn moment(&self, attempts: i64) -> Moment {
        Moment {
            now: self.now(),
            pause: self.pause(attempts),
            challenge_every: self.settings.challenge_every,
            watch_for: self.settings.watch_for,
            attention_after: i64::from(self.settings.attention_after),
            capture_until: None,
        }
    }

    /// Waits for the provider, no longer than it may take and than the caller has time for. No transaction and
    /// no lock is open meanwhile (F14).
    pub(crate) async fn ask<T>(
        &self,
        question: impl Future<Output = Result<T, ProviderError>>,
    ) -> Result<T, ProviderError> {
        let limit = match Context::current().remaining() {
            // What is kept back is for writing the outcome down.
            Some(left) => {
                let kept_back = (left / 4).min(Duration::from_millis(500));
                self.settings.provider_timeout.min(left.saturating_sub(kept_back))
            }
            None => self.settings.provider_timeout,
        };
        tokio::time::timeout(limit, question)
            .await
            .unwrap_or_else(|_| Err(ProviderError::Unknown("no answer in time".into())))
    }

    /// Writes a finding down, whether or not the caller's time is up by now.
    pub(crate) async fn record(
        &self,
        seen: &Attempt,
        finding: Finding,
        witness: Witness,
    ) -> Result<Attempt, BusError> {
        self.record_at(seen, finding, witness, self.moment(seen.attempts)).await
    }

    /// As [`Service::record`], found out at this moment.
    pub(crate) async fn record_at(
        &self,
        seen: &Attempt,
        finding: Finding,
        witness: Witness,
        moment: Moment,
    ) -> Result<Attempt, BusError> {
        let is_open = matches!(finding, Finding::Unknown { .. } | Finding::Mismatch { .. });
        let state = (seen.clone(), finding, witness, moment);
        let written = self.database.write_locking(
            vec![lock(seen.id)],
            state,
            |(seen, finding, witness, moment), tx| {
                Box::pin(store::record(tx, seen.id, finding, *witness, moment, Some(seen)))
            },
        );
        let attempt = unhurried().scope(written).await?;
        if is_open {
            self.left_open.notify_one();
        }
        let attempt = attempt.ok_or_else(|| BusError::failed(&"a payment is gone"))?;
        self.recent.keep(&attempt);
        Ok(attempt)
    }

    pub(crate) async fn find(&self, id: PaymentId) -> Result<Option<Attempt>, BusError> {
        let sql = format!("SELECT {COLUMNS} FROM payment WHERE id = $1");
        let row = self.database.reader().row(&sql, [id.0.into()]).await?;
        row.as_ref().map(Attempt::from_row).transpose()
    }
}

/// Why a request that makes no sense to the provider is declined.
pub(crate) const INVALID_REQUEST: &str = "invalid_request";

/// What two processes may not change at once.
pub(crate) fn lock(id: PaymentId) -> String {
    format!("payment:{id}")
}

/// The same context with no deadline: for what must be written down.
pub(crate) fn unhurried() -> Context {
    let now = Context::current();
    let mut context = Context::default();
    context.trace = now.trace;
    context.request_id = now.request_id;
    context.caller = now.caller;
    context
}

/// An answer as a finding; no answer as one that says so.
pub(crate) fn finding(
    attempt: &Attempt,
    step: Step,
    answer: Result<crate::provider::ProviderAnswer, ProviderError>,
) -> Finding {
    match (answer, step) {
        (Ok(answer), _) => Finding::of(attempt, step, &answer),
        // Nothing was done, and nothing will be.
        (Err(ProviderError::Refused(why)), Step::Authorize) => {
            tracing::warn!(payment = %attempt.id, why, "the provider does not understand an authorization");
            Finding::Declined { code: INVALID_REQUEST.into() }
        }
        (Err(ProviderError::Refused(why)), Step::Capture) => {
            tracing::error!(payment = %attempt.id, why, "the provider does not understand a capture");
            Finding::CaptureDeclined { code: INVALID_REQUEST.into() }
        }
        (Err(error), _) => Finding::Unknown { why: error.to_string() },
    }
}

#[async_trait]
impl PaymentsPort for Service {
    async fn authorize(&self, request: AuthorizePayment) -> Result<Payment, PaymentsError> {
        self.authorize_payment(request).await
    }

    async fn capture(&self, request: CapturePayment) -> Result<Payment, PaymentsError> {
        self.capture_payment(request).await
    }

    async fn void(&self, request: VoidPayment) -> Result<Payment, PaymentsError> {
        self.void_payment(request).await
    }

    async fn refund(&self, request: RefundPayment) -> Result<Refund, PaymentsError> {
        self.refund_payment(request).await
    }

    async fn get_payment(&self, request: GetPayment) -> Result<Payment, PaymentsError> {
        let found = self.find(request.payment_id).await?;
        found.map(|attempt| attempt.payment()).ok_or(PaymentsError::NotFound)
    }

    async fn list_payments(&self, request: ListPayments) -> Result<Vec<Payment>, PaymentsError> {
        let sql = format!("SELECT {COLUMNS} FROM payment WHERE order_id = $1 ORDER BY id LIMIT 100");
        let rows = self.database.reader().rows(&sql, [request.order_id.0.into()]).await?;
        rows.iter().map(|row| Ok(Attempt::from_row(row)?.payment())).collect()
    }

    async fn payment_history(&self, request: PaymentHistory) -> Result<Vec<PaymentEvent>, PaymentsError> {
        let sql = "SELECT payment_id, at, kind, detail, amount, currency, actor FROM payment_event \
                   WHERE order_id = $1 ORDER BY at, id LIMIT 1000";
        let rows = self.database.reader().rows(sql, [request.order_id.0.into()]).await?;
        rows.iter().map(|row| Ok(store::event(row)?)).collect()
    }

    async fn receive_webhook(&self, request: ReceiveWebhook) -> Result<WebhookReceipt, PaymentsError> {
        self.take_webhook(request).await
    }

    async fn check_payments(&self, _: CheckPayments) -> Result<Vec<IntegrityCheck>, PaymentsError> {
        Ok(self.check().await?)
    }
}
