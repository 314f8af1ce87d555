//! The connection as its owner sees it.

use crate::{
    link::{Link, Standing},
    listener::AmqpListener,
    settings::{AmqpSettings, InvalidSettings},
    transport::AmqpTransport,
};
use bus::Transport;
use lapin::uri::AMQPUri;
use std::{
    fmt,
    sync::{Arc, OnceLock},
};

/// A connection to RabbitMQ. It comes back by itself, with everything that uses it; it is closed when this, its
/// transport and its listeners are dropped.
pub struct Amqp {
    uri: AMQPUri,
    link: Link,
    settings: Arc<AmqpSettings>,
    transport: OnceLock<Arc<AmqpTransport>>,
}

impl Amqp {
    /// Begins to connect, in the background and for as long as it takes: a broker that is not there yet is no error.
    /// Runs inside a tokio runtime.
    ///
    /// # Errors
    /// [`InvalidSettings`] where it never could.
    pub fn connect(settings: AmqpSettings) -> Result<Self, InvalidSettings> {
        let settings = Arc::new(settings);
        let uri = settings.parse()?;
        let link = Link::start(uri.clone(), Arc::clone(&settings));
        Ok(Self { uri, link, settings, transport: OnceLock::new() })
    }

    /// The calling half; the same one each time.
    pub fn transport(&self) -> Arc<AmqpTransport> {
        let start = || Arc::new(AmqpTransport::start(&self.link, &self.settings));
        Arc::clone(self.transport.get_or_init(start))
    }

    /// A serving half that answers with this.
    pub fn listener(&self, answers: Arc<dyn Transport>) -> Arc<AmqpListener> {
        let settings = Arc::clone(&self.settings);
        let strangers = Link::start(self.uri.clone(), Arc::clone(&settings));
        Arc::new(AmqpListener::new(self.link.clone(), strangers, settings, answers))
    }

    /// Whether there is a connection now.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.link.is_up()
    }

    /// Waits until the first attempt to connect is over; whether it came to something.
    pub async fn first_attempt(&self) -> bool {
        let mut standing = self.link.watch();
        let known = standing.wait_for(|standing| !matches!(standing, Standing::Starting)).await;
        known.is_ok_and(|standing| matches!(*standing, Standing::Up(_)))
    }
}

impl fmt::Debug for Amqp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Amqp").field("settings", &self.settings).finish_non_exhaustive()
    }
}
