//! One connection to the broker, used once: what ends it ends everything on it.
//!
//! The client library would reconnect by itself. It then sends what had been buffered, however old that is by then, and
//! a pull that was waiting at the broker stalls. So a connection that is lost is given up with all that waits on it;
//! [`Nats`](crate::Nats) makes a new one, on which the modules subscribe anew.

use crate::{
    settings::Server,
    subjects,
    waiters::{Notice, Waiter, Waiters},
};
use async_nats::{
    Client, ConnectError, Event, HeaderMap, Subject, Subscriber,
    client::{PublishErrorKind, traits::Publisher},
    jetstream,
    message::OutboundMessage,
};
use bus::BusError;
use bytes::Bytes;
use futures::StreamExt;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{sync::mpsc, time::MissedTickBehavior};
use tokio_util::sync::CancellationToken;

/// Notices that wait to be said.
const NOTICES: usize = 4096;

/// How often calls that have been silent are looked at.
const LOOK: Duration = Duration::from_secs(1);

pub(crate) struct Connection {
    pub(crate) client: Client,
    pub(crate) jetstream: jetstream::Context,
    waiters: Arc<Waiters>,
    ended: CancellationToken,
}

/// What a connection has to be driven with.
pub(crate) struct Incoming {
    inbox: Subscriber,
    notices: mpsc::Receiver<Notice>,
}

impl Connection {
    pub(crate) async fn open(server: Server) -> Result<(Arc<Self>, Incoming), async_nats::Error> {
        let ended = CancellationToken::new();
        let client = connect(server, ended.clone()).await?;
        let (notices, said) = mpsc::channel(NOTICES);
        let waiters = Waiters::new(client.new_inbox(), notices);
        let inbox = client.subscribe(waiters.subject()).await?;
        let jetstream = jetstream::new(client.clone());
        let connection = Arc::new(Self { client, jetstream, waiters, ended });
        Ok((connection, Incoming { inbox, notices: said }))
    }

    /// Carries replies to those who wait for them, until the connection is lost.
    pub(crate) async fn run(&self, incoming: Incoming) {
        let Incoming { mut inbox, mut notices } = incoming;
        let _over = Over(self);
        let hear = async {
            while let Some(message) = inbox.next().await {
                self.waiters.settle(message);
            }
        };
        let speak = async {
            let mut look = tokio::time::interval(LOOK);
            look.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    Some(notice) = notices.recv() => self.say(notice).await,
                    _ = look.tick() => {
                        for notice in self.waiters.look() {
                            self.say(notice).await;
                        }
                    }
                }
            }
        };
        tokio::select! {
            () = hear => {}
            () = speak => {}
            () = self.ended.cancelled() => {}
        }
    }

    async fn say(&self, notice: Notice) {
        // Lost, it costs the other side a look or a little work.
        let _ = self.client.publish(notice.to, notice.text.into()).await;
    }

    /// Waits for a reply to what is about to be sent. About a call `control` can be asked.
    pub(crate) fn wait(&self, control: Option<Subject>) -> Waiter {
        self.waiters.enter(control)
    }

    /// How many replies are waited for.
    pub(crate) fn pending(&self) -> usize {
        self.waiters.len()
    }

    /// Returns once nothing can be sent or received any longer.
    pub(crate) async fn ended(&self) {
        self.ended.cancelled().await;
    }

    /// Sends one message on behalf of the request of this name.
    pub(crate) async fn send(
        &self,
        name: &str,
        subject: Subject,
        reply: Option<Subject>,
        headers: Option<HeaderMap>,
        payload: Bytes,
    ) -> Result<(), BusError> {
        let sent = self.client.publish_message(OutboundMessage { subject, reply, payload, headers });
        let sent = tokio::select! {
            biased;
            sent = sent => sent,
            () = self.ended.cancelled() => return Err(lost(name)),
        };
        sent.map_err(|error| match error.kind() {
            PublishErrorKind::MaxPayloadExceeded => BusError::failed(&format_args!("{name}: {error}")),
            PublishErrorKind::InvalidSubject => BusError::UnknownName { name: name.to_owned() },
            PublishErrorKind::Send => lost(name),
        })
    }

    /// Returns when the broker has taken note of what was subscribed to before: it reads a connection in order.
    pub(crate) async fn settled(&self) -> bool {
        let mut echo = self.wait(None);
        self.client.publish(echo.reply(), Bytes::new()).await.is_ok() && echo.answer().await.is_some()
    }
}

/// Tells those who wait, whatever ends the connection.
struct Over<'a>(&'a Connection);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.ended.cancel();
        self.0.waiters.end();
    }
}

/// Nothing is reached on a connection that is lost.
pub(crate) fn lost(name: &str) -> BusError {
    BusError::Unavailable { port: subjects::module(name).to_owned() }
}

async fn connect(server: Server, ended: CancellationToken) -> Result<Client, ConnectError> {
    let (slow, name) = (AtomicBool::new(false), server.address.clone());
    let events = move |event: Event| {
        match event {
            Event::Disconnected | Event::Closed => ended.cancel(),
            Event::SlowConsumer(_) => {
                metrics::counter!("nats_messages_dropped_total").increment(1);
                if !slow.swap(true, Ordering::Relaxed) {
                    tracing::error!(server = name.host(), "messages are dropped: this process is too slow");
                }
            }
            Event::ServerError(error) => {
                tracing::error!(server = name.host(), %error, "the NATS server refuses")
            }
            Event::LameDuckMode => tracing::info!(server = name.host(), "the NATS server is about to stop"),
            _ => {}
        }
        std::future::ready(())
    };
    server.options.event_callback(events).connect(server.address).await
}
