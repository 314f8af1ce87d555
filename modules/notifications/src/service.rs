//! The service: what the subscribers, the sender and the port share.

use crate::{
    journal::Journal,
    post::{Post, PostError},
    sender,
    settings::Settings,
    subscriptions,
    templates::Templates,
};
use bus::Context;
use bus_durable::{Database, Subscribers};
use kernel::NotificationId;
use std::sync::Arc;
use tokio::{
    sync::{Notify, watch},
    task::JoinHandle,
};
use users_ports::UsersPort;

/// Why notifications cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Nothing can be sent with these settings.
    #[error(transparent)]
    Post(#[from] PostError),
    /// An embedded template does not compile.
    #[error("a template does not compile")]
    Template(#[from] minijinja::Error),
}

/// Notifications, as one process runs them.
pub struct Service {
    database: Database,
    users: Arc<dyn UsersPort>,
    settings: Settings,
    templates: Templates,
    post: Post,
    domain: String,
    bell: Notify,
    journal: Journal,
}

impl Service {
    /// A service on a migrated database.
    ///
    /// # Errors
    /// [`StartError`] where the settings make no sense.
    #[expect(clippy::unused_async, reason = "every module starts alike")]
    pub async fn start(
        database: Database,
        users: Arc<dyn UsersPort>,
        settings: Settings,
    ) -> Result<Arc<Self>, StartError> {
        let (post, domain) = Post::new(&settings)?;
        let html = matches!(post, Post::Smtp(_));
        let templates = Templates::new(settings.shop.clone(), html)?;
        let (bell, journal) = (Notify::new(), Journal::new());
        Ok(Arc::new(Self { database, users, settings, templates, post, domain, bell, journal }))
    }

    /// What handles the module's subscriptions.
    #[must_use]
    pub fn subscribers(self: &Arc<Self>) -> Subscribers {
        subscriptions::all(self)
    }

    /// The sender and the journal. They end, with what they have begun done, when `stop` says so.
    #[must_use]
    pub fn workers(self: &Arc<Self>, stop: watch::Receiver<bool>) -> Vec<JoinHandle<()>> {
        let (sender, journal) = (Arc::clone(self), Arc::clone(self));
        let stopped = stop.clone();
        // A context of their own: whoever starts them may have a deadline.
        vec![
            bus::spawn(Context::default().scope(async move { sender::run(&sender, stop).await })),
            bus::spawn(
                Context::default()
                    .scope(async move { journal.journal.run(&journal.database, stopped).await }),
            ),
        ]
    }

    pub(crate) fn database(&self) -> &Database {
        &self.database
    }

    pub(crate) fn users(&self) -> &dyn UsersPort {
        &*self.users
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(crate) fn templates(&self) -> &Templates {
        &self.templates
    }

    pub(crate) fn post(&self) -> &Post {
        &self.post
    }

    pub(crate) fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Wakes the sender.
    pub(crate) fn bell(&self) -> &Notify {
        &self.bell
    }

    /// The Message-ID (RFC 5322, 3.6.4) of a notification, kept in its row.
    pub(crate) fn message_id(&self, id: NotificationId) -> String {
        format!("<{id}@{}>", self.domain)
    }

    /// A number in 0..1 for pauses, out of an id's random bits.
    pub(crate) fn random(&self) -> f64 {
        let id: uuid::Uuid = self.database.sources().id();
        f64::from(u16::from_be_bytes([id.as_bytes()[14], id.as_bytes()[15]])) / f64::from(u16::MAX)
    }
}
