//! Who waits for a reply on one connection.
//!
//! An entry is owned by whoever waits and leaves with its owner: the client library keeps one for every request that
//! was never answered (nats.rs#1617). A broker does not tell that a serving process has died, so whoever serves is
//! asked about a call that has been silent for a while; a call that nobody knows of is given up.

use crate::headers::is_running;
use async_nats::{Message, Subject};
use std::{
    collections::HashMap,
    fmt::Write as _,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::{mpsc, oneshot};

/// Looks at the table (one a second) after which a call is asked about, and after which it is given up.
const ASK_AFTER: u8 = 2;
const GIVE_UP_AFTER: u8 = 5;

/// Something said to all who serve a module.
#[derive(Debug)]
pub(crate) struct Notice {
    pub(crate) to: Subject,
    pub(crate) text: String,
}

/// What a [`Notice`] says of the call that is answered to this subject.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Said<'a> {
    /// Nobody waits for it any longer.
    Cancel(&'a str),
    /// Is it still being worked on?
    Ask(&'a str),
}

impl<'a> Said<'a> {
    pub(crate) fn parse(text: &'a [u8]) -> Option<Self> {
        match std::str::from_utf8(text).ok()?.split_once(' ')? {
            ("cancel", reply) => Some(Self::Cancel(reply)),
            ("ask", reply) => Some(Self::Ask(reply)),
            _ => None,
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Cancel(reply) => format!("cancel {reply}"),
            Self::Ask(reply) => format!("ask {reply}"),
        }
    }
}

pub(crate) struct Waiters {
    inbox: String,
    notices: mpsc::Sender<Notice>,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    next: u64,
    over: bool,
    waiting: HashMap<u64, Entry>,
}

struct Entry {
    answer: oneshot::Sender<Message>,
    /// Where to ask about it; nowhere for what the broker itself keeps.
    control: Option<Subject>,
    /// Looks since it was last heard of.
    silence: u8,
}

impl Waiters {
    /// Waits on subjects below `inbox`, and says what there is to say by `notices`.
    pub(crate) fn new(inbox: String, notices: mpsc::Sender<Notice>) -> Arc<Self> {
        Arc::new(Self { inbox, notices, table: Mutex::default() })
    }

    /// What the connection subscribes to.
    pub(crate) fn subject(&self) -> String {
        format!("{}.*", self.inbox)
    }

    pub(crate) fn enter(self: &Arc<Self>, control: Option<Subject>) -> Waiter {
        let (answer, answered) = oneshot::channel();
        let mut table = self.table();
        table.next += 1;
        let id = table.next;
        if !table.over {
            table.waiting.insert(id, Entry { answer, control, silence: 0 });
        }
        drop(table);
        Waiter { waiters: Arc::clone(self), id, answered }
    }

    pub(crate) fn len(&self) -> usize {
        self.table().waiting.len()
    }

    /// Hands a message to whoever waits for it, if anybody does.
    pub(crate) fn settle(&self, message: Message) {
        let Some(id) = message.subject.rsplit('.').next().and_then(|id| id.parse().ok()) else { return };
        let mut table = self.table();
        if is_running(&message) {
            if let Some(entry) = table.waiting.get_mut(&id) {
                entry.silence = 0;
            }
        } else if let Some(entry) = table.waiting.remove(&id) {
            drop(table);
            let _ = entry.answer.send(message);
        }
    }

    /// One look at the table: gives up what nobody knows of, and says what to ask about.
    pub(crate) fn look(&self) -> Vec<Notice> {
        let mut asks = Vec::new();
        self.table().waiting.retain(|id, entry| {
            let Some(control) = &entry.control else { return true };
            entry.silence += 1;
            if entry.silence >= ASK_AFTER {
                let reply = self.reply(*id);
                asks.push(Notice { to: control.clone(), text: Said::Ask(&reply).text() });
            }
            entry.silence < GIVE_UP_AFTER
        });
        asks
    }

    /// Nobody waits on this connection any longer, now or later.
    pub(crate) fn end(&self) {
        let mut table = self.table();
        table.over = true;
        table.waiting.clear();
    }

    fn reply(&self, id: u64) -> String {
        // In one piece: a dot and at most twenty digits. Writing to a string does not fail.
        let mut subject = String::with_capacity(self.inbox.len() + 21);
        let _ = write!(subject, "{}.{id}", self.inbox);
        subject
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An entry in the table.
pub(crate) struct Waiter {
    waiters: Arc<Waiters>,
    id: u64,
    answered: oneshot::Receiver<Message>,
}

impl Waiter {
    /// The subject that is waited on.
    pub(crate) fn reply(&self) -> String {
        self.waiters.reply(self.id)
    }

    /// The answer; `None` where the connection was lost, or nobody knows of the call.
    pub(crate) async fn answer(&mut self) -> Option<Message> {
        (&mut self.answered).await.ok()
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let entry = self.waiters.table().waiting.remove(&self.id);
        if let Some(Entry { control: Some(to), .. }) = entry {
            let text = Said::Cancel(&self.reply()).text();
            // Where so much is said that this finds no place, the call's deadline has to do.
            let _ = self.waiters.notices.try_send(Notice { to, text });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::headers::write_running;
    use futures::FutureExt;

    fn waiters() -> (Arc<Waiters>, mpsc::Receiver<Notice>) {
        let (notices, said) = mpsc::channel(8);
        (Waiters::new("shop.reply.x".into(), notices), said)
    }

    fn message(subject: &str, headers: Option<async_nats::HeaderMap>) -> Message {
        let (reply, payload) = (None, bytes::Bytes::new());
        let subject = Subject::from(subject);
        Message { subject, reply, payload, headers, status: None, description: None, length: 0 }
    }

    fn calls() -> Option<Subject> {
        Some("shop.control.orders".into())
    }

    /// C20: whoever leaves takes the entry along and says so.
    #[test]
    fn an_entry_leaves_with_its_owner() {
        let (waiters, mut said) = waiters();
        let call = waiters.enter(calls());
        let batch = waiters.enter(None);
        assert_eq!(waiters.len(), 2);
        drop((call, batch));
        assert_eq!(waiters.len(), 0);
        let notice = said.try_recv().expect("the call is cancelled");
        assert_eq!(Said::parse(notice.text.as_bytes()), Some(Said::Cancel("shop.reply.x.1")));
        assert!(said.try_recv().is_err(), "a batch of events stays where it is");
    }

    #[test]
    fn an_answer_reaches_its_caller_and_no_other() {
        let (waiters, mut said) = waiters();
        let (mut first, mut second) = (waiters.enter(calls()), waiters.enter(calls()));
        for stray in ["77", "", "one", "2", "2"] {
            waiters.settle(message(&format!("shop.reply.x.{stray}"), None));
        }
        assert!(second.answer().now_or_never().flatten().is_some());
        assert!(first.answer().now_or_never().is_none());
        drop(second);
        assert!(said.try_recv().is_err(), "what was answered is not cancelled");
    }

    #[test]
    fn a_call_that_nobody_knows_of_is_given_up() {
        let (waiters, _said) = waiters();
        let (mut known, mut unknown, mut batch) =
            (waiters.enter(calls()), waiters.enter(calls()), waiters.enter(None));
        let mut asked = 0;
        for _ in 0..100 {
            asked += waiters.look().len();
            waiters.settle(message("shop.reply.x.1", write_running("").headers));
        }
        assert!(asked > 3);
        assert!(known.answer().now_or_never().is_none());
        assert!(matches!(unknown.answer().now_or_never(), Some(None)));
        assert!(batch.answer().now_or_never().is_none(), "the broker has it");
    }

    /// CALL-17.
    #[test]
    fn nobody_waits_on_a_connection_that_is_over() {
        let (waiters, _said) = waiters();
        let mut before = waiters.enter(calls());
        waiters.end();
        let mut after = waiters.enter(calls());
        assert!(matches!(before.answer().now_or_never(), Some(None)));
        assert!(matches!(after.answer().now_or_never(), Some(None)));
        assert_eq!(waiters.len(), 0);
    }
}
