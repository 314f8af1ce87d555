//! The contract suite: what every implementation and every placement of the port answers.
//!
//! It is run directly, over the actor, and over the loopback with every request sent twice.

use crate::{
    ChangeRole, CheckSession, CreateSession, EndSession, EndSessions, EraseUser, GetUser, InvalidField,
    ListSessions, ListUsers, RefreshSession, RegisterUser, Secret, SignedIn, SigningKeys, UpdateProfile,
    User, UsersError, UsersPort, new_refresh_token,
};
use bus::Role;
use kernel::{Cursor, PageLimit, PageRequest, SessionId, UserId};
use std::{
    net::{IpAddr, Ipv4Addr},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use uuid::Uuid;

/// The only admin of an otherwise fresh module.
#[derive(Debug, Clone)]
pub struct ContractAdmin {
    /// The address.
    pub email: String,
    /// The password.
    pub password: Secret,
}

const PASSWORD: &str = "Pw-CANARY-9c1e of the contract";
const OTHER: &str = "another Pw-CANARY-9c1e entirely";

/// Runs the suite.
///
/// # Panics
/// Where an answer is not the contract's.
pub async fn contract(port: Arc<dyn UsersPort>, admin: ContractAdmin) {
    let suite = Suite { port, made: AtomicU64::new(0) };
    let customer = registration(&suite).await;
    sessions(&suite, &customer).await;
    refusals_at_login(&suite).await;
    profile(&suite, &customer).await;
    roles(&suite, &customer, &admin).await;
    keys(&suite).await;
    erasure(&suite, &customer).await;
}

struct Suite {
    port: Arc<dyn UsersPort>,
    made: AtomicU64,
}

impl Suite {
    /// Ids that one run makes once; enough for a fresh module.
    fn id(&self) -> Uuid {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        Uuid::from_u128(0x0198_0000_0000_7000_8000_0000_0000_0000 + u128::from(number))
    }

    fn token(&self) -> Secret {
        let mut random = [0x5a; 32];
        random[..16].copy_from_slice(self.id().as_bytes());
        new_refresh_token(random)
    }

    fn registration(&self, email: &str) -> RegisterUser {
        RegisterUser {
            user_id: UserId(self.id()),
            email: email.into(),
            name: "Ada".into(),
            password: Secret::new(PASSWORD),
            client: None,
        }
    }

    fn login(&self, email: &str, password: &str) -> CreateSession {
        CreateSession {
            session_id: SessionId(self.id()),
            email: email.into(),
            password: Secret::new(password),
            refresh_token: self.token(),
            client: None,
            device: Some("contract".into()),
        }
    }

    fn change(&self, user_id: UserId) -> UpdateProfile {
        UpdateProfile {
            user_id,
            change_id: self.id(),
            name: None,
            email: None,
            password: None,
            current_password: None,
            expected_version: None,
            client: None,
        }
    }

    async fn active(&self, session_id: SessionId, user_id: UserId) -> bool {
        self.port.check_session(CheckSession { session_id, user_id }).await.expect("an answer").active
    }

    async fn sign_in(&self, email: &str, password: &str) -> SignedIn {
        self.port.create_session(self.login(email, password)).await.expect("signed in")
    }
}

fn page(limit: u16, cursor: Option<Cursor>) -> PageRequest {
    PageRequest { limit: PageLimit::try_from(limit).expect("in range"), cursor }
}

async fn registration(suite: &Suite) -> User {
    let request = suite.registration("  Canary-7f3a@Example.TEST ");
    let user = suite.port.register(request.clone()).await.expect("registered");
    assert_eq!((user.id, user.role), (request.user_id, Role::Customer));
    assert_eq!(user.email, "canary-7f3a@example.test", "normalised");
    let again = suite.port.register(request).await.expect("the same request is the same registration");
    assert_eq!(again, user);
    let taken = suite.port.register(suite.registration("CANARY-7f3a@example.test")).await;
    assert_eq!(taken, Err(UsersError::EmailTaken));
    for (change, field) in [
        (("no address", "Ada", PASSWORD), InvalidField::Email),
        (("a@b.test", "", PASSWORD), InvalidField::Name),
        (("a@b.test", "Ada", "eleven char"), InvalidField::PasswordLength),
        (("a@b.test", "Ada", "password1234"), InvalidField::PasswordTooCommon),
    ] {
        let (email, name, password) = change;
        let bad =
            RegisterUser { name: name.into(), password: Secret::new(password), ..suite.registration(email) };
        assert_eq!(suite.port.register(bad).await, Err(UsersError::Invalid { fields: vec![field] }));
    }
    let known = suite.port.get_user(GetUser { user_id: user.id }).await;
    assert_eq!(known.as_ref(), Ok(&user));
    let nobody = suite.port.get_user(GetUser { user_id: UserId(suite.id()) }).await;
    assert_eq!(nobody, Err(UsersError::NotFound));
    user
}

async fn sessions(suite: &Suite, user: &User) {
    let login = suite.login(&user.email.to_uppercase(), PASSWORD);
    let first = suite.port.create_session(login.clone()).await.expect("signed in");
    assert_eq!((first.session_id, &first.user), (login.session_id, user));
    assert_eq!(first.refresh_token.expose(), login.refresh_token.expose());
    let same = suite.port.create_session(login).await.expect("the same session");
    assert_eq!(same.access_token.expose(), first.access_token.expose());
    assert!(suite.active(first.session_id, user.id).await);
    assert!(!suite.active(first.session_id, UserId(suite.id())).await, "another's session");

    let exchange =
        RefreshSession { refresh_token: first.refresh_token.clone(), next_refresh_token: suite.token() };
    let second = suite.port.refresh_session(exchange.clone()).await.expect("refreshed");
    assert_eq!(second.session_id, first.session_id);
    let same = suite.port.refresh_session(exchange).await.expect("the same exchange");
    assert_eq!(same.access_token.expose(), second.access_token.expose());
    let stolen = RefreshSession { refresh_token: first.refresh_token, next_refresh_token: suite.token() };
    let refused = suite.port.refresh_session(stolen).await.map(|_| ());
    assert_eq!(refused, Err(UsersError::InvalidCredentials));
    assert!(!suite.active(first.session_id, user.id).await, "a dead token ends its family");
    let dead = RefreshSession { refresh_token: second.refresh_token, next_refresh_token: suite.token() };
    let refused = suite.port.refresh_session(dead).await.map(|_| ());
    assert_eq!(refused, Err(UsersError::InvalidCredentials));

    let (a, b) = (suite.sign_in(&user.email, PASSWORD).await, suite.sign_in(&user.email, PASSWORD).await);
    let one = suite.port.list_sessions(ListSessions { user_id: user.id, page: page(1, None) }).await;
    let one = one.expect("a page");
    assert_eq!(one.data.len(), 1);
    let next = page(1, one.next_cursor);
    let rest = suite.port.list_sessions(ListSessions { user_id: user.id, page: next }).await.expect("a page");
    assert_eq!((rest.data.len(), rest.next_cursor), (1, None));
    let (a, b) = (a.session_id, b.session_id);
    let end = |user_id| suite.port.end_session(EndSession { session_id: a, user_id });
    end(UserId(suite.id())).await.expect("nothing to end");
    assert!(suite.active(a, user.id).await, "another's session is not touched");
    end(user.id).await.expect("ended");
    end(user.id).await.expect("already ended");
    assert!(!suite.active(a, user.id).await && suite.active(b, user.id).await);
    suite.port.end_sessions(EndSessions { user_id: user.id }).await.expect("ended");
    assert!(!suite.active(b, user.id).await);
}

async fn refusals_at_login(suite: &Suite) {
    let nobody = suite.port.create_session(suite.login("nobody@example.test", PASSWORD)).await;
    assert_eq!(nobody.map(|_| ()), Err(UsersError::InvalidCredentials));
    let client = Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 77)));
    let email = "throttled@example.test";
    let throttled = suite.port.register(suite.registration(email)).await.expect("registered");
    let mut refused = 0;
    let retry_after = loop {
        let wrong = CreateSession { client, ..suite.login(email, OTHER) };
        match suite.port.create_session(wrong).await.map(|_| ()) {
            Err(UsersError::InvalidCredentials) if refused < 10 => refused += 1,
            Err(UsersError::RateLimited { retry_after }) => break retry_after,
            other => panic!("after {refused} wrong passwords: {other:?}"),
        }
    };
    assert!((1..=60).contains(&retry_after), "{retry_after}");
    let elsewhere = CreateSession { client: None, ..suite.login(email, PASSWORD) };
    let signed_in = suite.port.create_session(elsewhere).await.expect("nobody can lock somebody else out");
    assert_eq!(signed_in.user.id, throttled.id);
}

async fn profile(suite: &Suite, user: &User) {
    let session = suite.sign_in(&user.email, PASSWORD).await.session_id;
    let rename = UpdateProfile {
        name: Some("Ada L.".into()),
        expected_version: Some(user.version),
        ..suite.change(user.id)
    };
    let renamed = suite.port.update_profile(rename.clone()).await.expect("renamed");
    assert_eq!((renamed.name.as_str(), renamed.version), ("Ada L.", user.version + 1));
    assert_eq!(suite.port.update_profile(rename.clone()).await, Ok(renamed.clone()), "the same change");
    let stale = UpdateProfile { change_id: suite.id(), ..rename };
    let refused = suite.port.update_profile(stale).await;
    assert_eq!(refused, Err(UsersError::VersionMismatch { current: renamed.version }));

    for current_password in [None, Some(Secret::new(OTHER))] {
        let change =
            UpdateProfile { password: Some(Secret::new(OTHER)), current_password, ..suite.change(user.id) };
        assert_eq!(suite.port.update_profile(change).await, Err(UsersError::WrongPassword));
    }
    let current_password = Some(Secret::new(PASSWORD));
    let taken = UpdateProfile {
        email: Some("throttled@example.test".into()),
        current_password: current_password.clone(),
        ..suite.change(user.id)
    };
    assert_eq!(suite.port.update_profile(taken).await, Err(UsersError::EmailTaken));
    assert!(suite.active(session, user.id).await);
    let change =
        UpdateProfile { password: Some(Secret::new(OTHER)), current_password, ..suite.change(user.id) };
    suite.port.update_profile(change).await.expect("changed");
    assert!(!suite.active(session, user.id).await, "F24: another password ends all sessions");
    let old = suite.port.create_session(suite.login(&user.email, PASSWORD)).await;
    assert_eq!(old.map(|_| ()), Err(UsersError::InvalidCredentials));
    suite.sign_in(&user.email, OTHER).await;
    let nobody = UpdateProfile { name: Some("X".into()), ..suite.change(UserId(suite.id())) };
    assert_eq!(suite.port.update_profile(nobody).await, Err(UsersError::NotFound));
}

async fn roles(suite: &Suite, user: &User, admin: &ContractAdmin) {
    let admin = suite.sign_in(&admin.email, admin.password.expose()).await.user;
    assert_eq!(admin.role, Role::Admin);
    let change = |user_id, role| ChangeRole { user_id, change_id: suite.id(), role, expected_version: None };
    let demoted = suite.port.change_role(change(admin.id, Role::Staff)).await;
    assert_eq!(demoted, Err(UsersError::LastAdmin));
    let erased = suite.port.erase(EraseUser { user_id: admin.id, expected_version: None }).await;
    assert_eq!(erased, Err(UsersError::LastAdmin));
    let session = suite.sign_in(&user.email, OTHER).await.session_id;
    let promoted = suite.port.change_role(change(user.id, Role::Admin)).await.expect("promoted");
    assert_eq!(promoted.role, Role::Admin);
    let check = CheckSession { session_id: session, user_id: user.id };
    assert_eq!(suite.port.check_session(check).await.expect("an answer").role, Role::Admin);
    let stale = ChangeRole { expected_version: Some(0), ..change(user.id, Role::Staff) };
    let refused = suite.port.change_role(stale).await;
    assert_eq!(refused, Err(UsersError::VersionMismatch { current: promoted.version }));
    suite.port.change_role(change(user.id, Role::Customer)).await.expect("there is another admin");
    let nobody = suite.port.change_role(change(UserId(suite.id()), Role::Staff)).await;
    assert_eq!(nobody, Err(UsersError::NotFound));

    let mut seen = Vec::new();
    let mut cursor = None;
    loop {
        let found = suite.port.list_users(ListUsers { page: page(1, cursor) }).await.expect("a page");
        seen.extend(found.data.into_iter().map(|user| user.id));
        cursor = found.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen.len(), 3, "the admin and two customers, each once: {seen:?}");
    let foreign = ListUsers { page: page(1, Some(Cursor::from_client("%".into()))) };
    let refused = suite.port.list_users(foreign).await;
    assert_eq!(refused, Err(UsersError::Invalid { fields: vec![InvalidField::Cursor] }));
}

async fn keys(suite: &Suite) {
    let keys = suite.port.signing_keys(SigningKeys {}).await.expect("keys").keys;
    assert!(!keys.is_empty());
    for key in keys {
        assert_eq!((key.kty.as_str(), key.crv.as_str(), key.alg.as_str()), ("OKP", "Ed25519", "EdDSA"));
        assert_eq!((key.x.len(), key.kid.len(), key.purpose.as_str()), (43, 43, "sig"));
    }
}

async fn erasure(suite: &Suite, user: &User) {
    let session = suite.sign_in(&user.email, OTHER).await.session_id;
    let stale = EraseUser { user_id: user.id, expected_version: Some(0) };
    assert!(matches!(suite.port.erase(stale).await, Err(UsersError::VersionMismatch { .. })));
    suite.port.erase(EraseUser { user_id: user.id, expected_version: None }).await.expect("erased");
    assert!(!suite.active(session, user.id).await);
    let gone = suite.port.get_user(GetUser { user_id: user.id }).await;
    assert_eq!(gone, Err(UsersError::NotFound));
    let login = suite.port.create_session(suite.login(&user.email, OTHER)).await;
    assert_eq!(login.map(|_| ()), Err(UsersError::InvalidCredentials));
    let again =
        suite.port.register(suite.registration(&user.email)).await.expect("the address is free again");
    assert_ne!(again.id, user.id);
}
