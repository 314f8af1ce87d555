//! A users module that a test holds.

use async_trait::async_trait;
use bus::{BusError, Role};
use kernel::Page;
use std::sync::{
    Mutex,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};
use users_ports::*;

pub(crate) struct FakeUsers {
    pub(crate) keys: Mutex<Jwks>,
    pub(crate) state: Mutex<SessionState>,
    pub(crate) down: AtomicBool,
    pub(crate) keys_asked: AtomicUsize,
    pub(crate) sessions_asked: AtomicUsize,
}

impl FakeUsers {
    pub(crate) fn with(keys: Vec<Jwk>) -> Self {
        Self {
            keys: Mutex::new(Jwks { keys }),
            state: Mutex::new(SessionState { active: true, role: Role::Customer }),
            down: AtomicBool::new(false),
            keys_asked: AtomicUsize::new(0),
            sessions_asked: AtomicUsize::new(0),
        }
    }

    fn answer<T>(&self, answer: T) -> Result<T, UsersError> {
        if self.down.load(Ordering::SeqCst) { not_here() } else { Ok(answer) }
    }
}

fn not_here<T>() -> Result<T, UsersError> {
    Err(BusError::Unavailable { port: "users".into() }.into())
}

#[async_trait]
impl UsersPort for FakeUsers {
    async fn check_session(&self, _: CheckSession) -> Result<SessionState, UsersError> {
        self.sessions_asked.fetch_add(1, Ordering::SeqCst);
        self.answer(*self.state.lock().expect("no panic"))
    }
    async fn signing_keys(&self, _: SigningKeys) -> Result<Jwks, UsersError> {
        self.keys_asked.fetch_add(1, Ordering::SeqCst);
        self.answer(self.keys.lock().expect("no panic").clone())
    }
    async fn register(&self, _: RegisterUser) -> Result<User, UsersError> {
        not_here()
    }
    async fn create_session(&self, _: CreateSession) -> Result<SignedIn, UsersError> {
        not_here()
    }
    async fn refresh_session(&self, _: RefreshSession) -> Result<SignedIn, UsersError> {
        not_here()
    }
    async fn end_session(&self, _: EndSession) -> Result<(), UsersError> {
        not_here()
    }
    async fn end_sessions(&self, _: EndSessions) -> Result<(), UsersError> {
        not_here()
    }
    async fn list_sessions(&self, _: ListSessions) -> Result<Page<Session>, UsersError> {
        not_here()
    }
    async fn get_user(&self, _: GetUser) -> Result<User, UsersError> {
        not_here()
    }
    async fn list_users(&self, _: ListUsers) -> Result<Page<User>, UsersError> {
        not_here()
    }
    async fn update_profile(&self, _: UpdateProfile) -> Result<User, UsersError> {
        not_here()
    }
    async fn erase(&self, _: EraseUser) -> Result<(), UsersError> {
        not_here()
    }
    async fn change_role(&self, _: ChangeRole) -> Result<User, UsersError> {
        not_here()
    }
}
