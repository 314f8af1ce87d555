//! A bell that everybody hears, also whoever was busy when it rang.

use tokio::sync::watch;

/// Tells any number of tasks that there is something to look at.
#[derive(Debug)]
pub(crate) struct Bell(watch::Sender<()>);

/// One listener.
#[derive(Debug, Clone)]
pub(crate) struct Ear(watch::Receiver<()>);

impl Default for Bell {
    fn default() -> Self {
        Self(watch::Sender::new(()))
    }
}

impl Bell {
    pub(crate) fn ring(&self) {
        self.0.send_modify(|()| {});
    }

    pub(crate) fn listen(&self) -> Ear {
        Ear(self.0.subscribe())
    }
}

impl Ear {
    /// Returns once the bell has rung since the last time; never, when the bell is gone.
    pub(crate) async fn heard(&mut self) {
        if self.0.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
