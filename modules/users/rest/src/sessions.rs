//! Sessions: signing in, going on, signing out.

use crate::{
    Users,
    body::{LoginBody, RefreshBody, SessionBody, SessionPage, SignedInBody},
    problem::problem,
};
use actix_web::{
    HttpRequest, delete, get,
    http::{StatusCode, header},
    post, web,
};
use edge::{ClientIp, Json, Listing, Paging, Problem, Reply, SignedIn};
use kernel::{SessionId, UserId};
use users_ports::{CreateSession, EndSession, EndSessions, ListSessions, RefreshSession, new_refresh_token};

/// Signs in. The answer is the same for a wrong password and for an unknown address.
#[utoipa::path(tag = "sessions", request_body = LoginBody,
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes the request safe to repeat")),
    responses(
        (status = 201, body = SignedInBody),
        (status = 401, body = edge::schema::Problem, description = "invalid_credentials"),
        (status = 422, body = edge::schema::Problem, description = "missing_field, unknown_field"),
        (status = 429, body = edge::schema::Problem, description = "rate_limited, with Retry-After")))]
#[post("/api/v1/sessions")]
pub(crate) async fn create(
    request: HttpRequest,
    Json(login): Json<LoginBody>,
    users: web::Data<Users>,
) -> Result<Reply, Problem> {
    let client = ClientIp::of(&request);
    let device = request.headers().get(header::USER_AGENT).and_then(|value| value.to_str().ok());
    let device = device.map(str::to_owned);
    edge::command(&request, async move {
        let create = CreateSession {
            session_id: users.sources.id(),
            email: login.email,
            password: login.password,
            refresh_token: new_refresh_token(rand::random()),
            client,
            device,
        };
        let signed_in = users.port.create_session(create).await.map_err(problem)?;
        Ok(Reply::json(StatusCode::CREATED, &SignedInBody::from(signed_in)))
    })
    .await
}

/// Exchanges a refresh token for the next. It is good once: used again, the whole session is ended. A client that lost
/// the answer and sent no Idempotency-Key has to sign in again.
#[utoipa::path(tag = "sessions", request_body = RefreshBody,
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes the request safe to repeat")),
    responses(
        (status = 201, body = SignedInBody),
        (status = 401, body = edge::schema::Problem, description = "invalid_credentials"),
        (status = 422, body = edge::schema::Problem, description = "missing_field, unknown_field")))]
#[post("/api/v1/sessions/refresh")]
pub(crate) async fn refresh(
    request: HttpRequest,
    Json(body): Json<RefreshBody>,
    users: web::Data<Users>,
) -> Result<Reply, Problem> {
    edge::command(&request, async move {
        let refresh = RefreshSession {
            refresh_token: body.refresh_token,
            next_refresh_token: new_refresh_token(rand::random()),
        };
        let signed_in = users.port.refresh_session(refresh).await.map_err(problem)?;
        Ok(Reply::json(StatusCode::CREATED, &SignedInBody::from(signed_in)))
    })
    .await
}

/// Signs out. The refresh token is dead at once, the access token within seconds.
#[utoipa::path(tag = "sessions",
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes the request safe to repeat")),
    responses(
        (status = 204),
        (status = 401, body = edge::schema::Problem, description = "unauthenticated")))]
#[delete("/api/v1/sessions/current")]
pub(crate) async fn end_current(
    request: HttpRequest,
    SignedIn(caller): SignedIn,
    users: web::Data<Users>,
) -> Result<Reply, Problem> {
    edge::command(&request, async move {
        let end = EndSession { session_id: SessionId(caller.session), user_id: UserId(caller.user) };
        users.port.end_session(end).await.map_err(problem)?;
        Ok(Reply::no_content())
    })
    .await
}

/// The caller's sessions, newest first.
#[utoipa::path(tag = "sessions",
    params(("limit" = Option<u16>, Query, description = "1 to 100, 20 unless told"),
        ("cursor" = Option<String>, Query, description = "where the page before stopped")),
    responses(
        (status = 200, body = SessionPage),
        (status = 401, body = edge::schema::Problem, description = "unauthenticated"),
        (status = 422, body = edge::schema::Problem, description = "invalid_cursor, invalid_value, unknown_field")))]
#[get("/api/v1/sessions")]
pub(crate) async fn list(
    SignedIn(caller): SignedIn,
    Paging(page): Paging,
    users: web::Data<Users>,
) -> Result<Reply, Problem> {
    let list = ListSessions { user_id: UserId(caller.user), page };
    let found = users.port.list_sessions(list).await.map_err(problem)?;
    Ok(Reply::ok(&Listing::from(found.map(|session| SessionBody::new(session, caller.session)))))
}

/// Signs out everywhere.
#[utoipa::path(tag = "sessions",
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes the request safe to repeat")),
    responses(
        (status = 204),
        (status = 401, body = edge::schema::Problem, description = "unauthenticated")))]
#[delete("/api/v1/sessions")]
pub(crate) async fn end_all(
    request: HttpRequest,
    SignedIn(caller): SignedIn,
    users: web::Data<Users>,
) -> Result<Reply, Problem> {
    edge::command(&request, async move {
        users.port.end_sessions(EndSessions { user_id: UserId(caller.user) }).await.map_err(problem)?;
        Ok(Reply::no_content())
    })
    .await
}
