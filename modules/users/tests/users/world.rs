//! A users module on a fresh database, with a clock to set.

use bus::{Sources, Timestamp};
use bus_durable::{Catalogue, Database, DatabaseSettings, OpenError};
use bus_testkit::{
    ManualClock, eventually,
    postgres::{DropGuard, fresh_postgres},
};
use kernel::{PageRequest, SessionId, UserId};
use std::{net::IpAddr, sync::Arc, time::Duration};
use users::{AdminSettings, FirstAdmin, Service, Settings, StartError, Started};
use users_ports::{
    CheckSession, CreateSession, ListSessions, RegisterUser, Secret, SignedIn, UpdateProfile, User,
    UsersError, UsersPort as _, new_refresh_token,
};
use uuid::Uuid;

pub(crate) const EMAIL: &str = "canary-7f3a@example.test";
pub(crate) const PASSWORD: &str = "Pw-CANARY-9c1e";
pub(crate) const ADMIN: &str = "admin@example.test";
pub(crate) const ADMIN_PASSWORD: &str = "Pw-CANARY-9c1e for the admin";

/// Runs each body on both databases.
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(crate::world::World::sqlite().await).await;
            })+
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            #[ignore = "needs PostgreSQL"]
            async fn $name() {
                super::$name(crate::world::World::postgres().await).await;
            })+
        }
    };
}

pub(crate) enum Store {
    Sqlite(tempfile::TempDir),
    Postgres {
        url: String,
        /// Drops the database at the end.
        _guard: DropGuard,
    },
}

impl Store {
    pub(crate) fn url(&self) -> String {
        match self {
            Self::Sqlite(directory) => format!("sqlite://{}", directory.path().join("users.db").display()),
            Self::Postgres { url, .. } => url.clone(),
        }
    }
}

pub(crate) struct World {
    pub(crate) service: Arc<Service>,
    pub(crate) database: Database,
    pub(crate) clock: ManualClock,
    pub(crate) first_admin: Option<FirstAdmin>,
    // Last: dropped after what uses it.
    pub(crate) store: Store,
}

pub(crate) fn settings() -> Settings {
    let admin = AdminSettings { email: Some(ADMIN.into()), password: Some(Secret::new(ADMIN_PASSWORD)) };
    Settings { admin, ..Settings::default() }
}

pub(crate) async fn open(store: &Store, clock: &ManualClock) -> Database {
    let catalogue = Arc::new(Catalogue::new(users_ports::EVENTS.iter().copied(), []).expect("a catalogue"));
    let mut opened = None;
    // The writer of the database that was closed ends a moment after it.
    eventually("the file is free", Duration::from_secs(30), async || {
        let settings = DatabaseSettings::new(users::NAME, store.url());
        let sources = Sources::with_clock(Arc::new(clock.clone()));
        match Database::open(settings, Arc::clone(&catalogue), sources).await {
            Err(OpenError::InUse { .. }) => false,
            answer => {
                opened = Some(answer.expect("opened"));
                true
            }
        }
    })
    .await;
    let database = opened.expect("waited for");
    database.migrate::<migrations::users::Migrator>().await.expect("migrated");
    database
}

pub(crate) fn id() -> Uuid {
    uuid::Builder::from_random_bytes(rand::random()).into_uuid()
}

pub(crate) fn token() -> Secret {
    new_refresh_token(rand::random())
}

impl World {
    pub(crate) async fn sqlite() -> Self {
        Self::start(Store::Sqlite(tempfile::tempdir().expect("a directory")), settings())
            .await
            .expect("started")
    }

    pub(crate) async fn postgres() -> Self {
        let (url, guard) = fresh_postgres("users").await;
        Self::start(Store::Postgres { url, _guard: guard }, settings()).await.expect("started")
    }

    pub(crate) async fn start(store: Store, settings: Settings) -> Result<Self, StartError> {
        let clock = ManualClock::default();
        let database = open(&store, &clock).await;
        let Started { service, first_admin } = Service::start(database.clone(), settings).await?;
        Ok(Self { service, database, clock, first_admin, store })
    }

    /// The same database, after the process has ended.
    pub(crate) async fn restart(self, settings: Settings) -> Result<Self, StartError> {
        let Self { service, database, clock, store, .. } = self;
        database.close().await;
        drop((service, database));
        let database = open(&store, &clock).await;
        let Started { service, first_admin } = Service::start(database.clone(), settings).await?;
        Ok(Self { service, database, clock, first_admin, store })
    }

    /// Another process on the same database; PostgreSQL only.
    pub(crate) async fn other_process(&self) -> Arc<Service> {
        let database = open(&self.store, &self.clock).await;
        Service::start(database, settings()).await.expect("started").service
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.database.sources().now()
    }

    pub(crate) async fn register(&self, email: &str) -> User {
        self.service.register(registration(email)).await.expect("registered")
    }

    pub(crate) async fn sign_in(&self, email: &str, password: &str) -> Result<SignedIn, UsersError> {
        self.service.create_session(login(email, password)).await
    }

    pub(crate) async fn is_active(&self, signed_in: &SignedIn) -> bool {
        let (session_id, user_id) = (signed_in.session_id, signed_in.user.id);
        self.service.check_session(CheckSession { session_id, user_id }).await.expect("an answer").active
    }

    pub(crate) async fn session_count(&self, user_id: UserId) -> usize {
        let page = PageRequest::default();
        self.service.list_sessions(ListSessions { user_id, page }).await.expect("a page").data.len()
    }
}

pub(crate) fn registration(email: &str) -> RegisterUser {
    RegisterUser {
        user_id: UserId(id()),
        email: email.into(),
        name: "Ada".into(),
        password: Secret::new(PASSWORD),
        client: None,
    }
}

pub(crate) fn login(email: &str, password: &str) -> CreateSession {
    CreateSession {
        session_id: SessionId(id()),
        email: email.into(),
        password: Secret::new(password),
        refresh_token: token(),
        client: None,
        device: None,
    }
}

pub(crate) fn from(client: [u8; 4], login: CreateSession) -> CreateSession {
    CreateSession { client: Some(IpAddr::from(client)), ..login }
}

pub(crate) fn new_password(user_id: UserId, current: &str, password: &str) -> UpdateProfile {
    UpdateProfile {
        user_id,
        change_id: id(),
        name: None,
        email: None,
        password: Some(Secret::new(password)),
        current_password: Some(Secret::new(current)),
        expected_version: None,
        client: None,
    }
}
