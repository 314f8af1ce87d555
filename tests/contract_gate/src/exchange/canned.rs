//! The other side of the bus, in a box: keeps what it is sent, answers what it is told.

use async_trait::async_trait;
use bus::{
    BusError, Context, Delivery, Exporter, Headers, Port, Receipt, Receive, Request, RequestInfo, Transport,
};
use bytes::Bytes;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A wire: what goes over it is kept, and what comes back was given before.
#[derive(Default)]
pub(super) struct Wire {
    pub(super) sent: Mutex<Option<(Headers, Bytes)>>,
    pub(super) answer: Option<Bytes>,
}

impl Wire {
    /// The headers and the text that went over it.
    pub(super) fn sent(&self) -> Result<(Headers, String), String> {
        let (headers, bytes) = lock(&self.sent).take().ok_or("nothing was sent")?;
        Ok((headers, String::from_utf8(bytes.to_vec()).map_err(|error| error.to_string())?))
    }
}

#[async_trait]
impl Transport for Wire {
    async fn request(&self, name: &str, headers: Headers, bytes: Bytes) -> Result<Bytes, BusError> {
        *lock(&self.sent) = Some((headers, bytes));
        // Nothing that would be tried again.
        self.answer.clone().ok_or_else(|| BusError::UnknownName { name: name.into() })
    }

    fn kind(&self) -> &'static str {
        "canned"
    }
}

/// A port with one request, which keeps what it is asked and answers what it is told.
pub(super) struct Canned<R: Request> {
    pub(super) asked: Mutex<Option<Value>>,
    pub(super) outcome: Mutex<Option<Result<R::Response, R::Error>>>,
}

impl<R: Request> Default for Canned<R> {
    fn default() -> Self {
        Self { asked: Mutex::default(), outcome: Mutex::default() }
    }
}

impl<R: Request> Port for Canned<R> {
    const NAME: &'static str = R::PORT;
    const REQUESTS: &'static [RequestInfo] = &[RequestInfo { name: R::NAME, kind: R::KIND }];
    type Requests = (R, ());

    fn export(service: Arc<Self>, to: &mut impl Exporter) {
        to.handle::<R>(Arc::new(move |request: R| {
            let service = Arc::clone(&service);
            Box::pin(async move {
                *lock(&service.asked) = Some(beside(&Context::current(), &json!(request)));
                let silent = || Err(BusError::Unavailable { port: R::PORT.into() }.into());
                lock(&service.outcome).take().unwrap_or_else(silent)
            })
        }));
    }
}

/// A message and what its context says beside it.
pub(super) fn beside(context: &Context, message: &Value) -> Value {
    json!({
        "message": message,
        "caller": context.caller,
        "command": context.command.as_deref(),
        "request_id": context.request_id.as_deref(),
        "trace": context.trace.traceparent(),
    })
}

/// An inbox that stores everything.
#[derive(Default)]
pub(super) struct Inbox(pub(super) Mutex<Vec<Delivery>>);

#[async_trait]
impl Receive for Inbox {
    async fn receive(&self, deliveries: Vec<Delivery>) -> Result<Vec<Receipt>, BusError> {
        let receipts = vec![Receipt::Stored; deliveries.len()];
        *lock(&self.0) = deliveries;
        Ok(receipts)
    }
}
