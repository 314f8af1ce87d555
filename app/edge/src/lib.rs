//! What every `*-rest` crate shares: problem documents, strict input, callers, idempotency keys, ETags.
//!
//! A complete resource, from the request to the port and back:
//!
//! ```
//! use actix_web::{HttpRequest, get, post, web};
//! use bus::PortError;
//! use edge::{IfMatch, Json, List, Listing, Path, Problem, Reply, SignedIn, Staff};
//! use std::sync::Arc;
//! # use kernel::{Page, PageRequest, OrderId};
//! # #[derive(Clone, serde::Serialize)] pub struct Order { id: OrderId, version: i64 }
//! # #[derive(Debug, thiserror::Error, serde::Serialize, serde::Deserialize)]
//! # pub enum OrdersError {
//! #     #[error("no such order")] NotFound,
//! #     #[error("not in this state")] InvalidTransition { allowed: Vec<String> },
//! #     #[error(transparent)] Unavailable(#[from] bus::BusError),
//! # }
//! # impl PortError for OrdersError {
//! #     fn kind(&self) -> bus::ErrorKind { match self {
//! #         Self::NotFound => bus::ErrorKind::NotFound,
//! #         Self::InvalidTransition { .. } => bus::ErrorKind::Conflict,
//! #         Self::Unavailable(error) => error.kind(),
//! #     } }
//! #     fn bus(&self) -> Option<&bus::BusError> {
//! #         match self { Self::Unavailable(error) => Some(error), _ => None }
//! #     }
//! # }
//! # #[async_trait::async_trait]
//! # pub trait OrdersPort: Send + Sync {
//! #     async fn place(&self, user: uuid::Uuid, note: String) -> Result<Order, OrdersError>;
//! #     async fn list(&self, status: Option<String>, page: PageRequest) -> Result<Page<Order>, OrdersError>;
//! #     async fn cancel(&self, id: OrderId, expected: Option<i64>) -> Result<Order, OrdersError>;
//! # }
//! /// The one place of the crate that turns the port's error into a problem.
//! fn problem(error: OrdersError) -> Problem {
//!     match &error {
//!         // A code of its own, and what helps the client to go on.
//!         OrdersError::InvalidTransition { allowed } => {
//!             Problem::of(&error, "invalid_transition").with("allowed", allowed)
//!         }
//!         // Everything else has its kind's status and code.
//!         _ => Problem::from_error(&error),
//!     }
//! }
//!
//! #[derive(serde::Deserialize, utoipa::ToSchema)]
//! #[serde(deny_unknown_fields)]
//! struct NewOrder {
//!     note: String,
//! }
//!
//! /// A write: `edge::command` runs it to its end although the client may hang up, under the idempotency key.
//! #[utoipa::path(
//!     tag = "orders",
//!     request_body = NewOrder,
//!     security(("bearer" = [])),
//!     responses(
//!         (status = 201, description = "Placed"),
//!         (status = 422, body = edge::schema::Problem, content_type = "application/problem+json"),
//!     )
//! )]
//! #[post("/api/v1/orders")]
//! async fn place(
//!     request: HttpRequest,
//!     SignedIn(caller): SignedIn,
//!     Json(new): Json<NewOrder>,
//!     port: web::Data<Arc<dyn OrdersPort>>,
//! ) -> Result<Reply, Problem> {
//!     edge::command(&request, async move {
//!         let order = port.place(caller.user, new.note).await.map_err(problem)?;
//!         Ok(Reply::created(format!("/api/v1/orders/{}", order.id), &order).etag(order.version))
//!     })
//!     .await
//! }
//!
//! /// A change: the version that the client saw comes with `If-Match`.
//! #[utoipa::path(params(("id" = uuid::Uuid, Path)), responses((status = 200)))]
//! #[post("/api/v1/orders/{id}/cancel")]
//! async fn cancel(
//!     request: HttpRequest,
//!     _caller: SignedIn,
//!     Path(id): Path<OrderId>,
//!     IfMatch(expected): IfMatch,
//!     port: web::Data<Arc<dyn OrdersPort>>,
//! ) -> Result<Reply, Problem> {
//!     edge::command(&request, async move {
//!         let order = port.cancel(id, expected).await.map_err(problem)?;
//!         Ok(Reply::ok(&order).etag(order.version))
//!     })
//!     .await
//! }
//!
//! #[derive(serde::Deserialize, utoipa::IntoParams)]
//! #[serde(deny_unknown_fields)]
//! struct Filter {
//!     status: Option<String>,
//! }
//!
//! /// A list: `limit` and `cursor` are taken care of, the rest of the query is the filter.
//! #[utoipa::path(params(Filter, edge::schema::PageParams), responses((status = 200)))]
//! #[get("/api/v1/orders")]
//! async fn list(
//!     _staff: Staff,
//!     List { filter, page }: List<Filter>,
//!     port: web::Data<Arc<dyn OrdersPort>>,
//! ) -> Result<Reply, Problem> {
//!     let found = port.list(filter.status, page).await.map_err(problem)?;
//!     Ok(Reply::ok(&Listing::from(found)))
//! }
//!
//! /// The crate's part of the contract; the program merges all of them.
//! #[derive(utoipa::OpenApi)]
//! #[openapi(paths(place, cancel, list), components(schemas(NewOrder)))]
//! pub struct Contract;
//!
//! /// What the gateway is given.
//! pub fn routes(port: Arc<dyn OrdersPort>) -> impl Fn(&mut web::ServiceConfig) + Clone {
//!     move |app| {
//!         app.app_data(web::Data::new(Arc::clone(&port))).service(place).service(cancel).service(list);
//!     }
//! }
//! ```
#![warn(missing_docs)]

mod body;
mod caller;
mod command;
mod decode;
mod etag;
mod idempotency;
mod json;
mod kind;
mod pan;
mod path;
mod problem;
mod query;
mod reply;
pub mod schema;

pub use body::{BodyLimit, Json, MaybeJson, RawBody};
pub use caller::{Admin, ClientIp, SignedIn, Staff};
pub use command::{Writes, command};
pub use etag::{IfMatch, entity_tag, none_match};
pub use idempotency::{InvalidKey, KEY_HEADER, REPLAYED_HEADER};
pub use kind::status;
pub use path::Path;
pub use problem::{FieldError, Problem};
pub use query::{List, Paging, Query};
pub use reply::{Listing, Reply};
