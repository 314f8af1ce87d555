//! Users: registration, oneself, and others for staff and admins.

use crate::{
    Users,
    body::{NewRoleBody, NewUserBody, ProfileBody, UserBody, UserPage},
    problem::problem,
};
use actix_web::{HttpRequest, delete, get, patch, post, web};
use edge::{Admin, ClientIp, IfMatch, Json, Listing, Paging, Path, Problem, Reply, SignedIn, Staff};
use kernel::UserId;
use users_ports::{ChangeRole, EraseUser, GetUser, ListUsers, RegisterUser, UpdateProfile, User};

fn tagged(user: User) -> Reply {
    let version = user.version;
    Reply::ok(&UserBody::from(user)).etag(version)
}

/// Registers a customer.
#[utoipa::path(tag = "users", request_body = NewUserBody,
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes the request safe to repeat")),
    responses(
        (status = 201, body = UserBody),
        (status = 409, body = edge::schema::Problem, description = "email_taken"),
        (status = 422, body = edge::schema::Problem,
            description = "invalid_value, password_too_common, missing_field, unknown_field"),
        (status = 429, body = edge::schema::Problem, description = "rate_limited, with Retry-After")))]
#[post("/api/v1/users")]
pub(crate) async fn register(
    request: HttpRequest,
    Json(new): Json<NewUserBody>,
    users: web::Data<Users>,
) -> Result<Reply, Problem> {
    let client = ClientIp::of(&request);
    edge::command(&request, async move {
        let NewUserBody { email, name, password } = new;
        let register = RegisterUser { user_id: users.sources.id(), email, name, password, client };
        let user = users.port.register(register).await.map_err(problem)?;
        let (location, version) = (format!("/api/v1/users/{}", user.id), user.version);
        Ok(Reply::created(location, &UserBody::from(user)).etag(version))
    })
    .await
}

/// The caller.
#[utoipa::path(tag = "users",
    responses(
        (status = 200, body = UserBody),
        (status = 401, body = edge::schema::Problem, description = "unauthenticated")))]
#[get("/api/v1/users/me")]
pub(crate) async fn me(SignedIn(caller): SignedIn, users: web::Data<Users>) -> Result<Reply, Problem> {
    let user = users.port.get_user(GetUser { user_id: UserId(caller.user) }).await.map_err(problem)?;
    Ok(tagged(user))
}

/// Changes the caller's own data. Another address or password needs the current password; another password
/// ends all sessions, this one included.
#[utoipa::path(tag = "users", request_body = ProfileBody,
    params(("If-Match" = Option<String>, Header, description = "the version that is to be changed"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes the request safe to repeat")),
    responses(
        (status = 200, body = UserBody),
        (status = 401, body = edge::schema::Problem, description = "unauthenticated"),
        (status = 403, body = edge::schema::Problem, description = "forbidden: the current password is missing or wrong"),
        (status = 409, body = edge::schema::Problem, description = "email_taken"),
        (status = 412, body = edge::schema::Problem, description = "version_mismatch"),
        (status = 422, body = edge::schema::Problem,
            description = "invalid_value, password_too_common, unknown_field"),
        (status = 429, body = edge::schema::Problem, description = "rate_limited, with Retry-After")))]
#[patch("/api/v1/users/me")]
pub(crate) async fn update(
    request: HttpRequest,
    SignedIn(caller): SignedIn,
    IfMatch(expected_version): IfMatch,
    Json(change): Json<ProfileBody>,
    users: web::Data<Users>,
) -> Result<Reply, Problem> {
    let client = ClientIp::of(&request);
    edge::command(&request, async move {
        let ProfileBody { name, email, password, current_password } = change;
        let update = UpdateProfile {
            user_id: UserId(caller.user),
            change_id: users.sources.id(),
            name,
            email,
            password,
            current_password,
            expected_version,
            client,
        };
        Ok(tagged(users.port.update_profile(update).await.map_err(problem)?))
    })
    .await
}

/// Deactivates the caller's account and erases the personal data.
#[utoipa::path(tag = "users",
    params(("If-Match" = Option<String>, Header, description = "the version that is to be erased"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes the request safe to repeat")),
    responses(
        (status = 204),
        (status = 401, body = edge::schema::Problem, description = "unauthenticated"),
        (status = 409, body = edge::schema::Problem, description = "last_admin"),
        (status = 412, body = edge::schema::Problem, description = "version_mismatch")))]
#[delete("/api/v1/users/me")]
pub(crate) async fn erase(
    request: HttpRequest,
    SignedIn(caller): SignedIn,
    IfMatch(expected_version): IfMatch,
    users: web::Data<Users>,
) -> Result<Reply, Problem> {
    edge::command(&request, async move {
        let erase = EraseUser { user_id: UserId(caller.user), expected_version };
        users.port.erase(erase).await.map_err(problem)?;
        Ok(Reply::no_content())
    })
    .await
}

/// The users, in the order of their registration. Staff.
#[utoipa::path(tag = "users",
    params(("limit" = Option<u16>, Query, description = "1 to 100, 20 unless told"),
        ("cursor" = Option<String>, Query, description = "where the page before stopped")),
    responses(
        (status = 200, body = UserPage),
        (status = 401, body = edge::schema::Problem, description = "unauthenticated"),
        (status = 403, body = edge::schema::Problem, description = "forbidden"),
        (status = 422, body = edge::schema::Problem, description = "invalid_cursor, invalid_value, unknown_field")))]
#[get("/api/v1/users")]
pub(crate) async fn list(
    _staff: Staff,
    Paging(page): Paging,
    users: web::Data<Users>,
) -> Result<Reply, Problem> {
    let found = users.port.list_users(ListUsers { page }).await.map_err(problem)?;
    Ok(Reply::ok(&Listing::from(found.map(UserBody::from))))
}

/// One user. Staff.
#[utoipa::path(tag = "users",
    params(("id" = uuid::Uuid, Path)),
    responses(
        (status = 200, body = UserBody),
        (status = 401, body = edge::schema::Problem, description = "unauthenticated"),
        (status = 403, body = edge::schema::Problem, description = "forbidden"),
        (status = 404, body = edge::schema::Problem, description = "not_found")))]
#[get("/api/v1/users/{id}")]
pub(crate) async fn get(
    _staff: Staff,
    Path(user_id): Path<UserId>,
    users: web::Data<Users>,
) -> Result<Reply, Problem> {
    Ok(tagged(users.port.get_user(GetUser { user_id }).await.map_err(problem)?))
}

/// Gives a user another role; it counts within seconds. Admin.
#[utoipa::path(tag = "users", request_body = NewRoleBody,
    params(("id" = uuid::Uuid, Path),
        ("If-Match" = Option<String>, Header, description = "the version that is to be changed"),
        ("Idempotency-Key" = Option<String>, Header, description = "Makes the request safe to repeat")),
    responses(
        (status = 200, body = UserBody),
        (status = 401, body = edge::schema::Problem, description = "unauthenticated"),
        (status = 403, body = edge::schema::Problem, description = "forbidden"),
        (status = 404, body = edge::schema::Problem, description = "not_found"),
        (status = 409, body = edge::schema::Problem, description = "last_admin"),
        (status = 412, body = edge::schema::Problem, description = "version_mismatch"),
        (status = 422, body = edge::schema::Problem, description = "invalid_value, missing_field, unknown_field")))]
#[patch("/api/v1/users/{id}")]
pub(crate) async fn change_role(
    request: HttpRequest,
    _admin: Admin,
    Path(user_id): Path<UserId>,
    IfMatch(expected_version): IfMatch,
    Json(change): Json<NewRoleBody>,
    users: web::Data<Users>,
) -> Result<Reply, Problem> {
    edge::command(&request, async move {
        let change =
            ChangeRole { user_id, change_id: users.sources.id(), role: change.role.into(), expected_version };
        Ok(tagged(users.port.change_role(change).await.map_err(problem)?))
    })
    .await
}
