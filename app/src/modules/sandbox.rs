//! The sandbox provider beside payments: its database, its webhooks, its port.

use super::{
    Stage, StartError,
    sandbox_port::{
        Page, SandboxPort, SandboxPortError, TransactionBody, TransactionsOf, Visit, VisitCharge,
    },
};
use async_trait::async_trait;
use bus::BusError;
use sandbox::{Sandbox, SandboxSettings, Sources, WebhookSink};
use std::sync::Arc;
use tokio::sync::watch;

pub(super) async fn open(stage: &Stage, webhook_secret: &str) -> Result<Sandbox, StartError> {
    let (clock, ids) = (stage.sources.clone(), stage.sources.clone());
    let sources =
        Sources { now_micros: Arc::new(move || clock.now().micros()), next_id: Arc::new(move || ids.id()) };
    let settings = SandboxSettings {
        database_url: stage.settings.sandbox_url(),
        webhook_secret: webhook_secret.to_owned(),
        public_url: stage.settings.public_url(),
        webhook_copies: stage.settings.sandbox.webhook_copies,
        webhook_shuffle: stage.settings.sandbox.webhook_shuffle,
    };
    Sandbox::open(settings, sources).await.map_err(|error| StartError::module("sandbox", &error))
}

/// Sends its webhooks until told to stop; what is left over is sent after the next start.
pub(super) async fn deliver(sandbox: Sandbox, sink: Arc<dyn WebhookSink>, mut stop: watch::Receiver<bool>) {
    tokio::select! {
        () = sandbox.deliver_webhooks(sink) => {}
        _ = stop.wait_for(|stop| *stop) => {}
    }
}

/// The sandbox as a port.
pub(super) fn served(sandbox: Sandbox) -> Arc<dyn SandboxPort> {
    Arc::new(Served(sandbox))
}

struct Served(Sandbox);

#[async_trait]
impl SandboxPort for Served {
    async fn visit(&self, request: VisitCharge) -> Result<Page, SandboxPortError> {
        let page = match request.visit {
            Visit::Look => sandbox::show(&self.0, &request.charge).await,
            Visit::Approve => sandbox::answer(&self.0, &request.charge, true).await,
            Visit::Abandon => sandbox::answer(&self.0, &request.charge, false).await,
        };
        let header = |(name, value): (&'static str, String)| (name.to_owned(), value);
        let headers = page.headers.into_iter().map(header).collect();
        Ok(Page { status: page.status, headers, body: page.body })
    }

    async fn transactions(&self, request: TransactionsOf) -> Result<Vec<TransactionBody>, SandboxPortError> {
        let rows = self.0.transactions(&request.reference).await.map_err(|error| BusError::failed(&error))?;
        let body = |row: sandbox::Transaction| TransactionBody {
            id: row.id,
            reference: row.reference,
            kind: row.kind.as_str().to_owned(),
            amount: row.amount,
            status: row.status.as_str().to_owned(),
            at: bus::Timestamp::from_micros(row.at),
        };
        Ok(rows.into_iter().map(body).collect())
    }
}
