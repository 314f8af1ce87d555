//! A channel that sends and hears the answers, opened again whenever it is lost.

use crate::{
    backoff::Backoff,
    confirms::settle,
    link::{Link, Standing},
    message::{REPLY_TO, correlation, number, read_answer},
    session::{Failure, Session, close, patiently},
    waiters::{Heard, Waiter, Waiters},
};
use bytes::Bytes;
use futures::{StreamExt, stream::FuturesUnordered};
use lapin::{
    BasicProperties, Channel, Confirmation, Consumer,
    options::{BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions},
    types::{FieldTable, ShortString},
};
use std::sync::Arc;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::{CancellationToken, DropGuard};

/// A message that is to be sent.
pub(crate) struct Outgoing {
    pub(crate) exchange: ShortString,
    pub(crate) route: ShortString,
    pub(crate) properties: BasicProperties,
    pub(crate) body: Bytes,
    /// Whether it comes back where there is no queue for it.
    pub(crate) mandatory: bool,
}

/// How the channel stands.
#[derive(Clone)]
enum Desk {
    /// It will be known in a moment.
    Opening,
    Open(Arc<Open>),
    Closed,
}

/// A channel that is open.
pub(crate) struct Open {
    pub(crate) session: Arc<Session>,
    /// As many messages as callers are admitted by their links.
    outgoing: mpsc::UnboundedSender<(u64, Outgoing)>,
}

/// One who asks, and whom to tell if the answer is waited for no longer.
struct Asker<'a> {
    waiter: Waiter,
    open: &'a Open,
    if_left: Option<Outgoing>,
}

impl Drop for Asker<'_> {
    fn drop(&mut self) {
        if self.waiter.leave()
            && let Some(notice) = self.if_left.take()
        {
            // The channel is gone, and with it whoever would be told.
            let _ = self.open.outgoing.send((self.waiter.number, notice));
        }
    }
}

/// Sends, and waits for answers; the channel is closed when it is dropped.
pub(crate) struct Publisher {
    desk: watch::Receiver<Desk>,
    waiters: Arc<Waiters>,
    _stop: DropGuard,
}

impl Publisher {
    pub(crate) fn start(link: Link, purpose: &'static str) -> Self {
        let (desk, seen) = watch::channel(Desk::Opening);
        let (waiters, stop) = (Arc::<Waiters>::default(), CancellationToken::new());
        let keeping = keep(link, purpose, desk, Arc::clone(&waiters), stop.clone());
        drop(bus::spawn(keeping));
        Self { desk: seen, waiters, _stop: stop.drop_guard() }
    }

    /// How many answers are waited for.
    pub(crate) fn pending(&self) -> usize {
        self.waiters.len()
    }

    /// The channel, unless there is none: then nobody is kept waiting for it.
    pub(crate) async fn open(&self) -> Option<Arc<Open>> {
        let mut desk = self.desk.clone();
        let known = desk.wait_for(|desk| !matches!(desk, Desk::Opening)).await.ok()?;
        match &*known {
            Desk::Open(open) if !open.session.is_blocked() => Some(Arc::clone(open)),
            _ => None,
        }
    }

    /// Sends a message and waits for what becomes of it; `None` where the channel is lost before that is known.
    /// Dropping the future has `if_left` sent, under the same number.
    pub(crate) async fn ask(
        &self,
        open: &Open,
        message: Outgoing,
        if_left: Option<Outgoing>,
    ) -> Option<Heard> {
        // Entered before it is sent: whoever closes the channel tells all that have entered.
        let mut asker = Asker { waiter: Waiter::enter(&self.waiters), open, if_left };
        if open.outgoing.send((asker.waiter.number, message)).is_err() {
            return Some(Heard::Unsent);
        }
        asker.waiter.heard().await
    }
}

async fn keep(
    link: Link,
    purpose: &'static str,
    desk: watch::Sender<Desk>,
    waiters: Arc<Waiters>,
    stop: CancellationToken,
) {
    let mut standing = link.watch();
    let mut backoff = Backoff::new();
    let session = async |standing: &mut watch::Receiver<Standing>| {
        loop {
            match standing.borrow_and_update().clone() {
                Standing::Up(session) => return session,
                Standing::Starting => {}
                Standing::Down => drop(desk.send_replace(Desk::Closed)),
            }
            if standing.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    };
    while let Some(session) = stop.run_until_cancelled(session(&mut standing)).await {
        desk.send_replace(Desk::Opening);
        match open(&session).await {
            Ok((channel, mut answers)) => {
                let (outgoing, mut to_send) = mpsc::unbounded_channel();
                desk.send_replace(Desk::Open(Arc::new(Open { session: Arc::clone(&session), outgoing })));
                let carrying = carry(&channel, &mut answers, &mut to_send, &waiters);
                let lost = stop.run_until_cancelled(carrying).await;
                desk.send_replace(Desk::Closed);
                drop(to_send);
                waiters.lose_all();
                close(&channel).await;
                let Some(error) = lost else { return };
                tracing::warn!(purpose, %error, "a sending channel is lost");
            }
            Err(error) => {
                desk.send_replace(Desk::Closed);
                tracing::warn!(purpose, %error, "no channel can be opened");
            }
        }
        if stop.run_until_cancelled(backoff.pause()).await.is_none() {
            return;
        }
    }
}

/// Opens the channel. Answers come to the channel that asked, so the consumer is there first.
async fn open(session: &Session) -> Result<(Channel, Consumer), Failure> {
    let channel = session.channel().await?;
    patiently(channel.confirm_select(ConfirmSelectOptions::default())).await?;
    let options = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
    let consuming = channel.basic_consume(REPLY_TO.into(), "".into(), options, FieldTable::default());
    let answers = patiently(consuming).await?;
    Ok((channel, answers))
}

/// Carries messages there and answers back until the channel ends. One task publishes: lapin counts a message's place
/// and queues its frames in two steps, and two tasks in between would have each other's confirmations. And every
/// confirmation is waited for here: lapin keeps the dropped ones for ever (C20).
async fn carry(
    channel: &Channel,
    answers: &mut Consumer,
    to_send: &mut mpsc::UnboundedReceiver<(u64, Outgoing)>,
    waiters: &Waiters,
) -> Failure {
    let mut confirms = FuturesUnordered::new();
    loop {
        tokio::select! {
            Some((number, message)) = to_send.recv() => confirms.push(publish(channel, number, message)),
            Some((number, confirmed)) = confirms.next() => settle(number, confirmed, waiters),
            answer = answers.next() => match answer {
                Some(Ok(answer)) => {
                    if let Some(number) = number(&answer.properties) {
                        waiters.tell(number, Heard::Answered(read_answer(&answer.properties, answer.data)));
                    }
                }
                Some(Err(error)) => return error.into(),
                None => return Failure::Cancelled,
            },
        }
    }
}

async fn publish(channel: &Channel, number: u64, message: Outgoing) -> (u64, lapin::Result<Confirmation>) {
    let Outgoing { exchange, route, properties, body, mandatory } = message;
    let properties = properties.with_correlation_id(correlation(number));
    let options = BasicPublishOptions { mandatory, ..BasicPublishOptions::default() };
    let published = async { channel.basic_publish(exchange, route, options, &body, properties).await?.await };
    (number, published.await)
}
