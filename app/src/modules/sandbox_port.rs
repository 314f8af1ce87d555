//! The sandbox provider's pages and its ledger as a port, so that they are served where payments is called, not only
//! where it is.

use crate::gateway::Routes;
use actix_web::{HttpResponse, get, http::StatusCode, post, web};
use bus::{Bus, BusError, ErrorKind, PortError};
use edge::{Problem, Query, Reply, Staff};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, OpenApi, ToSchema};

/// What a buyer does with the page of a charge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Visit {
    Look,
    Approve,
    Abandon,
}

/// A visit to the page of a charge.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct VisitCharge {
    pub(crate) charge: String,
    pub(crate) visit: Visit,
}

/// A page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Page {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

/// What the provider really did for an order.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct TransactionsOf {
    pub(crate) reference: String,
}

/// One thing that it did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct TransactionBody {
    pub(crate) id: uuid::Uuid,
    pub(crate) reference: String,
    #[schema(example = "capture")]
    pub(crate) kind: String,
    #[schema(value_type = edge::schema::Money)]
    pub(crate) amount: kernel::Money,
    #[schema(example = "succeeded")]
    pub(crate) status: String,
    #[schema(value_type = String, format = DateTime)]
    pub(crate) at: bus::Timestamp,
}

/// Why the sandbox does not answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SandboxPortError {
    #[error(transparent)]
    Unavailable(#[from] BusError),
}

impl PortError for SandboxPortError {
    fn kind(&self) -> ErrorKind {
        let Self::Unavailable(error) = self;
        error.kind()
    }

    fn bus(&self) -> Option<&BusError> {
        let Self::Unavailable(error) = self;
        Some(error)
    }
}

bus::port! {
    /// The sandbox provider, beside payments.
    "sandbox" pub(crate) trait SandboxPort {
        #[command]
        /// Looks at a charge's page, approves it or abandons it; again changes nothing.
        async fn visit(&self, request: VisitCharge) -> Result<Page, SandboxPortError>;
        #[query]
        /// What was done for an order, oldest first.
        async fn transactions(&self, request: TransactionsOf) -> Result<Vec<TransactionBody>, SandboxPortError>;
    }
}

/// Its pages, and what it really did.
pub(super) fn routes(bus: &Bus) -> Routes {
    let port: Arc<dyn SandboxPort> = Arc::new(bus.clone());
    Arc::new(move |app| {
        app.app_data(web::Data::from(Arc::clone(&port)))
            .service(transactions)
            .service(look)
            .service(approve)
            .service(abandon);
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
struct Transactions {
    data: Vec<TransactionBody>,
}

/// What the sandbox provider really did for an order, oldest first.
#[utoipa::path(tag = "sandbox", params(Wanted), responses((status = 200, body = Transactions)))]
#[get("/sandbox/transactions")]
async fn transactions(
    _staff: Staff,
    Query(wanted): Query<Wanted>,
    port: web::Data<dyn SandboxPort>,
) -> Result<Reply, Problem> {
    let data = port.transactions(TransactionsOf { reference: wanted.reference }).await;
    Ok(Reply::ok(&Transactions { data: data.map_err(|error| Problem::from_error(&error))? }))
}

#[get("/sandbox/challenges/{charge}")]
async fn look(charge: web::Path<String>, port: web::Data<dyn SandboxPort>) -> Result<HttpResponse, Problem> {
    visit(&**port, charge.into_inner(), Visit::Look).await
}

#[post("/sandbox/challenges/{charge}/approve")]
async fn approve(
    charge: web::Path<String>,
    port: web::Data<dyn SandboxPort>,
) -> Result<HttpResponse, Problem> {
    visit(&**port, charge.into_inner(), Visit::Approve).await
}

#[post("/sandbox/challenges/{charge}/abandon")]
async fn abandon(
    charge: web::Path<String>,
    port: web::Data<dyn SandboxPort>,
) -> Result<HttpResponse, Problem> {
    visit(&**port, charge.into_inner(), Visit::Abandon).await
}

async fn visit(port: &dyn SandboxPort, charge: String, visit: Visit) -> Result<HttpResponse, Problem> {
    let page = port.visit(VisitCharge { charge, visit }).await;
    let page = page.map_err(|error| Problem::from_error(&error))?;
    let mut answer = HttpResponse::build(StatusCode::from_u16(page.status).unwrap_or(StatusCode::OK));
    for header in page.headers {
        answer.insert_header(header);
    }
    Ok(answer.body(page.body))
}
