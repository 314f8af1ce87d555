//! What this process answers to others: whatever is linked to its bus at that moment, wherever that is.
//!
//! A module that has moved on is passed on to, so that a process that still asks here is served all the same.

use crate::{
    Bus, BusError, Context, Headers, Transport,
    endpoints::{operate, take},
    site::{Link, Reach},
};
use async_trait::async_trait;
use bytes::Bytes;
use std::sync::Arc;
use tokio::time::timeout_at;

struct Answers(Bus);

impl Bus {
    /// What a [`Listener`](crate::Listener) answers with.
    #[must_use]
    pub fn answers(&self) -> Arc<dyn Transport> {
        Arc::new(Answers(self.clone()))
    }
}

#[async_trait]
impl Transport for Answers {
    async fn request(&self, name: &str, headers: Headers, bytes: Bytes) -> Result<Bytes, BusError> {
        if let Some(extra) = self.0.0.extras.load().get(name).cloned() {
            return extra.request(name, headers, bytes).await;
        }
        let Some((module, method)) = name.split_once('.') else {
            return Err(BusError::UnknownName { name: name.into() });
        };
        let context = Context::from_headers(&headers);
        // Whoever called from elsewhere may have set no deadline.
        let default = self.0.policies().deadline(module, name);
        let context = context.received(name, default)?;
        let late = || BusError::DeadlineExceeded { name: name.into() };
        let deadline = context.deadline().ok_or_else(late)?;
        let answered = self.answer(module, method, name, context, bytes);
        timeout_at(deadline, answered).await.map_err(|_| late())?
    }

    fn kind(&self) -> &'static str {
        "loopback"
    }
}

impl Answers {
    async fn answer(
        &self,
        module: &str,
        method: &str,
        name: &str,
        context: Context,
        bytes: Bytes,
    ) -> Result<Bytes, BusError> {
        let absent = || BusError::Unavailable { port: module.into() };
        let bus = &self.0;
        match method {
            "inbox" => match bus.reach(module, name, &context, |site| site.inbox.clone()).await? {
                None => Err(absent()),
                Some(Reach::Local(inbox)) => context.scope(take(inbox, name, bytes)).await,
                Some(Reach::Remote(on)) => {
                    on.deliver(name, context.passed_on(name)?.to_headers(), bytes).await
                }
            },
            "operations" => match bus.reach(module, name, &context, |site| site.operations.clone()).await? {
                None => Err(absent()),
                Some(Reach::Local(operations)) => context.scope(operate(operations, name, bytes)).await,
                Some(Reach::Remote(on)) => {
                    on.request(name, context.passed_on(name)?.to_headers(), bytes).await
                }
            },
            _ => match bus.reach(module, name, &context, |site| site.port.clone()).await? {
                None => Err(absent()),
                Some(Link::Local { served, .. }) => match served.bytes_handler(name) {
                    Some(handler) => handler(context, bytes).await,
                    None => Err(BusError::UnknownName { name: name.into() }),
                },
                Some(Link::Remote(route)) => route.pass_on(name, &context.passed_on(name)?, bytes).await,
            },
        }
    }
}
