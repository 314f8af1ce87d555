//! One connection from its beginning to its end.

use crate::dial::Socket;
use futures::StreamExt;
use lapin::{Channel, Connection};
use std::time::Duration;
use tokio::time::timeout;

/// How long the broker may take to answer what is asked of it. The declaration of a quorum queue writes to disk.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long a channel may take to close.
const FAREWELL: Duration = Duration::from_secs(5);

/// How often the connection is looked at where no event came.
const LOOK: Duration = Duration::from_secs(1);

/// Why something did not come about, for the log: lapin's errors name no credentials.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    Refused(#[from] lapin::Error),
    #[error("the broker does not answer")]
    Silent,
    #[error("the consumer was cancelled")]
    Cancelled,
    #[error("the broker has forgotten the consumer")]
    Forgotten,
    #[error("the connection has ended")]
    Ended,
}

/// A connection. lapin closes it when the last channel of it is dropped as well.
pub(crate) struct Session {
    connection: Connection,
    socket: Socket,
}

impl Session {
    pub(crate) fn new(connection: Connection, socket: Socket) -> Self {
        Self { connection, socket }
    }

    /// Opens a channel. A broker that does not even do that is as good as gone: the connection is given up, so that all
    /// who wait on it hear of it.
    pub(crate) async fn channel(&self) -> Result<Channel, Failure> {
        let opened = patiently(self.connection.create_channel()).await;
        if matches!(opened, Err(Failure::Silent)) {
            self.socket.shut();
        }
        opened
    }

    /// Whether the broker takes nothing now, for want of memory or disk. What is published waits in this process.
    pub(crate) fn is_blocked(&self) -> bool {
        self.connection.status().blocked()
    }

    /// Waits until the connection is gone. lapin's own recovery is not asked for: it is reported not to work after a
    /// broker's restart (lapin#450).
    pub(crate) async fn ended(&self) {
        let mut events = self.connection.events_listener().chain(futures::stream::pending());
        while self.connection.status().connected() {
            // Any event may have been the end; and none may have come, where it was the end before anybody listened.
            let _ = timeout(LOOK, events.next()).await;
        }
    }
}

/// Waits for what was asked of the broker on a channel. Where that hangs, others go on: a quorum queue without a leader
/// lets everything hang that names it.
pub(crate) async fn patiently<T>(asked: impl Future<Output = lapin::Result<T>>) -> Result<T, Failure> {
    timeout(PATIENCE, asked).await.map_err(|_| Failure::Silent)?.map_err(Failure::from)
}

/// Closes in order: a consumer and a channel that are just dropped may be closed the wrong way round, and lapin takes
/// the whole connection down for it.
pub(crate) async fn close(channel: &Channel) {
    if channel.status().connected() {
        // It is closed, or its connection is gone, or it hangs and is closed when it no longer does.
        let _ = timeout(FAREWELL, channel.close(200, "OK".into())).await;
    }
}
