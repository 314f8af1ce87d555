//! The service: what it is made of, how it starts, and the port's methods.

use crate::{
    FirstAdmin, Rotation, Settings,
    accounts::by_id,
    entities::account,
    first_admin,
    keys::{Keys, RELOAD},
    passwords::Passwords,
    throttle::Throttle,
    tokens::Issuer,
};
use async_trait::async_trait;
use bus::{BusError, Timestamp};
use bus_durable::{Batched, Database, Subscribers};
use kernel::{Page, UserId};
use std::{sync::Arc, time::Duration};
use tokio::{sync::watch, task::JoinHandle};
use users_ports::{
    ChangeRole, CheckSession, CreateSession, EndSession, EndSessions, EraseUser, GetUser, Jwks, ListSessions,
    ListUsers, RefreshSession, RegisterUser, Session, SessionState, SignedIn, SigningKeys, UpdateProfile,
    User, UsersError, UsersPort,
};

/// How often sessions that ended long ago are looked for.
const FORGET_EVERY: Duration = Duration::from_secs(3600);

/// The users module.
pub struct Service {
    pub(crate) database: Database,
    pub(crate) settings: Settings,
    pub(crate) passwords: Passwords,
    pub(crate) throttle: Throttle,
    pub(crate) keys: Keys,
    pub(crate) issuer: Issuer,
    pub(crate) accounts: Batched<UserId, account::Model>,
}

/// The running module, and what its start has to tell a person.
pub struct Started {
    /// The module.
    pub service: Arc<Service>,
    /// The admin that was made, on an empty database.
    pub first_admin: Option<FirstAdmin>,
}

/// Why the module does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A setting makes no sense.
    #[error("{0}")]
    Settings(&'static str),
    /// The first admin cannot be made as the settings say.
    #[error("admin.email or admin.password cannot be taken")]
    Admin(#[source] UsersError),
    /// The database or the signing key failed.
    #[error(transparent)]
    Bus(#[from] BusError),
}

impl Service {
    /// Starts the module on its migrated database: makes the signing key and the first admin where there are none.
    ///
    /// # Errors
    /// [`StartError`] where a setting makes no sense or the database fails.
    pub async fn start(database: Database, settings: Settings) -> Result<Started, StartError> {
        settings.check().map_err(StartError::Settings)?;
        let passwords =
            Passwords::new(settings.hash_memory_kib, settings.hash_passes, settings.hash_concurrency)
                .map_err(|_| {
                    StartError::Settings("users.hash_memory_kib and users.hash_passes do not serve")
                })?;
        let keys = Keys::start(database.clone(), settings.key_rotation, settings.access_token_ttl).await?;
        let first_admin = first_admin::ensure(&database, &passwords, &settings.admin).await?;
        let throttle = Throttle::new(settings.wrong_passwords_per_minute, settings.registrations_per_minute);
        let issuer = Issuer {
            name: settings.issuer.clone(),
            audience: settings.audience.clone(),
            ttl: settings.access_token_ttl,
        };
        let accounts = by_id(database.reader().clone());
        let service = Arc::new(Self { database, settings, passwords, throttle, keys, issuer, accounts });
        Ok(Started { service, first_admin })
    }

    /// What handles the module's subscriptions: it has none.
    #[must_use]
    pub fn subscribers(self: &Arc<Self>) -> Subscribers {
        Subscribers::default()
    }

    /// Starts what time makes due: new signing keys, and the end of what ended long ago.
    #[must_use]
    pub fn workers(self: &Arc<Self>, stop: watch::Receiver<bool>) -> Vec<JoinHandle<()>> {
        let (keys, sessions) = (Arc::clone(self), Arc::clone(self));
        let stop_sessions = stop.clone();
        vec![
            bus::spawn(every(RELOAD, stop, async move || keys.keys.sweep().await)),
            bus::spawn(every(FORGET_EVERY, stop_sessions, async move || sessions.forget_sessions().await)),
        ]
    }

    /// Does at once what the workers do in time.
    ///
    /// # Errors
    /// [`BusError`] where the database fails.
    pub async fn sweep(&self) -> Result<(), BusError> {
        self.keys.sweep().await?;
        self.forget_sessions().await
    }

    /// Lets a new key sign access tokens.
    ///
    /// # Errors
    /// [`BusError`] where the database fails.
    pub async fn rotate_keys(&self, rotation: Rotation) -> Result<(), BusError> {
        self.keys.rotate(rotation).await
    }

    /// How many passwords were checked since the start, those for unknown addresses included.
    #[must_use]
    pub fn password_checks(&self) -> u64 {
        self.passwords.checked()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.database.sources().now()
    }
}

async fn every(
    pause: Duration,
    mut stop: watch::Receiver<bool>,
    work: impl AsyncFn() -> Result<(), BusError> + Send,
) {
    while !*stop.borrow() {
        if work().await.is_err() {
            // Logged where it happened.
            metrics::counter!("users_sweep_failures_total").increment(1);
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            stopped = stop.wait_for(|stop| *stop) => {
                if stopped.is_err() {
                    return;
                }
            }
        }
    }
}

#[async_trait]
impl UsersPort for Service {
    async fn register(&self, request: RegisterUser) -> Result<User, UsersError> {
        self.sign_up(request).await
    }

    async fn create_session(&self, request: CreateSession) -> Result<SignedIn, UsersError> {
        self.sign_in(request).await
    }

    async fn refresh_session(&self, request: RefreshSession) -> Result<SignedIn, UsersError> {
        self.refresh(request).await
    }

    async fn end_session(&self, request: EndSession) -> Result<(), UsersError> {
        self.end(request).await
    }

    async fn end_sessions(&self, request: EndSessions) -> Result<(), UsersError> {
        self.end_all(request).await
    }

    async fn list_sessions(&self, request: ListSessions) -> Result<Page<Session>, UsersError> {
        self.list(request).await
    }

    async fn check_session(&self, request: CheckSession) -> Result<SessionState, UsersError> {
        self.check(request).await
    }

    async fn get_user(&self, request: GetUser) -> Result<User, UsersError> {
        self.one(request).await
    }

    async fn list_users(&self, request: ListUsers) -> Result<Page<User>, UsersError> {
        self.all(request).await
    }

    async fn update_profile(&self, request: UpdateProfile) -> Result<User, UsersError> {
        self.change(request).await
    }

    async fn erase(&self, request: EraseUser) -> Result<(), UsersError> {
        self.deactivate(request).await
    }

    async fn change_role(&self, request: ChangeRole) -> Result<User, UsersError> {
        self.give_role(request).await
    }

    async fn signing_keys(&self, _: SigningKeys) -> Result<Jwks, UsersError> {
        Ok(self.keys.published().await?)
    }
}
