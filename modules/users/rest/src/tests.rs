//! The routes against a port that a test holds.

use super::*;
use actix_web::{
    App, HttpMessage as _,
    http::{Method, header},
    test::{self, TestRequest},
};
use async_trait::async_trait;
use bus::{Caller, Direct, Policies, Role, Served, Timestamp};
use kernel::{Page, UserId};
use serde_json::{Value, json};
use std::sync::Mutex;
use users_ports::*;
use uuid::Uuid;

const ME: Uuid = Uuid::from_u128(9);
const SESSION: Uuid = Uuid::from_u128(8);
const AT: Timestamp = Timestamp::from_micros(1_767_225_600_000_000);

/// Knows one user; notes what it was asked.
#[derive(Default)]
struct One {
    asked: Mutex<Vec<String>>,
}

impl One {
    fn note(&self, request: &impl std::fmt::Debug) {
        self.asked.lock().expect("no panic").push(format!("{request:?}"));
    }
}

fn user() -> User {
    User {
        id: ME.into(),
        email: "ada@example.test".into(),
        name: "Ada".into(),
        role: Role::Customer,
        created_at: AT,
        version: 3,
    }
}

fn signed_in(refresh_token: Secret) -> SignedIn {
    let access_token = Secret::new("a.b.c");
    SignedIn { session_id: SESSION.into(), access_token, expires_in: 900, refresh_token, user: user() }
}

#[async_trait]
impl UsersPort for One {
    async fn register(&self, request: RegisterUser) -> Result<User, UsersError> {
        self.note(&request);
        match request.password.expose() {
            "taken" => Err(UsersError::EmailTaken),
            "common" => Err(UsersError::Invalid {
                fields: vec![InvalidField::Email, InvalidField::PasswordTooCommon],
            }),
            "flood" => Err(UsersError::RateLimited { retry_after: 17 }),
            _ => Ok(User { id: request.user_id, ..user() }),
        }
    }
    async fn create_session(&self, request: CreateSession) -> Result<SignedIn, UsersError> {
        self.note(&request);
        match request.password.expose() {
            "right" => Ok(signed_in(request.refresh_token)),
            _ => Err(UsersError::InvalidCredentials),
        }
    }
    async fn refresh_session(&self, request: RefreshSession) -> Result<SignedIn, UsersError> {
        match request.refresh_token.expose() {
            "good" => Ok(signed_in(request.next_refresh_token)),
            _ => Err(UsersError::InvalidCredentials),
        }
    }
    async fn end_session(&self, request: EndSession) -> Result<(), UsersError> {
        self.note(&request);
        Ok(())
    }
    async fn end_sessions(&self, request: EndSessions) -> Result<(), UsersError> {
        self.note(&request);
        Ok(())
    }
    async fn list_sessions(&self, _: ListSessions) -> Result<Page<Session>, UsersError> {
        let session = |id| Session { id, device: None, created_at: AT, refreshed_at: AT, expires_at: AT };
        let data = vec![session(SESSION.into()), session(ME.into())];
        Ok(Page { data, next_cursor: None })
    }
    async fn check_session(&self, _: CheckSession) -> Result<SessionState, UsersError> {
        Err(UsersError::NotFound)
    }
    async fn get_user(&self, request: GetUser) -> Result<User, UsersError> {
        if request.user_id.0 == ME { Ok(user()) } else { Err(UsersError::NotFound) }
    }
    async fn list_users(&self, _: ListUsers) -> Result<Page<User>, UsersError> {
        Err(UsersError::Invalid { fields: vec![InvalidField::Cursor] })
    }
    async fn update_profile(&self, request: UpdateProfile) -> Result<User, UsersError> {
        self.note(&request);
        match (request.expected_version, request.password) {
            (None | Some(3), None) => Ok(User { version: 4, ..user() }),
            (_, Some(_)) => Err(UsersError::WrongPassword),
            _ => Err(UsersError::VersionMismatch { current: 3 }),
        }
    }
    async fn erase(&self, request: EraseUser) -> Result<(), UsersError> {
        self.note(&request);
        Ok(())
    }
    async fn change_role(&self, request: ChangeRole) -> Result<User, UsersError> {
        match request.role {
            Role::Staff => Ok(User { role: Role::Staff, ..user() }),
            _ => Err(UsersError::LastAdmin),
        }
    }
    async fn signing_keys(&self, _: SigningKeys) -> Result<Jwks, UsersError> {
        let [kty, crv, alg, purpose] = ["OKP", "Ed25519", "EdDSA", "sig"].map(str::to_owned);
        Ok(Jwks { keys: vec![Jwk { kty, crv, x: "x".into(), kid: "k".into(), alg, purpose }] })
    }
}

struct Answer {
    status: u16,
    body: Value,
    headers: header::HeaderMap,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }
}

async fn ask(port: &Arc<One>, role: Option<Role>, request: TestRequest) -> Answer {
    let bus = Bus::new(Policies::default());
    let port = Arc::clone(port) as Arc<dyn UsersPort>;
    bus.serve(Served::new(port, Arc::new(Direct), &Policies::default()));
    let app = test::init_service(App::new().configure(routes(&bus, &Sources::system()))).await;
    let request = request.peer_addr("192.0.2.7:1".parse().expect("an address")).to_request();
    if let Some(role) = role {
        request.extensions_mut().insert(Caller { user: ME, role, session: SESSION });
    }
    let response = test::call_service(&app, request).await;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let body = serde_json::from_slice(&test::read_body(response).await).unwrap_or(Value::Null);
    Answer { status, body, headers }
}

fn at(method: Method, path: &str) -> TestRequest {
    TestRequest::with_uri(path).method(method)
}

fn new_user(password: &str) -> Value {
    json!({"email": "ada@example.test", "name": "Ada", "password": password})
}

const CUSTOMER: Option<Role> = Some(Role::Customer);
const STAFF: Option<Role> = Some(Role::Staff);
const ADMIN: Option<Role> = Some(Role::Admin);

#[actix_web::test]
async fn a_registration_has_the_contracts_answers() {
    let one = Arc::new(One::default());
    let post = |body: Value| ask(&one, None, at(Method::POST, "/api/v1/users").set_json(body));
    let made = post(new_user("a good one")).await;
    let id = made.body["id"].as_str().expect("an id").to_owned();
    assert_eq!(made.status, 201);
    assert_eq!(
        made.body,
        json!({"id": id, "email": "ada@example.test", "name": "Ada", "role": "customer",
               "created_at": "2026-01-01T00:00:00Z", "version": 3})
    );
    assert_eq!(made.header("location"), Some(format!("/api/v1/users/{id}").as_str()));
    assert_eq!(made.header("etag"), Some("\"3\""));
    let asked = one.asked.lock().expect("no panic")[0].clone();
    assert!(asked.contains("client: Some(192.0.2.7)") && asked.contains("***"), "{asked}");

    let taken = post(new_user("taken")).await;
    assert_eq!((taken.status, taken.code()), (409, "email_taken"));
    let flood = post(new_user("flood")).await;
    assert_eq!((flood.status, flood.code(), flood.header("retry-after")), (429, "rate_limited", Some("17")));
    let common = post(new_user("common")).await;
    assert_eq!(common.status, 422);
    let errors: Vec<_> = common.body["errors"].as_array().expect("errors").iter().collect();
    assert_eq!((&errors[0]["pointer"], &errors[0]["code"]), (&json!("/email"), &json!("invalid_value")));
    assert_eq!(
        (&errors[1]["pointer"], &errors[1]["code"]),
        (&json!("/password"), &json!("password_too_common"))
    );
    assert!(!common.body.to_string().contains("common\",\"email"), "the password is not told back");
}

/// Section 5.1, API3: nobody gives himself what is not his to give.
#[actix_web::test]
async fn unknown_fields_are_refused() {
    let one = Arc::new(One::default());
    for (method, path, body, pointer) in [
        (Method::PATCH, "/api/v1/users/me", json!({"role": "admin"}), "/role"),
        (Method::PATCH, "/api/v1/users/me", json!({"email_verified": true}), "/email_verified"),
        (Method::POST, "/api/v1/users", json!({"email": "a@b.test", "role": "admin"}), "/role"),
        (Method::POST, "/api/v1/sessions", json!({"email": "a@b.test", "admin": true}), "/admin"),
    ] {
        let answer = ask(&one, CUSTOMER, at(method, path).set_json(body)).await;
        assert_eq!((answer.status, answer.code()), (422, "unknown_field"), "{path}");
        assert_eq!(answer.body["errors"][0]["pointer"], pointer);
    }
    assert!(one.asked.lock().expect("no panic").is_empty());
}

#[actix_web::test]
async fn a_session_has_the_contracts_answers() {
    let one = Arc::new(One::default());
    let post = |path: &'static str, body: Value| {
        let request = at(Method::POST, path).insert_header(("user-agent", "curl/8"));
        ask(&one, None, request.set_json(body))
    };
    let login = |password: &str| json!({"email": "ada@example.test", "password": password});
    let refresh = |token: &str| json!({"refresh_token": token});
    for (path, body) in [("/api/v1/sessions", login("right")), ("/api/v1/sessions/refresh", refresh("good"))]
    {
        let made = post(path, body).await;
        assert_eq!(made.status, 201, "{path}");
        let token = made.body["refresh_token"].as_str().expect("a token");
        assert!(token.starts_with("crt_") && token.len() == 68, "{token}");
        let fields: Vec<_> = made.body.as_object().expect("an object").keys().map(String::as_str).collect();
        assert_eq!(fields, ["access_token", "expires_in", "refresh_token", "token_type", "user"]);
        assert_eq!((&made.body["token_type"], &made.body["expires_in"]), (&json!("Bearer"), &json!(900)));
        assert_eq!(made.body["user"]["id"], json!(ME));
    }
    let asked = one.asked.lock().expect("no panic")[0].clone();
    assert!(asked.contains("device: Some(\"curl/8\")") && !asked.contains("right"), "{asked}");
    for (path, body) in [("/api/v1/sessions", login("wrong")), ("/api/v1/sessions/refresh", refresh("dead"))]
    {
        let refused = post(path, body).await;
        assert_eq!((refused.status, refused.code()), (401, "invalid_credentials"), "{path}");
        assert!(refused.header("www-authenticate").is_some());
    }
    let listed = ask(&one, CUSTOMER, at(Method::GET, "/api/v1/sessions")).await;
    assert_eq!(listed.status, 200);
    let current: Vec<_> =
        listed.body["data"].as_array().expect("rows").iter().map(|row| row["current"].clone()).collect();
    assert_eq!(current, [json!(true), json!(false)]);
    assert_eq!(listed.body["next_cursor"], Value::Null);
    for path in ["/api/v1/sessions/current", "/api/v1/sessions"] {
        let ended = ask(&one, CUSTOMER, at(Method::DELETE, path)).await;
        assert_eq!((ended.status, ended.body), (204, Value::Null), "{path}");
    }
}

#[actix_web::test]
async fn oneself_is_read_changed_and_erased() {
    let one = Arc::new(One::default());
    let me = ask(&one, CUSTOMER, at(Method::GET, "/api/v1/users/me")).await;
    assert_eq!((me.status, me.header("etag"), &me.body["id"]), (200, Some("\"3\""), &json!(ME)));
    for (tag, status) in [("\"3\"", 200), ("\"2\"", 412)] {
        let change = at(Method::PATCH, "/api/v1/users/me").insert_header(("if-match", tag));
        let answer = ask(&one, CUSTOMER, change.set_json(json!({"name": "Ada L."}))).await;
        assert_eq!(answer.status, status, "{tag}");
    }
    let change =
        at(Method::PATCH, "/api/v1/users/me").set_json(json!({"password": "quite another password"}));
    let refused = ask(&one, CUSTOMER, change).await;
    assert_eq!((refused.status, refused.code()), (403, "forbidden"));
    assert_eq!(ask(&one, CUSTOMER, at(Method::DELETE, "/api/v1/users/me")).await.status, 204);
}

/// Section 5.1, API5: the matrix of roles.
#[actix_web::test]
async fn what_is_staffs_or_admins_is_nobody_elses() {
    let one = Arc::new(One::default());
    let of_user = format!("/api/v1/users/{ME}");
    let role = json!({"role": "staff"});
    for (method, path, statuses) in [
        (Method::GET, "/api/v1/users/me", [401, 200, 200, 200]),
        (Method::DELETE, "/api/v1/users/me", [401, 204, 204, 204]),
        (Method::GET, "/api/v1/sessions", [401, 200, 200, 200]),
        (Method::DELETE, "/api/v1/sessions", [401, 204, 204, 204]),
        (Method::DELETE, "/api/v1/sessions/current", [401, 204, 204, 204]),
        (Method::GET, "/api/v1/users", [401, 403, 422, 422]),
        (Method::GET, of_user.as_str(), [401, 403, 200, 200]),
        (Method::PATCH, of_user.as_str(), [401, 403, 403, 200]),
    ] {
        for (caller, status) in [None, CUSTOMER, STAFF, ADMIN].into_iter().zip(statuses) {
            let mut request = at(method.clone(), path);
            if method == Method::PATCH {
                request = request.set_json(&role);
            }
            let answer = ask(&one, caller, request).await;
            assert_eq!(answer.status, status, "{method} {path} {caller:?}");
        }
    }
    let unknown = format!("/api/v1/users/{}", UserId(SESSION));
    assert_eq!(ask(&one, STAFF, at(Method::GET, &unknown)).await.status, 404);
    assert_eq!(ask(&one, STAFF, at(Method::GET, "/api/v1/users")).await.code(), "invalid_cursor");
    let last = at(Method::PATCH, &of_user).set_json(json!({"role": "customer"}));
    let last = ask(&one, ADMIN, last).await;
    assert_eq!((last.status, last.code()), (409, "last_admin"));
    let bad = at(Method::PATCH, &of_user).set_json(json!({"role": "root"}));
    assert_eq!(ask(&one, ADMIN, bad).await.status, 422);
}

#[actix_web::test]
async fn the_keys_are_public() {
    let keys = ask(&Arc::default(), None, at(Method::GET, "/.well-known/jwks.json")).await;
    let key = json!({"kty": "OKP", "crv": "Ed25519", "x": "x", "kid": "k", "alg": "EdDSA", "use": "sig"});
    assert_eq!((keys.status, keys.body), (200, json!({"keys": [key]})));
}

#[actix_web::test]
async fn every_route_is_described() {
    let document = serde_json::to_value(openapi()).expect("serialises");
    let paths = document["paths"].as_object().expect("paths");
    let described: usize = paths.values().filter_map(Value::as_object).map(serde_json::Map::len).sum();
    assert_eq!((paths.len(), described), (7, 13), "{paths:?}");
}
