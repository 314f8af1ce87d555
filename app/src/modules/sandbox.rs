//! The sandbox provider beside payments: its database, its webhooks, its pages.

use super::{Stage, StartError};
use crate::gateway::Routes;
use actix_web::{get, web};
use edge::{Problem, Query, Reply, Staff};
use sandbox::{Sandbox, SandboxSettings, Sources, WebhookSink};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tokio::sync::watch;
use utoipa::{IntoParams, OpenApi, ToSchema};

pub(super) async fn open(stage: &Stage<'_>, webhook_secret: &str) -> Result<Sandbox, StartError> {
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

/// Its pages, and what it really did.
pub(super) fn routes(sandbox: Sandbox) -> Routes {
    Arc::new(move |app| {
        app.app_data(web::Data::new(sandbox.clone())).service(transactions);
        sandbox::configure(sandbox.clone())(app);
    })
}

/// The description of its own resource.
pub(super) fn openapi() -> utoipa::openapi::OpenApi {
    #[derive(OpenApi)]
    #[openapi(paths(transactions))]
    struct Document;
    Document::openapi()
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Wanted {
    /// The order's id.
    reference: String,
}

#[derive(Serialize, ToSchema)]
struct TransactionBody {
    id: uuid::Uuid,
    reference: String,
    #[schema(example = "capture")]
    kind: &'static str,
    #[schema(value_type = edge::schema::Money)]
    amount: kernel::Money,
    #[schema(example = "succeeded")]
    status: &'static str,
    #[schema(value_type = String, format = DateTime)]
    at: bus::Timestamp,
}

#[derive(Serialize, ToSchema)]
struct Transactions {
    data: Vec<TransactionBody>,
}

/// What the sandbox provider really did for an order, oldest first.
#[utoipa::path(tag = "sandbox", params(Wanted), responses((status = 200, body = Transactions)))]
#[get("/sandbox/transactions")]
async fn transactions(
    _staff: Staff,
    Query(wanted): Query<Wanted>,
    sandbox: web::Data<Sandbox>,
) -> Result<Reply, Problem> {
    let rows = sandbox
        .transactions(&wanted.reference)
        .await
        .map_err(|error| Problem::internal(bus::Incident::log(&error)))?;
    let body = |row: sandbox::Transaction| TransactionBody {
        id: row.id,
        reference: row.reference,
        kind: row.kind.as_str(),
        amount: row.amount,
        status: row.status.as_str(),
        at: bus::Timestamp::from_micros(row.at),
    };
    Ok(Reply::ok(&Transactions { data: rows.into_iter().map(body).collect() }))
}
