//! Messages that are not handled any more, of all modules: listed, sent on their way again, or given up.

use super::{Desk, invalid_cursor, problem, sagas::Nothing};
use actix_web::{HttpRequest, delete, get, post, web::Data};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bus::{DeadLetter, DeadLetterId, Operation, Outcome, Timestamp};
use edge::{Admin, MaybeJson, Paging, Path, Problem, Reply};
use kernel::{Cursor, Page};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// Which dead letter, over all modules. Clients see it as one opaque word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Address {
    module: String,
    letter: DeadLetterId,
}

impl Address {
    fn word(&self) -> String {
        // Texts and an integer always have a JSON form.
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(self).unwrap_or_default())
    }

    /// `None` for a word that is nobody's.
    fn read(word: &str) -> Option<Self> {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(word).ok()?).ok()
    }
}

/// A message that is not handled any more.
#[derive(Serialize, ToSchema)]
pub(crate) struct Letter {
    /// What it is called when it is replayed or discarded.
    id: String,
    /// The module that has it.
    module: String,
    /// `inbox`: it could not be handled. `outbox`: nobody takes it.
    place: String,
    subscription: String,
    message_id: Uuid,
    event: String,
    /// The aggregate's id.
    key: String,
    /// The bytes as they came.
    data: String,
    /// What went wrong last.
    error: String,
    attempts: i64,
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    #[serde(skip)]
    address: Option<Address>,
}

impl Letter {
    fn of(module: &str, letter: DeadLetter) -> Self {
        let address = Address { module: module.to_owned(), letter: letter.id.clone() };
        Self {
            id: address.word(),
            module: module.to_owned(),
            place: letter.id.place,
            subscription: letter.id.subscription,
            message_id: letter.message_id,
            event: letter.event,
            key: letter.key,
            data: letter.data,
            error: letter.error,
            attempts: letter.attempts,
            at: letter.at,
            address: Some(address),
        }
    }
}

/// A page of dead letters.
#[derive(Serialize, ToSchema)]
pub(crate) struct Letters {
    data: Vec<Letter>,
    #[schema(value_type = Option<String>)]
    next_cursor: Option<Cursor>,
    /// Modules that did not answer: theirs are missing.
    unavailable: Vec<String>,
}

/// The dead letters, module by module, the oldest first.
#[utoipa::path(tag = "operations", security(("bearer" = [])), params(edge::schema::PageParams),
    responses(
        (status = 200, body = Letters),
        (status = 401, body = edge::schema::Problem, content_type = "application/problem+json"),
        (status = 403, body = edge::schema::Problem, content_type = "application/problem+json"),
        (status = 422, body = edge::schema::Problem, content_type = "application/problem+json")))]
#[get("/api/v1/admin/dead-letters")]
pub(crate) async fn list(_admin: Admin, Paging(page): Paging, desk: Data<Desk>) -> Result<Reply, Problem> {
    let after: Option<Address> = match &page.cursor {
        Some(cursor) => Some(cursor.key().map_err(|_| invalid_cursor())?),
        None => None,
    };
    let (mut letters, mut unavailable) = (Vec::new(), Vec::new());
    for module in desk.bus.operated() {
        let wanted = page.limit.probe().saturating_sub(letters.len() as u64);
        if wanted == 0 {
            break;
        }
        let after = match &after {
            Some(after) if module < after.module => continue,
            Some(after) if module == after.module => Some(after.letter.clone()),
            _ => None,
        };
        match desk.bus.operate(&module, Operation::DeadLetters { after, limit: wanted }).await {
            Ok(Outcome::DeadLetters(found)) => {
                letters.extend(found.into_iter().map(|letter| Letter::of(&module, letter)));
            }
            _ => unavailable.push(module),
        }
    }
    let page = Page::cut(letters, page.limit, |letter| letter.address.clone());
    Ok(Reply::ok(&Letters { data: page.data, next_cursor: page.next_cursor, unavailable }))
}

/// Puts a dead letter back in its queue.
#[utoipa::path(tag = "operations", security(("bearer" = [])), params(("id" = String, Path)),
    responses(
        (status = 202, description = "It is handled again"),
        (status = 401, body = edge::schema::Problem, content_type = "application/problem+json"),
        (status = 403, body = edge::schema::Problem, content_type = "application/problem+json"),
        (status = 404, body = edge::schema::Problem, description = "There is no such dead letter")))]
#[post("/api/v1/admin/dead-letters/{id}/replay")]
pub(crate) async fn replay(
    request: HttpRequest,
    _admin: Admin,
    Path(id): Path<String>,
    _body: MaybeJson<Nothing>,
    desk: Data<Desk>,
) -> Result<Reply, Problem> {
    let desk = desk.get_ref().clone();
    edge::command(&request, async move {
        carry_out(&desk, &id, Operation::ReplayDeadLetter).await?;
        Ok(Reply::accepted(&serde_json::json!({"id": id})))
    })
    .await
}

/// Gives a dead letter up for good; later messages of its key go on.
#[utoipa::path(tag = "operations", security(("bearer" = [])), params(("id" = String, Path)),
    responses(
        (status = 204, description = "It is given up"),
        (status = 401, body = edge::schema::Problem, content_type = "application/problem+json"),
        (status = 403, body = edge::schema::Problem, content_type = "application/problem+json"),
        (status = 404, body = edge::schema::Problem, description = "There is no such dead letter")))]
#[delete("/api/v1/admin/dead-letters/{id}")]
pub(crate) async fn discard(
    request: HttpRequest,
    _admin: Admin,
    Path(id): Path<String>,
    desk: Data<Desk>,
) -> Result<Reply, Problem> {
    let desk = desk.get_ref().clone();
    edge::command(&request, async move {
        carry_out(&desk, &id, Operation::DiscardDeadLetter).await?;
        Ok(Reply::no_content())
    })
    .await
}

async fn carry_out(desk: &Desk, id: &str, what: fn(DeadLetterId) -> Operation) -> Result<(), Problem> {
    let address = Address::read(id).ok_or_else(Problem::not_found)?;
    if !desk.bus.operated().contains(&address.module) {
        return Err(Problem::not_found());
    }
    match desk.bus.operate(&address.module, what(address.letter)).await {
        Ok(Outcome::Done(true)) => Ok(()),
        Ok(_) => Err(Problem::not_found()),
        Err(error) => Err(problem(error)),
    }
}
