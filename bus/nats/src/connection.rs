//! One connection to the broker, used once: what ends it ends everything on it.
//!
//! The client library would reconnect by itself. It then sends what had been buffered, however old that is by then, and
//! a pull that was waiting at the broker stalls. So a connection that is lost is given up with all that waits on it;
//! [`Nats`](crate::Nats) makes a new one, on which the modules subscribe anew.

use crate::{
    headers,
    settings::Server,
    subjects,
    waiters::{Notice, Waiter, Waiters},
};
use async_nats::{
    Client, ConnectError, Event, Subject, Subscriber, client::traits::Publisher, jetstream,
    message::OutboundMessage,
};
use bus::BusError;
use futures::StreamExt;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::mpsc::{self, error::TrySendError},
    task::{JoinSet, yield_now},
    time::MissedTickBehavior,
};
use tokio_util::sync::CancellationToken;

/// Messages that wait to be sent; whoever has another one waits with it.
const OUTGOING: usize = 2048;

/// As many messages are written without waiting for more.
const AT_ONCE: usize = 64;

/// Notices that wait to be said.
const NOTICES: usize = 4096;

/// How often calls that have been silent are looked at.
const LOOK: Duration = Duration::from_secs(1);

pub(crate) struct Connection {
    pub(crate) client: Client,
    pub(crate) jetstream: jetstream::Context,
    outgoing: mpsc::Sender<OutboundMessage>,
    waiters: Arc<Waiters>,
    ended: CancellationToken,
}

/// What a connection has to be driven with.
pub(crate) struct Drive {
    inbox: Subscriber,
    outgoing: mpsc::Receiver<OutboundMessage>,
    notices: mpsc::Receiver<Notice>,
}

impl Connection {
    pub(crate) async fn open(server: Server) -> Result<(Arc<Self>, Drive), async_nats::Error> {
        let ended = CancellationToken::new();
        let client = connect(server, ended.clone()).await?;
        let (notices, said) = mpsc::channel(NOTICES);
        let (outgoing, sent) = mpsc::channel(OUTGOING);
        let waiters = Waiters::new(client.new_inbox(), notices);
        let inbox = client.subscribe(waiters.subject()).await?;
        let jetstream = jetstream::new(client.clone());
        let connection = Arc::new(Self { client, jetstream, outgoing, waiters, ended });
        Ok((connection, Drive { inbox, outgoing: sent, notices: said }))
    }

    /// Carries messages away, and replies to those who wait for them, until the connection is lost.
    pub(crate) async fn run(&self, drive: Drive) {
        let _over = Over(self);
        let mut tasks = JoinSet::new();
        tasks.spawn(hear(drive.inbox, Arc::clone(&self.waiters)));
        tasks.spawn(carry(drive.outgoing, self.client.clone()));
        tokio::select! {
            _ = tasks.join_next() => {}
            () = self.speak(drive.notices) => {}
            () = self.ended.cancelled() => {}
        }
    }

    async fn speak(&self, mut notices: mpsc::Receiver<Notice>) {
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
    }

    async fn say(&self, Notice { to, text }: Notice) {
        // Behind the call that it is about. Lost, it costs the other side a look or a little work.
        let payload = text.into();
        let _ =
            self.outgoing.send(OutboundMessage { subject: to, reply: None, payload, headers: None }).await;
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

    /// Sends one message on behalf of the request of this name. To be sent is not to have left: nobody is told of a
    /// message that the end of the connection catches, other than those who wait.
    pub(crate) async fn send(&self, name: &str, message: OutboundMessage) -> Result<(), BusError> {
        let size = headers::length(message.headers.as_ref()) + message.payload.len();
        let most = self.client.max_payload();
        if size > most {
            let cause = format_args!("{name}: {size} bytes, and the broker takes {most} in a message");
            return Err(BusError::failed(&cause));
        }
        match self.outgoing.try_send(message) {
            Ok(()) => Ok(()),
            // Boxed, since it is rare, and would make every call's future larger.
            Err(TrySendError::Full(message)) => {
                Box::pin(self.outgoing.send(message)).await.map_err(|_| unheard(name))
            }
            Err(TrySendError::Closed(_)) => Err(unheard(name)),
        }
    }

    /// Returns when the broker has read all that was sent before: it reads a connection in order.
    pub(crate) async fn settled(&self) -> bool {
        let mut echo = self.wait(None);
        let (subject, payload) = (echo.reply().into(), bytes::Bytes::new());
        let sent = OutboundMessage { subject, reply: None, payload, headers: None };
        self.outgoing.send(sent).await.is_ok() && echo.answer().await.is_some()
    }
}

async fn hear(mut inbox: Subscriber, waiters: Arc<Waiters>) {
    while let Some(message) = inbox.next().await {
        waiters.settle(message);
    }
}

/// Hands messages to the client library as soon as nobody who is ready to run has another one: it writes what it has at
/// once, and a write costs more than all the rest of a message.
async fn carry(mut outgoing: mpsc::Receiver<OutboundMessage>, client: Client) {
    let mut batch = Vec::with_capacity(AT_ONCE);
    while outgoing.recv_many(&mut batch, AT_ONCE).await > 0 {
        let mut before = 0;
        while before < batch.len() && batch.len() < AT_ONCE {
            before = batch.len();
            yield_now().await;
            while let Ok(message) = outgoing.try_recv() {
                batch.push(message);
            }
        }
        for message in batch.drain(..) {
            if let Err(error) = client.publish_message(message).await {
                tracing::error!(%error, "a message is not sent");
            }
        }
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

/// There is no connection to send it on, or nobody at its other end.
pub(crate) fn unheard(name: &str) -> BusError {
    BusError::Unheard { port: subjects::module(name).to_owned() }
}

/// It was sent, and nobody knows what became of it.
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
