//! The sagas of all modules, newest first, and another try for those that need attention.

use super::{Desk, problem};
use actix_web::{HttpRequest, get, post, web::Data};
use bus::{BusError, Operation, Outcome, Phase, SagaEntry, SagaView, Timestamp};
use edge::{Admin, List, MaybeJson, Path, Problem, Reply};
use futures::future::join_all;
use kernel::{Cursor, Page};
use serde::{Deserialize, Deserializer, Serialize, de::Error};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    /// Only those in one of these, separated by commas: `running`, `waiting`, `unwinding`, `completed`, `compensated`,
    /// `needs_attention`. Several are read at one moment, so that none hides by changing from one to another.
    #[serde(default, deserialize_with = "phases")]
    #[param(value_type = Option<String>, example = "running,waiting,unwinding")]
    state: Vec<Phase>,
}

fn phases<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Phase>, D::Error> {
    let names = String::deserialize(from)?;
    let phase = |name| Phase::from_name(name).ok_or_else(|| D::Error::custom(format!("no state {name:?}")));
    names.split(',').map(phase).collect()
}

/// Work over several modules that ends well or is undone.
#[derive(Serialize, ToSchema)]
pub(crate) struct Saga {
    id: Uuid,
    /// The module whose saga it is.
    module: String,
    /// `orders.placement`.
    kind: String,
    /// What it is about: the order's id.
    key: String,
    #[schema(value_type = String, example = "needs_attention")]
    state: Phase,
    /// The number of the current step, from 0.
    step: i64,
    /// How often that has failed.
    attempts: i64,
    /// What went wrong last.
    error: Option<String>,
    #[schema(value_type = Vec<Object>)]
    history: Vec<SagaEntry>,
    /// When it goes on by itself.
    #[schema(value_type = String, format = DateTime)]
    due_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl Saga {
    fn of(module: &str, saga: SagaView) -> Self {
        Self {
            id: saga.id,
            module: module.to_owned(),
            kind: saga.kind,
            key: saga.key,
            state: saga.state,
            step: saga.step,
            attempts: saga.attempts,
            error: saga.error,
            history: saga.history,
            due_at: saga.due_at,
            created_at: saga.created_at,
            updated_at: saga.updated_at,
        }
    }
}

/// A page of sagas.
#[derive(Serialize, ToSchema)]
pub(crate) struct Sagas {
    data: Vec<Saga>,
    #[schema(value_type = Option<String>)]
    next_cursor: Option<Cursor>,
    /// Modules that did not answer: theirs are missing.
    unavailable: Vec<String>,
}

/// The sagas of all modules, newest first.
#[utoipa::path(tag = "operations", security(("bearer" = [])), params(Filter, edge::schema::PageParams),
    responses(
        (status = 200, body = Sagas),
        (status = 401, body = edge::schema::Problem, content_type = "application/problem+json"),
        (status = 403, body = edge::schema::Problem, content_type = "application/problem+json"),
        (status = 422, body = edge::schema::Problem, content_type = "application/problem+json")))]
#[get("/api/v1/admin/sagas")]
pub(crate) async fn list(
    _admin: Admin,
    List { filter, page }: List<Filter>,
    desk: Data<Desk>,
) -> Result<Reply, Problem> {
    let before: Option<Uuid> = match &page.cursor {
        Some(cursor) => Some(cursor.key().map_err(|_| super::invalid_cursor())?),
        None => None,
    };
    let operation = Operation::Sagas { phases: filter.state, before, limit: page.limit.probe() };
    let (mut sagas, mut unavailable) = (Vec::new(), Vec::new());
    for (module, answer) in ask_all(&desk, &operation).await {
        match answer {
            Ok(Outcome::Sagas(found)) => sagas.extend(found.into_iter().map(|saga| Saga::of(&module, saga))),
            _ => unavailable.push(module),
        }
    }
    sagas.sort_by_key(|saga| std::cmp::Reverse(saga.id));
    let page = Page::cut(sagas, page.limit, |saga| saga.id);
    Ok(Reply::ok(&Sagas { data: page.data, next_cursor: page.next_cursor, unavailable }))
}

/// A request without members.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nothing {}

/// Lets a saga that needs attention try again.
#[utoipa::path(tag = "operations", security(("bearer" = [])), params(("id" = Uuid, Path)),
    responses(
        (status = 202, description = "It tries again"),
        (status = 401, body = edge::schema::Problem, content_type = "application/problem+json"),
        (status = 403, body = edge::schema::Problem, content_type = "application/problem+json"),
        (status = 404, body = edge::schema::Problem, description = "There is none that needs attention")))]
#[post("/api/v1/admin/sagas/{id}/retry")]
pub(crate) async fn retry(
    request: HttpRequest,
    _admin: Admin,
    Path(id): Path<Uuid>,
    _body: MaybeJson<Nothing>,
    desk: Data<Desk>,
) -> Result<Reply, Problem> {
    let desk = desk.get_ref().clone();
    edge::command(&request, async move {
        let mut missing = None;
        for (_, answer) in ask_all(&desk, &Operation::RetrySaga(id)).await {
            match answer {
                Ok(Outcome::Done(true)) => return Ok(Reply::accepted(&serde_json::json!({"id": id}))),
                Ok(_) => {}
                Err(error) => missing = Some(error),
            }
        }
        // It may be in a module that did not answer.
        Err(missing.map_or_else(Problem::not_found, problem))
    })
    .await
}

/// Asks every module that can be operated from here.
pub(crate) async fn ask_all(desk: &Desk, operation: &Operation) -> Vec<(String, Result<Outcome, BusError>)> {
    let ask = |module: String| async move {
        let answer = desk.bus.operate(&module, operation.clone()).await;
        if let Err(error) = &answer {
            tracing::warn!(module, %error, "a module could not be operated");
        }
        (module, answer)
    };
    join_all(desk.bus.operated().into_iter().map(ask)).await
}
